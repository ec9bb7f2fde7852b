package policyguard.rules_test

import data.policyguard.fixture

_proc_05(deployment, contract) := fixture.asking_at(deployment, {"context": {"dod_contract": contract}, "data": {"classes": ["none"]}})

test_proc_05_claude_in_a_contract_of_the_department_is_for_a_person if {
	fixture.of("PROC-05", _proc_05("claude-fable-5@bedrock-eu", true)) == {{
		"id": "PROC-05",
		"effect": "require_approval",
		"msg": "claude-fable-5 is made by Anthropic, which is designated as a supply-chain risk under 41 USC 4713 (before the courts), and this call is in performance of a contract with the Department of Defense",
		"facts": {"context.dod_contract": true, "model": "claude-fable-5", "model.developer": "anthropic"},
		"missing": [],
		"remedy": "counsel who knows where the case stands, or another developer's model",
	}}
}

test_proc_05_elsewhere_it_says_nothing if {
	fixture.of("PROC-05", _proc_05("claude-fable-5@bedrock-eu", false)) == set()
}

test_proc_05_other_developers_are_not_meant if {
	fixture.of("PROC-05", _proc_05("gpt-5.5@api.openai.com", true)) == set()
}

test_proc_05_an_undeclared_contract_is_named if {
	fixture.missing("PROC-05", _proc_05("claude-fable-5@bedrock-eu", null)) == {"context.dod_contract"}
}

test_proc_05_it_is_contested_since_its_day if {
	statuses := [object.get(view.status, "PROC-05", null) |
		some at in ["2026-03-02T23:59:59Z", "2026-03-03T00:00:00Z"]
		asked := fixture.asking({"at": at})
		view := fixture.view_in(asked, data.policyguard.sample.catalog)
	]
	statuses == [null, {"status": "contested", "verified": false}]
}
