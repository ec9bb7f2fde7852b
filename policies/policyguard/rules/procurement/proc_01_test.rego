package policyguard.rules_test

import data.policyguard.fixture

_proc_01(deployment, context, patch) := fixture.asking_at(deployment, object.union(patch, {"context": context}))

test_proc_01_a_model_of_a_covered_nation_in_such_a_contract_is_denied if {
	fixture.of("PROC-01", _proc_01("glm-5.2@fra-1", {"dod_contract": true}, {})) == {{
		"id": "PROC-01",
		"effect": "deny",
		"msg": "glm-5.2 is made in a covered nation (glm-5 by Zhipu AI, glm-5.2 by Zhipu AI), and this call is in performance of a contract with the Department of Defense",
		"facts": {
			"context.dod_contract": true,
			"model": "glm-5.2",
			"model.developer": "zhipu",
			"model.developer.country": "CN",
			"model.developer.parent_country": "CN",
		},
		"missing": [],
		"remedy": "a model whose developer and bases are of no covered nation, or a waiver of the Department that names this one",
	}}
}

test_proc_01_other_business_is_not_touched if {
	fixture.of("PROC-01", _proc_01("glm-5.2@open.bigmodel.cn", {"dod_contract": false}, {})) == set()
}

test_proc_01_a_model_of_elsewhere_is_no_finding if {
	fixture.of("PROC-01", _proc_01("gpt-5.5@api.openai.com", {"dod_contract": true}, {})) == set()
}

test_proc_01_a_derivative_is_of_where_its_base_is if {
	fixture.effects("PROC-01", _proc_01("tuned-1@us", {"dod_contract": true}, {})) == {"deny"}
}

test_proc_01_where_the_parent_is_counts_too if {
	every country in ["CN", "IR", "KP", "RU"] {
		every made in [{"country": "US", "parent_country": country}, {"country": country, "parent_country": "US"}] {
			known := fixture.catalog_with("developers", "openai", made)
			fixture.effects_in("PROC-01", _proc_01("gpt-5.5@api.openai.com", {"dod_contract": true}, {}), known) == {"deny"}
			fixture.missing_in("PROC-01", _proc_01("gpt-5.5@api.openai.com", {"dod_contract": null}, {}), known) == {"context.dod_contract"}
		}
	}
}

test_proc_01_a_waiver_that_names_the_model_lifts_it_and_another_does_not if {
	every told in [["DoD", "glm-5.2", set()], ["BIS", "glm-5.2", {"deny"}], ["DoD", "kimi-k2", {"deny"}]] {
		licence := {"authority": told[0], "models": [told[1]], "expires": "2026-12-31T00:00:00Z"}
		asked := _proc_01("glm-5.2@fra-1", {"dod_contract": true}, {"tenant": {"licences": [fixture.licence(licence)]}})
		fixture.effects("PROC-01", asked) == told[2]
	}
}

test_proc_01_an_undeclared_contract_is_named_where_it_would_decide if {
	fixture.missing("PROC-01", _proc_01("glm-5.2@fra-1", {"dod_contract": null}, {})) == {"context.dod_contract"}
	fixture.of("PROC-01", _proc_01("gpt-5.5@api.openai.com", {"dod_contract": null}, {})) == set()
}

test_proc_01_an_unknown_maker_is_named if {
	known := fixture.catalog_with("developers", "openai", {"country": null, "parent_country": null})
	fixture.missing_in("PROC-01", _proc_01("gpt-5.5@api.openai.com", {"dod_contract": true}, {}), known) == {"models.gpt-5.5.developer.country"}
	fixture.missing_in("PROC-01", _proc_01("gpt-5.5@api.openai.com", {"dod_contract": null}, {}), known) == {
		"context.dod_contract",
		"models.gpt-5.5.developer.country",
	}
}

test_proc_01_it_began_with_the_act if {
	asked := _proc_01("glm-5.2@fra-1", {"dod_contract": true}, {})
	fixture.decided(object.union(asked, {"at": "2025-12-17T23:59:59Z"})).verdict == "allow"
	fixture.decided(object.union(asked, {"at": "2025-12-18T00:00:00Z"})).verdict == "deny"
}
