package policyguard.rules

# METADATA
# title: Nothing of a party on the 1260H list inside what is sold to the Department of Defense
# description: |
#   A year after PROC-02 the Department of Defense does not buy goods or services that
#   include those of a party on the 1260H list, bought through others. A contractor that
#   has a listed party run a model for what it delivers is such a case. Components are
#   excepted by the law; whether a model call is one is for counsel.
# related_resources:
#   - ref: NDAA FY2021 section 1260H
#   - ref: NDAA FY2024 section 805
# custom:
#   id: PROC-06
#   severity: high
#   citation: NDAA FY2024 section 805(a)(2); NDAA FY2021 section 1260H
#   as_of: 2026-06-08
#   locked: false
#   exceptions:
#     - "no party of the route is on the list"
#     - "the tier is direct, which is PROC-02; what is undeclared is named there, too"
#   effective:
#     - {from: null, to: 2027-06-30T00:00:00Z, status: proposed, verified: false}
#     - {from: 2027-06-30T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "PROC-06",
	"effect": "deny",
	"msg": sprintf("%s, a party on the 1260H list, would run %s at %s inside what is sold to the Department of Defense", [
		listed.party.name,
		input.model.label,
		listed.hop.label,
	]),
	"facts": _proc_02_facts(listed),
	"missing": [],
	"remedy": "an operator and a cloud that are not on the list",
} if {
	input.context.dod_contract == true
	input.context.dod_tier == "indirect"
	some listed in _proc_02_listed
}
