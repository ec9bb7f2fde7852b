package policyguard.rules_test

import data.policyguard.fixture

_gdpr_02_seen := {
	"active": true,
	"hr_data": false,
	"uk_extension": null,
	"swiss": null,
	"as_of": "2026-05-01T00:00:00Z",
}

_gdpr_02_with(certification, patch) := fixture.asking_at("glm-5.2@us", object.union(
	{
		"data": {"employment": false},
		"tenant": {"contracts": [fixture.papers("baseten", {"transfer_tool": "dpf", "dpf": certification})]},
	},
	patch,
))

_gdpr_02(change) := _gdpr_02_with(object.union(_gdpr_02_seen, change), {})

test_gdpr_02_a_certification_that_has_lapsed_is_no_basis if {
	fixture.of("GDPR-02", _gdpr_02({"active": false})) == {{
		"id": "GDPR-02",
		"effect": "deny",
		"msg": "glm-5.2 at inference.baseten.co would receive personal data in the United States under the Data Privacy Framework, and its operator's certification is not active",
		"facts": {
			"contract.dpf": object.union(_gdpr_02_seen, {"active": false}),
			"contract.transfer_tool": "dpf",
			"data.employment": false,
			"deployment": "glm-5.2@us",
			"deployment.operator": "baseten",
		},
		"missing": [],
		"remedy": "an active certification that covers this data, or standard clauses with an assessment",
	}}
}

test_gdpr_02_one_that_is_active_is_with_advice_to_keep_a_fallback if {
	fixture.effects("GDPR-02", _gdpr_02({})) == {"advise"}
}

test_gdpr_02_hr_data_needs_a_certification_for_it if {
	hr := {"data": {"employment": true}}
	fixture.effects("GDPR-02", _gdpr_02_with(_gdpr_02_seen, hr)) == {"deny"}
	fixture.effects("GDPR-02", _gdpr_02_with(object.union(_gdpr_02_seen, {"hr_data": true}), hr)) == {"advise"}
}

test_gdpr_02_each_defect_of_each_host_is_named if {
	hr := {"data": {"employment": true}}
	both := fixture.of("GDPR-02", _gdpr_02_with(object.union(_gdpr_02_seen, {"active": false}), hr))
	[finding.effect | some finding in both] == ["deny", "deny"]
	lapsed := object.union(_gdpr_02_seen, {"active": false})
	every pair in [[_gdpr_02_seen, lapsed], [lapsed, _gdpr_02_seen]] {
		papers := [fixture.papers("scaleway", {"transfer_tool": "dpf", "dpf": pair[0]}), fixture.papers("baseten", {"transfer_tool": "dpf", "dpf": pair[1]})]
		asked := object.union(_gdpr_02({}), {"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@us"], "tenant": {"contracts": papers}})
		american := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"processing_countries": ["US"]})
		fixture.effects_in("GDPR-02", asked, american) == {"advise", "deny"}
	}
}

test_gdpr_02_a_look_holds_for_a_year if {
	every as_of, effects in {
		"2025-07-10T12:00:00Z": {"advise"},
		"2025-07-10T11:59:59Z": {"advise", "require_approval"},
	} {
		fixture.effects("GDPR-02", _gdpr_02({"as_of": as_of})) == effects
	}
}

test_gdpr_02_a_look_of_tomorrow_is_none_today if {
	fixture.effects("GDPR-02", _gdpr_02({"as_of": "2026-07-10T12:00:00Z"})) == {"advise"}
	fixture.effects("GDPR-02", _gdpr_02({"as_of": "2026-07-10T12:00:01Z"})) == {"deny"}
}

test_gdpr_02_what_nobody_looked_at_is_named if {
	fixture.effects("GDPR-02", _gdpr_02_with(null, {})) == {"indeterminate"}
	fixture.effects("GDPR-02", _gdpr_02({"active": false, "as_of": null})) == {"deny"}
	fixture.effects("GDPR-02", _gdpr_02({"active": false, "as_of": "2025-01-01T00:00:00Z"})) == {"deny"}
	fixture.missing("GDPR-02", _gdpr_02_with(null, {})) == {"contract.dpf"}
	fixture.missing("GDPR-02", _gdpr_02({"as_of": null})) == {"contract.dpf.as_of"}
	fixture.missing("GDPR-02", _gdpr_02_with(_gdpr_02_seen, {"data": {"employment": null}})) == {"data.employment"}
	unread := object.union(_gdpr_02_seen, {"hr_data": null})
	fixture.missing("GDPR-02", _gdpr_02_with(unread, {"data": {"employment": true}})) == {"contract.dpf.hr_data"}
	fixture.missing("GDPR-02", _gdpr_02_with(unread, {"data": {"employment": false}})) == set()
}

test_gdpr_02_who_covers_hr_data_need_not_be_told_whether_it_is if {
	both := object.union(_gdpr_02_seen, {"hr_data": true})
	fixture.effects("GDPR-02", _gdpr_02_with(both, {"data": {"employment": null}})) == {"advise"}
}

test_gdpr_02_other_tools_and_other_places_are_not_its_matter if {
	scc := {"tenant": {"contracts": [fixture.papers("baseten", {"transfer_tool": "scc"})]}}
	fixture.of("GDPR-02", fixture.asking_at("glm-5.2@us", scc)) == set()
	moved := fixture.catalog_with("deployments", "glm-5.2@us", {"processing_countries": ["IN"]})
	fixture.of_in("GDPR-02", _gdpr_02({"active": false}), moved) == set()
}

test_gdpr_02_what_is_no_transfer_of_personal_data_is_out_of_scope if {
	every patch in [
		{"data": {"direct_from_subject": true}},
		{"data": {"classes": ["technical"]}},
		{"exporter": {"establishment": "US", "article_3": "none"}},
	] {
		every active in [true, false] {
			fixture.of("GDPR-02", _gdpr_02_with(object.union(_gdpr_02_seen, {"active": active}), patch)) == set()
		}
	}
}
