package policyguard.rules_test

import data.policyguard.fixture

# Technology of an ECCN, of US origin, sent by a company in the United States.
_ear_04_sent(deployment, patch) := fixture.asking_at(deployment, object.union(
	{
		"exporter": {"establishment": "US"},
		"caller": {"person_status": "us_citizen"},
		"data": {"classes": ["technical"], "subjects": null, "ear": {"classification": "3E001", "us_origin": true}},
	},
	patch,
))

_ear_04_class_of(class, patch) := object.union({"data": {"ear": {"classification": class}}}, patch)

_ear_04_at(places) := fixture.catalog_with("deployments", "glm-5.2@us", {"processing_countries": places})

# No list names the operator: the country needs the licence.
test_ear_04_controlled_technology_to_an_operator_on_no_list_is_denied if {
	asked := _ear_04_sent("glm-5.2@api.scaleway.ai", {})
	fixture.of("EAR-04", asked) == {{
		"id": "EAR-04",
		"effect": "deny",
		"msg": "glm-5.2 at api.scaleway.ai would take technology of ECCN 3E001 to FR, for which a licence is needed (the Country Chart of the catalog says nothing of FR, so it counts as needed) and none is on file",
		"facts": {
			"data.classes": ["technical"],
			"data.ear.classification": "3E001",
			"data.ear.exception": null,
			"data.ear.us_origin": true,
			"deployment": "glm-5.2@api.scaleway.ai",
			"deployment.operator": "scaleway",
			"deployment.places": ["FR"],
			"exporter.establishment": "US",
			"lists.bis-country-chart.as_of": "2026-06-18",
			"lists.bis-d5.as_of": "2026-06-18",
		},
		"missing": [],
		"remedy": "a deployment that stays in the United States, a BIS licence for the operator, the item and the country, or a classification by which none is needed",
	}}
	fixture.of("EAR-01", asked) == set()
}

test_ear_04_inside_the_united_states_nothing_is_exported if {
	fixture.of("EAR-04", _ear_04_sent("glm-5.2@us", {})) == set()
}

# What clears it is said, where nobody has verified it.
test_ear_04_a_country_without_a_mark_needs_no_licence if {
	some finding in fixture.of_in("EAR-04", _ear_04_sent("glm-5.2@us", {}), _ear_04_at(["CA"]))
	finding.effect == "advise"
	finding.msg == "glm-5.2 at inference.baseten.co takes technology of ECCN 3E001 to CA, for which the Country Chart as the catalog has it has no mark; no person has verified that"
	finding.facts.chart == {"CA": {"licence": false, "reasons": [], "source": "s", "verified": false}}
	fixture.effects_in("EAR-04", _ear_04_sent("glm-5.2@us", {}), _ear_04_at(["CA", "GB"])) == {"deny", "advise"}
	licensed := {"tenant": {"licences": [fixture.licence({"operators": ["baseten"]})]}}
	fixture.of_in("EAR-04", _ear_04_sent("glm-5.2@us", licensed), _ear_04_at(["CA"])) == set()
}

# A cell for the item goes before one for every item, and one for the country before one
# for all others. 2026-07-10T12:00:00Z is the last second of the cell of GB.
test_ear_04_the_chart_is_read_by_item_and_country_at_the_instant if {
	coded := _ear_04_class_of("5E002.a", {})
	[fixture.effects_in("EAR-04", object.union(_ear_04_sent("glm-5.2@us", coded), {"at": at}), _ear_04_at([place])) |
		some place in ["GB", "CA", "FR"]
		some at in ["2026-07-10T12:00:00Z", "2026-07-10T12:00:01Z"]
	] == [set(), {"deny"}, {"advise"}, {"advise"}, {"deny"}, {"deny"}]
	some finding in fixture.of_in("EAR-04", _ear_04_sent("glm-5.2@us", coded), _ear_04_at(["FR"]))
	finding.facts.chart.FR.reasons == ["NS1", "EI"]
}

