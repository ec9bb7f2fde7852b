package policyguard.rules_test

import data.policyguard.fixture

# The host in the United States, moved to another country.
_uk_01_moved(country) := fixture.catalog_with("deployments", "glm-5.2@us", {"processing_countries": [country]})

_uk_01(paper) := fixture.asking_at("glm-5.2@us", {
	"exporter": {"establishment": "GB"},
	"data": {"subjects": ["GB"]},
	"tenant": {"contracts": [fixture.papers("baseten", paper)]},
})

_uk_01_tool(tool) := {"local_tools": {"uk": tool}, "transfer_assessed": "2026-05-01T00:00:00Z"}

_uk_01_certified(change) := {"local_tools": {"uk": "none"}, "dpf": object.union(_gdpr_02_seen, change)}

test_uk_01_a_country_without_regulations_or_a_tool_is_denied if {
	fixture.of_in("UK-01", _uk_01(_uk_01_tool("none")), _uk_01_moved("CN")) == {{
		"id": "UK-01",
		"effect": "deny",
		"msg": "glm-5.2 at inference.baseten.co would take personal data in scope of the UK GDPR to CN, for which neither adequacy regulations nor a tool of that law (none) is a basis",
		"facts": {
			"contract.dpf": null,
			"contract.local_tools.uk": "none",
			"contract.transfer_assessed": "2026-05-01T00:00:00Z",
			"data.subjects": ["GB"],
			"deployment": "glm-5.2@us",
			"deployment.operator": "baseten",
			"deployment.places": ["CN"],
			"exporter.establishment": "GB",
			"lists.uk-adequacy.as_of": "2026-07-02",
		},
		"missing": [],
		"remedy": "a deployment in the UK or an adequate country, or an IDTA or UK Addendum with an assessment of less than a year",
	}}
}

test_uk_01_the_uk_and_adequate_countries_are_no_finding if {
	every country in ["GB", "FR", "CH"] {
		fixture.of_in("UK-01", _uk_01(_uk_01_tool("none")), _uk_01_moved(country)) == set()
	}
}

test_uk_01_the_list_is_not_the_one_of_the_eu if {
	fixture.effects_in("UK-01", _uk_01(_uk_01_tool("none")), _uk_01_moved("BR")) == {"deny"}
}

test_uk_01_each_tool_of_uk_law_is_one if {
	every tool in ["idta", "addendum", "bcr"] {
		fixture.of_in("UK-01", _uk_01(_uk_01_tool(tool)), _uk_01_moved("CN")) == set()
	}
}

test_uk_01_clauses_of_the_eu_are_none if {
	scc := object.union(_uk_01_tool("none"), {"transfer_tool": "scc"})
	fixture.effects_in("UK-01", _uk_01(scc), _uk_01_moved("CN")) == {"deny"}
}

test_uk_01_an_assessment_holds_for_a_year_and_not_before_it_is_made if {
	every assessed, effects in {
		"2025-07-10T12:00:00Z": set(),
		"2025-07-10T11:59:59Z": {"require_approval"},
		"2026-07-10T12:00:00Z": set(),
		"2026-07-10T12:00:01Z": {"deny"},
	} {
		paper := object.union(_uk_01_tool("idta"), {"transfer_assessed": assessed})
		fixture.effects_in("UK-01", _uk_01(paper), _uk_01_moved("CN")) == effects
	}
}

test_uk_01_a_derogation_is_for_a_person if {
	fixture.effects_in("UK-01", _uk_01(_uk_01_tool("derogation")), _uk_01_moved("CN")) == {"require_approval"}
}

