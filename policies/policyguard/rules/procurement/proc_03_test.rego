package policyguard.rules_test

import data.policyguard.fixture

_proc_03(body, patch) := fixture.asking(object.union(patch, {"context": {"state_body": body}}))

test_proc_03_a_developer_on_the_states_list_is_denied_wherever_it_runs if {
	fixture.of("PROC-03", _proc_03("US-TX", {})) == {{
		"id": "PROC-03",
		"effect": "deny",
		"msg": "glm-5.2 is a prohibited technology for bodies of US-TX: Zhipu AI",
		"facts": {
			"context.state_body": "US-TX",
			"model": "glm-5.2",
			"model.developer": "zhipu",
			"lists.texas-prohibited.as_of": "2026-02-03",
		},
		"missing": [],
		"remedy": "a model and an operator that the state's list does not name, or an exception of the state for this one",
	}}
	fixture.effects("PROC-03", fixture.asking_at("glm-5.2@fra-1", {"context": {"state_body": "US-TX"}})) == {"deny"}
}

test_proc_03_nobody_else_is_bound if {
	every body in ["none", "DE-BE"] {
		fixture.of("PROC-03", _proc_03(body, {})) == set()
	}
}

test_proc_03_a_state_without_a_list_here_is_unknown if {
	asked := _proc_03("US-VA", {})
	fixture.effects("PROC-03", asked) == {"indeterminate"}
	fixture.missing("PROC-03", asked) == {"lists.state"}
}

test_proc_03_a_body_that_nobody_declared_is_named_where_a_list_names_the_model if {
	fixture.missing("PROC-03", _proc_03(null, {})) == {"context.state_body"}
	fixture.of("PROC-03", fixture.asking_at("gpt-5.5@api.openai.com", {"context": {"state_body": null}})) == set()
}

test_proc_03_a_base_and_an_operator_count if {
	fixture.effects("PROC-03", fixture.asking_at("tuned-1@us", {"context": {"state_body": "US-TX"}})) == {"deny"}
	listed := {"lists": {"texas-prohibited": {"parties": {"baseten": [{"since": null, "until": null}]}}}}
	known := object.union(fixture.catalog_with("deployments", "gpt-5.5@api.openai.com", {"operator": "baseten"}), listed)
	asked := fixture.asking_at("gpt-5.5@api.openai.com", {"context": {"state_body": "US-TX"}})
	fixture.effects("PROC-03", asked) == set()
	fixture.effects_in("PROC-03", asked, known) == {"deny"}
}

test_proc_03_an_exception_of_the_state_lifts_it if {
	licence := fixture.licence({"authority": "state", "models": ["glm-5.2"], "expires": "2026-12-31T00:00:00Z"})
	every body in ["US-TX", "US-VA"] {
		fixture.of("PROC-03", _proc_03(body, {"tenant": {"licences": [licence]}})) == set()
	}
}

test_proc_03_a_listing_begins_on_its_day if {
	every at, effects in {"2026-01-25T23:59:59Z": set(), "2026-01-26T00:00:00Z": {"deny"}} {
		fixture.effects("PROC-03", _proc_03("US-TX", {"at": at})) == effects
	}
}
