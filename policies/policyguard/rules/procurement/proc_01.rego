package policyguard.rules

# METADATA
# title: No model of a covered nation in performance of a contract with the Department of Defense
# description: |
#   In performance of a DoD contract no model may be used whose developer is DeepSeek or
#   is of a covered nation (China, Iran, North Korea, Russia), wherever it runs:
#   hosting the weights oneself is no cure. A waiver of the Department is. A firm's other
#   business is not touched.
# related_resources:
#   - ref: P.L. 119-60 section 1532
#   - ref: 10 USC 4872 (covered nations)
# custom:
#   id: PROC-01
#   severity: high
#   citation: P.L. 119-60 section 1532 (FY2026 NDAA)
#   as_of: 2026-06-18
#   locked: false
#   exceptions:
#     - "context.dod_contract is false"
#     - "the tenant holds a licence with authority = \"DoD\" (a waiver) that names the model and has not expired"
#   effective:
#     - {from: 2025-12-18T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "PROC-01",
	"effect": "deny",
	"msg": sprintf("%s is made in a covered nation (%s), and this call is in performance of a contract with the Department of Defense", [
		input.model.label,
		concat(", ", sort({maker.name | some maker in _proc_01_covered})),
	]),
	"facts": _proc_01_facts,
	"missing": [],
	"remedy": "a model whose developer and bases are of no covered nation, or a waiver of the Department that names this one",
} if {
	input.context.dod_contract == true
	count(_proc_01_covered) > 0
	not _proc_01_waived
}

findings contains {
	"id": "PROC-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s may be used in performance of a contract with the Department of Defense", [input.model.label]),
	"facts": _proc_01_facts,
	"missing": sort(missing),
	"remedy": "whether such a contract is performed, and where developer and bases of the model are from",
} if {
	input.context.dod_contract != false
	input.model.known
	missing := _proc_01_missing
	count(missing) > 0
	not _proc_01_waived
}

_proc_01_nations := {"CN", "IR", "KP", "RU"}

# Developers of the model and of what it is derived from, where one is covered.
_proc_01_covered contains {"name": sprintf("%s by %s", [made.id, made.developer.name])} if {
	some made in _proc_01_made
	made.developer.id != null
	_proc_01_of_a_nation(made.developer)
}

_proc_01_made := array.concat([input.model], input.model.lineage)

_proc_01_of_a_nation(developer) if developer.country in _proc_01_nations

_proc_01_of_a_nation(developer) if developer.parent_country in _proc_01_nations

_proc_01_missing contains "context.dod_contract" if {
	input.context.dod_contract == null
	count(_proc_01_covered) > 0
}

_proc_01_missing contains name if {
	count(_proc_01_covered) == 0
	some name in _proc_01_unknown
}

# In a contract that nobody has declared, an unknown maker is one more unknown fact.
_proc_01_missing contains "context.dod_contract" if {
	input.context.dod_contract == null
	count(_proc_01_unknown) > 0
}

_proc_01_unknown contains sprintf("models.%s.developer.country", [made.id]) if {
	some made in _proc_01_made
	made.developer.country == null
	made.developer.parent_country == null
}

_proc_01_waived if {
	some licence in input.licences
	licence.authority == "DoD"
	input.model.id in licence.models
}

_proc_01_facts := {
	"context.dod_contract": input.context.dod_contract,
	"model": input.model.id,
	"model.developer": input.model.developer.id,
	"model.developer.country": input.model.developer.country,
	"model.developer.parent_country": input.model.developer.parent_country,
}
