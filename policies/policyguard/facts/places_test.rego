package policyguard.facts_test

import data.policyguard.fixture

_embargo_of(caller) := _view(fixture.asking({"caller": object.union({"location": null}, caller)})).embargo

test_an_embargoed_country_is_one_whatever_its_region if {
	every caller in [{"location": "IR"}, {"location": "IR", "subdivision": "IR-07"}, {"subdivision": "IR-07"}] {
		_embargo_of(caller) == {"place": "country", "missing": []}
	}
}

test_a_country_is_embargoed_until_its_programme_ends if {
	[place |
		some at in ["2025-06-29T23:59:59Z", "2025-06-30T00:00:00Z"]
		place := _view(fixture.asking({"at": at, "caller": {"location": "SY"}})).embargo.place
	] == ["country", "none"]
}

test_an_embargoed_region_is_one_whatever_country_is_given if {
	every location in ["UA", "RU", null] {
		_embargo_of({"location": location, "subdivision": "UA-43"}).place == "region"
	}
}

test_a_region_of_which_a_part_is_embargoed_is_a_part if {
	_embargo_of({"location": "UA", "subdivision": "UA-14"}).place == "part"
}

test_a_country_with_an_embargoed_region_needs_the_region if {
	_embargo_of({"location": "UA"}) == {"place": "unknown", "missing": ["caller.subdivision"]}
	_embargo_of({"location": "UA", "subdivision": "UA-30"}).place == "none"
}

test_no_place_is_unknown_and_any_other_is_none if {
	_embargo_of({}) == {"place": "unknown", "missing": ["caller.location"]}
	_embargo_of({"location": "FR"}) == {"place": "none", "missing": []}
}

test_groups_have_the_countries_that_the_call_mentions_and_no_others if {
	readers := [{"role": "support", "person_status": "foreign", "citizenships": ["CU", "FR"], "latest_citizenship": "SY"}]
	known := fixture.catalog_with("deployments", "glm-5.2@us", {"readers": readers})
	asked := fixture.asking_at("glm-5.2@us", {
		"caller": {"location": "IR", "latest_citizenship": "RU", "citizenships": ["BY"]},
		"purpose": {"beneficiary_headquarters": "CN"},
		"exporter": {"establishment": "HK"},
	})
	view := fixture.view_in(asked, known)
	view.groups["bis-d5"] == {"BY", "CN", "CU", "HK", "IR", "RU", "SY"}
	view.groups["bis-e2"] == {"CU"}
	view.groups["ofac-embargoed"] == {"CU", "IR"}
}
