package policyguard.rules

# METADATA
# title: Controlled technology is not released to foreign persons without a licence
# description: |
#   Who lets a foreign person read controlled technology or source code exports it, inside
#   the United States as well, to the country of that person's most recent citizenship or
#   permanent residency. Citizens, lawful permanent residents and protected persons are no
#   foreign persons. Who reads is whoever can see what the model is sent: administrators,
#   support, annotators, other users, and the caller, who sees what comes back.
# related_resources:
#   - ref: 15 CFR 734.13(a)(2), (b)
#   - ref: 15 CFR 734.15
#   - ref: 15 CFR 772.1, "foreign person"
# custom:
#   id: EAR-05
#   severity: critical
#   citation: 15 CFR 734.13(a)(2) and (b), 734.15, 772.1
#   as_of: 2026-06-18
#   locked: false
#   exceptions:
#     - "a contract with the operator binds it to US persons (us_persons_only)"
#     - "a BIS licence covers persons of that country (persons)"
#     - "the item is EAR99 or of a 99x series, and the reader of no country of group E:1 or E:2; for these, readers of a deployment are asked for only as far as they are named"
#   effective:
#     - {from: null, to: null, status: in_force, verified: false}
findings contains {
	"id": "EAR-05",
	"effect": "deny",
	"msg": sprintf("technology of %s would be released to %s, a foreign person of %s, without a licence", [
		_ear_04_class,
		reader.label,
		country,
	]),
	"facts": _ear_05_facts(reader),
	"missing": [],
	"remedy": "readers who are US persons alone, or a BIS licence that covers persons of that country",
} if {
	_ear_01_item
	_ear_01_subject
	some reader in _ear_05_readers
	reader.person_status == "foreign"
	country := _ear_05_country(reader)
	_ear_05_bare(country)
}

findings contains {
	"id": "EAR-05",
	"effect": "require_approval",
	"msg": sprintf("technology of %s would be released to %s, a foreign person of %s, by an exception or a classification that is claimed and that a person has to confirm", [
		_ear_04_class,
		reader.label,
		country,
	]),
	"facts": _ear_05_facts(reader),
	"missing": [],
	"remedy": "a person's approval, or readers who are US persons alone",
} if {
	_ear_01_item
	_ear_01_subject
	some reader in _ear_05_readers
	reader.person_status == "foreign"
	country := _ear_05_country(reader)
	_ear_05_needed(country)
	not _ear_05_licensed(country)
	_ear_05_claimed(country)
}

findings contains {
	"id": "EAR-05",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether technology of %s would be released to a foreign person: of %s that is not said", [
		_ear_04_class,
		reader.label,
	]),
	"facts": _ear_05_facts(reader),
	"missing": missing,
	"remedy": "status by 15 CFR 772.1 and, of a foreign person, the most recent citizenship or permanent residency",
} if {
	_ear_01_item
	_ear_01_subject
	some reader in _ear_05_readers
	missing := _ear_05_missing(reader)
	count(missing) > 0
}

findings contains {
	"id": "EAR-05",
	"effect": "indeterminate",
	"msg": sprintf("it is not known who else can read technology of %s at %s", [_ear_04_class, hop.label]),
	"facts": {
		"data.ear.classification": input.data.ear.classification,
		"deployment": hop.id,
		"deployment.readers": null,
		"contract.us_persons_only": hop.contract.us_persons_only,
	},
	"missing": ["deployment.readers"],
	"remedy": "who can read it, in an overlay with its source, or a contract by which US persons alone can",
} if {
	_ear_05_asked
	some hop in input.hops
	_ear_05_inside(hop)
	not is_array(hop.deployment.readers)
}

# What is sent is unknown: then it may be technology that the caller must not see.
findings contains {
	"id": "EAR-05",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether what is sent is controlled technology, which %s could read", [reader.label]),
	"facts": _ear_05_facts(reader),
	"missing": _ear_01_missing,
	"remedy": "classification and origin of what is sent",
} if {
	count(_ear_01_missing) > 0
	some reader in _ear_05_readers
	not reader.person_status in {"us_citizen", "us_lpr", "us_protected"}
	true in [hop.known | some hop in input.hops]
}

