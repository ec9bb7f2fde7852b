package policyguard.rules_test

import data.policyguard.fixture

_dora_01(paper, patch) := fixture.asking(object.union(
	{"tenant": {"sectors": ["financial_eu"], "contracts": [fixture.papers("scaleway", paper)]}},
	patch,
))

test_dora_01_a_contract_that_names_no_place_is_denied if {
	fixture.of("DORA-01", _dora_01({"dora_clause": false}, {})) == {{
		"id": "DORA-01",
		"effect": "deny",
		"msg": "the contract with who runs glm-5.2 at api.scaleway.ai does not say where the service is given and data is kept",
		"facts": {
			"contract.dora_clause": false,
			"deployment": "glm-5.2@api.scaleway.ai",
			"deployment.operator": "scaleway",
			"exporter.establishment": "DE",
			"tenant.sectors": ["financial_eu"],
		},
		"missing": [],
		"remedy": "a contract with the clause of Article 30(2)(b), or an operator with which there is one",
	}}
}

test_dora_01_a_contract_that_does_belongs_into_the_register if {
	some finding in fixture.of("DORA-01", _dora_01({"dora_clause": true}, {}))
	finding.effect == "oblige"
	finding.obligation == {"type": "record_keeping", "properties": {"article": "DORA Art. 28(3)"}}
}

test_dora_01_it_is_no_duty_to_stay_anywhere if {
	asked := fixture.asking_at("glm-5.2@us", {"tenant": {
		"sectors": ["financial_eu"],
		"contracts": [fixture.papers("baseten", {"dora_clause": true})],
	}})
	fixture.effects("DORA-01", asked) == {"oblige"}
}

test_dora_01_others_are_not_bound if {
	every patch in [
		{"tenant": {"sectors": []}},
		{"data": {"classes": ["public"]}},
		{"data": {"classes": null}},
		{"exporter": {"establishment": "US"}},
		{"tenant": {"sectors": [], "contracts": null}},
		{"tenant": {"sectors": []}, "exporter": {"establishment": null}},
	] {
		every clause in [true, false, null] {
			fixture.of("DORA-01", _dora_01({"dora_clause": clause}, patch)) == set()
		}
	}
}

test_dora_01_what_is_not_known_is_named if {
	fixture.missing("DORA-01", _dora_01({"dora_clause": null}, {})) == {"contract.dora_clause"}
	fixture.missing("DORA-01", _dora_01({}, {"tenant": {"contracts": null}})) == {"tenant.contracts"}
	fixture.missing("DORA-01", _dora_01({"dora_clause": false}, {"tenant": {"sectors": null}})) == {"tenant.sectors"}
	nowhere := {"exporter": {"establishment": null}}
	fixture.missing("DORA-01", _dora_01({"dora_clause": false}, nowhere)) == {"exporter.establishment"}
	fixture.effects("DORA-01", _dora_01({"dora_clause": false}, nowhere)) == {"indeterminate"}
	fixture.of("DORA-01", _dora_01({"dora_clause": true}, nowhere)) == set()
	fixture.of("DORA-01", _dora_01({"dora_clause": true}, {"tenant": {"sectors": null}})) == set()
}

test_dora_01_every_contract_of_the_route_is_looked_at if {
	effects := {true: "oblige", false: "deny", null: "indeterminate"}
	every one, _ in effects {
		every other, _ in effects {
			fixture.effects("DORA-01", _dora_01({}, {
				"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@us"],
				"tenant": {"contracts": [fixture.papers("scaleway", {"dora_clause": one}), fixture.papers("baseten", {"dora_clause": other})]},
			})) == {effects[one], effects[other]}
		}
	}
}
