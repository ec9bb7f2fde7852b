package policyguard.rules_test

import data.policyguard.fixture

_res_01_only(countries) := {"tenant": {"residency_allowed": countries}}

test_res_01_a_place_outside_the_policy_is_denied if {
	fixture.of("RES-01", fixture.asking(_res_01_only(["DE"]))) == {{
		"id": "RES-01",
		"effect": "deny",
		"msg": "glm-5.2 at api.scaleway.ai may process or store in FR, which the tenant's residency policy does not allow",
		"facts": {
			"tenant.residency_allowed": ["DE"],
			"deployment": "glm-5.2@api.scaleway.ai",
			"deployment.processing_scope": "fixed",
			"deployment.processing_countries": ["FR"],
			"deployment.storage_countries": ["FR"],
		},
		"missing": [],
		"remedy": "a deployment that processes and stores in the allowed countries only",
	}}
}

test_res_01_places_inside_the_policy_are_allowed if {
	fixture.of("RES-01", fixture.asking(_res_01_only(["DE", "FR"]))) == set()
}

test_res_01_anywhere_asks_nothing if {
	fixture.of("RES-01", fixture.asking_at("claude-fable-5@bedrock-global", {})) == set()
}

test_res_01_storage_outside_is_denied_though_processing_is_inside if {
	known := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"storage_countries": ["US"]})
	fixture.effects_in("RES-01", fixture.asking(_res_01_only(["FR"])), known) == {"deny"}
}

# A region in a URL is no residency: London is not in the EU, and `eu-west-2` is London.
test_res_01_a_region_in_the_url_decides_nothing if {
	known := fixture.catalog_with("deployments", "claude-fable-5@bedrock-eu", {
		"hosts": ["bedrock-runtime.eu-west-2.amazonaws.com"],
		"processing_countries": ["GB"],
	})
	asked := fixture.asking_at("claude-fable-5@bedrock-eu", _res_01_only(["DE", "FR", "IE"]))
	fixture.effects_in("RES-01", asked, known) == {"deny"}
}

test_res_01_a_global_profile_fails_every_policy if {
	every countries in [["DE"], ["DE", "FR", "IE", "US"]] {
		asked := fixture.asking_at("claude-fable-5@bedrock-global", _res_01_only(countries))
		fixture.effects("RES-01", asked) == {"deny"}
	}
}

test_res_01_a_geographic_profile_meets_a_policy_that_has_all_of_it if {
	asked := fixture.asking_at("claude-fable-5@bedrock-eu", _res_01_only(["DE", "FR", "IE"]))
	fixture.effects("RES-01", asked) == set()
	fewer := fixture.asking_at("claude-fable-5@bedrock-eu", _res_01_only(["DE", "FR"]))
	fixture.effects("RES-01", fewer) == {"deny"}
}

test_res_01_unknown_places_are_named if {
	fixture.missing("RES-01", fixture.asking_at("gpt-5.5@api.openai.com", _res_01_only(["DE"]))) == {
		"deployment.processing_scope",
		"deployment.processing_countries",
		"deployment.storage_countries",
	}
}

test_res_01_countries_without_a_scope_are_a_habit_and_no_promise if {
	asked := fixture.asking_at("glm-5.2@api.z.ai", _res_01_only(["SG"]))
	fixture.effects("RES-01", asked) == {"indeterminate"}
	fixture.missing("RES-01", asked) == {"deployment.processing_scope", "deployment.storage_countries"}
}

test_res_01_one_place_outside_denies_whatever_else_is_unknown if {
	fixture.effects("RES-01", fixture.asking_at("glm-5.2@api.z.ai", _res_01_only(["DE"]))) == {"deny"}
}

test_res_01_each_hop_of_a_route_counts if {
	asked := object.union(fixture.asking(_res_01_only(["FR"])), {"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@us"]})
	fixture.effects("RES-01", asked) == {"deny"}
}
