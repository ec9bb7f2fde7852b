package policyguard.rules_test

import data.policyguard.fixture

test_fact_03_a_missing_caller_is_named if {
	fixture.of("FACT-03", fixture.asking({"caller": null})) == {{
		"id": "FACT-03",
		"effect": "indeterminate",
		"msg": "it is not known who asks: no caller is declared for this call",
		"facts": {},
		"missing": ["caller"],
		"remedy": "declare the caller where the call is made",
	}}
}

test_fact_03_a_caller_of_whom_nothing_else_is_known_is_enough if {
	fixture.of("FACT-03", fixture.call) == set()
}
