package policyguard.rules_test

import data.policyguard.fixture

# The host in the United States, run by a party on the list.
_proc_02_known := fixture.catalog_with("deployments", "glm-5.2@us", {"operator": "inspur-cloud"})

_proc_02(context) := fixture.asking_at("glm-5.2@us", {"context": context})

test_proc_02_a_listed_operator_under_a_contract_of_the_department_is_denied if {
	fixture.of_in("PROC-02", _proc_02({"dod_contract": true, "dod_tier": "direct"}), _proc_02_known) == {{
		"id": "PROC-02",
		"effect": "deny",
		"msg": "the Department of Defense would contract with Inspur Cloud, a party on the 1260H list, for glm-5.2 at inference.baseten.co",
		"facts": {
			"context.dod_contract": true,
			"context.dod_tier": "direct",
			"deployment": "glm-5.2@us",
			"deployment.operator": "inspur-cloud",
			"lists.dod-1260h.as_of": "2026-06-08",
		},
		"missing": [],
		"remedy": "an operator and a cloud that are not on the list",
	}}
}

test_proc_02_elsewhere_the_list_is_told_and_bars_nothing if {
	every tier in ["direct", "indirect", null] {
		fixture.effects_in("PROC-02", _proc_02({"dod_contract": false, "dod_tier": tier}), _proc_02_known) == {"advise"}
	}
}

test_proc_02_inside_what_a_contractor_delivers_it_is_another_rules if {
	fixture.effects_in("PROC-02", _proc_02({"dod_contract": true, "dod_tier": "indirect"}), _proc_02_known) == set()
}

test_proc_02_a_party_that_is_not_listed_is_no_finding if {
	fixture.of("PROC-02", _proc_02({"dod_contract": true, "dod_tier": "direct"})) == set()
}

test_proc_02_the_list_has_gaps if {
	asked := fixture.asking_at("glm-5.2@open.bigmodel.cn", {"context": {"dod_contract": true, "dod_tier": "direct"}})
	fixture.of("PROC-02", asked) == set()
	fixture.effects("PROC-01", asked) == {"deny"}
}

test_proc_02_the_cloud_under_a_host_counts if {
	known := fixture.catalog_with("deployments", "glm-5.2@us", {"host_cloud": "inspur-cloud"})
	fixture.effects_in("PROC-02", _proc_02({"dod_contract": true, "dod_tier": "direct"}), known) == {"deny"}
}

test_proc_02_what_is_not_declared_is_named if {
	fixture.missing_in("PROC-02", _proc_02({"dod_contract": null}), _proc_02_known) == {"context.dod_contract", "context.dod_tier"}
	fixture.missing_in("PROC-02", _proc_02({"dod_contract": true}), _proc_02_known) == {"context.dod_tier"}
}

test_proc_02_before_its_day_it_advises if {
	asked := object.union(_proc_02({"dod_contract": true, "dod_tier": "direct"}), {"data": {"classes": ["none"]}})
	effects := [{finding.effect | some finding in decision.findings; finding.id == "PROC-02"} |
		some at in ["2026-06-29T23:59:59Z", "2026-06-30T00:00:00Z"]
		decision := fixture.decided_in(object.union(asked, {"at": at}), _proc_02_known)
	]
	effects == [{"advise"}, {"deny"}]
}
