package policyguard.rules_test

import data.policyguard.fixture

_ofac_01_us := {"exporter": {"establishment": "US"}}

# A call that nobody of the United States has to do with, but who sends it.
_ofac_01_from(caller) := fixture.asking(object.union(_ofac_01_us, {"caller": caller}))

_ofac_01_acting(organisation) := _ofac_01_from({"organisation": object.union(fixture.ours, organisation)})

_ofac_01_owned(owners) := _ofac_01_acting({"owners": [object.union(data.policyguard.sample.blank_owner, owner) | some owner in owners]})

test_ofac_01_a_caller_in_an_embargoed_country_is_denied if {
	fixture.of("OFAC-01", _ofac_01_from({"location": "IR"})) == {{
		"id": "OFAC-01",
		"effect": "deny",
		"msg": "the caller is in IR, a country under a comprehensive embargo",
		"facts": {
			"caller.location": "IR",
			"caller.subdivision": null,
			"caller.organisation.listed": [],
			"caller.person_status": null,
			"exporter.establishment": "US",
			"lists.ofac-embargoed.as_of": "2026-06-18",
			"lists.ofac-sdn.as_of": "2026-06-18",
		},
		"missing": [],
		"remedy": "a licence of OFAC, general or specific, that names the country",
	}}
}

test_ofac_01_without_a_tie_nobody_has_to_be_screened if {
	fixture.of("OFAC-01", fixture.asking({"tenant": {"organisation": {"listed": null}}})) == set()
}

test_ofac_01_an_unknown_tie_is_asked_for_where_a_region_or_a_part_is_met if {
	every region in ["UA-43", "UA-14"] {
		asked := fixture.asking({"caller": {"location": "UA", "subdivision": region}, "exporter": {"establishment": null}})
		fixture.effects("OFAC-01", asked) == {"indeterminate"}
	}
}

test_ofac_01_whom_it_would_serve_is_named_where_the_tie_is_not_known if {
	unknown := {"exporter": {"establishment": null}}
	every told in [
		["an embargoed place", fixture.asking(object.union(unknown, {"caller": {"location": "IR"}}))],
		["a blocked person", fixture.asking(object.union(unknown, {"caller": {"organisation": object.union(fixture.ours, {"listed": ["ofac-sdn"]})}}))],
		["a blocked operator", fixture.asking_at("glm-5.2@blocked", unknown)],
	] {
		some finding in fixture.of("OFAC-01", told[1])
		contains(finding.msg, sprintf("this service meets %s,", [told[0]]))
	}
	another := fixture.licence({"authority": "OFAC", "operators": ["scaleway"]})
	asked := fixture.asking_at("glm-5.2@blocked", object.union(unknown, {"tenant": {"licences": [another]}}))
	fixture.effects("OFAC-01", asked) == {"indeterminate"}
}

test_ofac_01_a_licence_answers_before_the_tie_is_asked_for if {
	place := fixture.licence({"authority": "OFAC", "countries": ["IR"]})
	unknown := {"exporter": {"establishment": null}}
	fixture.of("OFAC-01", fixture.asking(object.union(unknown, {"caller": {"location": "IR"}, "tenant": {"licences": [place]}}))) == set()
	operator := fixture.licence({"authority": "OFAC", "operators": [data.policyguard.sample.catalog.deployments["glm-5.2@blocked"].operator]})
	fixture.of("OFAC-01", fixture.asking_at("glm-5.2@blocked", object.union(unknown, {"tenant": {"licences": [operator]}}))) == set()
}

_ofac_01_claiming(claim, caller) := fixture.effects("OFAC-01", object.union(_ofac_01_from(caller), {"data": {"ofac_exemption": claim}}))

test_ofac_01_an_exemption_that_is_claimed_is_a_persons_to_confirm if {
	every claim in ["personal_communications", "travel"] {
		_ofac_01_claiming(claim, {"location": "IR"}) == {"require_approval"}
		_ofac_01_claiming(claim, {"location": "KP"}) == {"require_approval"}
		_ofac_01_claiming(claim, {"location": "UA", "subdivision": "UA-43"}) == {"require_approval"}
		_ofac_01_claiming(claim, {"location": "UA", "subdivision": "UA-14"}) == {"require_approval"}
		_ofac_01_claiming(claim, {"location": "FR"}) == set()
	}
	asked := object.union(_ofac_01_from({"location": "IR"}), {"data": {"ofac_exemption": "travel"}})
	[[finding.msg, finding.facts["data.ofac_exemption"]] | some finding in fixture.of("OFAC-01", asked)] == [["the caller is in IR, a country under a comprehensive embargo; the exemption that is claimed has to be confirmed by a person", "travel"]]
}

