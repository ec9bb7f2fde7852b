package policyguard.rules_test

import data.policyguard.fixture

test_proc_06_a_listed_operator_inside_what_is_delivered_is_denied if {
	some finding in fixture.of_in("PROC-06", _proc_02({"dod_contract": true, "dod_tier": "indirect"}), _proc_02_known)
	finding.effect == "deny"
	finding.msg == "Inspur Cloud, a party on the 1260H list, would run glm-5.2 at inference.baseten.co inside what is sold to the Department of Defense"
}

test_proc_06_a_contract_of_the_department_itself_is_another_rules if {
	fixture.of_in("PROC-06", _proc_02({"dod_contract": true, "dod_tier": "direct"}), _proc_02_known) == set()
}

test_proc_06_outside_such_contracts_it_says_nothing if {
	fixture.of_in("PROC-06", _proc_02({"dod_contract": false, "dod_tier": "indirect"}), _proc_02_known) == set()
}

test_proc_06_a_year_after_the_other_it_decides if {
	asked := object.union(_proc_02({"dod_contract": true, "dod_tier": "indirect"}), {"data": {"classes": ["none"]}})
	effects := [{finding.effect | some finding in decision.findings; finding.id == "PROC-06"} |
		some at in ["2027-06-29T23:59:59Z", "2027-06-30T00:00:00Z"]
		decision := fixture.decided_in(object.union(asked, {"at": at}), _proc_02_known)
	]
	effects == [{"advise"}, {"deny"}]
}
