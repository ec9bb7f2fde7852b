package policyguard.rules_test

import data.policyguard.fixture

_rbi_01(patch) := fixture.asking(object.union(
	{"data": {"classes": ["financial"], "subjects": ["IN"]}, "tenant": {"sectors": ["payments_in"]}},
	patch,
))

test_rbi_01_payment_data_stored_elsewhere_is_denied if {
	some finding in fixture.of("RBI-01", _rbi_01({}))
	finding.effect == "deny"
	finding.msg == "glm-5.2 at api.scaleway.ai would store payment data outside India (FR)"
}

test_rbi_01_processing_elsewhere_without_storing_is_no_finding if {
	every storage in [[], ["IN"]] {
		known := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"storage_countries": storage})
		fixture.of_in("RBI-01", _rbi_01({}), known) == set()
	}
}

test_rbi_01_other_data_other_sectors_and_other_people_are_not_meant if {
	every patch in [
		{"data": {"classes": ["pii"]}},
		{"tenant": {"sectors": []}},
		{"data": {"subjects": ["DE"]}},
	] {
		fixture.of("RBI-01", _rbi_01(patch)) == set()
	}
}

test_rbi_01_what_is_not_known_is_named if {
	fixture.missing("RBI-01", _rbi_01({"tenant": {"sectors": null}})) == {"tenant.sectors"}
	fixture.missing("RBI-01", _rbi_01({"data": {"subjects": null}})) == {"data.subjects"}
	fixture.effects("RBI-01", _rbi_01({"data": {"subjects": null}})) == {"indeterminate"}
	nowhere := _rbi_01({"data": {"subjects": null}, "tenant": {"sectors": null}})
	fixture.missing("RBI-01", nowhere) == {"data.subjects", "tenant.sectors"}
	known := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"storage_countries": null})
	fixture.missing_in("RBI-01", _rbi_01({}), known) == {"deployment.storage_countries"}
	fixture.missing_in("RBI-01", _rbi_01({"tenant": {"sectors": null}}), known) == {"tenant.sectors"}
}

test_rbi_01_where_nothing_is_stored_elsewhere_nothing_is_asked if {
	inside := {"storage_countries": ["IN"], "remote_access_countries": null}
	known := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", inside)
	every patch in [{"tenant": {"sectors": null}}, {"data": {"subjects": null}}] {
		fixture.of_in("RBI-01", _rbi_01(patch), known) == set()
	}
}

test_rbi_01_what_is_not_known_of_other_data_and_other_sectors_is_not_asked if {
	every patch in [
		{"data": {"subjects": null}, "tenant": {"sectors": []}},
		{"data": {"classes": ["pii"]}, "tenant": {"sectors": null}},
		{"data": {"subjects": ["DE"]}, "tenant": {"sectors": null}},
		{"route": [null], "tenant": {"sectors": null}},
	] {
		fixture.of("RBI-01", _rbi_01(patch)) == set()
	}
}
