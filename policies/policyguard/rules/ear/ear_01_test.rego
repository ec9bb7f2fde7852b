package policyguard.rules_test

import data.policyguard.fixture

# Unpublished source code of US origin, to the listed operator.
_ear_01_code := {"data": {
	"classes": ["source_code"],
	"subjects": null,
	"ear": {"classification": "EAR99", "us_origin": true},
}}

_ear_01_sent(patch) := fixture.asking_at("glm-5.2@open.bigmodel.cn", object.union(_ear_01_code, patch))

_ear_01_licence(patch) := {"tenant": {"licences": [fixture.licence(object.union({"operators": ["zhipu-bigmodel"]}, patch))]}}

test_ear_01_ear99_code_to_a_listed_operator_is_denied if {
	fixture.of("EAR-01", _ear_01_sent({})) == {{
		"id": "EAR-01",
		"effect": "deny",
		"msg": "glm-5.2 at open.bigmodel.cn would hand an item subject to the EAR (EAR99) to Zhipu BigModel, a party on the Entity List (all items subject to the EAR)",
		"facts": {
			"data.classes": ["source_code"],
			"data.ear.classification": "EAR99",
			"data.ear.us_origin": true,
			"exporter.establishment": "DE",
			"lists.bis-entity-list.as_of": "2026-06-18",
			"deployment": "glm-5.2@open.bigmodel.cn",
			"deployment.operator": "zhipu-bigmodel",
		},
		"missing": [],
		"remedy": "an operator that is not listed, a BIS licence that names this one, or evidence that the item is published",
	}}
}

test_ear_01_an_eccn_is_denied_like_ear99 if {
	fixture.effects("EAR-01", _ear_01_sent({"data": {"ear": {"classification": "3E001"}}})) == {"deny"}
}

test_ear_01_an_export_from_the_united_states_is_enough if {
	from_us := {"exporter": {"establishment": "US"}}
	every origin in [false, null] {
		fixture.effects(
			"EAR-01",
			_ear_01_sent(object.union(from_us, {"data": {"ear": {"us_origin": origin}}})),
		) == {"deny"}
	}
}

test_ear_01_foreign_origin_from_elsewhere_is_not_subject_to_the_ear if {
	every classification in ["EAR99", null] {
		fixture.effects(
			"EAR-01",
			_ear_01_sent({"data": {"ear": {"classification": classification, "us_origin": false}}}),
		) == set()
	}
}

test_ear_01_unknown_origin_is_named if {
	asked := _ear_01_sent({"data": {"ear": {"us_origin": null}}})
	fixture.effects("EAR-01", asked) == {"indeterminate"}
	fixture.missing("EAR-01", asked) == {"data.ear.us_origin"}
}

test_ear_01_unknown_origin_and_exporter_are_both_named if {
	asked := _ear_01_sent({"data": {"ear": {"us_origin": null}}, "exporter": {"establishment": null}})
	fixture.missing("EAR-01", asked) == {"data.ear.us_origin", "exporter.establishment"}
}

test_ear_01_foreign_origin_from_nobody_knows_where_is_indeterminate if {
	asked := _ear_01_sent({"data": {"ear": {"us_origin": false}}, "exporter": {"establishment": null}})
	fixture.missing("EAR-01", asked) == {"exporter.establishment"}
}

# Scenario G01: personal data is no item.
test_ear_01_personal_data_is_no_item if {
	fixture.of("EAR-01", fixture.asking_at("glm-5.2@open.bigmodel.cn", {})) == set()
}

test_ear_01_what_is_no_technology_is_no_item if {
	fixture.of("EAR-01", _ear_01_sent({"data": {"ear": {"classification": "not_technology"}}})) == set()
}

test_ear_01_published_code_is_left_to_the_rule_on_publication if {
	published := {"data": {"ear": {"classification": "published", "evidence": "https://example.com/repository"}}}
	fixture.of("EAR-01", _ear_01_sent(published)) == set()
}

test_ear_01_classes_that_may_hold_technology_need_a_classification if {
	every class in ["source_code", "technical", "confidential"] {
		asked := _ear_01_sent({"data": {"classes": ["pii", class], "ear": {"classification": null}}})
		fixture.effects("EAR-01", asked) == {"indeterminate"}
		fixture.missing("EAR-01", asked) == {"data.ear.classification"}
	}
}

test_ear_01_unknown_classes_to_a_listed_operator_are_indeterminate if {
	asked := _ear_01_sent({"data": {"classes": null, "ear": {"classification": null}}})
	fixture.effects("EAR-01", asked) == {"indeterminate"}
	fixture.missing("EAR-01", asked) == {"data.classes", "data.ear.classification"}
}

test_ear_01_unknown_classes_to_an_operator_that_is_not_listed_are_nothing if {
	fixture.of("EAR-01", fixture.asking({"data": {"classes": null}})) == set()
}

# A listed developer restricts nothing: the direction is what goes to the party.
test_ear_01_a_listed_developer_is_no_consignee if {
	every deployment in ["glm-5.2@api.scaleway.ai", "glm-5.2@us", "glm-5.2@fra-1"] {
		fixture.of("EAR-01", fixture.asking_at(deployment, _ear_01_code)) == set()
	}
}

# Nor is a host of the same maker under another company: ownership is another rule's.
test_ear_01_an_operator_that_is_not_named_is_not_listed if {
	fixture.of("EAR-01", fixture.asking_at("glm-5.2@api.z.ai", _ear_01_code)) == set()
}

