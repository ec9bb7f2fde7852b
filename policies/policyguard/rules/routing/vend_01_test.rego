package policyguard.rules_test

import data.policyguard.fixture

_vend_01_at(at) := fixture.asking_at("claude-fable-5@api.anthropic.com", {"at": at})

test_vend_01_a_deployment_that_is_switched_off_is_unavailable if {
	fixture.of("VEND-01", _vend_01_at("2026-06-15T12:00:00Z")) == {{
		"id": "VEND-01",
		"effect": "unavailable",
		"msg": "claude-fable-5 at api.anthropic.com cannot be reached at this instant: switched off for everybody after the letter",
		"facts": {
			"deployment": "claude-fable-5@api.anthropic.com",
			"deployment.state": "suspended",
			"deployment.state.verified": false,
			"deployment.state.source": "vendor's statement",
		},
		"missing": [],
		"remedy": "another deployment or model, or waiting until the vendor switches it on again",
	}}
}

test_vend_01_the_window_begins_on_its_first_second if {
	fixture.effects("VEND-01", _vend_01_at("2026-06-12T21:20:59.999999Z")) == set()
	fixture.effects("VEND-01", _vend_01_at("2026-06-12T21:21:00Z")) == {"unavailable"}
}

test_vend_01_the_window_ends_before_its_last_second if {
	fixture.effects("VEND-01", _vend_01_at("2026-06-30T23:59:59.999999Z")) == {"unavailable"}
	fixture.effects("VEND-01", _vend_01_at("2026-07-01T00:00:00Z")) == set()
}

test_vend_01_each_hop_of_a_route_counts if {
	route := ["claude-fable-5@bedrock-eu", "claude-fable-5@api.anthropic.com"]
	asked := object.union(_vend_01_at("2026-06-15T12:00:00Z"), {"route": route})
	fixture.effects("VEND-01", asked) == {"unavailable"}
}