findings contains {
	"id": "EAR-05",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether what is sent is controlled technology, nor who else can read it at %s", [hop.label]),
	"facts": {"data.ear.classification": input.data.ear.classification, "deployment": hop.id, "deployment.readers": null},
	"missing": _ear_01_missing,
	"remedy": "classification and origin of what is sent",
} if {
	count(_ear_01_missing) > 0
	some hop in input.hops
	_ear_05_inside(hop)
	not is_array(hop.deployment.readers)
}

findings contains {
	"id": "EAR-05",
	"effect": "oblige",
	"msg": "who had access to controlled technology is recorded",
	"facts": {"data.ear.classification": input.data.ear.classification},
	"missing": [],
	"remedy": "",
	"obligation": {"type": "record_processing", "properties": {"article": "15 CFR part 762", "years": 5}},
} if {
	_ear_05_asked
	count(_ear_05_open) == 0
	every reader in _ear_05_readers {
		reader.person_status in {"us_citizen", "us_lpr", "us_protected"}
	}
}

# EAR99 may be read by anybody but persons of group E: who the operator's people are is
# asked only for what is controlled for more than that.
_ear_05_asked if {
	_ear_01_item
	_ear_01_subject
	not _ear_04_light
}

# Hops inside the United States of whose readers nothing is said.
_ear_05_open := [hop.id |
	some hop in input.hops
	_ear_05_inside(hop)
	not is_array(hop.deployment.readers)
]

# What leaves the country is EAR-04's; here are hops that nothing leaves, that can read
# and that no contract binds to US persons.
_ear_05_inside(hop) if {
	hop.known
	not hop.seal.ear.state in {"sealed", "enclave"}
	count(_ear_04_abroad(hop)) == 0
	hop.contract.us_persons_only != true
}

_ear_05_readers := array.concat([_ear_05_caller], [object.union(reader, {
	"label": sprintf("%s of %s", [_ear_05_roles[reader.role], hop.label]),
	"fact": "deployment.readers",
}) |
	some hop in input.hops
	is_array(hop.deployment.readers)
	not hop.seal.ear.state in {"sealed", "enclave"}
	hop.contract.us_persons_only != true
	some reader in hop.deployment.readers
])

_ear_05_roles := {
	"administrator": "an administrator",
	"support": "support staff",
	"annotator": "an annotator",
	"user": "another user",
}

_ear_05_caller := {
	"label": "the caller",
	"fact": "caller",
	"person_status": input.caller.person_status,
	"citizenships": input.caller.citizenships,
	"latest_citizenship": input.caller.latest_citizenship,
}

# The most recent one decides; an only one is the most recent.
_ear_05_country(reader) := reader.latest_citizenship if {
	is_string(reader.latest_citizenship)
} else := reader.citizenships[0] if {
	is_array(reader.citizenships)
	count(reader.citizenships) == 1
}

_ear_05_bare(country) if {
	_ear_05_needed(country)
	not _ear_05_licensed(country)
	not _ear_05_claimed(country)
}

_ear_05_needed(country) if country in input.groups["bis-e1"]

_ear_05_needed(country) if country in input.groups["bis-e2"]

_ear_05_needed(country) if {
	not _ear_04_light
	country != "US"
	not _ear_04_cleared(country)
}

_ear_05_licensed(country) if {
	some licence in input.licences
	licence.authority == "BIS"
	country in licence.persons
	_ear_01_licensed_item(licence)
}

_ear_05_claimed(country) if _ear_04_lack_of(country) != "licence"

_ear_05_missing(reader) := [sprintf("%s.person_status", [reader.fact])] if {
	reader.person_status == null
} else := [sprintf("%s.latest_citizenship", [reader.fact])] if {
	reader.person_status == "foreign"
	count([country | country := _ear_05_country(reader)]) == 0
} else := []

_ear_05_facts(reader) := {
	"data.ear.classification": input.data.ear.classification,
	sprintf("%s.person_status", [reader.fact]): reader.person_status,
	sprintf("%s.citizenships", [reader.fact]): reader.citizenships,
	sprintf("%s.latest_citizenship", [reader.fact]): reader.latest_citizenship,
}
