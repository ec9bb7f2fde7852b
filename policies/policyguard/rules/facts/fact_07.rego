package policyguard.rules

# METADATA
# title: Whoever may be on a list was looked at
# description: |
#   The name of an operator or host cloud is on a list, and nobody has said whether it is
#   the same party. Names prove nothing either way: a person confirms the match, which
#   lists the party, or clears it.
# related_resources:
#   - ref: policyguard, ADR 0008
# custom:
#   id: FACT-07
#   severity: high
#   citation: the guard's own demand, not law (ADR 0008)
#   as_of: 2026-11-25
#   locked: false
#   exceptions:
#     - "a person has confirmed the match: the party is then listed, and the rules of that list answer"
#     - "a person has cleared it, with what shows it"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "FACT-07",
	"effect": "require_approval",
	"msg": sprintf("%s has the name of a party on %s (%s), and nobody has said whether it is that party", [
		party.name,
		match.list,
		concat(", ", match.names),
	]),
	"facts": {"deployment": hop.id, "party": party.id, "list": match.list, "lists.as_of": object.get(input.lists, match.list, null)},
	"missing": [],
	"remedy": "a person's word in an overlay of the list: the match confirmed, or cleared with what shows it",
} if {
	some hop in input.hops
	some party in hop.parties
	some match in party.potential
}
