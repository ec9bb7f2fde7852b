package policyguard.rules

# METADATA
# title: Whoever may be on a list was looked at
# description: |
#   The name of an operator or host cloud, of whom the caller acts for, or of an owner of
#   one of them is on a screening list, and nobody has said whether it is the same party.
#   Names are compared by their telling words: case, accents and kinds of company do not
#   count. That proves nothing either way: a person confirms the match, which lists the
#   party, or clears it for that list. No match is no clearance, either.
# related_resources:
#   - ref: policyguard, ADR 0008
# custom:
#   id: FACT-07
#   severity: high
#   citation: the guard's own demand, not law (ADR 0008)
#   as_of: 2026-11-26
#   locked: true
#   exceptions:
#     - "a person has confirmed the match: the party is then listed, and the rules of that list answer"
#     - "a person has cleared it, with what shows it; of whom only a call names, with the country"
#     - "nobody is named, neither by the call nor by the tenant's settings: there is no name to compare, and whether there has to be one is asked by the rules of law that turn on it (OFAC-01, LIC-03)"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "FACT-07",
	"effect": "require_approval",
	"msg": sprintf("%s has the name of a party on %s (%s), and nobody has said whether it is that party", [
		_fact_07_party(party, match),
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

findings contains {
	"id": "FACT-07",
	"effect": "require_approval",
	"msg": sprintf("%s, %s, has the name of a party on %s (%s), and nobody has said whether it is that party", [
		match.name,
		_fact_07_bearers[match.fact],
		match.list,
		concat("; ", sort(match.names)),
	]),
	"facts": {
		match.fact: match.name,
		"list": match.list,
		"list.entries": sort(match.entries),
		"list.names": sort(match.names),
		"lists.as_of": object.get(input.lists, match.list, null),
	},
	"missing": [],
	"remedy": "a person's word: the list among those that name it (listed), or a clearance in an overlay of the list with name, country and what shows it",
} if {
	some match in input.caller.organisation.potential
}

findings contains {
	"id": "FACT-07",
	"effect": "indeterminate",
	"msg": "a name of whom the caller acts for was not compared with any list",
	"facts": {},
	"missing": [fact],
	"remedy": "a question that this version of the guard has written: its names have their keys",
} if {
	some fact in input.caller.organisation.uncompared
}

_fact_07_party(party, match) := sprintf("%s, an owner of %s,", [match.owner, party.name]) if {
	match.owner != null
} else := party.name

_fact_07_bearers := {
	"caller.organisation.name": "whom the caller acts for",
	"caller.organisation.owners": "an owner of whom the caller acts for",
}
