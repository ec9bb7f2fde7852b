package policyguard.rules_test

import data.policyguard.fixture

_hipaa_01(paper, patch) := fixture.asking_at("glm-5.2@us", object.union(
	{
		"exporter": {"establishment": "US"},
		"data": {"classes": ["health"], "subjects": ["US"]},
		"tenant": {"sectors": ["hipaa"], "contracts": [fixture.papers("baseten", paper)]},
	},
	patch,
))

test_hipaa_01_without_a_business_associate_agreement_it_is_denied if {
	fixture.of("HIPAA-01", _hipaa_01({"baa": false}, {})) == {{
		"id": "HIPAA-01",
		"effect": "deny",
		"msg": "glm-5.2 at inference.baseten.co would receive health information, and no business associate agreement is signed with who runs it",
		"facts": {
			"contract.baa": false,
			"data.classes": ["health"],
			"deployment": "glm-5.2@us",
			"deployment.operator": "baseten",
			"tenant.sectors": ["hipaa"],
		},
		"missing": [],
		"remedy": "a signed business associate agreement, or an operator with which there is one",
	}}
	fixture.effects("HIPAA-01", _hipaa_01({}, {"tenant": {"contracts": []}})) == {"deny"}
}

test_hipaa_01_with_one_it_is_no_finding_wherever_it_runs if {
	every country in ["US", "FR", "IN"] {
		fixture.of_in("HIPAA-01", _hipaa_01({"baa": true}, {}), _uk_01_moved(country)) == set()
	}
}

test_hipaa_01_our_own_premises_need_none if {
	asked := object.union(_hipaa_01({"baa": false}, {}), fixture.to("glm-5.2@fra-1"))
	fixture.of("HIPAA-01", asked) == set()
}

test_hipaa_01_others_are_not_bound if {
	every patch in [
		{"tenant": {"sectors": []}},
		{"data": {"classes": ["pii"]}},
		{"data": {"anonymous_evidence": "expert determination 12"}},
		{"exporter": {"establishment": "DE"}, "data": {"subjects": ["DE"]}},
		{"tenant": {"sectors": [], "contracts": null}},
	] {
		every agreement in [false, null] {
			fixture.of("HIPAA-01", _hipaa_01({"baa": agreement}, patch)) == set()
		}
	}
}

test_hipaa_01_it_follows_the_establishment_or_the_people if {
	every patch in [
		{"data": {"subjects": ["DE"]}},
		{"data": {"subjects": ["DE"]}, "exporter": {"establishment": null}},
		{"exporter": {"establishment": "DE"}},
	] {
		fixture.effects("HIPAA-01", _hipaa_01({"baa": false}, patch)) == {"deny"}
	}
}

test_hipaa_01_what_is_not_known_is_named if {
	fixture.missing("HIPAA-01", _hipaa_01({"baa": null}, {})) == {"contract.baa"}
	fixture.missing("HIPAA-01", _hipaa_01({}, {"tenant": {"contracts": null}})) == {"tenant.contracts"}
	every patch in [
		{},
		{"exporter": {"establishment": "DE"}},
		{"exporter": {"establishment": "DE"}, "data": {"subjects": null}},
	] {
		asked := _hipaa_01({"baa": false}, object.union(patch, {"tenant": {"sectors": null}}))
		fixture.missing("HIPAA-01", asked) == {"tenant.sectors"}
	}
}
