package policyguard.rules_test

import data.policyguard.fixture

_fact_08_sending(classes, undeclared) := fixture.asking({"data": {"classes": classes, "undeclared": undeclared}})

test_fact_08_what_was_found_and_not_declared_is_named if {
	fixture.of("FACT-08", _fact_08_sending(["financial", "pii", "public"], ["financial", "pii"])) == {{
		"id": "FACT-08",
		"effect": "advise",
		"msg": "what is sent seems to hold financial and pii data, which was not declared: it is judged as if it had been",
		"facts": {"data.classes": ["financial", "pii", "public"], "data.undeclared": ["financial", "pii"]},
		"missing": [],
		"remedy": "",
	}}
}

test_fact_08_what_was_declared_is_no_difference if {
	fixture.effects("FACT-08", _fact_08_sending(["pii"], [])) == set()
}

test_fact_08_nobody_searched if {
	fixture.effects("FACT-08", _fact_08_sending(["pii"], null)) == set()
}
