package policyguard.rules_test

import data.policyguard.fixture

_open_01(deployment, assumed) := fixture.asking_at(deployment, {"tenant": {"assumed": assumed}})

test_open_01_nothing_is_said_unless_it_is_assumed if {
	fixture.of("OPEN-01", _open_01("glm-5.2@fra-1", [])) == set()
	fixture.decided(_open_01("glm-5.2@fra-1", [])).verdict == "allow"
}

test_open_01_who_assumes_it_sees_what_it_would_do if {
	fixture.of("OPEN-01", _open_01("glm-5.2@fra-1", ["OPEN-01"])) == {{
		"id": "OPEN-01",
		"effect": "deny",
		"msg": "if open weights made in CN were restricted, glm-5.2 could not be used, wherever it runs",
		"facts": {
			"model": "glm-5.2",
			"model.base_models": ["glm-5"],
			"model.developer": "zhipu",
			"model.open_weights": true,
			"tenant.assumed": ["OPEN-01"],
		},
		"missing": [],
		"remedy": "a model whose developer and bases are elsewhere",
	}}
	decision := fixture.decided(_open_01("glm-5.2@fra-1", ["OPEN-01"]))
	decision.verdict == "deny"
	{[finding.status, finding.verified] | some finding in decision.findings; finding.id == "OPEN-01"} == {["in_force", false]}
}

test_open_01_closed_models_are_not_meant if {
	fixture.of("OPEN-01", _open_01("claude-fable-5@bedrock-eu", ["OPEN-01"])) == set()
	closed := fixture.catalog_with("models", "glm-5.2", {"open_weights": false})
	fixture.of_in("OPEN-01", _open_01("glm-5.2@us", ["OPEN-01"]), closed) == set()
}

_open_01_made_in(country, parent) := fixture.effects_in(
	"OPEN-01",
	_open_01("kimi-k2@hq", ["OPEN-01"]),
	fixture.catalog_with("developers", "moonshot", {"country": country, "parent_country": parent}),
)

test_open_01_the_country_of_the_maker_or_of_its_parent_is_looked_at if {
	[_open_01_made_in(pair[0], pair[1]) | some pair in [
		["CN", "US"],
		["US", "IR"],
		["KP", null],
		[null, "RU"],
		["US", "FR"],
		["US", null],
		[null, "US"],
		[null, null],
	]] == [{"deny"}, {"deny"}, {"deny"}, {"deny"}, set(), set(), set(), {"indeterminate"}]
}

test_open_01_an_unknown_maker_is_named if {
	known := fixture.catalog_with("developers", "openai", {"country": null, "parent_country": null})
	open := object.union(known, {"models": {"gpt-5.5": {"open_weights": null}}})
	fixture.missing_in("OPEN-01", _open_01("gpt-5.5@api.openai.com", ["OPEN-01"]), open) == {
		"model.open_weights",
		"models.gpt-5.5.developer.country",
	}
	fixture.of_in("OPEN-01", _open_01("gpt-5.5@api.openai.com", []), open) == set()
	unsaid := fixture.catalog_with("models", "gpt-5.5", {"open_weights": null})
	fixture.missing_in("OPEN-01", _open_01("gpt-5.5@api.openai.com", ["OPEN-01"]), unsaid) == {"model.open_weights"}
	fixture.of("OPEN-01", object.union(_open_01("glm-5.2@us", ["OPEN-01"]), {"model": null})) == set()
}

test_open_01_to_assume_another_rule_assumes_not_this_one if {
	fixture.of("OPEN-01", _open_01("glm-5.2@fra-1", ["PROC-04"])) == set()
}
