package policyguard.rules_test

import data.policyguard.fixture

test_fact_01_an_unknown_model_is_named if {
	asked := fixture.asking({"model": null, "asked": {"model": "no-such-model"}})
	fixture.of("FACT-01", asked) == {{
		"id": "FACT-01",
		"effect": "indeterminate",
		"msg": "it is not known which model is called: the catalog has none for `no-such-model` at `api.scaleway.ai`",
		"facts": {"asked.model": "no-such-model", "asked.host": "api.scaleway.ai"},
		"missing": ["model"],
		"remedy": "name a model of the catalog, or add this one in an overlay with its source",
	}}
}

test_fact_01_without_a_host_the_name_alone_is_said if {
	some finding in fixture.of("FACT-01", fixture.asking({"model": null, "asked": {"model": "m", "host": null}}))
	finding.msg == "it is not known which model is called: the catalog has none for `m`"
}

test_fact_01_an_id_that_the_catalog_does_not_have_is_unknown if {
	fixture.missing("FACT-01", fixture.asking({"model": "glm-9"})) == {"model"}
}

test_fact_01_a_call_that_names_no_model_says_so if {
	some finding in fixture.of("FACT-01", fixture.asking({"model": null, "asked": {"model": null}}))
	contains(finding.msg, "names none that could be read")
}

test_fact_01_a_known_model_is_no_finding if {
	fixture.of("FACT-01", fixture.call) == set()
}

test_fact_01_a_route_that_serves_another_model_is_no_answer_to_the_question if {
	some finding in fixture.of("FACT-01", fixture.asking({"model": "glm-5"}))
	finding.msg == "it is not known which model is called: api.scaleway.ai serves glm-5.2, not glm-5"
	finding.missing == ["model"]
}
