# Which names of whom the caller acts for a screening list has, too.
package policyguard.facts

# An organisation with its potential matches: the names that it, or an owner of it, has
# in common with an entry of a list that holds at the instant. Names are looked up by
# their keys, which are worked out before: the catalog's when it is compiled, those of
# the call with the question. `uncompared` are the facts of which a key is missing.
_screened(organisation) := object.union(organisation, {
	"potential": array.concat(
		_matches("caller.organisation.name", [organisation]),
		_matches("caller.organisation.owners", _list(organisation.owners)),
	),
	"uncompared": _without_keys({
		"caller.organisation.name": [organisation],
		"caller.organisation.owners": _list(organisation.owners),
	}),
})

# Bound once, as `_views` is.
_names := data.catalog.names

# The look-up comes first: most names are on no list, and are done with then.
_matches(fact, bearers) := [match |
	some bearer in bearers
	entries := _names[bearer.name_key]
	some list in {entry.list | some entry in entries}
	found := [entry | some entry in entries; entry.list == list; _means(entry, bearer)]
	count(found) > 0
	match := {
		"fact": fact,
		"name": bearer.name,
		"list": list,
		"names": {name | some entry in found; some name in entry.names},
		"entries": {entry.entry | some entry in found; entry.entry != null},
	}
]

# At the instant, and nobody has spoken: whom a list is said to name is confirmed, so
# that its rules answer, and whom a person has cleared is somebody else.
_means(entry, bearer) if {
	_has_begun(entry.since)
	_goes_on(entry.until)
	listed := _list(bearer.listed)
	not entry.list in listed
	count([cleared | some cleared in entry.cleared; cleared.name == bearer.name; cleared.country == bearer.country]) == 0
}

_without_keys(bearers_of) := {fact |
	some fact, bearers in bearers_of
	some bearer in bearers
	bearer.name != null
	object.get(bearer, "name_key", null) == null
}

_goes_on(end) if end == null

_goes_on(end) if _now < end