test_ofac_01_an_answer_is_no_information_that_exists_already if {
	_ofac_01_claiming("information", {"location": "IR"}) == {"deny"}
	_ofac_01_claiming("information", {"location": "UA", "subdivision": "UA-14"}) == {"require_approval"}
	asked := object.union(_ofac_01_from({"location": "IR"}), {"data": {"ofac_exemption": "information"}})
	[finding.msg | some finding in fixture.of("OFAC-01", asked)] == ["the caller is in IR, a country under a comprehensive embargo; what is claimed exempts no call to a model from there"]
}

# Of two places that do not fit the embargoed one counts, for what is exempt as well.
test_ofac_01_the_act_on_cuba_exempts_neither_talk_nor_travel if {
	every claim in ["personal_communications", "information", "travel"] {
		_ofac_01_claiming(claim, {"location": "CU"}) == {"deny"}
		_ofac_01_claiming(claim, {"location": null, "subdivision": "CU-03"}) == {"deny"}
		_ofac_01_claiming(claim, {"location": "CU", "subdivision": "FR-IDF"}) == {"deny"}
	}
}

test_ofac_01_without_a_tie_a_claim_is_no_more_than_advice if {
	every claim in ["personal_communications", "information"] {
		asked := fixture.asking({"caller": {"location": "IR"}, "data": {"ofac_exemption": claim}})
		fixture.effects("OFAC-01", asked) == {"advise"}
	}
}

# What is exempt is a place: with whom a blocked person deals is another question.
test_ofac_01_no_claim_clears_a_blocked_person if {
	asked := object.union(_ofac_01_acting({"listed": ["ofac-sdn"]}), {"data": {"ofac_exemption": "personal_communications"}})
	fixture.effects("OFAC-01", asked) == {"deny"}
	operator := object.union(fixture.asking_at("glm-5.2@blocked", _ofac_01_us), {"data": {"classes": ["pii"], "subjects": ["DE"], "ofac_exemption": "travel"}})
	fixture.effects("OFAC-01", operator) == {"deny"}
}

# A place, not a passport: an Iranian in Paris is served, a Frenchman in Tehran is not.
test_ofac_01_where_the_caller_is_decides_and_no_citizenship if {
	fixture.of("OFAC-01", _ofac_01_from({"location": "FR", "citizenships": ["IR"], "person_status": "foreign"})) == set()
	fixture.effects("OFAC-01", _ofac_01_from({"location": "IR", "citizenships": ["FR"]})) == {"deny"}
}

test_ofac_01_regions_count_where_the_country_does_not if {
	[fixture.effects("OFAC-01", _ofac_01_from({"location": "UA", "subdivision": region})) |
		some region in ["UA-43", "UA-40", "UA-14", "UA-09", "UA-30"]
	] == [{"deny"}, {"deny"}, {"require_approval"}, {"require_approval"}, set()]
	fixture.missing("OFAC-01", _ofac_01_from({"location": "UA"})) == {"caller.subdivision"}
	some finding in fixture.of("OFAC-01", _ofac_01_from({"location": "UA", "subdivision": "UA-14"}))
	finding.msg == "the caller is in UA-14, of which a part is under a comprehensive embargo"
}

test_ofac_01_a_programme_that_ended_bars_nobody if {
	[fixture.effects("OFAC-01", object.union(_ofac_01_from({"location": "SY"}), {"at": at})) |
		some at in ["2025-06-29T23:59:59Z", "2025-06-30T00:00:00Z"]
	] == [{"deny"}, set()]
}

test_ofac_01_an_operator_of_the_united_states_is_a_tie if {
	iran := {"caller": {"location": "IR"}}
	fixture.effects("OFAC-01", fixture.asking_at("glm-5.2@us", iran)) == {"deny"}

	# Without one the rule only says what it saw: other law may bar it.
	fixture.effects("OFAC-01", fixture.asking(iran)) == {"advise"}
	fixture.effects("OFAC-01", fixture.asking({"caller": {"location": "UA", "subdivision": "UA-14"}})) == {"advise"}
}

test_ofac_01_an_unknown_place_is_named_where_there_is_a_tie if {
	fixture.missing("OFAC-01", _ofac_01_from({"location": null})) == {"caller.location"}
	fixture.of("OFAC-01", fixture.asking({"caller": {"location": null}})) == set()
}

