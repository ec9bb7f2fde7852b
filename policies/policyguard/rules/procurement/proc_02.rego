package policyguard.rules

# METADATA
# title: No contract of the Department of Defense with a party on the 1260H list
# description: |
#   The Department of Defense does not contract with a party on its list of Chinese
#   military companies. That concerns who runs the model and the cloud under it, in such
#   a contract only: outside it the list bars nothing, and is told. The list is neither
#   an export control nor a sanction, and has gaps: a party that is not on it is not
#   thereby clear.
# related_resources:
#   - ref: NDAA FY2021 section 1260H
#   - ref: NDAA FY2024 section 805
# custom:
#   id: PROC-02
#   severity: high
#   citation: NDAA FY2021 section 1260H; NDAA FY2024 section 805(a)(1)
#   as_of: 2026-06-08
#   locked: false
#   exceptions:
#     - "no party of the route is on the list"
#     - "the tier is indirect, which is PROC-06"
#   effective:
#     - {from: null, to: 2026-06-30T00:00:00Z, status: proposed, verified: false}
#     - {from: 2026-06-30T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "PROC-02",
	"effect": "deny",
	"msg": sprintf("the Department of Defense would contract with %s, a party on the 1260H list, for %s at %s", [
		listed.party.name,
		input.model.label,
		listed.hop.label,
	]),
	"facts": _proc_02_facts(listed),
	"missing": [],
	"remedy": "an operator and a cloud that are not on the list",
} if {
	input.context.dod_contract == true
	input.context.dod_tier == "direct"
	some listed in _proc_02_listed
}

findings contains {
	"id": "PROC-02",
	"effect": "indeterminate",
	"msg": sprintf("%s at %s is run by %s, a party on the 1260H list, and it is not known whether the Department of Defense would contract with it", [
		input.model.label,
		listed.hop.label,
		listed.party.name,
	]),
	"facts": _proc_02_facts(listed),
	"missing": sort(missing),
	"remedy": "whether a contract of the Department is performed, and who buys from the operator in it",
} if {
	some listed in _proc_02_listed
	missing := _proc_02_missing
	count(missing) > 0
}

findings contains {
	"id": "PROC-02",
	"effect": "advise",
	"msg": sprintf("%s, which runs %s, is on the 1260H list: that bars contracts of the Department of Defense only", [
		listed.party.name,
		listed.hop.label,
	]),
	"facts": _proc_02_facts(listed),
	"missing": [],
	"remedy": "",
} if {
	input.context.dod_contract == false
	some listed in _proc_02_listed
}

_proc_02_listed := [{"hop": hop, "party": party} |
	some hop in input.hops
	some party in hop.parties
	count(party.listings["dod-1260h"]) > 0
]

_proc_02_missing contains "context.dod_contract" if input.context.dod_contract == null

_proc_02_missing contains "context.dod_tier" if {
	input.context.dod_contract != false
	input.context.dod_tier == null
}

_proc_02_facts(listed) := {
	"context.dod_contract": input.context.dod_contract,
	"context.dod_tier": input.context.dod_tier,
	"deployment": listed.hop.id,
	sprintf("deployment.%s", [listed.party.role]): listed.party.id,
	"lists.dod-1260h.as_of": input.lists["dod-1260h"],
}
