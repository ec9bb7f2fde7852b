package policyguard.rules_test

import data.policyguard.fixture

test_fact_05_undeclared_classes_are_named if {
	fixture.of("FACT-05", fixture.asking({"data": {"classes": null}})) == {{
		"id": "FACT-05",
		"effect": "indeterminate",
		"msg": "it is not known what is sent: no classes of data are declared",
		"facts": {},
		"missing": ["data.classes"],
		"remedy": "declare the classes of data, `none` if none of the list is in it",
	}}
}

test_fact_05_the_class_none_is_a_declaration if {
	fixture.of("FACT-05", fixture.asking({"data": {"classes": ["none"]}})) == set()
}

test_fact_05_a_body_that_could_not_be_read_is_unknown_whatever_is_declared if {
	fixture.missing("FACT-05", fixture.asking({"asked": {"opaque": true}})) == {"asked.body"}
}
