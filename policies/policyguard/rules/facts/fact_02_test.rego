package policyguard.rules_test

import data.policyguard.fixture

test_fact_02_an_unknown_host_is_named if {
	asked := fixture.asking({"route": [null], "asked": {"host": "llm.unknown.example"}})
	fixture.of("FACT-02", asked) == {{
		"id": "FACT-02",
		"effect": "indeterminate",
		"msg": "it is not known who runs this model and where: the catalog has no deployment of `glm-5.2` at `llm.unknown.example`",
		"facts": {"asked.host": "llm.unknown.example", "asked.model": "glm-5.2", "deployment": null},
		"missing": ["deployment"],
		"remedy": "use a deployment of the catalog, or add this one in an overlay with its source",
	}}
}

test_fact_02_a_host_that_nobody_saw_is_unknown if {
	some finding in fixture.of("FACT-02", fixture.asking({"route": [null], "asked": {"host": null, "model": null}}))
	contains(finding.msg, "could not be seen where the call goes")
}

test_fact_02_a_model_that_nobody_saw_is_called_this_model if {
	some finding in fixture.of("FACT-02", fixture.asking({"route": [null], "asked": {"model": null}}))
	contains(finding.msg, "no deployment of this model at `api.scaleway.ai`")
}

test_fact_02_a_deployment_that_the_catalog_does_not_have_is_unknown if {
	some finding in fixture.of("FACT-02", fixture.asking({"route": ["glm-5.2@nowhere"]}))
	contains(finding.msg, "the catalog has no deployment `glm-5.2@nowhere`")
}

test_fact_02_one_unknown_hop_of_a_route_is_enough if {
	fixture.effects("FACT-02", fixture.asking({"route": ["glm-5.2@api.scaleway.ai", null]})) == {"indeterminate"}
}

test_fact_02_a_known_deployment_is_no_finding if {
	fixture.of("FACT-02", fixture.call) == set()
}

test_fact_02_other_rules_neither_raise_nor_clear_what_is_unknown if {
	asked := fixture.asking({
		"model": null,
		"route": [null],
		"caller": null,
		"purpose": null,
		"tenant": {"residency_allowed": ["DE"]},
		"data": {"classes": null},
	})
	ids := {finding.id | some finding in fixture.found_in(asked, data.policyguard.sample.catalog)}
	ids == {"FACT-01", "FACT-02", "FACT-03", "FACT-04", "FACT-05"}
}