test_ofac_01_an_unknown_exporter_is_named_where_something_is_barred if {
	every patch in [
		{"caller": {"location": "IR"}},
		{"tenant": {"organisation": {"listed": ["ofac-sdn"]}}},
		fixture.to("glm-5.2@blocked"),
	] {
		asked := object.union(fixture.asking(patch), {"exporter": {"establishment": null}})
		fixture.effects("OFAC-01", asked) == {"indeterminate"}
		fixture.missing("OFAC-01", asked) == {"exporter.establishment"}
	}
	fixture.of("OFAC-01", fixture.asking({"exporter": {"establishment": null}})) == set()
}

# To know neither of two things is no better than to know one of them.
test_ofac_01_an_unknown_tie_is_asked_for_beside_what_else_is_unknown if {
	unknown := {"exporter": {"establishment": null}}
	fixture.missing("OFAC-01", object.union(fixture.asking(unknown), {"caller": {"location": null}})) == {"caller.location", "exporter.establishment"}
	fixture.missing("OFAC-01", object.union(fixture.asking(unknown), {"caller": {"location": "UA"}})) == {"caller.subdivision", "exporter.establishment"}
	fixture.missing("OFAC-01", object.union(fixture.asking(unknown), {"tenant": {"organisation": {"listed": null}}})) == {"caller.organisation.listed", "exporter.establishment"}
	fixture.missing("OFAC-01", object.union(fixture.asking_at("glm-5.2@api.z.ai", {}), unknown)) == {"deployment.operator.owners", "exporter.establishment"}
}

# That nothing is known of a call is no clearance: one fact, where it is made for, is
# enough where that is no tie.
test_ofac_01_a_call_of_which_neither_side_is_known_is_asked_for_both if {
	served := object.union(fixture.asking({}), {"caller": {"location": null}, "tenant": {"organisation": null}})
	nothing := object.union(served, {"exporter": {"establishment": null}})
	fixture.missing("OFAC-01", nothing) == {"caller.location", "caller.organisation.listed", "caller.organisation.owners", "exporter.establishment"}
	fixture.of("OFAC-01", object.union(served, {"exporter": {"establishment": "DE"}})) == set()
	fixture.effects("OFAC-01", object.union(nothing, fixture.to("glm-5.2@blocked"))) == {"indeterminate"}
	fixture.missing("OFAC-01", object.union(nothing, {"caller": {"subdivision": "UA-30"}})) == {"caller.organisation.listed", "caller.organisation.owners", "exporter.establishment"}
}

# An operator of which nobody knows whose it is may be of the United States.
test_ofac_01_an_operator_without_a_country_is_no_operator_without_a_tie if {
	iran := {"caller": {"location": "IR"}}
	anonymous := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"operator": null, "host_cloud": null})
	fixture.missing_in("OFAC-01", fixture.asking(iran), anonymous) == {"deployment.operator"}
	fixture.effects_in("OFAC-01", fixture.asking(iran), anonymous) == {"indeterminate"}
	stateless := fixture.catalog_with("operators", "scaleway", {"country": null})
	fixture.missing_in("OFAC-01", fixture.asking(iran), stateless) == {"deployment.host_cloud.country", "deployment.operator.country"}
	cloud := object.union(stateless, {"deployments": {"glm-5.2@api.scaleway.ai": {"operator": "acme"}}})
	fixture.missing_in("OFAC-01", fixture.asking(iran), cloud) == {"deployment.host_cloud.country"}

	# On our own machines the operator is who exports, and that is known.
	ours := object.union(stateless, {"deployments": {"glm-5.2@api.scaleway.ai": {"mode": "self_hosted", "host_cloud": null}}})
	fixture.effects_in("OFAC-01", fixture.asking(iran), ours) == {"advise"}
	nobodys := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"mode": "self_hosted", "operator": null, "host_cloud": null})
	fixture.effects_in("OFAC-01", fixture.asking(iran), nobodys) == {"advise"}
}

test_ofac_01_a_blocked_organisation_is_denied if {
	some finding in fixture.of("OFAC-01", _ofac_01_acting({"listed": ["ofac-sdn"]}))
	[finding.effect, finding.msg] == ["deny", "the caller acts for ACME, a party on the SDN List"]

	# Another list is no sanction.
	fixture.of("OFAC-01", _ofac_01_acting({"listed": ["bis-entity-list", "dod-1260h"]})) == set()
}

test_ofac_01_blocked_owners_count_from_half_and_add_up if {
	[fixture.effects("OFAC-01", _ofac_01_owned(owners)) |
		some owners in [
			[{"listed": ["ofac-sdn"], "share_bp": 4999}],
			[{"listed": ["ofac-sdn"], "share_bp": 5000}],
			[{"listed": ["ofac-sdn"], "share_bp": 2500}, {"name": "B", "listed": ["ofac-sdn"], "share_bp": 2500}],
			[{"listed": ["ofac-sdn"], "share_bp": 2500}, {"name": "B", "listed": [], "share_bp": 7500}],
		]
	] == [set(), {"deny"}, {"deny"}, set()]
}

