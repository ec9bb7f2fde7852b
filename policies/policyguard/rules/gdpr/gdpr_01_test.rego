package policyguard.rules_test

import data.policyguard.fixture

_gdpr_01_to(deployment, papers) := fixture.asking_at(deployment, {"tenant": {"contracts": papers}})

_gdpr_01_us(patch) := _gdpr_01_to("glm-5.2@us", [fixture.contract("baseten", patch)])

# The host in the United States, moved to other places.
_gdpr_01_moved(places) := fixture.catalog_with("deployments", "glm-5.2@us", places)

_gdpr_01_effects_in(country, patch) := fixture.effects_in(
	"GDPR-01",
	_gdpr_01_us(patch),
	_gdpr_01_moved({"processing_countries": [country]}),
)

_gdpr_01_none := {"transfer_tool": "none"}

_gdpr_01_scc := {"transfer_tool": "scc", "transfer_assessed": "2026-05-01T00:00:00Z"}

# Scenario G01.
test_gdpr_01_a_third_country_without_a_basis_is_denied if {
	fixture.of("GDPR-01", _gdpr_01_to("glm-5.2@open.bigmodel.cn", [])) == {{
		"id": "GDPR-01",
		"effect": "deny",
		"msg": "glm-5.2 at open.bigmodel.cn would process personal data of people in DE in CN, for which no adequacy decision stands and no transfer tool is on file",
		"facts": {
			"deployment": "glm-5.2@open.bigmodel.cn",
			"deployment.operator": "zhipu-bigmodel",
			"deployment.processing_countries": ["CN"],
			"deployment.processing_scope": "fixed",
			"deployment.storage_countries": ["CN"],
			"deployment.transfer": "none",
			"deployment.transfer_assessed": null,
			"data.subjects": ["DE"],
		},
		"missing": [],
		"remedy": "a deployment in the EEA or an adequate country, or a transfer tool with an assessment of less than a year",
	}}
}

test_gdpr_01_a_host_in_the_eea_is_recorded_and_allowed if {
	fixture.of("GDPR-01", fixture.call) == {{
		"id": "GDPR-01",
		"effect": "oblige",
		"msg": "processing of personal data in scope of the GDPR is recorded",
		"facts": {"data.classes": ["pii"], "exporter.establishment": "DE"},
		"missing": [],
		"remedy": "",
		"obligation": {"type": "record_processing", "properties": {"article": "GDPR Art. 30"}},
	}}
}

test_gdpr_01_each_class_of_personal_data_counts if {
	every class in ["pii", "special_category", "health", "financial", "genomic", "biometric", "geolocation"] {
		asked := object.union(_gdpr_01_to("glm-5.2@open.bigmodel.cn", []), {"data": {"classes": [class]}})
		fixture.effects("GDPR-01", asked) == {"deny"}
	}
}

test_gdpr_01_other_data_is_out_of_scope if {
	every class in ["none", "public", "confidential", "source_code", "technical", "government_related"] {
		every contracts in [[], null] {
			asked := object.union(_gdpr_01_to("glm-5.2@open.bigmodel.cn", contracts), {"data": {"classes": [class]}})
			fixture.of("GDPR-01", asked) == set()
		}
	}
}

test_gdpr_01_anonymous_data_with_evidence_is_out_of_scope if {
	asked := object.union(
		_gdpr_01_to("glm-5.2@open.bigmodel.cn", []),
		{"data": {"anonymous_evidence": "aggregated, report 7"}},
	)
	fixture.of("GDPR-01", asked) == set()
}

test_gdpr_01_before_it_applied_an_eea_state_was_not_yet_in_it if {
	known := _gdpr_01_moved({"processing_countries": ["NO"]})
	fixture.effects_in("GDPR-01", object.union(_gdpr_01_us(_gdpr_01_none), {"at": "2018-07-19T23:59:59Z"}), known) == {"deny"}
	fixture.effects_in("GDPR-01", object.union(_gdpr_01_us(_gdpr_01_none), {"at": "2018-07-20T00:00:00Z"}), known) == {"oblige"}
}

# Not adequate, though often taken for it.
test_gdpr_01_singapore_hong_kong_and_india_are_not_adequate if {
	every country in ["SG", "HK", "IN", "AE", "CN"] {
		_gdpr_01_effects_in(country, _gdpr_01_none) == {"deny"}
	}
}

test_gdpr_01_the_united_kingdom_and_switzerland_are_adequate if {
	every country in ["GB", "CH"] {
		_gdpr_01_effects_in(country, _gdpr_01_none) == {"oblige"}
	}
}