test_ear_04_a_cell_that_nobody_has_read_is_said if {
	unread := _ear_04_class_of("3E002", {})
	some finding in fixture.of_in("EAR-04", _ear_04_sent("glm-5.2@us", unread), _ear_04_at(["FR"]))
	finding.effect == "deny"
	contains(finding.msg, "technology of ECCN 3E002 to FR, for which a licence is needed (the Country Chart of the catalog says nothing of FR, so it counts as needed) and none is on file")
	every read in [["5E002", "FR"], ["3E002", "IR"], ["3E991", "RU"], ["EAR99", "IR"]] {
		[class, place] := read
		some other in fixture.of_in("EAR-04", _ear_04_sent("glm-5.2@us", _ear_04_class_of(class, {})), _ear_04_at([place]))
		contains(other.msg, "for which a licence is needed and none is on file")
	}
}

# Your own finding answers where the chart is silent; against a mark a person has to.
test_ear_04_a_finding_of_your_own_against_the_chart_is_for_a_person if {
	cleared := {"data": {"ear": {"classification": "5E002", "no_licence_countries": ["FR"]}}}
	[fixture.effects_in("EAR-04", _ear_04_sent("glm-5.2@us", object.union(cleared, patch)), _ear_04_at(["FR"])) |
		some patch in [{}, {"data": {"ear": {"classification": "4E001"}}}]
	] == [{"require_approval"}, set()]
}

test_ear_04_no_mark_is_no_leave_under_an_arms_embargo if {
	cell := {"country": "CN", "licence": false, "reasons": [], "verified": true, "source": "s", "since": null, "until": null}
	known := object.union(_ear_04_at(["CN"]), {"lists": {"bis-country-chart": {"chart": {"3E001": [cell]}}}})
	fixture.effects_in("EAR-04", _ear_04_sent("glm-5.2@us", {}), known) == {"require_approval"}
}

test_ear_04_what_is_light_is_not_on_the_chart if {
	every class in ["EAR99", "3E991"] {
		fixture.of_in("EAR-04", _ear_04_sent("glm-5.2@us", _ear_04_class_of(class, {})), _ear_04_at(["CA"])) == set()
	}
}

test_ear_04_a_company_elsewhere_counts_wherever_its_machines_are if {
	known := fixture.catalog_with("operators", "baseten", {"country": "SG"})
	some finding in fixture.of_in("EAR-04", _ear_04_sent("glm-5.2@us", {}), known)
	finding.facts["deployment.places"] == ["SG"]
}

test_ear_04_a_profile_that_runs_anywhere_goes_to_any_country if {
	some finding in fixture.of("EAR-04", _ear_04_sent("claude-fable-5@bedrock-global", {"at": "2026-10-01T12:00:00Z"}))
	finding.effect == "deny"
	contains(finding.msg, "to any country, for which")
}

# EAR99 is subject to the EAR, and needs a licence for few countries.
test_ear_04_ear99_needs_a_licence_for_group_e_alone if {
	ear99 := _ear_04_class_of("EAR99", {})
	[fixture.effects_in("EAR-04", _ear_04_sent("glm-5.2@us", ear99), _ear_04_at([place])) |
		some place in ["CN", "RU", "IR", "KP", "SY", "CU"]
	] == [set(), set(), {"deny"}, {"deny"}, {"deny"}, {"deny"}]
	some finding in fixture.of_in("EAR-04", _ear_04_sent("glm-5.2@us", ear99), _ear_04_at(["IR"]))
	contains(finding.msg, "technology of EAR99 to IR")
}

test_ear_04_what_is_controlled_for_anti_terrorism_alone_needs_one_for_russia_and_belarus_too if {
	light := _ear_04_class_of("3E991", {})
	[fixture.effects_in("EAR-04", _ear_04_sent("glm-5.2@us", light), _ear_04_at([place])) |
		some place in ["CN", "RU", "BY", "IR"]
	] == [set(), {"deny"}, {"deny"}, {"deny"}]
}

