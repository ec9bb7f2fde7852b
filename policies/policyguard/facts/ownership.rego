# What listed owners hold of a party, at any remove: the ownership tests of each regime
# read their own kind of owner here and compare with their own threshold.
package policyguard.facts

# What owners of a kind hold of a party, at any remove, in hundredths of a percent:
# `surely`, and at most (`perhaps`) where an owner or a share is unknown. The kinds:
# `bis` is whom the Affiliates Rule means, `ofac` whom the 50 % rule of sanctions means,
# `dsp` covered persons and countries of concern.
_held(id, owners, control_country) := {kind: _held_by(kind, owners, chain) | some kind, _ in _kinds} if {
	is_array(owners)
	count(owners) > 0
	chain := _chain(id)
} else := _held_by_nobody if {
	is_array(owners)
} else := _held_by_nobody if {
	# The ultimate parent is known, though not who else owns a share.
	control_country != null
} else := _held_by_unknown

_held_by_nobody := {"bis": _nothing, "ofac": _nothing, "dsp": _nothing}

_held_by_unknown := {"bis": _anything, "ofac": _anything, "dsp": _anything}

_nothing := {"surely": 0, "perhaps": 0, "owners": []}

_anything := {"surely": 0, "perhaps": 10000, "owners": []}

_kinds := {
	"bis": {"bis-entity-list", "bis-meu", "ofac-sdn"},
	"ofac": {"ofac-sdn"},
	"dsp": {"dsp-covered-persons"},
}

# Owners up to three steps above a party.
_chain(id) := (first | second) | third if {
	first := _owners_of({id})
	second := _owners_of(first)
	third := _owners_of(second)
}

_owners_of(ids) := {share.party |
	some id in ids
	some share in _shares(id)
	share.party != null
}

# What is known of who owns a party now; nothing, where that is unknown.
_shares(id) := [share | some share in _entry(id).owners; _active(share)] if {
	is_array(_entry(id).owners)
} else := []

_entry(id) := data.catalog.operators[id] if {
	data.catalog.operators[id]
} else := data.catalog.developers[id]

# A party counts as its owner does when owners of the kind hold half of it together.
# Three steps suffice: no chain is longer.
_held_by(kind, owners, chain) := {
	"surely": surely,
	"perhaps": min([10000, max([surely, _sum(kind, now, possible) + _rest(now)])]),
	"owners": [share.owner | some share in now; _counts(kind, share, sure)],
} if {
	now := [share | some share in owners; _active(share)]
	sure := _closed(kind, {id | some id in chain; _is_of(kind, id)}, chain)
	possible := _closed(kind, sure | {id | some id in chain; _may_be_of(id, chain)}, chain)
	surely := _sum(kind, now, sure)
} else := {"surely": 0, "perhaps": 10000, "owners": []}

_closed(kind, members, chain) := third if {
	first := members | _affiliates(kind, members, chain)
	second := first | _affiliates(kind, first, chain)
	third := second | _affiliates(kind, second, chain)
}

_affiliates(kind, members, chain) := {id | some id in chain; _sum(kind, _shares(id), members) >= 5000}

_is_of(kind, id) if {
	some list in _kinds[kind]
	some listing in object.get(data.catalog.lists, [list, "parties", id], [])
	_active(listing)
}

_is_of("dsp", id) if {
	country := _entry(id).country
	_listed_country("dsp-countries-of-concern", country)
}

# Nobody has said who owns it, or the chain goes on further than we follow it.
_may_be_of(id, _) if {
	entry := _entry(id)
	not is_array(entry.owners)
	_parent_country(entry) == null
}

_may_be_of(id, chain) if {
	some owner in _owners_of({id})
	not owner in chain
}

_parent_country(entry) := object.get(entry, "control_country", object.get(entry, "parent_country", null))

_sum(kind, shares, members) := sum([share.share_bp |
	some share in shares
	is_number(share.share_bp)
	_counts(kind, share, members)
])

# Shares of which it is unknown how large they are or who holds them.
_rest(shares) := sum([share.share_bp | some share in shares; is_number(share.share_bp); _unscreened(share)]) + _unsized(shares)

_unsized(shares) := 10000 - sum([share.share_bp | some share in shares; is_number(share.share_bp)]) if {
	count([share | some share in shares; share.share_bp == null]) > 0
} else := 0

_unscreened(share) if {
	share.party == null
	share.listed == null
}

_counts(_, share, members) if share.party in members

_counts(kind, share, _) if {
	is_array(share.listed)
	some list in share.listed
	list in _kinds[kind]
}

_counts("dsp", share, _) if _listed_country("dsp-countries-of-concern", share.country)
