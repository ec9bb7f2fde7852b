package policyguard.rules_test

import data.policyguard.fixture

_proc_04(deployment, schedule, assumed) := fixture.asking_at(deployment, {
	"context": {"gsa_schedule": schedule},
	"tenant": {"assumed": assumed},
})

test_proc_04_a_draft_finds_a_model_from_elsewhere if {
	some finding in fixture.of("PROC-04", _proc_04("glm-5.2@fra-1", true, []))
	finding.effect == "advise"
	finding.msg == "glm-5.2 is not made in the United States (CN), which a draft clause of the GSA's schedules would ask for"
}

test_proc_04_an_american_model_is_no_finding if {
	fixture.of("PROC-04", _proc_04("gpt-5.5@api.openai.com", true, ["PROC-04"])) == set()
}

test_proc_04_outside_a_schedule_it_says_nothing if {
	fixture.of("PROC-04", _proc_04("glm-5.2@fra-1", false, ["PROC-04"])) == set()
	fixture.of("PROC-04", _proc_04("glm-5.2@fra-1", null, [])) == set()
}

test_proc_04_a_draft_changes_no_verdict_unless_it_is_assumed if {
	verdicts := [fixture.decided(_proc_04("glm-5.2@fra-1", true, assumed)).verdict | some assumed in [[], ["PROC-04"]]]
	verdicts == ["allow", "deny"]
}

test_proc_04_who_assumes_it_has_to_say_whether_a_schedule_is_performed if {
	fixture.missing("PROC-04", _proc_04("glm-5.2@fra-1", null, ["PROC-04"])) == {"context.gsa_schedule"}
}

test_proc_04_an_unknown_country_is_named if {
	known := fixture.catalog_with("developers", "zhipu", {"country": null})
	fixture.missing_in("PROC-04", _proc_04("glm-5.2@fra-1", true, ["PROC-04"]), known) == {"model.developer.country"}
	found := fixture.of_in("PROC-04", _proc_04("glm-5.2@fra-1", true, []), known)
	[[finding.effect, finding.missing] | some finding in found] == [["advise", ["model.developer.country"]]]
}

test_proc_04_an_unknown_country_matters_under_a_schedule_alone if {
	known := fixture.catalog_with("developers", "zhipu", {"country": null})
	fixture.of_in("PROC-04", _proc_04("glm-5.2@fra-1", false, ["PROC-04"]), known) == set()
}

# What the clause would do in force, without a change of the rule.
_proc_04_in_force(asked) := {finding.effect |
	view := fixture.view_in(asked, data.policyguard.sample.catalog)
	standing := object.union(view, {"status": {"PROC-04": {"status": "in_force"}}})
	found := data.policyguard.rules.findings with input as standing
	some finding in found
	finding.id == "PROC-04"
}

test_proc_04_once_it_is_in_force_everybody_has_to_say if {
	_proc_04_in_force(_proc_04("glm-5.2@fra-1", true, [])) == {"deny"}
	_proc_04_in_force(_proc_04("glm-5.2@fra-1", null, [])) == {"indeterminate"}
	_proc_04_in_force(_proc_04("glm-5.2@fra-1", false, [])) == set()
	_proc_04_in_force(_proc_04("gpt-5.5@api.openai.com", null, [])) == set()
}
