# Which groups the countries of a call belong to, and where its caller is.
package policyguard.facts

# Of each group of countries, those that the call mentions.
_groups := object.union(_no_groups, {group: _members_of(group, of) | some group in _groups_in(of)}) if {
	of := {country: _country(country).groups | some country in _named}
}

_groups_in(of) := {group |
	some groups in of
	some group in groups
	_no_groups[group]
}

_members_of(group, of) := {country | some country, groups in of; group in groups}

_no_groups := {
	"bis-affiliates-relief": set(),
	"bis-d5": set(),
	"bis-e1": set(),
	"bis-e2": set(),
	"dsp-countries-of-concern": set(),
	"itar-126-1": set(),
	"ofac-embargoed": set(),
}

_named := ((_called | {country | some hop in _hops; some country in hop.places}) | {country |
	some hop in _hops
	some party in hop.parties
	some country in [party.country, party.control_country]
}) | {country |
	some hop in _hops
	is_array(hop.deployment.readers)
	some reader in hop.deployment.readers
	some country in array.concat([reader.latest_citizenship], _list(reader.citizenships))
}

# A null in it is in no group.
_called := {
	_caller_country,
	_caller.latest_citizenship,
	_purpose.beneficiary_headquarters,
	_caller.organisation.country,
	_caller.organisation.headquarters,
	input.exporter.establishment,
} | {country | some country in _list(_caller.citizenships)}

# Where the caller is, as the embargoes have it: `country`, `region`, `part` (the code of
# the region covers more than the embargo), `none`, or `unknown`.
_caller_country := _caller.location if {
	_caller.location != null
} else := substring(_caller.subdivision, 0, 2) if {
	is_string(_caller.subdivision)
} else := null

_embargo := {"place": "country", "missing": []} if {
	_caller_country in _groups["ofac-embargoed"]
} else := {"place": place, "missing": []} if {
	some listing in _at(_views.regions[_caller.subdivision])["ofac-embargoed"]
	place := {true: "part", false: "region"}[listing.partial]
} else := {"place": "unknown", "missing": ["caller.location"]} if {
	_caller_country == null
} else := {"place": "unknown", "missing": ["caller.subdivision"]} if {
	_caller.subdivision == null
	inside := sprintf("%s-", [_caller.location])
	some region, _ in data.catalog.lists["ofac-embargoed"].regions
	startswith(region, inside)
} else := {"place": "none", "missing": []}

_listed_country(list, country) if list in _country(country).groups

# Where a developer's terms offer a model: is the caller there, and how much of its
# organisation do owners elsewhere hold (`at most`, where something is unknown).
_no_access := {"caller": "supported", "headquarters": "supported", "held_bp": 0, "missing": []}

_access(terms) := {"caller": caller, "headquarters": headquarters, "held_bp": held, "missing": missing} if {
	caller := _offered(terms, _caller_country)
	headquarters := _offered_since(terms, _caller.organisation.headquarters)
	held := _held_elsewhere(terms)
	missing := [fact |
		some fact, unknown in {
			"caller.location": caller == "unknown",
			"caller.organisation.headquarters": headquarters == "unknown",
			"caller.organisation.owners": _held_at_most(terms) > 5000,
		}
		unknown == true
	]
}

_offered(terms, country) := "unsupported" if {
	_listed_country(terms.unsupported, country)
} else := "supported" if {
	_listed_country(terms.supported, country)
} else := "unknown"

# The limit on companies began later than that on places.
_offered_since(terms, country) := "supported" if {
	not _has_begun(terms.since)
} else := _offered(terms, country)

_held_elsewhere(terms) := 0 if {
	not _has_begun(terms.since)
} else := sum([owner.share_bp |
	some owner in _list(_caller.organisation.owners)
	is_number(owner.share_bp)
	_offered(terms, owner.country) == "unsupported"
])

_held_at_most(terms) := 0 if {
	not _has_begun(terms.since)
} else := 10000 if {
	# policyguard ignore:negation -- the view gives every caller an organisation with owners
	not is_array(_caller.organisation.owners)
} else := sum([_share_at_most(terms, owner) | some owner in _caller.organisation.owners])

_share_at_most(terms, owner) := 0 if {
	_offered(terms, owner.country) == "supported"
} else := owner.share_bp if {
	is_number(owner.share_bp)
} else := 10000

# Cells for the item's classification go before those for every one.
_chart := object.union(_cells("**"), _cells(substring(input.data.ear.classification, 0, 5))) if {
	is_string(input.data.ear.classification)
	not input.data.ear.classification in {"EAR99", "not_technology", "published"}
} else := {}

_cells(classification) := {cell.country: object.remove(cell, ["country", "since", "until"]) |
	some cell in data.catalog.lists["bis-country-chart"].chart[classification]
	_has_begun(cell.since)
	_goes_on(cell.until)
}
