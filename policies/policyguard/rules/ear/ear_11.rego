package policyguard.rules

# METADATA
# title: The other lists of BIS are each read for what they say
# description: |
#   Besides the Entity List there are three. Nobody may take part in a transaction in
#   items subject to the EAR with a party on the Denied Persons List. For a party on the
#   Unverified List no licence exception holds and a statement is needed; for one on the
#   Military End User List some items need a licence: both are for a person to look at.
#   None of them is a sanction, and none forbids to use what such a party has published.
# related_resources:
#   - ref: 15 CFR 764.2(k)
#   - ref: 15 CFR 744.15 and Supplement No. 6 to part 744
#   - ref: 15 CFR 744.21 and Supplement No. 7 to part 744
# custom:
#   id: EAR-11
#   severity: high
#   citation: 15 CFR 764.2(k), 744.15, 744.21
#   as_of: 2026-06-18
#   locked: false
#   exceptions:
#     - "what is sent is no item subject to the EAR"
#     - "a BIS licence names the party"
#     - "the listed party is only the developer of the weights"
#   effective:
#     - {from: null, to: null, status: in_force, verified: false}
findings contains {
	"id": "EAR-11",
	"effect": _ear_11_lists[consignee.list].effect,
	"msg": sprintf("%s at %s would hand an item subject to the EAR (%s) to %s, a party on the %s", [
		input.model.label,
		consignee.hop.label,
		input.data.ear.classification,
		consignee.party.name,
		_ear_11_lists[consignee.list].name,
	]),
	"facts": _ear_11_facts(consignee),
	"missing": [],
	"remedy": _ear_11_lists[consignee.list].remedy,
} if {
	_ear_01_item
	_ear_01_subject
	some consignee in _ear_11_consignees
}

findings contains {
	"id": "EAR-11",
	"effect": "indeterminate",
	"msg": sprintf("%s is on the %s, and it is not known whether what %s at %s is sent is an item subject to the EAR", [
		consignee.party.name,
		_ear_11_lists[consignee.list].name,
		input.model.label,
		consignee.hop.label,
	]),
	"facts": _ear_11_facts(consignee),
	"missing": _ear_01_missing,
	"remedy": "classification and origin of what is sent",
} if {
	count(_ear_01_missing) > 0
	some consignee in _ear_11_consignees
}

_ear_11_consignees := [{"hop": hop, "party": party, "list": list} |
	some hop in input.hops
	some party in hop.parties
	some list, _ in _ear_11_lists
	count(party.listings[list]) > 0
	_ear_01_receives(hop, party)
	not _ear_01_licensed(party)
]

_ear_11_lists := {
	"bis-denied-persons": {
		"name": "Denied Persons List",
		"effect": "deny",
		"remedy": "another operator",
	},
	"bis-meu": {
		"name": "Military End User List",
		"effect": "require_approval",
		"remedy": "a BIS licence that names the party, or a person's finding that the item is none of Supplement No. 2 to part 744",
	},
	"bis-unverified": {
		"name": "Unverified List",
		"effect": "require_approval",
		"remedy": "a statement by the party (15 CFR 744.15(b)), for a person to approve, or another operator",
	},
}

_ear_11_facts(consignee) := object.union(
	object.remove(_ear_01_facts, ["lists.bis-entity-list.as_of"]),
	object.union(_ear_01_party(consignee), {sprintf("lists.%s.as_of", [consignee.list]): input.lists[consignee.list]}),
)
