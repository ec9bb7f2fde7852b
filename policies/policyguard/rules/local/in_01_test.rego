package policyguard.rules_test

import data.policyguard.fixture

_in_01(at) := object.union(_uk_01({}), {
	"at": at,
	"exporter": {"establishment": "IN"},
	"data": {"subjects": ["IN"]},
})

test_in_01_a_country_on_the_list_is_denied if {
	some finding in fixture.of_in("IN-01", _in_01("2027-06-01T00:00:00Z"), _uk_01_moved("PK"))
	finding.effect == "deny"
	finding.msg == "glm-5.2 at inference.baseten.co would take personal data from India to PK, to which India restricts transfers"
}

test_in_01_it_is_a_list_of_what_is_not_allowed if {
	every country in ["US", "CN", "DE"] {
		fixture.of_in("IN-01", _in_01("2027-06-01T00:00:00Z"), _uk_01_moved(country)) == set()
	}
}

test_in_01_a_listing_begins_on_its_day if {
	fixture.of_in("IN-01", _in_01("2027-05-31T23:59:59Z"), _uk_01_moved("PK")) == set()
}

test_in_01_people_in_india_are_enough_and_unknown_people_are_named if {
	elsewhere := object.union(_in_01("2027-06-01T00:00:00Z"), {"exporter": {"establishment": "DE"}})
	fixture.effects_in("IN-01", elsewhere, _uk_01_moved("PK")) == {"deny"}
	unknown := object.union(elsewhere, {"data": {"subjects": null}})
	fixture.missing_in("IN-01", unknown, _uk_01_moved("PK")) == {"data.subjects"}
	nobody := object.union(elsewhere, {"data": {"subjects": ["DE"]}})
	fixture.of_in("IN-01", nobody, _uk_01_moved("PK")) == set()
}

test_in_01_it_is_proposed_until_the_third_phase_begins if {
	statuses := [view.status["IN-01"].status |
		some at in ["2027-05-12T23:59:59Z", "2027-05-13T00:00:00Z"]
		asked := fixture.asking({"at": at})
		view := fixture.view_in(asked, data.policyguard.sample.catalog)
	]
	statuses == ["proposed", "in_force"]
}
