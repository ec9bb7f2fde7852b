package policyguard.rules_test

import data.policyguard.fixture

_ear_08_on(chip) := fixture.catalog_with("deployments", "glm-5.2@fra-1", {"accelerator": chip})

_ear_08_asked(patch) := fixture.asking_at("glm-5.2@fra-1", patch)

test_ear_08_a_named_chip_is_for_a_person if {
	fixture.of_in("EAR-08", _ear_08_asked({}), _ear_08_on("ascend-910b")) == {{
		"id": "EAR-08",
		"effect": "require_approval",
		"msg": "glm-5.2 at llm.fra-1.acme.example runs on ascend-910b, an advanced chip designed in China, which BIS presumes to be made against the EAR",
		"facts": {
			"deployment": "glm-5.2@fra-1",
			"deployment.accelerator": "ascend-910b",
			"exporter.establishment": "DE",
			"caller.person_status": null,
			"data.ear.us_origin": null,
			"lists.prc-advanced-ics.as_of": "2026-06-18",
		},
		"missing": [],
		"remedy": "a deployment on other chips, or assurance that these were made with a licence, for a person to approve",
	}}
}

test_ear_08_with_a_tie_to_the_united_states_it_is_a_bar if {
	every tie in [
		{"exporter": {"establishment": "US"}},
		{"caller": {"person_status": "us_lpr"}},
		{"data": {"ear": {"us_origin": true}}},
	] {
		fixture.effects_in("EAR-08", _ear_08_asked(tie), _ear_08_on("ascend-910c")) == {"deny"}
	}
	fixture.effects_in("EAR-08", _ear_08_asked({"caller": {"person_status": "foreign"}}), _ear_08_on("ascend-910d")) == {"require_approval"}
}

test_ear_08_not_before_the_guidance if {
	[fixture.effects_in("EAR-08", _ear_08_asked({"at": at}), _ear_08_on("ascend-910b")) |
		some at in ["2025-05-12T23:59:59Z", "2025-05-13T00:00:00Z"]
	] == [set(), {"require_approval"}]
}

test_ear_08_other_chips_are_no_finding if {
	fixture.of("EAR-08", _ear_08_asked({})) == set()
}

test_ear_08_the_chip_of_our_own_host_has_to_be_known if {
	fixture.missing_in("EAR-08", _ear_08_asked({}), _ear_08_on(null)) == {"deployment.accelerator"}
}

test_ear_08_the_chip_of_a_vendor_is_asked_for_in_a_country_under_an_arms_embargo if {
	fixture.of("EAR-08", fixture.asking_at("glm-5.2@api.scaleway.ai", {})) == set()
	known := fixture.catalog_with("deployments", "glm-5.2@open.bigmodel.cn", {"accelerator": null})
	fixture.effects_in("EAR-08", fixture.asking_at("glm-5.2@open.bigmodel.cn", {}), known) == {"advise"}

	# Where the caller's company is, is no place of the deployment.
	chinese := {"caller": {"organisation": object.union(fixture.ours, {"country": "CN"})}}
	fixture.of("EAR-08", fixture.asking_at("glm-5.2@us", chinese)) == set()
	named := fixture.catalog_with("deployments", "glm-5.2@open.bigmodel.cn", {"accelerator": "nvidia-h20"})
	fixture.of_in("EAR-08", fixture.asking_at("glm-5.2@open.bigmodel.cn", {}), named) == set()
}