test_ofac_01_what_was_not_screened_is_named if {
	fixture.missing("OFAC-01", _ofac_01_acting({"listed": null})) == {"caller.organisation.listed"}
	fixture.missing("OFAC-01", _ofac_01_acting({"owners": null})) == {"caller.organisation.owners"}
	fixture.missing("OFAC-01", _ofac_01_owned([{"share_bp": 5000}])) == {"caller.organisation.owners"}
	fixture.missing("OFAC-01", _ofac_01_owned([{"listed": ["ofac-sdn"]}])) == {"caller.organisation.owners"}
	fixture.of("OFAC-01", _ofac_01_owned([{"share_bp": 4999}])) == set()
	unknown := fixture.asking(object.union(_ofac_01_us, {"tenant": {"organisation": null}}))
	fixture.missing("OFAC-01", unknown) == {"caller.organisation.listed", "caller.organisation.owners"}
}

_ofac_01_dealing(patch) := fixture.of_in("OFAC-01", fixture.asking_at("glm-5.2@api.z.ai", _ofac_01_us), fixture.catalog_with("operators", "jingsheng-hengxing", patch))

_ofac_01_share(listed, share_bp) := {
	"owner": "somebody",
	"party": null,
	"country": null,
	"listed": listed,
	"share_bp": share_bp,
	"since": null,
	"until": null,
	"source": null,
	"verified": true,
}

test_ofac_01_a_blocked_operator_is_denied if {
	some finding in fixture.of("OFAC-01", fixture.asking_at("glm-5.2@blocked", _ofac_01_us))
	[finding.effect, finding.msg] == ["deny", "glm-5.2 at blocked.example would deal with Blocked Host, a party on the SDN List"]
	finding.facts["deployment.operator"] == "blocked-host"
	fixture.effects("OFAC-01", fixture.asking_at("glm-5.2@blocked", {})) == {"advise"}
}

test_ofac_01_an_operator_that_blocked_persons_own_by_half_is_blocked if {
	[{finding.effect | some finding in _ofac_01_dealing({"owners": owners})} |
		some owners in [
			[_ofac_01_share(["ofac-sdn"], 4999)],
			[_ofac_01_share(["ofac-sdn"], 5000)],
			[_ofac_01_share(["bis-entity-list"], 10000)],
		]
	] == [set(), {"deny"}, set()]
	some finding in _ofac_01_dealing({"owners": [_ofac_01_share(["ofac-sdn"], 5000)]})
	contains(finding.msg, "of which blocked persons (somebody) own 50 %")
}

# The rule of BIS was suspended for a year, this one never was.
test_ofac_01_its_rule_on_ownership_was_never_suspended if {
	asked := object.union(fixture.asking_at("glm-5.2@api.z.ai", _ofac_01_us), {"at": "2026-10-01T12:00:00Z"})
	known := fixture.catalog_with("operators", "jingsheng-hengxing", {"owners": [_ofac_01_share(["ofac-sdn"], 5000)]})
	[[finding.effect, finding.status] |
		some finding in fixture.decided_in(asked, known).findings
		finding.id == "OFAC-01"
	] == [["deny", "in_force"]]
}

test_ofac_01_unknown_owners_of_an_operator_are_named if {
	{name | some finding in _ofac_01_dealing({}); some name in finding.missing} == {"deployment.operator.owners"}
	_ofac_01_dealing({"control_country": "SG"}) == set()
}

test_ofac_01_a_company_of_an_embargoed_country_is_denied if {
	some finding in _ofac_01_dealing({"country": "IR", "control_country": "IR"})
	finding.effect == "deny"
	contains(finding.msg, "a company of a country under a comprehensive embargo")
}

test_ofac_01_a_licence_clears_the_place_or_the_operator_that_it_names if {
	every caller in [{"location": "IR"}, {"location": null, "subdivision": "IR-07"}] {
		licensed := {"tenant": {"licences": [fixture.licence({"id": "GL D-2", "authority": "OFAC", "countries": ["IR"]})]}}
		fixture.of("OFAC-01", object.union(_ofac_01_from(caller), licensed)) == set()
	}
	[fixture.effects("OFAC-01", object.union(fixture.asking_at("glm-5.2@blocked", _ofac_01_us), {"tenant": {"licences": [fixture.licence(scope)]}})) |
		some scope in [
			{"authority": "OFAC", "operators": ["blocked-host"]},
			{"authority": "BIS", "operators": ["blocked-host"]},
		]
	] == [set(), {"deny"}]
}
