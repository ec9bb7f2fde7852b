package policyguard.rules_test

import data.policyguard.fixture

_blk_01(establishment, classification) := fixture.asking_at("glm-5.2@open.bigmodel.cn", {
	"exporter": {"establishment": establishment},
	"data": {"classes": ["source_code"], "ear": {"classification": classification, "us_origin": true}},
})

test_blk_01_an_establishment_in_china_asks_counsel_before_it_refuses_for_a_us_list if {
	some finding in fixture.of("BLK-01", _blk_01("CN", "EAR99"))
	finding.effect == "require_approval"
	contains(finding.msg, "a question for counsel, not for automatic enforcement")
	finding.facts["deployment.operator"] == "zhipu-bigmodel"
}

test_blk_01_it_lifts_no_objection if {
	fixture.decided(_blk_01("CN", "EAR99")).verdict == "deny"
}

test_blk_01_an_unknown_classification_may_be_such_a_case if {
	fixture.effects("BLK-01", _blk_01("CN", null)) == {"require_approval"}
}

test_blk_01_where_no_list_would_be_followed_there_is_no_conflict if {
	every classification in ["published", "not_technology"] {
		fixture.of("BLK-01", _blk_01("CN", classification)) == set()
	}
	unlisted := object.union(_blk_01("CN", "EAR99"), fixture.to("glm-5.2@us"))
	fixture.of("BLK-01", unlisted) == set()
}

test_blk_01_elsewhere_that_law_does_not_reach if {
	fixture.of("BLK-01", _blk_01("US", "EAR99")) == set()
}