test_uk_01_who_has_to_say_is_told_of_what if {
	old := object.union(_uk_01_tool("idta"), {"transfer_assessed": "2025-01-01T00:00:00Z"})
	every told in [
		["CN", _uk_01_tool("derogation"), "only a derogation is on file, which suits no routine"],
		["CN", old, "the assessment on file is more than a year old"],
		["JP", _uk_01_tool("none"), "the adequacy decision covers some recipients only"],
	] {
		some finding in fixture.of_in("UK-01", _uk_01(told[1]), _uk_01_moved(told[0]))
		finding.effect == "require_approval"
		contains(finding.msg, told[2])
	}
	ours := fixture.catalog_with("deployments", "glm-5.2@fra-1", {"processing_countries": ["CN"]})
	some finding in fixture.of_in("UK-01", object.union(_uk_01({}), fixture.to("glm-5.2@fra-1")), ours)
	contains(finding.msg, "these are premises of the exporter's own, but the law of that country reaches them")
}

test_uk_01_the_bridge_to_the_united_states_needs_its_extension if {
	fixture.of("UK-01", _uk_01(_uk_01_certified({"uk_extension": true}))) == set()
	fixture.effects("UK-01", _uk_01(_uk_01_certified({"uk_extension": false}))) == {"deny"}
	fixture.effects("UK-01", _uk_01(_uk_01_certified({"active": false, "uk_extension": true}))) == {"deny"}
	fixture.missing("UK-01", _uk_01(_uk_01_certified({"uk_extension": null}))) == {"contract.dpf"}
	fixture.missing("UK-01", _uk_01(_uk_01_tool("none"))) == {"contract.dpf"}
}

test_uk_01_regulations_for_some_recipients_are_for_a_person if {
	fixture.effects_in("UK-01", _uk_01(_uk_01_tool("none")), _uk_01_moved("JP")) == {"require_approval"}
}

test_uk_01_what_is_not_known_is_named if {
	fixture.missing_in("UK-01", _uk_01({}), _uk_01_moved("CN")) == {"contract.local_tools.uk"}
	later := fixture.catalog_with("deployments", "glm-5.2@us", {"processing_countries": ["DE", "IN"]})
	fixture.missing_in("UK-01", _uk_01({}), later) == {"contract.local_tools.uk"}
	unassessed := {"local_tools": {"uk": "idta"}}
	fixture.missing_in("UK-01", _uk_01(unassessed), _uk_01_moved("CN")) == {"contract.transfer_assessed"}
	undeclared := object.union(_uk_01({}), {"tenant": {"contracts": null}})
	fixture.missing_in("UK-01", undeclared, _uk_01_moved("CN")) == {"deployment.remote_access_countries", "tenant.contracts"}
	nobody := object.union(_uk_01_moved("CN"), fixture.catalog_with("deployments", "glm-5.2@us", {"operator": null, "processing_countries": ["CN"]}))
	fixture.missing_in("UK-01", _uk_01({}), nobody) == {"deployment.operator", "deployment.remote_access_countries"}
	unbounded := fixture.catalog_with("deployments", "glm-5.2@us", {"processing_scope": null})
	fixture.missing_in("UK-01", _uk_01(_uk_01_tool("idta")), unbounded) == {"deployment.processing_scope"}
}

# As the GDPR has it: who can read from afar is sent to, and not to know who is no answer.
test_uk_01_reading_from_a_place_that_nobody_knows_is_unknown if {
	home := _uk_01_moved("GB")
	[fixture.missing_in("UK-01", _uk_01(object.union(_uk_01_tool("none"), paper)), home) |
		some paper in [{"remote_access_countries": null}, {"remote_access_countries": []}, {"remote_access_countries": ["GB"]}]
	] == [{"deployment.remote_access_countries"}, set(), set()]
	fixture.effects_in("UK-01", _uk_01(object.union(_uk_01_tool("none"), {"remote_access_countries": ["CN"]})), home) == {"deny"}
}

test_uk_01_a_profile_that_runs_anywhere_is_denied if {
	asked := object.union(_uk_01({}), fixture.to("claude-fable-5@bedrock-global"))
	papers := {"tenant": {"contracts": [fixture.papers("aws-bedrock", _uk_01_tool("none"))]}}
	some finding in fixture.of("UK-01", object.union(asked, papers))
	finding.effect == "deny"
	contains(finding.msg, "to any country")
}

