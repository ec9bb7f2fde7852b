package policyguard.rules

# METADATA
# title: No transfer from India to a country that India has restricted
# description: |
#   The DPDP Act restricts transfers to the countries that the government names; all
#   others are free. It is a list of what is not allowed, and nothing was on it. The
#   provision begins with the third phase of the Rules. What sectors demand is the
#   concern of other rules.
# related_resources:
#   - ref: Digital Personal Data Protection Act 2023, s. 16
#   - ref: DPDP Rules 2025, rule 15 (G.S.R. 846(E))
# custom:
#   id: IN-01
#   severity: medium
#   citation: DPDP Act 2023 s. 16; DPDP Rules 2025 rule 15
#   as_of: 2026-04-30
#   locked: false
#   exceptions:
#     - "no place of the route is on the list"
#   effective:
#     - {from: null, to: 2027-05-13T00:00:00Z, status: proposed, verified: false}
#     - {from: 2027-05-13T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "IN-01",
	"effect": "deny",
	"msg": sprintf("%s at %s would take personal data from India to %s, to which India restricts transfers", [
		input.model.label,
		hop.label,
		concat(", ", restricted),
	]),
	"facts": _in_01_facts(hop),
	"missing": [],
	"remedy": "a deployment in a country that is not on India's list",
} if {
	input.scope.personal == "yes"
	input.scope.IN == "in"
	some hop in input.hops
	restricted := _in_01_restricted(hop)
	count(restricted) > 0
}

findings contains {
	"id": "IN-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether personal data from India would reach %s at %s, in a country to which India restricts transfers (%s)", [
		input.model.label,
		hop.label,
		concat(", ", restricted),
	]),
	"facts": _in_01_facts(hop),
	"missing": sort(input.scope.missing),
	"remedy": "where the establishment is, and where the people are whom the data is about",
} if {
	input.scope.personal == "yes"
	input.scope.IN == "unknown"
	some hop in input.hops
	restricted := _in_01_restricted(hop)
	count(restricted) > 0
}

_in_01_restricted(hop) := [place | some place in hop.places; input.countries[place].in_restricted]

_in_01_facts(hop) := {
	"data.subjects": input.data.subjects,
	"deployment": hop.id,
	"deployment.places": hop.places,
	"exporter.establishment": input.exporter.establishment,
	"lists.in-restricted.as_of": input.lists["in-restricted"],
}
