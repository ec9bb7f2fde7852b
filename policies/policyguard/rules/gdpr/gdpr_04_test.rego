package policyguard.rules_test

import data.policyguard.fixture

_gdpr_04(paper, tenant) := fixture.asking({"tenant": object.union(tenant, {"contracts": [fixture.papers("scaleway", paper)]})})

test_gdpr_04_a_processor_without_a_contract_is_denied if {
	fixture.of("GDPR-04", _gdpr_04({"dpa": false}, {})) == {{
		"id": "GDPR-04",
		"effect": "deny",
		"msg": "glm-5.2 at api.scaleway.ai would process personal data, and no processing agreement by Article 28 is signed with who runs it",
		"facts": {
			"contract.dpa": false,
			"contract.sub_processors": true,
			"data.classes": ["pii"],
			"deployment": "glm-5.2@api.scaleway.ai",
			"deployment.operator": "scaleway",
			"terms.retention_days": 0,
			"terms.training": false,
			"tenant.retention_limit": null,
		},
		"missing": [],
		"remedy": "a signed processing agreement, or an operator with which there is one",
	}}
	fixture.effects("GDPR-04", fixture.asking({"tenant": {"contracts": []}})) == {"deny"}
}

test_gdpr_04_clauses_are_no_processing_agreement if {
	fixture.effects("GDPR-04", _gdpr_04({"dpa": false, "transfer_tool": "scc"}, {})) == {"deny"}
}

test_gdpr_04_whole_papers_are_no_finding if {
	fixture.of("GDPR-04", fixture.call) == set()
}

test_gdpr_04_training_is_denied_and_a_contract_counts_before_public_terms if {
	trains := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"data_policy": {"training": true}})
	fixture.effects("GDPR-04", _gdpr_04({"training": true}, {})) == {"deny"}
	fixture.effects_in("GDPR-04", _gdpr_04({"training": null}, {}), trains) == {"deny"}
	fixture.effects_in("GDPR-04", _gdpr_04({"training": false}, {}), trains) == set()
}

test_gdpr_04_what_is_kept_longer_than_allowed_is_denied if {
	every days, effects in {"30": set(), "31": {"deny"}} {
		fixture.effects("GDPR-04", _gdpr_04({"retention_days": to_number(days)}, {"retention_max_days": 30})) == effects
	}
}

test_gdpr_04_safety_retention_meets_no_demand_for_zero if {
	safe := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"data_policy": {"safety_retention_days": 30}})
	fixture.effects_in("GDPR-04", _gdpr_04({}, {"zero_retention": true}), safe) == {"deny"}
	fixture.effects("GDPR-04", _gdpr_04({}, {"zero_retention": true})) == set()
}

test_gdpr_04_sub_processors_that_are_not_accepted_are_for_a_person if {
	fixture.effects("GDPR-04", _gdpr_04({"sub_processors": false}, {})) == {"require_approval"}
}

test_gdpr_04_what_is_not_known_of_the_terms_is_named if {
	fixture.missing("GDPR-04", _gdpr_04({"dpa": null}, {})) == {"contract.dpa"}
	fixture.missing("GDPR-04", _gdpr_04({"sub_processors": null}, {})) == {"contract.sub_processors"}
	fixture.missing("GDPR-04", _gdpr_04({"training": null}, {})) == {"contract.training"}
	fixture.missing("GDPR-04", _gdpr_04({"retention_days": null}, {})) == set()
	fixture.missing("GDPR-04", _gdpr_04({"retention_days": null}, {"retention_max_days": 30})) == {"contract.retention_days"}
	fixture.missing("GDPR-04", fixture.asking({"tenant": {"contracts": null}})) == {"tenant.contracts"}
}

test_gdpr_04_an_unknown_operator_and_an_unknown_cloud_are_named if {
	nobody := fixture.catalog_with("deployments", "glm-5.2@us", {"operator": null})
	fixture.missing_in("GDPR-04", fixture.asking_at("glm-5.2@us", {}), nobody) == {"deployment.operator"}
	somewhere := fixture.catalog_with("deployments", "glm-5.2@fra-1", {"host_cloud": null})
	"deployment.host_cloud" in fixture.missing_in("GDPR-04", fixture.asking_at("glm-5.2@fra-1", {}), somewhere)
}

test_gdpr_04_our_own_premises_are_nobodys_processor if {
	fixture.of("GDPR-04", fixture.asking_at("glm-5.2@fra-1", {"tenant": {"contracts": []}})) == set()
}

test_gdpr_04_a_special_category_needs_a_condition_besides if {
	some finding in fixture.of("GDPR-04", fixture.asking({"data": {"classes": ["health", "pii"]}}))
	finding.effect == "advise"
	contains(finding.msg, "(health)")
}

test_gdpr_04_other_data_is_out_of_scope if {
	every contracts in [[], null] {
		fixture.of("GDPR-04", fixture.asking({"data": {"classes": ["technical"]}, "tenant": {"contracts": contracts}})) == set()
	}
}

test_gdpr_04_each_contract_of_the_route_is_looked_at if {
	effects := {true: set(), false: {"deny"}, null: {"indeterminate"}}
	every one, found in effects {
		every other, also in effects {
			fixture.effects("GDPR-04", fixture.asking({
				"route": ["glm-5.2@api.scaleway.ai", null, "glm-5.2@us"],
				"tenant": {"contracts": [fixture.papers("scaleway", {"dpa": one}), fixture.papers("baseten", {"dpa": other})]},
			})) == found | also
		}
	}
}
