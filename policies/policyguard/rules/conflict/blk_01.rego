package policyguard.rules

# METADATA
# title: An establishment in China does not follow foreign lists without counsel
# description: |
#   The law of China forbids those in China to carry out foreign restrictions that it
#   holds unjustified. Where an establishment there would refuse a party because a list
#   of the US names it, the refusal itself is a question for counsel. The rule lifts no
#   other rule's objection: it says that a person decides, and why.
# related_resources:
#   - ref: PRC Anti-Foreign Sanctions Law, Art. 12
#   - ref: MOFCOM Order 1 of 2021 (rules on counteracting unjustified extraterritorial application)
# custom:
#   id: BLK-01
#   severity: medium
#   citation: PRC Anti-Foreign Sanctions Law Art. 12; MOFCOM Order No. 1 of 2021
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "what is sent is published or no technology: then no list would be followed, and there is no conflict"
#     - "the establishment is elsewhere, or nobody says where it is: the rule adds a person's look for an establishment that is known to be in China, and clears nothing for others"
#   effective:
#     - {from: 2021-06-10T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "BLK-01",
	"effect": "require_approval",
	"msg": sprintf("a list of the US names %s, and an establishment in China that refuses it for that may be in conflict with the law of China: a question for counsel, not for automatic enforcement", [party.name]),
	"facts": {
		"data.ear.classification": input.data.ear.classification,
		"deployment": hop.id,
		sprintf("deployment.%s", [party.role]): party.id,
		"exporter.establishment": input.exporter.establishment,
	},
	"missing": [],
	"remedy": "counsel in China, before the refusal is relied on",
} if {
	input.exporter.establishment == "CN"
	not input.data.ear.classification in {"published", "not_technology"}
	some hop in input.hops
	some party in hop.parties
	count(party.listings["bis-entity-list"]) > 0
}
