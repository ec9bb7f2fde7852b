package policyguard.rules_test

import data.policyguard.fixture

_fact_07_window(since, until) := fixture.catalog_with("lists", "ofac-sdn", {"potential": {"namesake": [{
	"names": ["NAMESAKE"],
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
