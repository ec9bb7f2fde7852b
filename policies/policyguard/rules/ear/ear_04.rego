package policyguard.rules

# METADATA
# title: Controlled technology goes to no country without the licence that it needs
# description: |
#   Technology and source code of the Commerce Control List (as 3E001, 4E001, 5E002) need
#   a licence for most countries, whoever gets them: no list has to name the operator. EAR99
#   and items controlled for anti-terrorism alone need one for the countries of group E,
#   the latter for Russia and Belarus as well. The Country Chart is a dated list of the
#   catalog, of which only the cells are there that were known, none verified by a person.
#   Where it says nothing, a controlled item counts as needing a licence unless your own
#   classification found that it needs none; where it has a mark, such a finding is for a
#   person to confirm.
# related_resources:
#   - ref: 15 CFR 734.13(a)(1)
#   - ref: 15 CFR part 738 and Supplement No. 1 to it
#   - ref: Supplement No. 1 to 15 CFR part 774
#   - ref: 15 CFR part 740 (licence exceptions)
#   - ref: 15 CFR 746.2 to 746.9 (embargoes)
# custom:
#   id: EAR-04
#   severity: critical
#   citation: 15 CFR 734.13(a)(1), parts 738, 740, 746 and 774
#   as_of: 2026-11-26
#   locked: false
#   exceptions:
#     - "everything stays in the United States, in the hands of companies of the United States"
#     - "a BIS licence names the operator, and item and country as far as it says for which"
#     - "the Country Chart of the catalog has no mark for item and country, and the country is of no group D:5, E:1 or E:2"
#     - "the chart says nothing of them, and data.ear.no_licence_countries has the country, which is of none of these groups"
#     - "what is sent is published, not_technology, or not subject to the EAR"
#     - "the hop carries ciphertext alone (EAR-06)"
#     - "nobody has classified what is sent, and none of data.classes can hold technology: that answers what it is; a classification beside such classes counts before them"
#   effective:
#     - {from: null, to: null, status: in_force, verified: false}
findings contains {
	"id": "EAR-04",
	"effect": "deny",
	"msg": sprintf("%s at %s would take technology of %s to %s, for which a licence is needed%s and none is on file", [
		input.model.label,
		hop.label,
		_ear_04_class,
		_ear_04_names(bare),
		_ear_04_unread(bare),
	]),
	"facts": _ear_04_facts(hop, bare),
	"missing": [],
	"remedy": "a deployment that stays in the United States, a BIS licence for the operator, the item and the country, or a classification by which none is needed",
} if {
	_ear_01_item
	_ear_01_subject
	some hop in input.hops
	bare := {place | some place, lack in _ear_04_lacks(hop); lack == "licence"}
	count(bare) > 0
}

findings contains {
	"id": "EAR-04",
	"effect": "require_approval",
	"msg": sprintf("%s at %s would take technology of %s to %s by %s, which a person has to confirm", [
		input.model.label,
		hop.label,
		_ear_04_class,
		_ear_04_names(claimed),
		_ear_04_claims[claim],
	]),
	"facts": _ear_04_facts(hop, claimed),
	"missing": [],
	"remedy": "a person's approval, or a deployment that stays in the United States",
} if {
	_ear_01_item
	_ear_01_subject
	some hop in input.hops
	lacks := _ear_04_lacks(hop)
	some claim, _ in _ear_04_claims
	claimed := {place | some place, lack in lacks; lack == claim}
	count(claimed) > 0
}

findings contains {
	"id": "EAR-04",
	"effect": "indeterminate",
	"msg": sprintf("it is not known everywhere %s at %s may take technology of %s", [
		input.model.label,
		hop.label,
		_ear_04_class,
	]),
	"facts": _ear_04_facts(hop, set()),
	"missing": sort(hop.gaps),
	"remedy": "countries that the operator promises, in an overlay with its source",
} if {
	_ear_05_asked
	some hop in input.hops
	count(hop.gaps) > 0
	not "**" in hop.places
	not hop.seal.ear.state in {"sealed", "enclave"}
	not _ear_04_licensed_anywhere(hop)
	count([place | some place, lack in _ear_04_lacks(hop); lack == "licence"]) == 0
}

findings contains {
	"id": "EAR-04",
	"effect": "indeterminate",
	"msg": sprintf("%s at %s takes what is sent to %s, and it is not known whether it is controlled technology", [
		input.model.label,
		hop.label,
		_ear_04_where(places),
	]),
	"facts": _ear_04_facts(hop, places),
	"missing": _ear_01_missing,
	"remedy": "classification and origin of what is sent",
} if {
	count(_ear_01_missing) > 0
	some hop in input.hops
	places := _ear_04_abroad(hop)
	count(places) + count(hop.gaps) > 0
	not hop.seal.ear.state in {"sealed", "enclave"}
}