test_ear_04_a_claimed_exception_is_for_a_person if {
	claimed := {"data": {"ear": {"exception": "TSR"}}}
	some finding in fixture.of("EAR-04", _ear_04_sent("glm-5.2@api.scaleway.ai", claimed))
	finding.effect == "require_approval"
	contains(finding.msg, "to FR by a licence exception that is claimed, which a person has to confirm")
	fixture.effects_in("EAR-04", _ear_04_sent("glm-5.2@us", claimed), _ear_04_at(["IR"])) == {"deny"}
	fixture.effects("EAR-04", _ear_04_sent("claude-fable-5@bedrock-global", claimed)) == {"deny"}
}

test_ear_04_a_classification_by_which_none_is_needed_clears_its_countries if {
	cleared := {"data": {"ear": {"no_licence_countries": ["FR", "CN", "IR"]}}}
	fixture.of("EAR-04", _ear_04_sent("glm-5.2@api.scaleway.ai", cleared)) == set()
	[fixture.effects_in("EAR-04", _ear_04_sent("glm-5.2@us", cleared), _ear_04_at([place])) |
		some place in ["CN", "IR", "SG"]
	] == [{"require_approval"}, {"deny"}, {"deny"}]
}

test_ear_04_a_licence_clears_the_operator_the_item_and_the_country_that_it_names if {
	[fixture.effects("EAR-04", _ear_04_sent("glm-5.2@api.scaleway.ai", {"tenant": {"licences": [fixture.licence(scope)]}})) |
		some scope in [
			{"operators": ["scaleway"]},
			{"operators": ["scaleway"], "classifications": ["3E001"], "countries": ["FR"]},
			{"operators": ["scaleway"], "classifications": ["5E002"]},
			{"operators": ["scaleway"], "countries": ["DE"]},
			{"operators": ["baseten"]},
			{"operators": ["scaleway"], "authority": "DDTC"},
			{"operators": ["scaleway"], "expires": "2026-07-10T12:00:00Z"},
		]
	] == [set(), set(), {"deny"}, {"deny"}, {"deny"}, {"deny"}, {"deny"}]
}

test_ear_04_unknown_places_are_named if {
	asked := _ear_04_sent("gpt-5.5@api.openai.com", {})
	fixture.effects("EAR-04", asked) == {"indeterminate"}
	fixture.missing("EAR-04", asked) == {"deployment.processing_scope", "deployment.processing_countries", "deployment.storage_countries"}
}

# EAR99 needs no licence for any country but a few: unknown places are not asked for.
test_ear_04_unknown_places_are_not_asked_for_ear99 if {
	fixture.of("EAR-04", _ear_04_sent("gpt-5.5@api.openai.com", _ear_04_class_of("EAR99", {}))) == set()
}

test_ear_04_unknown_places_of_a_licensed_operator_are_licensed if {
	licence := fixture.licence({"operators": ["openai"]})
	fixture.of("EAR-04", _ear_04_sent("gpt-5.5@api.openai.com", {"tenant": {"licences": [licence]}})) == set()
}

test_ear_04_an_unclassified_item_that_leaves_is_named if {
	unknown := {"data": {"ear": {"classification": null}}}
	fixture.missing("EAR-04", _ear_04_sent("glm-5.2@api.scaleway.ai", unknown)) == {"data.ear.classification"}
	fixture.of("EAR-04", _ear_04_sent("glm-5.2@us", unknown)) == set()
	some finding in fixture.of("EAR-04", _ear_04_sent("gpt-5.5@api.openai.com", unknown))
	contains(finding.msg, "takes what is sent to places that are not all known")
}

test_ear_04_foreign_origin_from_elsewhere_is_none_of_its if {
	foreign := {"exporter": {"establishment": "DE"}, "data": {"ear": {"us_origin": false}}}
	fixture.of("EAR-04", _ear_04_sent("glm-5.2@api.scaleway.ai", foreign)) == set()
}

