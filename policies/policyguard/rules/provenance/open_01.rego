package policyguard.rules

# METADATA
# title: What if open weights of the developers in some countries were restricted
# description: |
#   No law restricts the use of published open weights by where they were made. Bills and
#   speeches propose it. This rule says what such a law would object to: it is silent
#   unless a tenant assumes it, and then decides as if it were in force, wherever the
#   weights run.
# related_resources:
#   - ref: No Adversarial AI Act and similar bills (not law)
# custom:
#   id: OPEN-01
#   severity: info
#   citation: no law; bills on models of adversaries, as a supposition
#   as_of: 2026-11-23
#   locked: false
#   exceptions:
#     - "nobody assumes it, which is the ordinary case"
#     - "the weights are closed, or made elsewhere"
#   effective:
#     - {from: null, to: null, status: proposed, verified: false}
findings contains {
	"id": "OPEN-01",
	"effect": "deny",
	"msg": sprintf("if open weights made in %s were restricted, %s could not be used, wherever it runs", [
		concat(", ", sort(_open_01_countries)),
		input.model.label,
	]),
	"facts": _open_01_facts,
	"missing": [],
	"remedy": "a model whose developer and bases are elsewhere",
} if {
	"OPEN-01" in input.tenant.assumed
	count(_open_01_countries) > 0
}

findings contains {
	"id": "OPEN-01",
	"effect": "indeterminate",
	"msg": sprintf("if open weights were restricted by where they are made, it would not be known whether %s could be used", [input.model.label]),
	"facts": _open_01_facts,
	"missing": sort(_open_01_missing),
	"remedy": "whether the weights are open, and where developer and bases are from",
} if {
	"OPEN-01" in input.tenant.assumed
	input.model.known
	count(_open_01_countries) == 0
	count(_open_01_missing) > 0
}

_open_01_countries contains country if {
	input.model.open_weights == true
	some made in array.concat([input.model], input.model.lineage)
	some country in [made.developer.country, made.developer.parent_country]
	country in {"CN", "IR", "KP", "RU"}
}

_open_01_missing contains "model.open_weights" if input.model.open_weights == null

_open_01_missing contains sprintf("models.%s.developer.country", [made.id]) if {
	input.model.open_weights != false
	some made in array.concat([input.model], input.model.lineage)
	made.developer.country == null
	made.developer.parent_country == null
}

_open_01_facts := {
	"model": input.model.id,
	"model.base_models": input.model.base_models,
	"model.developer": input.model.developer.id,
	"model.open_weights": input.model.open_weights,
	"tenant.assumed": input.tenant.assumed,
}