test_gdpr_01_an_adequacy_decision_stands_from_its_day_to_its_end if {
	brazil := _gdpr_01_moved({"processing_countries": ["BR"]})
	fixture.effects_in("GDPR-01", object.union(_gdpr_01_us(_gdpr_01_none), {"at": "2026-01-31T23:59:59Z"}), brazil) == {"deny"}
	fixture.effects_in("GDPR-01", object.union(_gdpr_01_us(_gdpr_01_none), {"at": "2026-02-01T00:00:00Z"}), brazil) == {"oblige"}
	britain := _gdpr_01_moved({"processing_countries": ["GB"]})
	fixture.effects_in("GDPR-01", object.union(_gdpr_01_us(_gdpr_01_none), {"at": "2031-12-26T23:59:59Z"}), britain) == {"oblige"}
	fixture.effects_in("GDPR-01", object.union(_gdpr_01_us(_gdpr_01_none), {"at": "2031-12-27T00:00:00Z"}), britain) == {"deny"}
}

test_gdpr_01_the_united_states_are_adequate_for_certified_recipients_only if {
	fixture.effects("GDPR-01", _gdpr_01_us({"transfer_tool": "dpf"})) == {"oblige"}
	some finding in fixture.of("GDPR-01", _gdpr_01_us(_gdpr_01_none))
	finding.effect == "deny"
	contains(finding.msg, "Data Privacy Framework")
}

test_gdpr_01_the_framework_covers_no_other_country if {
	some finding in fixture.of_in("GDPR-01", _gdpr_01_us({"transfer_tool": "dpf"}), _gdpr_01_moved({"processing_countries": ["IN"]}))
	finding.effect == "deny"
	contains(finding.msg, "the tool on file (dpf) is none for it")
}

test_gdpr_01_a_decision_for_some_recipients_is_for_a_person if {
	_gdpr_01_effects_in("CA", _gdpr_01_none) == {"require_approval"}
	_gdpr_01_effects_in("CA", _gdpr_01_scc) == {"oblige"}
}

test_gdpr_01_clauses_and_rules_with_an_assessment_are_a_basis if {
	every tool in ["scc", "bcr"] {
		_gdpr_01_effects_in("CN", object.union(_gdpr_01_scc, {"transfer_tool": tool})) == {"oblige"}
	}
}

test_gdpr_01_clauses_without_an_assessment_are_none if {
	asked := _gdpr_01_us({"transfer_tool": "scc"})
	fixture.effects("GDPR-01", asked) == {"indeterminate"}
	fixture.missing("GDPR-01", asked) == {"contract.transfer_assessed"}
}

test_gdpr_01_an_assessment_holds_for_a_year if {
	_gdpr_01_effects_in("IN", {"transfer_tool": "scc", "transfer_assessed": "2025-07-10T12:00:00Z"}) == {"oblige"}
	_gdpr_01_effects_in("IN", {"transfer_tool": "scc", "transfer_assessed": "2025-07-10T11:59:59Z"}) == {"require_approval"}
}

test_gdpr_01_an_assessment_of_tomorrow_is_none_today if {
	_gdpr_01_effects_in("IN", {"transfer_tool": "scc", "transfer_assessed": "2026-07-10T12:00:00Z"}) == {"oblige"}
	some finding in fixture.of("GDPR-01", _gdpr_01_us({"transfer_tool": "scc", "transfer_assessed": "2026-07-10T12:00:01Z"}))
	finding.effect == "deny"
	contains(finding.msg, "dated after this call")
}

test_gdpr_01_a_derogation_is_for_a_person if {
	_gdpr_01_effects_in("IN", {"transfer_tool": "derogation"}) == {"require_approval"}
}

test_gdpr_01_who_has_to_say_is_told_of_what if {
	every tool, doubt in {
		"derogation": "for which only a derogation of Art. 49 is on file, which suits no routine",
		"scc": "and the assessment of that transfer is more than a year old",
	} {
		some finding in fixture.of("GDPR-01", _gdpr_01_us({"transfer_tool": tool, "transfer_assessed": "2025-01-01T00:00:00Z"}))
		finding.effect == "require_approval"
		contains(finding.msg, doubt)
	}
	ours := fixture.catalog_with("deployments", "glm-5.2@fra-1", {"processing_countries": ["IN"]})
	some finding in fixture.of_in("GDPR-01", fixture.asking_at("glm-5.2@fra-1", {}), ours)
	contains(finding.msg, "on premises of the exporter's own: no transfer to another, but the law of that country reaches it")
	some partly in fixture.of_in("GDPR-01", _gdpr_01_us({"transfer_tool": "none"}), _uk_01_moved("CA"))
	contains(partly.msg, "for which the adequacy decision covers some recipients only")
}

test_gdpr_01_a_tool_of_the_uk_is_none_of_the_eu if {
	every tool in ["idta", "addendum"] {
		_gdpr_01_effects_in("IN", {"transfer_tool": tool, "transfer_assessed": "2026-05-01T00:00:00Z"}) == {"deny"}
	}
}

