package policyguard.rules_test

import data.policyguard.fixture

test_fact_04_an_undeclared_purpose_is_named if {
	fixture.of("FACT-04", fixture.asking({"purpose": null})) == {{
		"id": "FACT-04",
		"effect": "indeterminate",
		"msg": "it is not known what this call is for: no purpose is declared",
		"facts": {},
		"missing": ["purpose"],
		"remedy": "declare the purpose, as inference or distil",
	}}
}

test_fact_04_a_declared_purpose_is_no_finding if {
	fixture.of("FACT-04", fixture.call) == set()
}
