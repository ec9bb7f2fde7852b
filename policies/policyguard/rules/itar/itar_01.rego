package policyguard.rules

# METADATA
# title: Technical data of the ITAR stays with US persons in the United States
# description: |
#   Technical data may go only where US persons alone can reach it, in the United States,
#   unless a licence or agreement of DDTC covers operator, country and persons. To release
#   it to a foreign person counts for every country of which the person holds or held the
#   citizenship. What the EAR calls published is no shortcut here. Ciphertext that meets
#   the limbs of 22 CFR 120.54(a)(5) is no export; inference in the clear never meets them.
# related_resources:
#   - ref: 22 CFR 120.33
#   - ref: 22 CFR 120.50
#   - ref: 22 CFR 120.54(a)(5)
#   - ref: 22 CFR 126.1
# custom:
#   id: ITAR-01
#   severity: critical
#   citation: 22 CFR 120.33, 120.50, 120.54(a)(5), 126.1
#   as_of: 2026-06-18
#   locked: true
#   exceptions:
#     - "everything stays in the United States, with companies of the United States, and US persons alone can read it, by the catalog (readers) or a contract (us_persons_only)"
#     - "a licence of DDTC names the operator and the country, or all nationalities of the reader and the operator whose person that is; one that names none covers none"
#     - "a gateway carries ciphertext that is encrypted end to end, by FIPS 140-2 or with 128 bits and more, whose keys nobody else has, and that is neither sent to, stored in nor sent from a country of 22 CFR 126.1 or Russia"
#     - "what is sent is EAR99 or of an ECCN, or is of foreign origin and sent from elsewhere, and nobody says that it is of the ITAR; published and not_technology are answers to questions of the EAR, and stand in for none to this one"
#     - "nobody says whether it is of the ITAR, and none of data.classes can hold technology: that answers it"
#   effective:
#     - {from: null, to: null, status: in_force, verified: false}
findings contains {
	"id": "ITAR-01",
	"effect": "deny",
	"msg": sprintf("%s at %s would take technical data of the ITAR to %s, without a licence of DDTC", [
		input.model.label,
		hop.label,
		_ear_04_names(bare),
	]),
	"facts": _itar_01_facts(hop),
	"missing": [],
	"remedy": "a deployment in the United States that US persons alone can reach, or an agreement of DDTC that covers this one",
} if {
	input.data.itar == true
	some hop in input.hops
	_itar_01_open(hop)
	bare := {place | some place in _itar_01_abroad(hop); not _itar_01_licensed(hop, place)}
	count(bare) > 0
}

findings contains {
	"id": "ITAR-01",
	"effect": "deny",
	"msg": sprintf("technical data of the ITAR would be released to %s, a foreign person (%s), without a licence of DDTC", [
		reader.label,
		_itar_01_nationalities(reader),
	]),
	"facts": _itar_01_reader_facts(reader),
	"missing": [],
	"remedy": "readers who are US persons alone, or an agreement of DDTC that covers all nationalities of this one",
} if {
	input.data.itar == true
	some reader in _itar_01_readers
	reader.person_status == "foreign"
	not _itar_01_covered(reader)
	not _itar_01_perhaps_covered(reader)
}

# The latest citizenship says nothing of the others.
findings contains {
	"id": "ITAR-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the agreement of DDTC covers all nationalities of %s, a foreign person who may see technical data of the ITAR", [reader.label]),
	"facts": _itar_01_reader_facts(reader),
	"missing": [sprintf("%s.citizenships", [reader.fact])],
	"remedy": "every country of which the person holds or held the citizenship",
} if {
	input.data.itar == true
	some reader in _itar_01_readers
	reader.person_status == "foreign"
	_itar_01_perhaps_covered(reader)
}

findings contains {
	"id": "ITAR-01",
	"effect": "require_approval",
	"msg": sprintf("%s decrypts technical data of the ITAR inside an attested environment: whether that is an export is unsettled", [hop.label]),
	"facts": _itar_01_facts(hop),
	"missing": [],
	"remedy": "a person's approval, or a deployment in the United States that US persons alone can reach",
} if {
	input.data.itar == true
	some hop in input.hops
	hop.seal.itar.state == "enclave"
}

findings contains {
	"id": "ITAR-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s at %s keeps technical data of the ITAR in the United States, with US persons", [
		input.model.label,
		hop.label,
	]),
	"facts": _itar_01_facts(hop),
	"missing": sort(missing),
	"remedy": "places and readers in an overlay with their source, or a contract that binds the operator to US persons",
} if {
	input.data.itar == true
	some hop in input.hops
	missing := _itar_01_missing(hop)
	count(missing) > 0
}

findings contains {
	"id": "ITAR-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s is a US person, who may see technical data of the ITAR", [reader.label]),
	"facts": _itar_01_reader_facts(reader),
	"missing": [sprintf("%s.person_status", [reader.fact])],
	"remedy": "status by 22 CFR 120.62 (as 15 CFR 772.1 has it)",
} if {
	input.data.itar == true
	some reader in _itar_01_readers
	reader.person_status == null
}