test_ear_01_not_before_the_day_of_the_listing if {
	fixture.effects("EAR-01", _ear_01_sent({"at": "2025-01-15T23:59:59.999999Z"})) == set()
	fixture.effects("EAR-01", _ear_01_sent({"at": "2025-01-16T00:00:00Z"})) == {"deny"}
}

test_ear_01_not_after_the_listing_ends if {
	known := object.union(data.policyguard.sample.catalog, {"lists": {"bis-entity-list": {"parties": {"zhipu-bigmodel": [{
		"names": ["Beijing Zhipu Huazhang"],
		"scope": null,
		"policy": null,
		"covers": null,
		"verified": true,
		"source": null,
		"since": 1736985600,
		"until": 1783684800,
	}]}}}})
	fixture.effects_in("EAR-01", _ear_01_sent({"at": "2026-07-10T11:59:59Z"}), known) == {"deny"}
	fixture.effects_in("EAR-01", _ear_01_sent({"at": "2026-07-10T12:00:00Z"}), known) == set()
}

test_ear_01_a_licence_that_names_the_operator_clears_it if {
	fixture.of("EAR-01", _ear_01_sent(_ear_01_licence({}))) == set()
}

test_ear_01_a_licence_clears_until_it_expires if {
	fixture.effects("EAR-01", _ear_01_sent(_ear_01_licence({"expires": "2026-07-10T12:00:01Z"}))) == set()
	fixture.effects("EAR-01", _ear_01_sent(_ear_01_licence({"expires": "2026-07-10T12:00:00Z"}))) == {"deny"}
}

test_ear_01_a_licence_of_another_office_or_for_another_operator_clears_nothing if {
	fixture.effects("EAR-01", _ear_01_sent(_ear_01_licence({"authority": "OFAC"}))) == {"deny"}
	fixture.effects("EAR-01", _ear_01_sent(_ear_01_licence({"operators": ["scaleway"]}))) == {"deny"}
}

test_ear_01_the_cloud_under_a_host_is_a_consignee_as_well if {
	known := fixture.catalog_with("deployments", "glm-5.2@fra-1", {"host_cloud": "inspur-cloud"})
	some finding in fixture.of_in("EAR-01", fixture.asking_at("glm-5.2@fra-1", _ear_01_code), known)
	finding.effect == "deny"
	finding.facts["deployment.host_cloud"] == "inspur-cloud"
	contains(finding.msg, "(scope not stated)")
}

# On premises of its own a listed company hands nothing to anybody.
test_ear_01_premises_of_our_own_are_nobodys_hands_but_ours if {
	own := {"operator": "inspur-cloud", "host_cloud": "inspur-cloud"}
	[fixture.effects_in("EAR-01", fixture.asking_at("glm-5.2@fra-1", _ear_01_code), fixture.catalog_with("deployments", "glm-5.2@fra-1", run)) |
		some run in [own, object.union(own, {"operator": "acme"}), object.union(own, {"mode": "vendor_api"})]
	] == [set(), {"deny"}, {"deny"}]
}

test_ear_01_each_hop_of_a_route_counts if {
	asked := object.union(_ear_01_sent({}), {"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@open.bigmodel.cn"]})
	fixture.effects("EAR-01", asked) == {"deny"}
}

test_ear_01_an_unknown_operator_of_an_item_is_named if {
	known := fixture.catalog_with("deployments", "glm-5.2@us", {"operator": null})
	fixture.missing_in("EAR-01", fixture.asking_at("glm-5.2@us", _ear_01_code), known) == {"deployment.operator"}
	fixture.of_in("EAR-01", fixture.asking_at("glm-5.2@us", {}), known) == set()
}

test_ear_01_an_entry_bars_what_it_covers_and_no_more if {
	covering := {"names": ["Z"], "scope": "3A090 and 4A090", "policy": null, "covers": ["3E001"], "verified": true, "source": null, "since": null, "until": null}
	known := object.union(data.policyguard.sample.catalog, {"lists": {"bis-entity-list": {"parties": {"zhipu-bigmodel": [covering]}}}})
	[fixture.effects_in("EAR-01", _ear_01_sent({"data": {"ear": {"classification": class}}}), known) |
		some class in ["EAR99", "3E001", null]
	] == [set(), {"deny"}, {"indeterminate"}]
}

test_ear_01_a_licence_covers_the_items_and_countries_that_it_names if {
	[fixture.effects("EAR-01", _ear_01_sent(_ear_01_licence(scope))) |
		some scope in [
			{"classifications": ["EAR99"], "countries": ["CN"]},
			{"classifications": ["3E001"]},
			{"countries": ["SG"]},
		]
	] == [set(), {"deny"}, {"deny"}]
}

test_ear_01_a_listed_relay_that_carries_ciphertext_is_handed_nothing if {
	sealing := {"end_to_end": true, "fips": true, "strength_bits": 256, "keys_withheld": true, "enclave": false}
	[fixture.effects_in("EAR-01", _ear_01_sent({}), fixture.catalog_with("deployments", "glm-5.2@open.bigmodel.cn", relay)) |
		some relay in [
			{"mode": "gateway", "sealing": sealing, "storage_countries": ["SG"]},
			{"mode": "gateway", "sealing": sealing, "storage_countries": ["CN"]},
			{"mode": "vendor_api", "sealing": sealing, "storage_countries": ["SG"]},
		]
	] == [set(), {"deny"}, {"deny"}]
}

test_ear_01_technical_data_of_the_itar_is_not_subject_to_the_ear if {
	unclassified := {"ear": {"classification": null}}
	[fixture.effects("EAR-01", _ear_01_sent({"data": object.union(unclassified, {"itar": itar})})) |
		some itar in [true, false, null]
	] == [set(), {"indeterminate"}, {"indeterminate"}]
}
