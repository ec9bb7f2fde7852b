package policyguard.rules_test

import data.policyguard.fixture

_ch_01(paper) := object.union(_uk_01(paper), {"exporter": {"establishment": "CH"}, "data": {"subjects": ["CH"]}})

_ch_01_tool(tool) := {"local_tools": {"swiss": tool}, "transfer_assessed": "2026-05-01T00:00:00Z"}

_ch_01_certified(change) := {"local_tools": {"swiss": "none"}, "dpf": object.union(_gdpr_02_seen, change)}

test_ch_01_a_country_outside_annex_1_without_a_tool_is_denied if {
	some finding in fixture.of_in("CH-01", _ch_01(_ch_01_tool("none")), _uk_01_moved("CN"))
	finding.effect == "deny"
	finding.msg == "glm-5.2 at inference.baseten.co would take personal data in scope of the Swiss FADP to CN, for which neither Annex 1 nor a tool of that law (none) is a basis"
	finding.facts["lists.swiss-adequacy.as_of"] == "2026-07-02"
}

test_ch_01_switzerland_and_annex_1_are_no_finding if {
	every country in ["CH", "DE", "GB"] {
		fixture.of_in("CH-01", _ch_01(_ch_01_tool("none")), _uk_01_moved(country)) == set()
	}
}

test_ch_01_annex_1_is_not_the_list_of_the_eu if {
	every country in ["BR", "JP"] {
		fixture.effects_in("CH-01", _ch_01(_ch_01_tool("none")), _uk_01_moved(country)) == {"deny"}
	}
}

test_ch_01_clauses_in_the_swiss_form_and_binding_rules_are_tools if {
	every tool in ["scc", "bcr"] {
		fixture.of_in("CH-01", _ch_01(_ch_01_tool(tool)), _uk_01_moved("CN")) == set()
	}
	fixture.effects_in("CH-01", _ch_01(_ch_01_tool("derogation")), _uk_01_moved("CN")) == {"require_approval"}
}

test_ch_01_the_united_states_need_the_swiss_framework if {
	fixture.of("CH-01", _ch_01(_ch_01_certified({"swiss": true}))) == set()
	fixture.effects("CH-01", _ch_01(_ch_01_certified({"swiss": false}))) == {"deny"}
	early := object.union(_ch_01(_ch_01_certified({"swiss": true})), {"at": "2024-09-14T23:59:59Z"})
	fixture.effects("CH-01", early) == {"deny"}
}

test_ch_01_a_decision_for_some_recipients_is_for_a_person if {
	fixture.effects_in("CH-01", _ch_01(_ch_01_tool("none")), _uk_01_moved("CA")) == {"require_approval"}
}

test_ch_01_what_is_not_known_is_named if {
	fixture.missing_in("CH-01", _ch_01({}), _uk_01_moved("CN")) == {"contract.local_tools.swiss"}
	abroad := object.union(_ch_01({}), {"exporter": {"establishment": "DE"}})
	fixture.missing_in("CH-01", abroad, _uk_01_moved("CN")) == {"exporter.swiss_effect"}
	nowhere := object.union(abroad, {"data": {"subjects": null}})
	fixture.missing_in("CH-01", nowhere, _uk_01_moved("CN")) == {"data.subjects"}
}

test_ch_01_an_effect_in_switzerland_is_enough if {
	abroad := object.union(_ch_01(_ch_01_tool("none")), {"exporter": {"establishment": "DE", "swiss_effect": true}})
	fixture.effects_in("CH-01", abroad, _uk_01_moved("CN")) == {"deny"}
	none := object.union(abroad, {"exporter": {"swiss_effect": false}})
	fixture.of_in("CH-01", none, _uk_01_moved("CN")) == set()
}

test_ch_01_other_data_is_out_of_scope_whatever_is_on_file if {
	every paper in [_ch_01_tool("none"), _ch_01_tool("derogation"), {}] {
		every patch in [{"classes": ["technical"]}, {"direct_from_subject": true}] {
			fixture.of_in("CH-01", object.union(_ch_01(paper), {"data": patch}), _uk_01_moved("CN")) == set()
			abroad := object.union(_ch_01(paper), {"exporter": {"establishment": "DE"}, "data": patch})
			fixture.of_in("CH-01", abroad, _uk_01_moved("CN")) == set()
		}
	}
}

test_ch_01_a_place_without_a_basis_hides_no_other_and_asks_nothing_more if {
	both := fixture.catalog_with("deployments", "glm-5.2@us", {"processing_countries": ["CN"], "processing_scope": null})
	fixture.effects_in("CH-01", _ch_01(_ch_01_tool("none")), both) == {"deny"}
	twice := object.union(_ch_01(_ch_01_tool("none")), {"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@us"]})
	fixture.effects_in("CH-01", twice, _uk_01_moved("CN")) == {"deny", "indeterminate"}
}
