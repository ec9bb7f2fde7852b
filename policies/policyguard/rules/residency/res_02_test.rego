package policyguard.rules_test

import data.policyguard.fixture

_res_02(days, tenant) := fixture.asking({
	"data": {"classes": ["confidential"]},
	"tenant": object.union(tenant, {"contracts": [fixture.papers("scaleway", {"retention_days": days})]}),
})

test_res_02_what_is_kept_longer_than_allowed_is_denied if {
	fixture.of("RES-02", _res_02(31, {"retention_max_days": 30})) == {{
		"id": "RES-02",
		"effect": "deny",
		"msg": "glm-5.2 at api.scaleway.ai would keep what is sent for 31 days, and the tenant allows 30",
		"facts": {
			"data.classes": ["confidential"],
			"deployment": "glm-5.2@api.scaleway.ai",
			"terms.retention_days": 31,
			"tenant.retention_limit": 30,
		},
		"missing": [],
		"remedy": "a deployment that keeps what is sent no longer than the tenant allows",
	}}
	fixture.of("RES-02", _res_02(30, {"retention_max_days": 30})) == set()
}

test_res_02_zero_is_zero if {
	fixture.effects("RES-02", _res_02(1, {"zero_retention": true})) == {"deny"}
	fixture.of("RES-02", _res_02(0, {"zero_retention": true})) == set()
}

test_res_02_an_unknown_retention_is_named if {
	fixture.missing("RES-02", _res_02(null, {"zero_retention": true})) == {"contract.retention_days"}
}

test_res_02_who_demands_nothing_gets_no_finding if {
	fixture.of("RES-02", _res_02(365, {})) == set()
}

test_res_02_what_is_public_is_not_kept_from_anybody if {
	asked := object.union(_res_02(31, {"retention_max_days": 30}), {"data": {"classes": ["public"]}})
	fixture.of("RES-02", asked) == set()
}

test_res_02_personal_data_in_scope_of_the_gdpr_is_another_rules if {
	asked := object.union(_res_02(31, {"retention_max_days": 30}), {"data": {"classes": ["pii"]}})
	fixture.of("RES-02", asked) == set()
	fixture.effects("GDPR-04", asked) == {"deny"}
	abroad := object.union(asked, {"exporter": {"establishment": "US", "article_3": "none"}})
	fixture.effects("RES-02", abroad) == {"deny"}
}
