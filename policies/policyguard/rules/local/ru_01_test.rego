package policyguard.rules_test

import data.policyguard.fixture

_ru_01(data_patch) := fixture.asking({"data": object.union(
	{"subjects": ["RU"], "citizenships": ["RU"], "collection_at_source": true},
	data_patch,
)})

test_ru_01_data_of_russian_citizens_first_recorded_abroad_is_denied if {
	fixture.of("RU-01", _ru_01({})) == {{
		"id": "RU-01",
		"effect": "deny",
		"msg": "glm-5.2 at api.scaleway.ai would record data of Russian citizens, as it is collected, outside Russia (FR)",
		"facts": {
			"data.citizenships": ["RU"],
			"data.collection_at_source": true,
			"data.subjects": ["RU"],
			"deployment": "glm-5.2@api.scaleway.ai",
			"deployment.places": ["FR"],
			"exporter.establishment": "DE",
		},
		"missing": [],
		"remedy": "a database in Russia that records it first",
	}}
}

test_ru_01_a_later_transfer_is_possible_after_notice if {
	[finding] := [one | some one in fixture.of("RU-01", _ru_01({"collection_at_source": false}))]
	finding.effect == "oblige"
	finding.obligation == {"type": "record_keeping", "properties": {"article": "152-FZ Art. 12"}}
	contains(finding.msg, "is given notice of a cross-border transfer first")
}

test_ru_01_in_russia_it_may_be_recorded if {
	known := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"processing_countries": ["RU"], "storage_countries": ["RU"]})
	papers := {"tenant": {"contracts": [fixture.papers("scaleway", {"remote_access_countries": ["RU"]})]}}
	every patch in [{}, {"collection_at_source": false}, {"citizenships": null}, {"collection_at_source": null}] {
		fixture.of_in("RU-01", object.union(_ru_01(patch), papers), known) == set()
	}
	vague := object.union(known, {"deployments": {"glm-5.2@api.scaleway.ai": {"processing_scope": null}}})
	fixture.missing_in("RU-01", object.union(_ru_01({}), papers), vague) == {"deployment.processing_scope"}
	fixture.of_in("RU-01", object.union(_ru_01({"citizenships": ["DE"]}), papers), vague) == set()
}

test_ru_01_citizens_of_other_countries_are_not_meant_wherever_they_are if {
	every patch in [{"citizenships": ["DE"]}, {"citizenships": ["DE"], "collection_at_source": null}, {"classes": ["none"]}, {"classes": ["none"], "citizenships": null}] {
		fixture.of("RU-01", _ru_01(patch)) == set()
	}
}

test_ru_01_who_is_neither_in_russia_nor_of_a_russian_establishment_is_out_of_scope if {
	fixture.of("RU-01", _ru_01({"subjects": ["DE"]})) == set()
	established := object.union(_ru_01({"subjects": ["DE"]}), {"exporter": {"establishment": "RU"}})
	fixture.effects("RU-01", established) == {"deny"}
}

test_ru_01_what_is_not_known_is_named if {
	fixture.missing("RU-01", _ru_01({"citizenships": null})) == {"data.citizenships"}
	fixture.missing("RU-01", _ru_01({"collection_at_source": null})) == {"data.collection_at_source"}
	fixture.effects("RU-01", _ru_01({"collection_at_source": null})) == {"indeterminate"}
	fixture.missing("RU-01", _ru_01({"subjects": null})) == {"data.subjects"}
	fixture.missing("RU-01", _ru_01({"subjects": null, "citizenships": null})) == {"data.subjects"}
	fixture.of("RU-01", _ru_01({"subjects": null, "citizenships": ["DE"]})) == set()
	fixture.of("RU-01", _ru_01({"subjects": null, "collection_at_source": false})) == set()
}

test_ru_01_it_began_on_its_day if {
	statuses := [object.get(view.status, "RU-01", null) |
		some at in ["2025-06-30T23:59:59Z", "2025-07-01T00:00:00Z"]
		asked := fixture.asking({"at": at})
		view := fixture.view_in(asked, data.policyguard.sample.catalog)
	]
	statuses == [null, {"status": "in_force", "verified": false}]
}
