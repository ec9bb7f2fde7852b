package policyguard.facts_test

import data.policyguard.fixture

# An organisation as rules see it where no list has its name.
_seen(organisation) := object.union(organisation, {"potential": [], "uncompared": set()})

_bearing(patch) := object.union(fixture.ours, object.union({"name": "Namesake Trading", "name_key": "namesake trading"}, patch))

_potential(patch) := _view(fixture.asking({"caller": {"organisation": _bearing(patch)}})).caller.organisation.potential

_lists(patch) := [match.list | some match in _potential(patch)]

test_a_name_that_a_list_has_is_a_potential_match_of_that_list if {
	_potential({}) == [
		{
			"fact": "caller.organisation.name",
			"name": "Namesake Trading",
			"list": "bis-entity-list",
			"names": {"Namesake Trading"},
			"entries": set(),
		},
		{
			"fact": "caller.organisation.name",
			"name": "Namesake Trading",
			"list": "ofac-sdn",
			"names": {"NAMESAKE TRADING LLC", "Trading Namesake"},
			"entries": {"7"},
		},
	]
}

# 2026-07-10T12:00:00Z is the first second of one entry and the last of another.
test_an_entry_counts_from_its_first_second_until_before_its_last if {
	[names |
		some at in ["2026-07-10T11:59:59Z", "2026-07-10T12:00:00Z", "2026-07-10T12:00:01Z"]
		organisation := _view(fixture.asking({"at": at, "caller": {"organisation": _bearing({})}})).caller.organisation
		names := [name | some match in organisation.potential; match.list == "ofac-sdn"; some name in match.names]
	] == [
		["Trading Namesake"],
		["NAMESAKE TRADING LLC", "Trading Namesake"],
		["NAMESAKE TRADING LLC"],
	]
}

test_another_name_is_no_match_and_no_name_neither if {
	_lists({"name_key": "namesake"}) == []
	_lists({"name": null, "name_key": null}) == []
}

test_a_list_that_is_said_to_name_it_is_confirmed_and_the_other_is_not if {
	_lists({"listed": ["ofac-sdn"]}) == ["bis-entity-list"]
	_lists({"listed": null}) == ["bis-entity-list", "ofac-sdn"]
}

# What was cleared is one name in one country, for one entry of one list.
test_who_was_cleared_is_cleared_to_the_letter_and_with_the_country if {
	british := {"name": "Namesake Trading Ltd", "country": "GB"}
	_potential(british)[1].names == {"Trading Namesake"}
	every other in [{"country": "AE"}, {"country": null}, {"name": "NAMESAKE TRADING LTD"}] {
		_potential(object.union(british, other))[1].names == {"NAMESAKE TRADING LLC", "Trading Namesake"}
	}
}

test_owners_are_compared_as_long_as_they_own if {
	owner := object.union(data.policyguard.sample.blank_owner, {"name": "Trading Namesake", "name_key": "namesake trading"})
	_potential({"name": "Other", "name_key": "other", "owners": [owner]})[0].fact == "caller.organisation.owners"
	_lists({"name_key": "other", "owners": [object.union(owner, {"until": "2026-07-10T12:00:00Z"})]}) == []
}

# Who asks an engine without the guard has no keys: that is no clearance.
test_a_name_without_a_key_was_not_compared if {
	bare := object.remove(_bearing({"owners": [object.remove(data.policyguard.sample.blank_owner, ["name_key"])]}), ["name_key"])
	some view in [_view(object.union(fixture.asking({}), {"caller": {"organisation": bare}}))]
	view.caller.organisation.uncompared == {"caller.organisation.name", "caller.organisation.owners"}
}
