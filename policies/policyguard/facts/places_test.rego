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

test_a_group_has_what_is_behind_the_first_host_and_the_first_country if {
	known := object.union(
		fixture.catalog_with("deployments", "glm-5.2@us", {
			"processing_countries": ["CA", "CN"],
			"host_cloud": "openai",
			"readers": [
				{"role": "support", "person_status": "us_citizen", "citizenships": ["US"], "latest_citizenship": null},
				{"role": "support", "person_status": "foreign", "citizenships": ["FR"], "latest_citizenship": "SY"},
			],
		}),
		{"operators": {"baseten": {"country": "BY", "control_country": "CU"}, "openai": {"country": "HK", "control_country": "GB"}}},
	)
	asked := fixture.asking({"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@us"]})
	groups := fixture.view_in(asked, known).groups
	groups["bis-d5"] == {"BY", "CN", "CU", "HK", "SY"}
	object.keys(groups) == {
		"bis-affiliates-relief",
		"bis-d5",
		"bis-e1",
		"bis-e2",
		"dsp-countries-of-concern",
		"itar-126-1",
		"ofac-embargoed",
	}
}

test_a_group_has_where_the_organisation_of_the_caller_is_and_every_passport if {
	organisation := object.union(fixture.ours, {"country": "CN", "headquarters": "HK"})
	caller := {"organisation": organisation, "citizenships": ["FR", "BY"]}
	_view(fixture.asking({"caller": caller})).groups["bis-d5"] == {"BY", "CN", "HK"}
}

# A model that its developer offers in some countries, to a caller of an organisation.
_access_of(at, caller, organisation) := _view(fixture.asking_at("claude-fable-5@bedrock-eu", {
	"at": at,
	"caller": object.union(caller, {"organisation": object.union(fixture.ours, organisation)}),
})).model.access

_today := "2026-07-10T12:00:00Z"

test_a_model_is_offered_where_its_developer_says if {
	[_access_of(_today, {"location": location}, {"headquarters": headquarters}) | some [location, headquarters] in [
		["DE", "FR"],
		["CN", "DE"],
		["DE", "CN"],
		["BR", "DE"],
		["DE", "BR"],
	]] == [
		{"caller": "supported", "headquarters": "supported", "held_bp": 0, "missing": []},
		{"caller": "unsupported", "headquarters": "supported", "held_bp": 0, "missing": []},
		{"caller": "supported", "headquarters": "unsupported", "held_bp": 0, "missing": []},
		{"caller": "unknown", "headquarters": "supported", "held_bp": 0, "missing": ["caller.location"]},
		{"caller": "supported", "headquarters": "unknown", "held_bp": 0, "missing": ["caller.organisation.headquarters"]},
	]
}

test_what_owners_elsewhere_hold_adds_up_and_what_is_not_known_may_be_all if {
	[[access.held_bp, access.missing] |
		some shares in [
			[["CN", 3000], ["RU", 2000], ["DE", 5000]],
			[["CN", 3000], ["RU", null]],
			[["BR", 5000], ["DE", null]],
			[["BR", 5001], ["DE", null]],
			[["BR", 3000], ["BR", 2001]],
			[["DE", null], ["BR", null]],
		]
		owners := [object.union(data.policyguard.sample.blank_owner, {"country": share[0], "share_bp": share[1]}) | some share in shares]
		access := _access_of(_today, {"location": "DE"}, {"owners": owners})
	] == [
		[5000, []],
		[3000, ["caller.organisation.owners"]],
		[0, []],
		[0, ["caller.organisation.owners"]],
		[0, ["caller.organisation.owners"]],
		[0, ["caller.organisation.owners"]],
	]
	_access_of(_today, {"location": "DE"}, {"owners": null}).missing == ["caller.organisation.owners"]
}

test_the_limit_on_companies_began_later_than_that_on_places if {
	owners := [object.union(data.policyguard.sample.blank_owner, {"country": "CN", "share_bp": 6000})]
	chinese := {"headquarters": "CN", "owners": owners}
	[_access_of(at, {"location": "CN"}, chinese) | some at in ["2025-09-04T23:59:59Z", "2025-09-05T00:00:00Z"]] == [
		{"caller": "unsupported", "headquarters": "supported", "held_bp": 0, "missing": []},
		{"caller": "unsupported", "headquarters": "unsupported", "held_bp": 6000, "missing": ["caller.organisation.owners"]},
	]
	always := fixture.catalog_with("models", "claude-fable-5", {"access_terms": {"since": null}})
	asked := fixture.asking_at("claude-fable-5@bedrock-eu", {"caller": {"organisation": object.union(fixture.ours, chinese)}})
	fixture.view_in(asked, always).model.access.held_bp == 6000
}

test_a_model_that_its_developer_offers_everywhere_is_offered_everywhere if {
	asked := fixture.asking({"caller": {"location": "CN"}})
	every access in [_view(asked).model.access, _view(object.union(asked, {"model": null})).model.access] {
		access == {"caller": "supported", "headquarters": "supported", "held_bp": 0, "missing": []}
	}
}

_chart_of(at, classification) := {country: [cell.licence, cell.reasons] |
	some country, cell in _view(fixture.asking({"at": at, "data": {"ear": {"classification": classification}}})).chart
}

test_the_chart_has_the_cells_of_the_classification_and_those_for_every_one if {
	every classification in ["5E002", "5E002.a"] {
		_chart_of(_today, classification) == {"**": [true, ["NS1", "EI"]], "CA": [false, []], "GB": [false, []]}
	}
	_chart_of("2026-07-10T12:00:01Z", "5E002") == {"**": [true, ["NS1", "EI"]], "CA": [false, []]}
	_chart_of(_today, "3E001") == {"CA": [false, []]}
	every classification in ["EAR99", "not_technology", "published", null] {
		_chart_of(_today, classification) == {}
	}
}

test_a_cell_of_the_chart_counts_from_its_second if {
	cell := {"country": "JP", "licence": false, "reasons": [], "since": 1783684800, "until": null, "source": "s", "verified": true}
	known := object.union(data.policyguard.sample.catalog, {"lists": {"bis-country-chart": {"chart": {"3E001": [cell]}}}})
	[object.keys(fixture.view_in(asked, known).chart) |
		some at in ["2026-07-10T11:59:59Z", "2026-07-10T12:00:00Z"]
		asked := fixture.asking({"at": at, "data": {"ear": {"classification": "3E001"}}})
	] == [{"CA"}, {"CA", "JP"}]
}
