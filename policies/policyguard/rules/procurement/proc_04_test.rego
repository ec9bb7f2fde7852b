package policyguard.rules_test

import data.policyguard.fixture

_proc_04(deployment, schedule, assumed) := fixture.asking_at(deployment, {
	"context": {"gsa_schedule": schedule},
	"tenant": {"assumed": assumed},
})

test_proc_04_a_draft_finds_a_model_from_elsewhere if {
	some finding in fixture.of("PROC-04", _proc_04("glm-5.2@fra-1", true, []))
	finding.effect == "deny"
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
	fixture.missing_in("PROC-04", _proc_04("glm-5.2@fra-1", true, []), known) == {"model.developer.country"}
}
