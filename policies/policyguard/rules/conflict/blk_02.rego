package policyguard.rules

# METADATA
# title: An operator in the Union does not follow the US measures on Cuba and Iran without counsel
# description: |
#   The blocking statute forbids operators in the Union to comply with the US measures in
#   its annex, which are on Cuba and Iran. Where a call from there would be refused for
#   such a measure, because an American company runs the model, the refusal itself is a
#   question for counsel. The rule lifts no other rule's objection.
# related_resources:
#   - ref: Council Regulation (EC) No 2271/96, Art. 5 and annex
# custom:
#   id: BLK-02
#   severity: medium
#   citation: Council Regulation (EC) No 2271/96, Art. 5
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "the caller is elsewhere, or nobody knows where: the rules on embargoes name that"
#     - "the establishment is elsewhere"
#     - "no American company runs the model: then nobody refuses for these measures"
#   effective:
#     - {from: 1996-11-29T00:00:00Z, to: 2018-08-07T00:00:00Z, status: in_force, verified: false}
#     - {from: 2018-08-07T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "BLK-02",
	"effect": "require_approval",
	"msg": sprintf("the caller is in %s, and an operator in the Union that refuses for US measures on it may be in conflict with the blocking statute: a question for counsel, not for automatic enforcement", [input.caller.location]),
	"facts": {
		"caller.location": input.caller.location,
		"exporter.establishment": input.exporter.establishment,
	},
	"missing": [],
	"remedy": "counsel in the Union, before the refusal is relied on",
} if {
	input.caller.location in {"CU", "IR"}
	input.countries[input.exporter.establishment].eea
	_blk_02_american
}

# Somebody who follows the US measures is in it: without such a party nobody refuses.
_blk_02_american if {
	some hop in input.hops
	some party in hop.parties
	"US" in [party.country, party.control_country]
}
