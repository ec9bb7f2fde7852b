package policyguard.rules_test

import data.policyguard.fixture

_blk_02(establishment, location) := fixture.asking_at("glm-5.2@us", {
	"exporter": {"establishment": establishment},
	"caller": {"location": location},
})

test_blk_02_a_caller_in_cuba_or_iran_is_a_question_for_counsel_in_the_union if {
	every country in ["CU", "IR"] {
		fixture.effects("BLK-02", _blk_02("DE", country)) == {"require_approval"}
	}
}

test_blk_02_other_callers_and_other_establishments_are_not_meant if {
	fixture.of("BLK-02", _blk_02("DE", "KP")) == set()
	fixture.of("BLK-02", _blk_02("DE", null)) == set()
	fixture.of("BLK-02", _blk_02("US", "CU")) == set()
}

test_blk_02_where_no_american_company_runs_the_model_there_is_no_conflict if {
	european := object.union(_blk_02("DE", "CU"), fixture.to("glm-5.2@api.scaleway.ai"))
	fixture.of("BLK-02", european) == set()
}