test_ear_04_what_is_published_or_no_technology_goes_anywhere if {
	every class in ["published", "not_technology"] {
		fixture.of("EAR-04", _ear_04_sent("glm-5.2@open.bigmodel.cn", _ear_04_class_of(class, {}))) == set()
	}
}

test_ear_04_our_own_host_abroad_is_an_export_as_well if {
	some finding in fixture.of("EAR-04", _ear_04_sent("glm-5.2@fra-1", {}))
	finding.facts["deployment.places"] == ["DE"]
}

test_ear_04_each_hop_of_a_route_counts if {
	asked := object.union(_ear_04_sent("glm-5.2@us", {}), {"route": ["glm-5.2@us", "glm-5.2@api.scaleway.ai"]})
	fixture.effects("EAR-04", asked) == {"deny"}
}

# No item, or none that is subject to the EAR.
_ear_04_elsewhere := [
	{"data": {"ear": {"classification": "not_technology"}}},
	{"data": {"ear": {"classification": "published"}}},
	{"exporter": {"establishment": "FR"}, "data": {"ear": {"us_origin": false}}},
]

_ear_04_claimed := [
	{},
	{"data": {"ear": {"exception": "TSR"}}},
	{"data": {"ear": {"no_licence_countries": ["CN"]}}},
]

_ear_04_vague := fixture.catalog_with("deployments", "glm-5.2@us", {"processing_scope": null})

test_ear_04_out_of_scope_nothing_is_found_whatever_is_claimed if {
	every patch in _ear_04_elsewhere {
		every claim in _ear_04_claimed {
			every known in [_ear_04_at(["CN"]), _ear_04_at(["IR"]), _ear_04_vague] {
				fixture.of_in("EAR-04", object.union(_ear_04_sent("glm-5.2@us", patch), claim), known) == set()
			}
		}
	}
}

test_ear_04_every_hop_is_looked_at if {
	twice := {"route": ["glm-5.2@us", "glm-5.2@api.scaleway.ai"]}
	[fixture.effects("EAR-04", object.union(_ear_04_sent("glm-5.2@us", patch), twice)) |
		some patch in [{}, {"data": {"ear": {"exception": "TSR"}}}, {"data": {"ear": {"classification": null}}}]
	] == [{"deny"}, {"require_approval"}, {"indeterminate"}]
	gap := object.union(_ear_04_sent("glm-5.2@us", {}), {"route": ["kimi-k2@hq", "glm-5.2@us"]})
	"deployment.processing_scope" in fixture.missing_in("EAR-04", gap, _ear_04_vague)
}

test_ear_04_what_is_denied_is_not_asked_about_besides if {
	both := fixture.catalog_with("deployments", "glm-5.2@us", {"processing_scope": null, "processing_countries": ["CN"]})
	fixture.effects_in("EAR-04", _ear_04_sent("glm-5.2@us", {}), both) == {"deny"}
}

test_ear_04_a_licence_that_names_no_country_needs_no_place if {
	[fixture.missing_in("EAR-04", _ear_04_sent("glm-5.2@us", {"tenant": {"licences": [fixture.licence(scope)]}}), _ear_04_vague) |
		some scope in [{"operators": ["baseten"]}, {"operators": ["baseten"], "countries": ["FR"]}, {"operators": ["scaleway"]}]
	] == [set(), {"deployment.processing_scope"}, {"deployment.processing_scope"}]
}

test_ear_04_ciphertext_alone_goes_anywhere if {
	relay := fixture.catalog_with("deployments", "glm-5.2@us", {
		"mode": "gateway",
		"processing_scope": null,
		"processing_countries": ["SG"],
		"storage_countries": ["SG"],
		"sealing": {"end_to_end": true, "fips": true, "strength_bits": 256, "keys_withheld": true, "enclave": false},
	})
	every class in ["3E001", null] {
		fixture.of_in("EAR-04", _ear_04_sent("glm-5.2@us", {"data": {"ear": {"classification": class}}}), relay) == set()
	}
}