test_gdpr_01_a_processing_agreement_is_no_transfer_tool if {
	_gdpr_01_effects_in("SG", {"dpa": true, "transfer_tool": "none"}) == {"deny"}
}

test_gdpr_01_an_unknown_tool_is_named if {
	fixture.missing("GDPR-01", _gdpr_01_us({})) == {"contract.transfer_tool"}
}

test_gdpr_01_a_contract_with_somebody_else_is_none if {
	fixture.effects("GDPR-01", _gdpr_01_to("glm-5.2@us", [fixture.contract("scaleway", _gdpr_01_scc)])) == {"deny"}
}

test_gdpr_01_unknown_contracts_are_named_where_one_is_needed if {
	asked := _gdpr_01_to("glm-5.2@us", null)
	fixture.effects("GDPR-01", asked) == {"indeterminate"}
	fixture.missing("GDPR-01", asked) == {"tenant.contracts"}
	fixture.effects("GDPR-01", _gdpr_01_to("glm-5.2@api.scaleway.ai", null)) == {"oblige"}
}

test_gdpr_01_an_unknown_recipient_is_named if {
	known := _gdpr_01_moved({"operator": null})
	fixture.missing_in("GDPR-01", _gdpr_01_us(_gdpr_01_scc), known) == {"deployment.operator"}
}

test_gdpr_01_storage_and_remote_access_count_like_processing if {
	stored := _gdpr_01_moved({"processing_countries": ["FR"], "storage_countries": ["SG"]})
	some storing in fixture.of_in("GDPR-01", _gdpr_01_us(_gdpr_01_none), stored)
	contains(storing.msg, "would store personal data of people in DE in SG")
	storing.facts["deployment.storage_countries"] == ["SG"]

	read := _gdpr_01_moved({"processing_countries": ["FR"], "remote_access_countries": ["CN"]})
	some reading in fixture.of_in("GDPR-01", _gdpr_01_us(_gdpr_01_none), read)
	contains(reading.msg, "would let people read personal data of people in DE in CN")
	reading.facts["deployment.remote_access_countries"] == ["CN"]
}

test_gdpr_01_remote_access_that_the_contract_names_counts if {
	known := _gdpr_01_moved({"processing_countries": ["FR"]})
	asked := _gdpr_01_us(object.union(_gdpr_01_none, {"remote_access_countries": ["IN"]}))
	fixture.effects_in("GDPR-01", asked, known) == {"deny"}
}

test_gdpr_01_unknown_places_are_named if {
	fixture.missing("GDPR-01", fixture.asking_at("gpt-5.5@api.openai.com", {})) == {
		"deployment.processing_scope",
		"deployment.processing_countries",
		"deployment.storage_countries",
	}
}

test_gdpr_01_countries_without_a_scope_are_a_habit_and_no_promise if {
	asked := _gdpr_01_to("glm-5.2@api.z.ai", [fixture.contract("jingsheng-hengxing", _gdpr_01_scc)])
	fixture.effects("GDPR-01", asked) == {"indeterminate"}
	fixture.missing("GDPR-01", asked) == {"deployment.processing_scope", "deployment.storage_countries"}
}

test_gdpr_01_a_known_place_without_a_basis_denies_whatever_else_is_unknown if {
	fixture.effects("GDPR-01", _gdpr_01_to("glm-5.2@api.z.ai", [])) == {"deny"}
}

test_gdpr_01_a_profile_that_runs_anywhere_runs_where_there_is_no_basis if {
	some finding in fixture.of("GDPR-01", _gdpr_01_to("claude-fable-5@bedrock-global", []))
	finding.effect == "deny"
	contains(finding.msg, "would process personal data of people in DE in any country")
}

test_gdpr_01_an_assessment_of_nobody_knows_which_places_is_none if {
	asked := _gdpr_01_to("claude-fable-5@bedrock-global", [fixture.contract("aws-bedrock", _gdpr_01_scc)])
	fixture.effects("GDPR-01", asked) == {"indeterminate"}
	fixture.missing("GDPR-01", asked) == {"deployment.processing_countries"}
}

test_gdpr_01_a_geographic_profile_stays_where_it_says if {
	fixture.effects("GDPR-01", _gdpr_01_to("claude-fable-5@bedrock-eu", [])) == {"oblige"}
}

test_gdpr_01_each_hop_of_a_route_counts if {
	asked := object.union(fixture.call, {"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@open.bigmodel.cn"]})
	fixture.effects("GDPR-01", asked) == {"deny"}
}

test_gdpr_01_what_is_missing_of_a_later_hop_is_named if {
	asked := object.union(fixture.asking({"route": ["glm-5.2@fra-1", "glm-5.2@us"]}), {"tenant": {"contracts": null}})
	"tenant.contracts" in fixture.missing("GDPR-01", asked)
}

