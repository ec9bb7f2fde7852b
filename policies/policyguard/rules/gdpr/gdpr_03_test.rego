package policyguard.rules_test

import data.policyguard.fixture

# The host in France, reached from or owned in other countries.
_gdpr_03_known(deployment, operator) := object.union(
	fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", deployment),
	{"operators": {"scaleway": operator}},
)

_gdpr_03_paper(patch) := fixture.asking({"tenant": {"contracts": [fixture.papers("scaleway", patch)]}})

_gdpr_03_scc(measures) := _gdpr_03_paper({
	"transfer_tool": "scc",
	"transfer_assessed": "2026-05-01T00:00:00Z",
	"supplementary_measures": measures,
})

_gdpr_03_read_in_china := object.union(
	data.policyguard.sample.catalog,
	{"deployments": {"glm-5.2@api.scaleway.ai": {"remote_access_countries": ["CN"]}}},
)

_gdpr_03_owned_in_china := _gdpr_03_known({}, {"control_country": "CN"})

test_gdpr_03_reading_from_china_under_clauses_alone_is_denied if {
	fixture.of_in("GDPR-03", _gdpr_03_scc(false), _gdpr_03_read_in_china) == {{
		"id": "GDPR-03",
		"effect": "deny",
		"msg": "personal data that glm-5.2 at api.scaleway.ai is sent can be read from CN, and no supplementary measures are on file",
		"facts": {
			"contract.remote_access_countries": [],
			"contract.supplementary_measures": false,
			"control_countries": {"scaleway": "FR"},
			"deployment": "glm-5.2@api.scaleway.ai",
			"deployment.operator": "scaleway",
			"deployment.remote_access_countries": ["CN"],
		},
		"missing": [],
		"remedy": "an operator that only countries with adequacy can reach or compel, or supplementary measures that a person has examined",
	}}
}

test_gdpr_03_measures_are_for_a_person_to_judge if {
	fixture.effects_in("GDPR-03", _gdpr_03_scc(true), _gdpr_03_read_in_china) == {"require_approval"}
	fixture.effects_in("GDPR-03", _gdpr_03_scc(true), _gdpr_03_owned_in_china) == {"require_approval"}
}

test_gdpr_03_unknown_measures_are_named if {
	fixture.missing_in("GDPR-03", _gdpr_03_scc(null), _gdpr_03_read_in_china) == {"contract.supplementary_measures"}
}

test_gdpr_03_a_parent_that_the_law_of_china_can_compel_counts_though_all_stays_in_france if {
	some finding in fixture.of_in("GDPR-03", _gdpr_03_paper({"supplementary_measures": false}), _gdpr_03_owned_in_china)
	finding.effect == "deny"
	contains(finding.msg, "is with Scaleway, which the law of CN can compel")
}

test_gdpr_03_an_american_parent_is_no_finding if {
	american := _gdpr_03_known({}, {"control_country": "US"})
	fixture.of_in("GDPR-03", _gdpr_03_paper({}), american) == set()
}

test_gdpr_03_access_that_the_contract_names_counts if {
	asked := _gdpr_03_paper({
		"transfer_tool": "scc",
		"transfer_assessed": "2026-05-01T00:00:00Z",
		"supplementary_measures": false,
		"remote_access_countries": ["IN"],
	})
	fixture.effects("GDPR-03", asked) == {"deny"}
}

test_gdpr_03_each_reach_of_each_host_is_looked_at if {
	both := object.union(_gdpr_03_read_in_china, {"operators": {"scaleway": {"control_country": "CN"}}})
	[finding.effect | some finding in fixture.of_in("GDPR-03", _gdpr_03_scc(false), both)] == ["deny", "deny"]
	later := _gdpr_03_known({"remote_access_countries": ["DE", "CN"]}, {})
	fixture.effects_in("GDPR-03", _gdpr_03_scc(false), later) == {"deny"}
	nobody := _gdpr_03_known({}, {"control_country": null})
	fixture.missing_in("GDPR-03", _gdpr_03_paper({}), nobody) == {"operators.scaleway.control_country"}
	first := object.union(_gdpr_03_scc(false), {"route": ["glm-5.2@fra-1", "glm-5.2@api.scaleway.ai"]})
	fixture.effects_in("GDPR-03", first, _gdpr_03_read_in_china) == {"deny"}
	cloud := object.union(_gdpr_03_read_in_china, {
		"deployments": {"glm-5.2@api.scaleway.ai": {"remote_access_countries": [], "host_cloud": "zhipu-bigmodel"}},
	})
	fixture.effects_in("GDPR-03", _gdpr_03_scc(false), cloud) == {"deny"}
}

test_gdpr_03_what_a_contract_answers_need_not_be_in_the_catalog if {
	known := _gdpr_03_known({"remote_access_countries": null}, {})
	fixture.of_in("GDPR-03", _gdpr_03_scc(false), known) == set()
	fixture.of_in("GDPR-03", _gdpr_03_paper({"remote_access_countries": null}), _gdpr_03_known({"remote_access_countries": ["FR"]}, {})) == set()
}

test_gdpr_03_where_no_tool_is_on_file_it_adds_nothing if {
	asked := _gdpr_03_paper({"supplementary_measures": false})
	fixture.of_in("GDPR-03", asked, _gdpr_03_read_in_china) == set()
	unknown := object.union(_gdpr_03_read_in_china, {"operators": {"scaleway": {"control_country": null}}})
	fixture.of_in("GDPR-03", asked, unknown) == set()
	owned := object.union(_gdpr_03_read_in_china, {"operators": {"scaleway": {"control_country": "CN"}}})
	fixture.of_in("GDPR-03", asked, owned) == set()
	fixture.effects_in("GDPR-01", asked, _gdpr_03_read_in_china) == {"deny"}
}

test_gdpr_03_unknown_access_and_an_unknown_parent_are_named if {
	known := _gdpr_03_known({}, {"control_country": null})
	fixture.missing_in("GDPR-03", _gdpr_03_paper({"remote_access_countries": null}), known) == {
		"deployment.remote_access_countries",
		"operators.scaleway.control_country",
	}
}

test_gdpr_03_g02_clauses_without_an_answer_on_access_ask_a_person if {
	papers := {"transfer_tool": "scc", "transfer_assessed": "2026-05-01T00:00:00Z", "remote_access_countries": null}
	asked := fixture.asking_at("glm-5.2@api.z.ai", {"tenant": {"contracts": [fixture.papers("jingsheng-hengxing", papers)]}})
	fixture.missing("GDPR-03", asked) == {"deployment.remote_access_countries", "operators.jingsheng-hengxing.control_country"}
}

test_gdpr_03_other_data_and_other_exporters_are_out_of_scope if {
	every patch in [
		{"data": {"classes": ["technical"]}},
		{"data": {"anonymous_evidence": "report 7"}},
		{"data": {"direct_from_subject": true}},
		{"exporter": {"establishment": "US", "article_3": "none"}},
	] {
		fixture.of_in("GDPR-03", object.union(_gdpr_03_scc(false), patch), _gdpr_03_read_in_china) == set()
		unknown := _gdpr_03_known({}, {"control_country": null})
		fixture.of_in("GDPR-03", object.union(_gdpr_03_scc(false), patch), unknown) == set()
	}
}