# What clears and what nobody has verified is said.
findings contains {
	"id": "EAR-04",
	"effect": "advise",
	"msg": sprintf("%s at %s takes technology of %s to %s, for which the Country Chart as the catalog has it has no mark; no person has verified that", [
		input.model.label,
		hop.label,
		_ear_04_class,
		_ear_04_names(free),
	]),
	"facts": _ear_04_facts(hop, free),
	"missing": [],
	"remedy": "a person who reads the chart, and an overlay of the list that says so (verified)",
} if {
	_ear_01_item
	_ear_01_subject
	not _ear_04_light
	some hop in input.hops
	free := {place |
		some place in _ear_04_abroad(hop)
		_ear_04_chart(place) == "none"
		_ear_04_cleared(place)
		_ear_04_cell(place).verified == false
		not _ear_04_licensed(hop, place)
	}
	count(free) > 0
}

_ear_04_class := "EAR99" if {
	input.data.ear.classification == "EAR99"
} else := sprintf("ECCN %s", [input.data.ear.classification])

# Items of the series 99x are controlled for anti-terrorism alone.
_ear_04_light if input.data.ear.classification == "EAR99"

_ear_04_light if regex.match("^[0-9][A-E]99", input.data.ear.classification)

# Each country that a hop takes the data to, or in whose companies' hands it puts it.
_ear_04_destinations(hop) := {place | some place in hop.places} | {party.country |
	some party in hop.parties
	party.country != null
	not _ear_01_ours(hop, party)
}

_ear_04_abroad(hop) := set() if {
	hop.seal.ear.state in {"sealed", "enclave"}
} else := _ear_04_destinations(hop) - {"US"}

# Of each country what is lacking: `licence`, or what a person has to confirm.
_ear_04_lacks(hop) := {place: lack |
	some place in _ear_04_abroad(hop)
	_ear_04_needed(place)
	not _ear_04_licensed(hop, place)
	lack := _ear_04_lack_of(place)
}

_ear_04_needed(place) if place in input.groups["bis-e1"]

_ear_04_needed(place) if place in input.groups["bis-e2"]

_ear_04_needed(place) if {
	input.data.ear.classification != "EAR99"
	place in {"RU", "BY"}
}

_ear_04_needed(place) if {
	not _ear_04_light
	not _ear_04_cleared(place)
}

# The chart has no mark, or says nothing and your own classification says that none is
# needed; not for a country of group D:5, where a person looks at it.
_ear_04_cleared(place) if {
	_ear_04_chart(place) == "none"
	not place in input.groups["bis-d5"]
}

_ear_04_cleared(place) if {
	_ear_04_chart(place) == "silent"
	_ear_04_own(place)
	not place in input.groups["bis-d5"]
}

_ear_04_own(place) if {
	is_array(input.data.ear.no_licence_countries)
	place in input.data.ear.no_licence_countries
}

# `mark`, `none` or `silent`. Somewhere is a place with a mark, wherever it is.
_ear_04_chart(place) := "silent" if {
	count(_ear_04_cell(place)) == 0
} else := "mark" if {
	_ear_04_cell(place).licence == true
} else := "none"

_ear_04_cell(place) := object.get(input.chart, place, object.get(input.chart, "**", {}))

_ear_04_licensed(hop, place) if {
	some licence in input.licences
	licence.authority == "BIS"
	hop.deployment.operator in licence.operators
	_ear_01_licensed_item(licence)
	_ear_01_licensed_country(licence, place)
}

# A licence that names no country leaves no place unlicensed.
_ear_04_licensed_anywhere(hop) if _ear_04_licensed(hop, "**")

_ear_04_lack_of(place) := "licence" if {
	some group in ["bis-e1", "bis-e2"]
	place in input.groups[group]
} else := "exception" if {
	is_string(input.data.ear.exception)
	place != "**"
} else := "classification" if {
	_ear_04_own(place)
} else := "classification" if {
	_ear_04_chart(place) == "none"
} else := "licence"

# What the chart of the catalog says nothing of counts as needing one; the finding says
# that nobody has read it.
_ear_04_unread(places) := sprintf(" (the Country Chart of the catalog says nothing of %s, so it counts as needed)", [_ear_04_names(unread)]) if {
	not _ear_04_light
	unread := {place |
		some place in ((places - input.groups["bis-e1"]) - input.groups["bis-e2"])
		_ear_04_chart(place) == "silent"
	}
	count(unread) > 0
} else := ""

_ear_04_claims := {
	"exception": "a licence exception that is claimed",
	"classification": "a classification that finds no licence needed where the Country Chart has a mark or an arms embargo stands",
}

_ear_04_names(places) := "any country" if {
	"**" in places
} else := concat(", ", sort(places))

_ear_04_where(places) := _ear_04_names(places) if {
	count(places) > 0
} else := "places that are not all known"

_ear_04_facts(hop, places) := object.union(_ear_04_cells(places), {
	"data.classes": input.data.classes,
	"data.ear.classification": input.data.ear.classification,
	"data.ear.exception": input.data.ear.exception,
	"data.ear.us_origin": input.data.ear.us_origin,
	"deployment": hop.id,
	"deployment.operator": hop.deployment.operator,
	"deployment.places": sort(places),
	"exporter.establishment": input.exporter.establishment,
	"lists.bis-country-chart.as_of": object.get(input.lists, "bis-country-chart", null),
	"lists.bis-d5.as_of": input.lists["bis-d5"],
})

# What the chart says is a fact where it says something.
_ear_04_cells(places) := {"chart": cells | count(cells) > 0} if {
	cells := {place: cell | some place in places; cell := _ear_04_cell(place); count(cell) > 0}
}
