package policyguard.facts_test

import data.policyguard.fixture

_share(patch) := object.union(
	{
		"owner": "somebody",
		"party": null,
		"country": null,
		"listed": null,
		"share_bp": null,
		"since": null,
		"until": null,
		"source": null,
		"verified": true,
	},
	patch,
)

_by(party, share_bp) := _share({"owner": party, "party": party, "share_bp": share_bp})

# What is held of the operator of api.z.ai, with owners of it and of others.
_held_of(owners, others) := _held_at("2026-07-10T12:00:00Z", owners, others)

_held_at(at, owners, others) := view.hops[0].parties[0].held if {
	operators := object.union(
		{"jingsheng-hengxing": {"owners": owners}},
		{id: {"owners": theirs} | some id, theirs in others},
	)
	known := object.union(data.policyguard.sample.catalog, {"operators": operators})
	view := fixture.view_in(fixture.asking_at("glm-5.2@api.z.ai", {"at": at}), known)
}

test_a_direct_share_of_a_listed_owner_is_what_it_is if {
	held := _held_of([_by("zhipu", 4999)], {})
	held.bis == {"surely": 4999, "perhaps": 4999, "owners": ["zhipu"]}
	held.ofac == {"surely": 0, "perhaps": 0, "owners": []}
}

test_shares_of_listed_owners_add_up if {
	_held_of([_by("zhipu", 2500), _by("inspur-cloud", 2500), _by("openai", 5000)], {}).bis.surely == 5000
}

test_who_is_half_owned_by_listed_owners_counts_as_they_do if {
	others := {"scaleway": [_by("zhipu", 5000)]}
	_held_of([_by("scaleway", 6000)], others).bis == {"surely": 6000, "perhaps": 6000, "owners": ["scaleway"]}
}

test_who_is_owned_by_less_than_half_does_not if {
	others := {"scaleway": [_by("zhipu", 4999)]}
	_held_of([_by("scaleway", 6000)], others).bis.surely == 0
}

test_a_chain_of_three_steps_is_followed if {
	others := {"scaleway": [_by("openai", 10000)], "openai": [_by("zhipu", 10000)]}
	_held_of([_by("scaleway", 10000)], others).bis.surely == 10000
}

test_a_longer_chain_is_unknown if {
	others := {
		"scaleway": [_by("openai", 10000)],
		"openai": [_by("baseten", 10000)],
		"baseten": [_by("aws-bedrock", 10000)],
	}
	held := _held_of([_by("scaleway", 10000)], others).bis
	[held.surely, held.perhaps] == [0, 10000]
}

test_an_owner_of_whose_own_owners_nothing_is_known_is_unknown if {
	_held_of([_by("moonshot-holding", 6000)], {"moonshot-holding": null}).bis.perhaps == 6000
}

test_an_owner_whose_ultimate_parent_is_known_is_not if {
	_held_of([_by("openai", 6000)], {}).bis.perhaps == 0
}

test_an_unscreened_owner_is_unknown_and_a_screened_one_is_not if {
	_held_of([_share({"share_bp": 7000})], {}).bis.perhaps == 7000
	_held_of([_share({"share_bp": 7000, "listed": []})], {}).bis.perhaps == 0
	held := _held_of([_share({"share_bp": 7000, "listed": ["ofac-sdn"]})], {})
	[held.bis.surely, held.ofac.surely] == [7000, 7000]
}

test_a_share_of_unknown_size_may_be_all_that_is_left if {
	held := _held_of([_by("openai", 3000), _by("zhipu", null)], {}).bis
	[held.surely, held.perhaps] == [0, 7000]
}

test_a_country_of_concern_counts_for_the_rule_on_bulk_data_alone if {
	held := _held_of([_share({"share_bp": 5000, "country": "CN", "listed": []})], {})
	[held.dsp.surely, held.bis.surely] == [5000, 0]
	_held_of([_by("moonshot", 5000)], {}).dsp.surely == 5000
	_held_of([_share({"share_bp": 5000, "country": "SG", "listed": []})], {}).dsp.surely == 0
}

test_a_share_counts_from_its_first_second_until_before_its_last if {
	owners := [object.union(_by("zhipu", 10000), {"since": 1783684800, "until": 1783684801})]
	[held.bis.surely |
		some at in ["2026-07-10T11:59:59Z", "2026-07-10T12:00:00Z", "2026-07-10T12:00:01Z"]
		held := _held_at(at, owners, {})
	] == [0, 10000, 0]
}

test_no_owner_that_matters_is_nobody_and_unknown_owners_are_unknown if {
	_held_of([], {}).bis == {"surely": 0, "perhaps": 0, "owners": []}
	_held_of(null, {}).bis == {"surely": 0, "perhaps": 10000, "owners": []}
}

test_counts_add_up_under_the_parent_if_it_has_an_entry if {
	known := fixture.catalog_with("operators", "jingsheng-hengxing", {"parent": "zhipu"})
	view := fixture.view_in(fixture.asking_at("glm-5.2@api.z.ai", {}), known)
	view.hops[0].parties[0].counterparty == "zhipu"
	_view(fixture.asking_at("glm-5.2@api.z.ai", {})).hops[0].parties[0].counterparty == "jingsheng-hengxing"
}
