package policyguard.facts_test

import data.policyguard.fixture

_not_whole(asked) := parts if {
	views := fixture.compiled(data.policyguard.sample.catalog, asked)
	parts := data.policyguard.facts.not_whole with input as asked with data.catalog as views
}

# Of a contract that is on file, with some of its facts left out.
_leaving_out(fields) := fixture.asking({"tenant": {"contracts": [object.remove(fixture.papers("scaleway", {}), fields)]}})

_no_answer := {"verdict": "deny", "findings": [], "obligations": [], "advice": [], "replaced": []}

test_an_ordinary_question_is_whole if {
	_not_whole(fixture.call) == set()
}

test_a_question_without_a_route_is_not_whole if {
	fixture.decided(object.union(fixture.call, {"route": {}})) == _no_answer
}

test_a_part_that_is_not_whole_is_named if {
	one := object.union(fixture.call.context, {"dod_contract": 1})
	_not_whole(object.union(fixture.call, {"context": one})) == {"asked, context, exporter, model, route"}
	_not_whole(fixture.asking({"purpose": {"kind": "joking"}})) == {"purpose"}
	_not_whole(fixture.asking({"caller": {"location": 1}})) == {"caller"}
	_not_whole(fixture.asking({"caller": {"organisation": {"name": "Other"}}})) == {"caller.organisation, tenant.organisation"}
	_not_whole(fixture.asking({"data": {"classes": {}}})) == {"data, rolling"}
	_not_whole(fixture.asking({"data": {"classes": []}})) == {"data, rolling"}
	_not_whole(fixture.asking({"tenant": {"profile": "lenient"}})) == {"tenant"}
	_not_whole(fixture.asking({"tenant": {"contracts": ["scaleway"]}})) == {"tenant.contracts"}
	_not_whole(fixture.asking({"tenant": {"licences": [{"id": "L-1"}]}})) == {"tenant.licences"}
}

test_a_question_that_is_not_whole_is_denied_before_any_rule_is_asked if {
	fixture.decided(fixture.asking({"data": {"classes": ["no such class"]}})) == _no_answer
}

test_what_a_contract_leaves_out_is_unknown_and_the_hop_stays if {
	asked := _leaving_out(["retention_days", "local_tools"])
	[hop] := _view(asked).hops
	hop.contract.retention_days == null
	hop.contract.local_tools == {"uk": null, "swiss": null, "china": null, "saudi": null}
	hop.contract.dpa == true
	fixture.decided(asked) == fixture.decided(fixture.asking({"tenant": {"contracts": [fixture.papers("scaleway", {"retention_days": null})]}}))
}

test_what_a_certification_leaves_out_is_unknown if {
	asked := fixture.asking({"tenant": {"contracts": [fixture.papers("scaleway", {"dpf": {"active": true}})]}})
	[hop] := _view(asked).hops
	hop.contract.dpf == {"active": true, "hr_data": null, "uk_extension": null, "swiss": null, "as_of": null}
	_not_whole(asked) == set()
}

test_an_owner_of_whom_it_is_not_said_since_when_is_one if {
	owner := {"name": "B", "country": "CN", "listed": [], "share_bp": 6000}
	given := object.union(fixture.ours, {"owners": [owner]})
	_view(fixture.asking({"tenant": {"organisation": given}})).caller.organisation.owners == [owner]
}

test_a_question_that_declares_nothing_is_whole if {
	_not_whole(fixture.asking({"caller": null, "purpose": null, "tenant": {"contracts": null, "organisation": null}})) == set()
}

test_a_question_with_one_of_everything_is_whole if {
	owner := {"name": "B", "country": "DE", "listed": ["bis-meu"], "share_bp": 6000, "since": null, "until": null}
	licence := fixture.licence({"id": "L-1", "authority": "BIS", "expires": "2030-01-01T00:00:00Z", "models": ["glm-5.2"]})
	asked := fixture.asking({
		"tenant": {
			"residency_allowed": ["FR", "DE"],
			"licences": [licence],
			"organisation": object.union(fixture.ours, {"owners": [owner]}),
		},
		"rolling": {
			"us_twelve_months": [{"counterparty": "scaleway", "counts": fixture.call.data.counts}],
			"china_since_january": {"persons": 1, "sensitive": null},
		},
	})
	_not_whole(asked) == set()
	of_another := object.union(asked, {"caller": object.union(asked.caller, {"organisation": asked.tenant.organisation})})
	_not_whole(of_another) == set()
}
