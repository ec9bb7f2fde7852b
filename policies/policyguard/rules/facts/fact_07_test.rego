package policyguard.rules_test

import data.policyguard.fixture

_fact_07_window(since, until) := fixture.catalog_with("lists", "ofac-sdn", {"potential": {"namesake": [{
	"names": ["NAMESAKE"],
	"owner": null,
	"scope": null,
	"policy": null,
	"since": since,
	"until": until,
	"verified": false,
	"source": "entry 7",
}]}})

_fact_07_in(known) := fixture.effects_in("FACT-07", fixture.asking_at("glm-5.2@namesake", {}), known)

test_fact_07_a_name_on_a_list_needs_a_person if {
	fixture.of("FACT-07", fixture.asking_at("glm-5.2@namesake", {})) == {{
		"id": "FACT-07",
		"effect": "require_approval",
		"msg": "Namesake has the name of a party on ofac-sdn (NAMESAKE), and nobody has said whether it is that party",
		"facts": {
			"deployment": "glm-5.2@namesake",
			"party": "namesake",
			"list": "ofac-sdn",
			"lists.as_of": "2026-06-18",
		},
		"missing": [],
		"remedy": "a person's word in an overlay of the list: the match confirmed, or cleared with what shows it",
	}}
}

test_fact_07_a_match_that_was_cleared_or_confirmed_is_none if {
	_fact_07_in(fixture.catalog_with("lists", "ofac-sdn", {"potential": {"namesake": []}})) == set()
}

# 2026-07-10T12:00:00Z, and the second after.
test_fact_07_a_match_holds_from_its_first_second_until_its_last if {
	_fact_07_in(_fact_07_window(1783684800, null)) == {"require_approval"}
	_fact_07_in(_fact_07_window(1783684801, null)) == set()
	_fact_07_in(_fact_07_window(null, 1783684800)) == set()
	_fact_07_in(_fact_07_window(null, 1783684801)) == {"require_approval"}
}

test_fact_07_every_hop_is_looked_at if {
	asked := fixture.asking_at("glm-5.2@api.scaleway.ai", {"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@namesake"]})
	fixture.effects("FACT-07", asked) == {"require_approval"}
	fixture.effects("FACT-07", fixture.call) == set()
}

_fact_07_acting(patch) := {"caller": {"organisation": object.union(fixture.ours, object.union(
	{"name": "Namesake Trading", "name_key": "namesake trading"},
	patch,
))}}

test_fact_07_the_name_of_whom_the_caller_acts_for_needs_a_person if {
	some finding in fixture.of("FACT-07", fixture.asking(_fact_07_acting({"listed": ["bis-entity-list"]})))
	finding == {
		"id": "FACT-07",
		"effect": "require_approval",
		"msg": "Namesake Trading, whom the caller acts for, has the name of a party on ofac-sdn (NAMESAKE TRADING LLC; Trading Namesake), and nobody has said whether it is that party",
		"facts": {
			"caller.organisation.name": "Namesake Trading",
			"list": "ofac-sdn",
			"list.entries": ["7"],
			"list.names": ["NAMESAKE TRADING LLC", "Trading Namesake"],
			"lists.as_of": "2026-06-18",
		},
		"missing": [],
		"remedy": "a person's word: the list among those that name it (listed), or a clearance in an overlay of the list with name, country and what shows it",
	}
}

test_fact_07_the_name_of_an_owner_needs_a_person if {
	owner := object.union(data.policyguard.sample.blank_owner, {"name": "Trading Namesake", "name_key": "namesake trading", "listed": [], "share_bp": 100})
	found := fixture.of("FACT-07", fixture.asking(_fact_07_acting({"name": "Other", "name_key": "other", "owners": [owner]})))
	{finding.effect | some finding in found} == {"require_approval"}
	every finding in found {
		startswith(finding.msg, "Trading Namesake, an owner of whom the caller acts for, has the name of a party on ")
	}
}

test_fact_07_the_name_of_an_operators_owner_needs_a_person if {
	known := fixture.catalog_with("lists", "ofac-sdn", {"potential": {"scaleway": [{
		"names": ["NAMESAKE"],
		"owner": "Namesake Holding",
		"scope": null,
		"policy": null,
		"covers": null,
		"since": null,
		"until": null,
		"verified": false,
		"source": "entry 7",
	}]}})
	some finding in fixture.of_in("FACT-07", fixture.call, known)
	startswith(finding.msg, "Namesake Holding, an owner of Scaleway, has the name of a party on ofac-sdn (NAMESAKE)")
}

test_fact_07_a_name_that_was_not_compared_is_unknown if {
	bare := object.remove(fixture.ours, ["name_key"])
	asked := object.union(object.remove(fixture.call, ["tenant", "caller"]), {
		"caller": object.union(fixture.call.caller, {"organisation": bare}),
		"tenant": object.union(object.remove(fixture.call.tenant, ["organisation"]), {"organisation": null}),
	})
	fixture.missing("FACT-07", asked) == {"caller.organisation.name"}
	fixture.missing("FACT-07", fixture.call) == set()
}
