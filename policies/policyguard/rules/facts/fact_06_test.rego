package policyguard.rules_test

import data.policyguard.fixture

_fact_06_with(max_age) := fixture.catalog_with("lists", "eea", {"max_age_days": max_age})

_fact_06_at(at, max_age) := fixture.effects_in("FACT-06", fixture.asking({"at": at}), _fact_06_with(max_age))

test_fact_06_a_list_counts_through_its_last_day if {
	_fact_06_at("2026-07-09T23:59:59Z", 7) == set()
	_fact_06_at("2026-07-10T00:00:00Z", 7) == {"indeterminate"}
}

test_fact_06_a_list_without_an_age_is_never_stale if {
	_fact_06_at("2029-07-10T00:00:00Z", null) == set()
}

test_fact_06_list_and_edition_are_named if {
	fixture.of_in("FACT-06", fixture.asking({"at": "2026-07-10T00:00:00Z"}), _fact_06_with(7)) == {{
		"id": "FACT-06",
		"effect": "indeterminate",
		"msg": "it is not known whom eea names now: the edition is of 2026-07-02, and older than it may be",
		"facts": {"list": "eea", "lists.as_of": "2026-07-02"},
		"missing": ["lists"],
		"remedy": "a newer edition of the list, in an overlay with its source",
	}}
}