test_gdpr_01_an_unknown_hop_earns_no_obligation if {
	asked := object.union(fixture.call, {"route": ["glm-5.2@api.scaleway.ai", null]})
	fixture.of("GDPR-01", asked) == set()
}

test_gdpr_01_our_own_host_in_the_eea_needs_no_contract if {
	fixture.effects("GDPR-01", _gdpr_01_to("glm-5.2@fra-1", null)) == {"oblige"}
}

test_gdpr_01_our_own_host_elsewhere_is_for_a_person if {
	abroad := {"processing_countries": ["SG"], "storage_countries": ["SG"], "host_cloud": "acme"}
	known := fixture.catalog_with("deployments", "glm-5.2@fra-1", abroad)
	fixture.effects_in("GDPR-01", _gdpr_01_to("glm-5.2@fra-1", []), known) == {"require_approval"}
}

test_gdpr_01_the_cloud_under_our_own_host_elsewhere_is_named_if_unknown if {
	abroad := {"processing_countries": ["SG"], "storage_countries": ["SG"], "host_cloud": null}
	known := fixture.catalog_with("deployments", "glm-5.2@fra-1", abroad)
	fixture.missing_in("GDPR-01", _gdpr_01_to("glm-5.2@fra-1", []), known) == {"deployment.host_cloud"}
}

test_gdpr_01_the_cloud_under_our_own_host_elsewhere_needs_a_basis if {
	abroad := {"processing_countries": ["SG"], "storage_countries": ["SG"], "host_cloud": "baseten"}
	known := fixture.catalog_with("deployments", "glm-5.2@fra-1", abroad)
	fixture.effects_in("GDPR-01", _gdpr_01_to("glm-5.2@fra-1", []), known) == {"deny"}
	papers := [fixture.contract("baseten", _gdpr_01_scc)]
	fixture.effects_in("GDPR-01", _gdpr_01_to("glm-5.2@fra-1", papers), known) == {"oblige"}
}

_gdpr_01_exporter(exporter, subjects) := object.union(
	_gdpr_01_to("glm-5.2@open.bigmodel.cn", []),
	{"exporter": exporter, "data": {"subjects": subjects}},
)

test_gdpr_01_an_establishment_in_the_eea_is_in_scope_wherever_people_are if {
	every subjects in [["US"], null, []] {
		asked := _gdpr_01_exporter({"establishment": "DE", "article_3": "none"}, subjects)
		fixture.effects("GDPR-01", asked) == {"deny"}
	}
}

test_gdpr_01_either_limb_of_article_3_is_in_scope if {
	every limb in ["establishment", "targeting"] {
		asked := _gdpr_01_exporter({"establishment": "US", "article_3": limb}, ["DE"])
		fixture.effects("GDPR-01", asked) == {"deny"}
	}
}

test_gdpr_01_neither_limb_of_article_3_is_out_of_scope if {
	every establishment in ["US", null] {
		asked := _gdpr_01_exporter({"establishment": establishment, "article_3": "none"}, ["DE"])
		fixture.of("GDPR-01", asked) == set()
	}
}

test_gdpr_01_an_exporter_elsewhere_with_people_elsewhere_is_out_of_scope if {
	fixture.of("GDPR-01", _gdpr_01_exporter({"establishment": "US"}, ["US"])) == set()
}

test_gdpr_01_an_exporter_elsewhere_with_people_in_the_eea_has_to_say_which_limb if {
	asked := _gdpr_01_exporter({"establishment": "US"}, ["US", "DE"])
	fixture.effects("GDPR-01", asked) == {"indeterminate"}
	fixture.missing("GDPR-01", asked) == {"exporter.article_3"}
}

test_gdpr_01_an_exporter_elsewhere_with_unknown_people_has_to_say_where_they_are if {
	asked := _gdpr_01_exporter({"establishment": "US"}, null)
	fixture.missing("GDPR-01", asked) == {"exporter.article_3", "data.subjects"}
}

test_gdpr_01_an_unknown_exporter_is_named if {
	asked := _gdpr_01_exporter({"establishment": null}, ["US"])
	fixture.effects("GDPR-01", asked) == {"indeterminate"}
	fixture.missing("GDPR-01", asked) == {"exporter.establishment"}
}

test_gdpr_01_unknown_classes_are_named_where_personal_data_would_have_no_basis if {
	unknown := {"data": {"classes": null}}
	asked := object.union(_gdpr_01_to("glm-5.2@open.bigmodel.cn", []), unknown)
	fixture.missing("GDPR-01", asked) == {"data.classes"}
	fixture.of("GDPR-01", object.union(fixture.call, unknown)) == set()
}
