package policyguard.rules_test

import data.policyguard.fixture

_sa_01(paper) := object.union(_uk_01(paper), {"exporter": {"establishment": "SA"}, "data": {"subjects": ["SA"]}})

_sa_01_tool(tool) := {"local_tools": {"saudi": tool}, "transfer_assessed": "2026-05-01T00:00:00Z"}

test_sa_01_a_country_without_a_decision_or_a_tool_is_denied if {
	some finding in fixture.of("SA-01", _sa_01(_sa_01_tool("none")))
	finding.effect == "deny"
	finding.msg == "glm-5.2 at inference.baseten.co would take personal data in scope of the Saudi PDPL to US, for which neither a decision on adequacy nor a tool of that law (none) is a basis"
	finding.facts["lists.sa-adequacy.as_of"] == "2026-07-02"
}

test_sa_01_the_kingdom_and_an_adequate_country_are_no_finding if {
	every country in ["SA", "AE"] {
		fixture.of_in("SA-01", _sa_01(_sa_01_tool("none")), _uk_01_moved(country)) == set()
	}
}

test_sa_01_its_own_clauses_and_binding_rules_are_tools_with_an_assessment if {
	every tool in ["scc", "bcr"] {
		fixture.of("SA-01", _sa_01(_sa_01_tool(tool))) == set()
	}
	stale := object.union(_sa_01_tool("scc"), {"transfer_assessed": "2025-01-01T00:00:00Z"})
	fixture.effects("SA-01", _sa_01(stale)) == {"require_approval"}
}

test_sa_01_people_in_the_kingdom_are_enough if {
	asked := object.union(_sa_01(_sa_01_tool("none")), {"exporter": {"establishment": "DE"}})
	fixture.effects("SA-01", asked) == {"deny"}
	fixture.of("SA-01", object.union(asked, {"data": {"subjects": ["DE"]}})) == set()
}

test_sa_01_what_is_not_known_is_named if {
	fixture.missing("SA-01", _sa_01({})) == {"contract.local_tools.saudi"}
	nowhere := object.union(_sa_01({}), {"exporter": {"establishment": null}, "data": {"subjects": null}})
	fixture.missing("SA-01", nowhere) == {"data.subjects", "exporter.establishment"}
}

test_sa_01_it_is_enforced_since_its_day if {
	statuses := [object.get(view.status, "SA-01", null) |
		some at in ["2024-09-13T23:59:59Z", "2024-09-14T00:00:00Z"]
		asked := fixture.asking({"at": at})
		view := fixture.view_in(asked, data.policyguard.sample.catalog)
	]
	statuses == [null, {"status": "in_force", "verified": false}]
}

test_sa_01_other_data_is_out_of_scope_whatever_is_on_file if {
	every paper in [_sa_01_tool("none"), _sa_01_tool("derogation"), {}] {
		every patch in [{"classes": ["technical"]}, {"direct_from_subject": true}] {
			fixture.of("SA-01", object.union(_sa_01(paper), {"data": patch})) == set()
			nowhere := {"exporter": {"establishment": null}, "data": object.union(patch, {"subjects": null})}
			fixture.of("SA-01", object.union(_sa_01(paper), nowhere)) == set()
		}
	}
}
