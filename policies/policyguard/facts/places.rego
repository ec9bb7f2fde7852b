# Which groups the countries of a call belong to, and where its caller is.
package policyguard.facts

# Of each group of countries, those that the call mentions.
_groups := {group: {country | some country in named; _listed_country(group, country)} | some group in _country_groups} if {
	named := ((_called | _reached) | _named_parties) | _named_readers
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

_reached := {country | some hop in _hops; some country in hop.places}

_named_parties := {country |
	some hop in _hops
	some party in hop.parties
	some country in [party.country, party.control_country]
}

_named_readers := {country |
	some hop in _hops
	is_array(hop.deployment.readers)
	some reader in hop.deployment.readers
	some country in array.concat([reader.latest_citizenship], _list(reader.citizenships))
}

# Where the caller is, as the embargoes have it: `country`, `region`, `part` (the code of
# the region covers more than the embargo), `none`, or `unknown`.
_caller_country := _caller.location if {
	_caller.location != null
} else := substring(_caller.subdivision, 0, 2) if {
	is_string(_caller.subdivision)
} else := null

_embargo := {"place": "country", "missing": []} if {
	_listed_country("ofac-embargoed", _caller_country)
} else := {"place": place, "missing": []} if {
	some listing in data.catalog.lists["ofac-embargoed"].regions[_caller.subdivision]
	_active(listing)
	place := {true: "part", false: "region"}[listing.partial]
} else := {"place": "unknown", "missing": ["caller.location"]} if {
	_caller_country == null
} else := {"place": "unknown", "missing": ["caller.subdivision"]} if {
	_caller.subdivision == null
	some region, _ in data.catalog.lists["ofac-embargoed"].regions
	startswith(region, sprintf("%s-", [_caller.location]))
} else := {"place": "none", "missing": []}

_listed_country(list, country) if {
	some listing in data.catalog.lists[list].countries[country]
	_active(listing)
}
