package policyguard.rules_test

import data.policyguard.fixture

_cn_01_sending(tool, patch) := fixture.asking_at("glm-5.2@us", object.union(
	{
		"exporter": {"establishment": "CN"},
		"data": {"classes": ["pii"], "subjects": ["CN"], "persons": 1, "important_data": false},
		"rolling": {"china_since_january": {"persons": 0, "sensitive": 0}},
		"tenant": {
			"sectors": [],
			"contracts": [fixture.papers("baseten", {"local_tools": {"china": tool}})],
		},
	},
	patch,
))

# So many people since January, of whom so many with sensitive information, and in this call.
_cn_01(tool, classes, numbers) := _cn_01_sending(tool, {
	"data": {"classes": classes, "persons": numbers[2]},
	"rolling": {"china_since_january": {"persons": numbers[0], "sensitive": numbers[1]}},
})

test_cn_01_a_hundred_thousand_people_need_a_contract_or_a_certification if {
	fixture.of("CN-01", _cn_01("none", ["pii"], [99998, 0, 1])) == set()
	some finding in fixture.of("CN-01", _cn_01("none", ["pii"], [99999, 0, 1]))
	finding.effect == "deny"
	finding.msg == "glm-5.2 at inference.baseten.co would take personal information of 100,000 people or more since 1 January out of China, which needs the standard contract, a certification or a security assessment, and the tool on file (none) is not that"
	every tool in ["standard_contract", "certification", "security_assessment"] {
		fixture.of("CN-01", _cn_01(tool, ["pii"], [99999, 0, 1])) == set()
	}
}

test_cn_01_a_million_people_need_a_security_assessment if {
	fixture.of("CN-01", _cn_01("standard_contract", ["pii"], [999998, 0, 1])) == set()
	fixture.effects("CN-01", _cn_01("standard_contract", ["pii"], [999999, 0, 1])) == {"deny"}
	fixture.of("CN-01", _cn_01("security_assessment", ["pii"], [999999, 0, 1])) == set()
}

test_cn_01_one_person_with_sensitive_information_needs_a_contract if {
	fixture.effects("CN-01", _cn_01("none", ["biometric", "pii"], [0, 0, 1])) == {"deny"}
	fixture.of("CN-01", _cn_01("standard_contract", ["biometric", "pii"], [0, 0, 1])) == set()
}

test_cn_01_ten_thousand_of_them_need_a_security_assessment if {
	fixture.of("CN-01", _cn_01("standard_contract", ["biometric", "pii"], [9998, 9998, 1])) == set()
	fixture.effects("CN-01", _cn_01("standard_contract", ["biometric", "pii"], [9999, 9999, 1])) == {"deny"}
}

test_cn_01_important_data_and_critical_infrastructure_need_a_security_assessment if {
	important := {"data": {"classes": ["confidential"], "important_data": true}}
	fixture.effects("CN-01", _cn_01_sending("standard_contract", important)) == {"deny"}
	fixture.of("CN-01", _cn_01_sending("security_assessment", important)) == set()
	fixture.of("CN-01", _cn_01_sending("security_assessment", {"data": {"classes": ["biometric"]}})) == set()
	critical := {"tenant": {"sectors": ["ciio_cn"]}}
	fixture.effects("CN-01", _cn_01_sending("standard_contract", critical)) == {"deny"}
}

test_cn_01_an_exemption_is_for_a_person_to_confirm_and_covers_no_important_data if {
	claimed := {"data": {"classes": ["biometric"], "china_exemption": "employment"}}
	fixture.effects("CN-01", _cn_01_sending("none", claimed)) == {"require_approval"}
	fixture.effects("CN-01", _cn_01_sending(null, claimed)) == {"require_approval"}
	important := object.union(claimed, {"data": {"important_data": true}})
	fixture.effects("CN-01", _cn_01_sending("none", important)) == {"deny"}
}

test_cn_01_in_china_nothing_leaves_and_hong_kong_is_abroad if {
	asked := _cn_01("none", ["biometric"], [0, 0, 1])
	fixture.of_in("CN-01", asked, _uk_01_moved("CN")) == set()
	nowhere := object.union(asked, {"exporter": {"establishment": null}})
	fixture.of_in("CN-01", nowhere, _uk_01_moved("CN")) == set()
	fixture.effects_in("CN-01", asked, _uk_01_moved("HK")) == {"deny"}
}

test_cn_01_other_establishments_are_out_of_scope if {
	asked := object.union(_cn_01("none", ["biometric"], [0, 0, 1]), {"exporter": {"establishment": "DE"}})
	fixture.of("CN-01", asked) == set()
	unknown := object.union(asked, {"exporter": {"establishment": null}})
	fixture.missing("CN-01", unknown) == {"exporter.establishment"}
}

test_cn_01_what_is_public_and_no_personal_information_may_leave if {
	fixture.of("CN-01", _cn_01_sending("none", {"data": {"classes": ["public"], "important_data": null}})) == set()
}

test_cn_01_what_is_not_known_is_named if {
	unknown := {
		"data": {"persons": null, "important_data": null},
		"rolling": {"china_since_january": null},
		"tenant": {"sectors": null},
	}
	fixture.missing("CN-01", _cn_01_sending("none", unknown)) == {
		"data.persons",
		"data.important_data",
		"rolling.china_since_january",
		"tenant.sectors",
	}
	fixture.missing("CN-01", _cn_01("none", ["pii"], [null, 0, 1])) == {"rolling.china_since_january"}
	fixture.missing("CN-01", _cn_01("standard_contract", ["biometric"], [0, null, 1])) == {"rolling.china_since_january"}
	fixture.missing("CN-01", _cn_01(null, ["biometric"], [0, 0, 1])) == {"contract.local_tools.china"}
	fixture.effects("CN-01", _cn_01(null, ["biometric"], [0, 0, 1])) == {"indeterminate"}
	fixture.of("CN-01", _cn_01("standard_contract", ["pii"], [0, null, 1])) == set()
	fixture.of("CN-01", _cn_01("none", ["pii"], [0, 9999, 1])) == set()
	fixture.missing("CN-01", _cn_01("standard_contract", ["pii"], [0, 0, null])) == {"data.persons"}
	fixture.of("CN-01", _cn_01_sending("security_assessment", unknown)) == set()
}

test_cn_01_places_in_china_that_are_a_habit_are_no_promise if {
	habit := fixture.catalog_with("deployments", "glm-5.2@us", {"processing_scope": null, "processing_countries": ["CN"]})
	fixture.missing_in("CN-01", _cn_01("none", ["pii"], [0, 0, 1]), habit) == {"deployment.processing_scope"}
	elsewhere := fixture.catalog_with("deployments", "glm-5.2@us", {"processing_scope": null})
	fixture.of_in("CN-01", _cn_01("none", ["pii"], [0, 0, 1]), elsewhere) == set()
}