findings contains {
	"id": "ITAR-01",
	"effect": "indeterminate",
	"msg": "it is not known whether what is sent holds technical data of the ITAR, and it may",
	"facts": {
		"data.classes": input.data.classes,
		"data.ear.classification": input.data.ear.classification,
		"data.itar": null,
		"exporter.establishment": input.exporter.establishment,
	},
	"missing": ["data.itar"],
	"remedy": "whether it does (22 CFR 120.33), or that it is EAR99 or of an ECCN, which excludes it",
} if {
	input.data.itar == null
	not _ear_01_item
	_ear_01_may_hold_technology
	not _ear_01_foreign
	some hop in input.hops
	hop.known
	_itar_01_doubtful(hop)
}

_itar_01_open(hop) if not hop.seal.itar.state in {"sealed", "enclave"}

_itar_01_abroad(hop) := _ear_04_destinations(hop) - {"US"}

_itar_01_licensed(hop, place) if {
	some licence in input.licences
	licence.authority == "DDTC"
	hop.deployment.operator in licence.operators
	place in licence.countries
}

# An agreement names countries: one that names none covers none.
_itar_01_covered(reader) if {
	countries := _itar_01_countries(reader)
	count(countries) > 0
	_itar_01_all_known(reader)
	some licence in _itar_01_agreements(reader)
	every country in countries {
		country in licence.persons
	}
}

_itar_01_perhaps_covered(reader) if {
	not _itar_01_all_known(reader)
	some licence in _itar_01_agreements(reader)
	count(licence.persons) > 0
	every country in _itar_01_countries(reader) {
		country in licence.persons
	}
}

_itar_01_all_known(reader) if {
	is_array(reader.citizenships)
	count(reader.citizenships) > 0
}

# An agreement is with the operators that it names: it covers no other operator's people.
_itar_01_agreements(reader) := [licence |
	some licence in input.licences
	licence.authority == "DDTC"
	_itar_01_with(licence, reader)
]

_itar_01_with(_, reader) if reader.operator == null

_itar_01_with(licence, reader) if reader.operator in licence.operators

# All nationalities count, not the latest alone.
_itar_01_countries(reader) := {country |
	is_array(reader.citizenships)
	some country in reader.citizenships
} | {country |
	country := reader.latest_citizenship
	country != null
}

_itar_01_nationalities(reader) := concat(", ", sort(countries)) if {
	countries := _itar_01_countries(reader)
	count(countries) > 0
} else := "of a country that is not said"

_itar_01_readers := array.concat([object.union(_ear_05_caller, {"operator": null})], [object.union(reader, {
	"label": sprintf("%s of %s", [_ear_05_roles[reader.role], hop.label]),
	"fact": "deployment.readers",
	"operator": _itar_01_text(hop.deployment.operator),
}) |
	some hop in input.hops
	is_array(hop.deployment.readers)
	_itar_01_open(hop)
	hop.contract.us_persons_only != true
	some reader in hop.deployment.readers
])

# Nobody's people are covered by an agreement with somebody.
_itar_01_text(value) := value if {
	is_string(value)
} else := ""

_itar_01_missing(hop) := set() if {
	not _itar_01_open(hop)
} else := {gap | some gap in hop.gaps} | {fact |
	some fact, known in {
		"deployment": hop.known,
		"deployment.readers": _itar_01_readers_known(hop),
		"deployment.operator": _itar_01_operator_known(hop),
	}
	known == false
}

_itar_01_readers_known(hop) if is_array(hop.deployment.readers)

_itar_01_readers_known(hop) if hop.contract.us_persons_only == true

_itar_01_readers_known(hop) := false if {
	not is_array(hop.deployment.readers)
	hop.contract.us_persons_only != true
}

_itar_01_operator_known(hop) := hop.deployment.operator != null

# Where technical data would be objected to, or might be.
_itar_01_doubtful(hop) if count(_itar_01_missing(hop)) > 0

_itar_01_doubtful(hop) if {
	_itar_01_open(hop)
	count(_itar_01_abroad(hop)) > 0
}

_itar_01_doubtful(_) if {
	some reader in _itar_01_readers
	not reader.person_status in {"us_citizen", "us_lpr", "us_protected"}
}

_itar_01_facts(hop) := {
	"data.itar": input.data.itar,
	"deployment": hop.id,
	"deployment.operator": hop.deployment.operator,
	"deployment.places": sort(_itar_01_abroad(hop)),
	"deployment.sealing": hop.deployment.sealing,
	"contract.us_persons_only": hop.contract.us_persons_only,
	"lists.itar-126-1.as_of": input.lists["itar-126-1"],
}

_itar_01_reader_facts(reader) := {
	"data.itar": input.data.itar,
	sprintf("%s.person_status", [reader.fact]): reader.person_status,
	sprintf("%s.citizenships", [reader.fact]): reader.citizenships,
}