_uk_01_own(cloud) := fixture.catalog_with("deployments", "glm-5.2@fra-1", {
	"processing_countries": ["SG"],
	"storage_countries": ["SG"],
	"remote_access_countries": [],
	"host_cloud": cloud,
})

test_uk_01_our_own_premises_elsewhere_are_for_a_person if {
	asked := object.union(_uk_01({}), fixture.to("glm-5.2@fra-1"))
	fixture.effects_in("UK-01", asked, _uk_01_own("acme")) == {"require_approval"}
	fixture.missing_in("UK-01", asked, _uk_01_own(null)) == {"deployment.host_cloud"}
}

test_uk_01_who_is_elsewhere_has_to_say_whether_people_in_the_uk_are_targeted if {
	abroad := object.union(_uk_01(_uk_01_tool("none")), {"exporter": {"establishment": "DE"}})
	fixture.missing_in("UK-01", abroad, _uk_01_moved("CN")) == {"exporter.uk_article_3"}
	targeting := object.union(abroad, {"exporter": {"uk_article_3": "targeting"}})
	fixture.effects_in("UK-01", targeting, _uk_01_moved("CN")) == {"deny"}
	neither := object.union(abroad, {"exporter": {"uk_article_3": "none"}})
	fixture.of_in("UK-01", neither, _uk_01_moved("CN")) == set()
	nowhere := object.union(abroad, {"data": {"subjects": null}})
	fixture.missing_in("UK-01", nowhere, _uk_01_moved("CN")) == {"data.subjects"}
}

test_uk_01_data_that_people_send_on_themselves_is_no_transfer if {
	direct := object.union(_uk_01(_uk_01_tool("none")), {"data": {"direct_from_subject": true}})
	fixture.of_in("UK-01", direct, _uk_01_moved("CN")) == set()
}

_uk_01_vague := fixture.catalog_with("deployments", "glm-5.2@us", {"processing_scope": null, "processing_countries": ["CN"]})

test_uk_01_what_is_not_known_is_asked_for_in_scope_alone if {
	fixture.missing_in("UK-01", _uk_01(_uk_01_tool("idta")), _uk_01_vague) == {"deployment.processing_scope"}
	abroad := object.union(_uk_01(_uk_01_tool("idta")), {"exporter": {"establishment": "DE", "uk_article_3": "none"}, "data": {"subjects": ["DE"]}})
	fixture.of_in("UK-01", abroad, _uk_01_vague) == set()
}

test_uk_01_what_is_denied_is_not_asked_about_besides if {
	fixture.effects_in("UK-01", _uk_01(_uk_01_tool("none")), _uk_01_vague) == {"deny"}
}

test_uk_01_every_hop_is_looked_at if {
	twice := object.union(_uk_01(_uk_01_tool("idta")), {"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@us"]})
	fixture.missing_in("UK-01", twice, _uk_01_vague) == {"deployment.processing_scope", "deployment.remote_access_countries"}
	bare := object.union(_uk_01(_uk_01_tool("none")), {"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@us"]})
	fixture.effects_in("UK-01", bare, _uk_01_moved("CN")) == {"deny", "indeterminate"}
}

test_uk_01_people_who_send_their_own_data_are_not_asked_for_a_scope if {
	own := object.union(_uk_01(_uk_01_tool("none")), {"exporter": {"establishment": null}, "data": {"subjects": null, "direct_from_subject": true}})
	fixture.of("UK-01", own) == set()
	fixture.effects("UK-01", object.union(own, {"data": {"direct_from_subject": false}})) == {"indeterminate"}
}

test_uk_01_other_data_is_out_of_scope_whatever_is_on_file if {
	every paper in [_uk_01_tool("none"), _uk_01_tool("derogation"), {}] {
		every patch in [{"classes": ["technical"]}, {"direct_from_subject": true}] {
			fixture.of_in("UK-01", object.union(_uk_01(paper), {"data": patch}), _uk_01_moved("CN")) == set()
		}
	}
}
