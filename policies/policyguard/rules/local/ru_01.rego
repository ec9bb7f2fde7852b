package policyguard.rules

# METADATA
# title: Russian citizens' data is first recorded in a database in Russia
# description: |
#   When data of Russian citizens is collected, recording and storing it in databases
#   outside Russia is prohibited. Citizenship decides, not where people are; and it is a
#   rule on collection: a later transfer of what a database in Russia holds first is
#   possible, after notice to the authority.
# related_resources:
#   - ref: 152-FZ Art. 18(5), as amended by 23-FZ
#   - ref: 152-FZ Art. 12 (cross-border transfer)
# custom:
#   id: RU-01
#   severity: high
#   citation: 152-FZ Art. 18(5) as amended by 23-FZ; 152-FZ Art. 12
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "none of the people are Russian citizens"
#     - "everything stays in Russia"
#     - "neither the establishment nor the people are in Russia"
#   effective:
#     - {from: 2025-07-01T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "RU-01",
	"effect": "deny",
	"msg": sprintf("%s at %s would record data of Russian citizens, as it is collected, outside Russia (%s)", [
		input.model.label,
		hop.label,
		_transfer_names(outside),
	]),
	"facts": _ru_01_facts(hop),
	"missing": [],
	"remedy": "a database in Russia that records it first",
} if {
	_ru_01_citizens
	input.data.collection_at_source == true
	some hop in input.hops
	outside := _ru_01_outside(hop)
	count(outside) > 0
}

findings contains {
	"id": "RU-01",
	"effect": "oblige",
	"msg": sprintf("data of Russian citizens would go from Russia to %s at %s: the authority is given notice of a cross-border transfer first", [
		input.model.label,
		hop.label,
	]),
	"facts": _ru_01_facts(hop),
	"missing": [],
	"remedy": "",
	"obligation": {"type": "record_keeping", "properties": {"article": "152-FZ Art. 12"}},
} if {
	_ru_01_citizens
	input.data.collection_at_source == false
	some hop in input.hops
	count(_ru_01_outside(hop)) > 0
}

findings contains {
	"id": "RU-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s at %s would be where data of Russian citizens is first recorded", [
		input.model.label,
		hop.label,
	]),
	"facts": _ru_01_facts(hop),
	"missing": sort(missing),
	"remedy": "citizenships of the people, whether this call is where their data is first recorded, and where that would be",
} if {
	input.scope.personal == "yes"
	input.scope.RU != "out"
	some hop in input.hops
	hop.known
	missing := _ru_01_missing(hop)
	count(missing) > 0
}

_ru_01_citizens if {
	input.scope.personal == "yes"
	input.scope.RU == "in"
	is_array(input.data.citizenships)
	"RU" in input.data.citizenships
}

_ru_01_outside(hop) := [place | some place in hop.places; place != "RU"]

_ru_01_missing(hop) := (({name |
	input.scope.RU == "unknown"
	input.data.collection_at_source != false
	_ru_01_possible
	some name in input.scope.missing
} | {"data.citizenships" |
	input.scope.RU == "in"
	input.data.citizenships == null
	input.data.collection_at_source != false
	count(_ru_01_outside(hop)) + count(hop.gaps) > 0
}) | {"data.collection_at_source" |
	input.scope.RU == "in"
	_ru_01_possible
	input.data.collection_at_source == null
	count(_ru_01_outside(hop)) + count(hop.gaps) > 0
}) | {gap |
	_ru_01_citizens
	input.data.collection_at_source != false
	count(_ru_01_outside(hop)) == 0
	some gap in hop.gaps
}

# There may be Russian citizens among the people.
_ru_01_possible if input.data.citizenships == null

_ru_01_possible if "RU" in input.data.citizenships

_ru_01_facts(hop) := {
	"data.citizenships": input.data.citizenships,
	"data.collection_at_source": input.data.collection_at_source,
	"data.subjects": input.data.subjects,
	"deployment": hop.id,
	"deployment.places": hop.places,
	"exporter.establishment": input.exporter.establishment,
}
