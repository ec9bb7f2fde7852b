package policyguard.rules

# METADATA
# title: Models of a developer designated as a supply-chain risk, in a contract of the Department of Defense
# description: |
#   Anthropic was designated as a supply-chain risk under two statutes. One designation
#   (10 USC 3252) is enjoined, the other (41 USC 4713) stands and is before the courts.
#   In a contract of the Department of Defense a person decides; elsewhere the rule says
#   nothing.
# related_resources:
#   - ref: 41 USC 4713
#   - ref: 10 USC 3252
# custom:
#   id: PROC-05
#   severity: medium
#   citation: 41 USC 4713; 10 USC 3252 (enjoined)
#   as_of: 2026-06-18
#   locked: false
#   exceptions:
#     - "context.dod_contract is false"
#     - "the model is of another developer"
#   effective:
#     - {from: 2026-03-03T00:00:00Z, to: null, status: contested, verified: false}
findings contains {
	"id": "PROC-05",
	"effect": "require_approval",
	"msg": sprintf("%s is made by %s, which is designated as a supply-chain risk under 41 USC 4713 (before the courts), and this call is in performance of a contract with the Department of Defense", [
		input.model.label,
		made.developer.name,
	]),
	"facts": _proc_05_facts,
	"missing": [],
	"remedy": "counsel who knows where the case stands, or another developer's model",
} if {
	input.context.dod_contract == true
	some made in _proc_05_designated
}

findings contains {
	"id": "PROC-05",
	"effect": "indeterminate",
	"msg": sprintf("%s is made by %s, which is designated as a supply-chain risk, and it is not known whether a contract with the Department of Defense is performed", [
		input.model.label,
		made.developer.name,
	]),
	"facts": _proc_05_facts,
	"missing": ["context.dod_contract"],
	"remedy": "whether such a contract is performed",
} if {
	input.context.dod_contract == null
	some made in _proc_05_designated
}

_proc_05_designated := [made |
	some made in array.concat([input.model], input.model.lineage)
	made.developer.id == "anthropic"
]

_proc_05_facts := {
	"context.dod_contract": input.context.dod_contract,
	"model": input.model.id,
	"model.developer": input.model.developer.id,
}
