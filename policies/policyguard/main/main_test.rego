package policyguard.main_test

import data.policyguard.fixture

_g04 := {
	"at": "2026-07-10T12:00:00Z",
	"caller": {"person_status": "us_citizen"},
	"exporter": {"establishment": "US"},
	"data": {
		"classes": ["source_code"],
		"subjects": null,
		"ear": {"classification": "EAR99", "us_origin": true},
		"itar": false,
	},
}

_plain := {"data": {"classes": ["none"], "subjects": null}}

_fable(at, status) := fixture.answer(fixture.asking_at("claude-fable-5@api.anthropic.com", object.union(
	_plain,
	{"at": at, "caller": {"person_status": status}},
)))

test_g01_tickets_of_people_in_the_eu_to_the_endpoint_in_china if {
	papers := {"tenant": {"contracts": [fixture.papers("zhipu-bigmodel", {})]}}
	fixture.answer(fixture.asking_at("glm-5.2@open.bigmodel.cn", papers)) == {
		"verdict": "deny",
		"rules": {"GDPR-01": "deny"},
	}
}

test_g02_singapore_with_a_processing_agreement_only if {
	papers := {"tenant": {"contracts": [fixture.papers("jingsheng-hengxing", {})]}}
	fixture.answer(fixture.asking_at("glm-5.2@api.z.ai", papers)) == {
		"verdict": "deny",
		"rules": {"GDPR-01": "deny"},
	}
}

test_g03_the_same_model_on_our_own_host_in_frankfurt if {
	decision := fixture.decided(fixture.asking_at("glm-5.2@fra-1", {}))
	decision.verdict == "allow"
	decision.obligations == [{
		"id": "GDPR-01",
		"type": "record_processing",
		"properties": {"article": "GDPR Art. 30"},
	}]
	decision.advice == [{
		"id": "PROV-02",
		"msg": "who hosts glm-5.2 keeps to what its licence (MIT) asks: keep the MIT notice",
	}]
}

test_g03_the_same_model_on_a_host_in_the_eu if {
	fixture.answer(fixture.call) == {"verdict": "allow", "rules": {"GDPR-01": "oblige"}}
}

test_g04_unpublished_code_to_the_listed_operator if {
	fixture.answer(fixture.asking_at("glm-5.2@open.bigmodel.cn", _g04)) == {
		"verdict": "deny",
		"rules": {"EAR-01": "deny"},
	}
}

test_g04_the_same_code_when_it_is_published if {
	published := {"data": {"ear": {"classification": "published", "evidence": "https://example.com/repository"}}}
	decision := fixture.decided(fixture.asking_at("glm-5.2@open.bigmodel.cn", object.union(_g04, published)))
	decision.verdict == "allow"
	[advice.id | some advice in decision.advice] == ["EAR-03"]
}

test_g10_a_french_citizen_before_during_and_after_the_letter if {
	_fable("2026-06-11T12:00:00Z", "foreign") == {"verdict": "allow", "rules": {}}
	_fable("2026-06-15T12:00:00Z", "foreign") == {
		"verdict": "deny",
		"rules": {"EAR-07": "deny", "VEND-01": "unavailable"},
	}
	_fable("2026-07-02T12:00:00Z", "foreign") == {"verdict": "allow", "rules": {}}
}

test_g11_who_is_no_foreign_person_finds_it_unavailable_and_not_denied if {
	every status in ["us_citizen", "us_lpr", "us_protected"] {
		_fable("2026-06-15T12:00:00Z", status) == {
			"verdict": "unavailable",
			"rules": {"VEND-01": "unavailable"},
		}
	}
}

test_g13a_a_global_profile_meets_no_residency_policy if {
	asked := fixture.asking_at("claude-fable-5@bedrock-global", {
		"at": "2026-10-01T12:00:00Z",
		"tenant": {
			"residency_allowed": ["DE", "FR", "IE"],
			"contracts": [fixture.papers("aws-bedrock", {})],
		},
	})
	fixture.answer(asked) == {"verdict": "deny", "rules": {"GDPR-01": "deny", "RES-01": "deny"}}
}

test_g13b_the_profile_of_the_eu_does if {
	asked := fixture.asking_at("claude-fable-5@bedrock-eu", {
		"at": "2026-10-01T12:00:00Z",
		"tenant": {
			"residency_allowed": ["DE", "FR", "IE"],
			"contracts": [fixture.papers("aws-bedrock", {})],
		},
	})
	fixture.answer(asked) == {"verdict": "allow", "rules": {"GDPR-01": "oblige"}}
}

# Another developer of the weights changes no rule on transfers; another operator does.
test_the_developer_decides_nothing_about_a_transfer if {
	known := fixture.catalog_with("models", "glm-5.2", {"developer": "labs"})
	every deployment in ["glm-5.2@api.scaleway.ai", "glm-5.2@open.bigmodel.cn"] {
		asked := fixture.asking_at(deployment, {})
		fixture.of("GDPR-01", asked) == fixture.of_in("GDPR-01", asked, known)
		fixture.of("EAR-01", asked) == fixture.of_in("EAR-01", asked, known)
	}
}

test_another_hop_never_loosens if {
	route := ["glm-5.2@open.bigmodel.cn", "glm-5.2@api.scaleway.ai"]
	fixture.answer(object.union(fixture.call, {"route": route})).verdict == "deny"
}

test_what_is_unknown_asks_for_approval_or_denies_by_the_profile if {
	every profile, verdict in {"balanced": "require_approval", "strict": "deny"} {
		asked := fixture.asking({"caller": null, "tenant": {"profile": profile}})
		fixture.answer(asked) == {"verdict": verdict, "rules": {"FACT-03": verdict, "GDPR-01": "oblige"}}
	}
}

test_each_single_missing_fact_of_a_call_is_no_allow if {
	every patch in [
		{"caller": null},
		{"purpose": null},
		{"model": null},
		{"route": [null]},
		{"data": {"classes": null}},
		{"exporter": {"establishment": null}},
	] {
		fixture.answer(fixture.asking(patch)).verdict == "require_approval"
	}
}

# The table of statuses, on a rule that denies, one that misses a fact, one that obliges
# and one that advises.
_standing(status) := [{id: {"status": status, "verified": true} | some id, _ in data.policyguard.rulebook.rules}]

_settled(status, asked) := {finding.id: finding.effect | some finding in decision.findings} if {
	views := fixture.compiled(data.policyguard.sample.catalog, asked)
	decision := data.policyguard.main.decision with input as asked
		with data.catalog as views
		with data.policyguard.rulebook.boundaries as []
		with data.policyguard.rulebook.intervals as _standing(status)
}

_denied := fixture.asking_at("glm-5.2@open.bigmodel.cn", {
	"caller": null,
	"tenant": {"profile": "strict", "contracts": [fixture.papers("zhipu-bigmodel", {})]},
})

_advised := fixture.asking_at("glm-5.2@fra-1", {})

test_a_status_in_force_changes_nothing if {
	every status in ["in_force", "contractual", "customer_policy"] {
		_settled(status, _denied) == {"GDPR-01": "deny", "FACT-03": "deny"}
		_settled(status, _advised) == {"GDPR-01": "oblige", "PROV-02": "advise"}
	}
}

# Forgetting a fact loosens nothing, while a rule is suspended as well.
test_a_suspended_deny_asks_for_approval_and_so_does_what_may_be_one if {
	_settled("suspended", _denied) == {"GDPR-01": "require_approval", "FACT-03": "require_approval"}
	_settled("suspended", _advised) == {"GDPR-01": "advise", "PROV-02": "advise"}
}

test_a_contested_deny_asks_for_approval if {
	_settled("contested", _denied) == {"GDPR-01": "require_approval", "FACT-03": "require_approval"}
	_settled("contested", _advised) == {"GDPR-01": "oblige", "PROV-02": "advise"}
}

test_a_proposed_rule_advises if {
	_settled("proposed", _denied) == {"GDPR-01": "advise", "FACT-03": "advise"}
	_settled("proposed", _advised) == {"GDPR-01": "advise", "PROV-02": "advise"}
}

test_an_advising_status_leaves_no_obligation if {
	decision := data.policyguard.main.decision with input as fixture.call
		with data.catalog as _views
		with data.policyguard.rulebook.boundaries as []
		with data.policyguard.rulebook.intervals as _standing("proposed")
	decision.verdict == "allow"
	decision.obligations == []
	[advice.id | some advice in decision.advice] == ["GDPR-01"]
}

test_a_rule_outside_its_windows_says_nothing if {
	asked := object.union(fixture.asking_at("glm-5.2@open.bigmodel.cn", {}), {"at": "2018-05-24T23:59:59Z"})
	fixture.answer(asked) == {"verdict": "allow", "rules": {}}
	fixture.answer(object.union(asked, {"at": "2018-05-25T00:00:00Z"})).verdict == "deny"
}

test_findings_carry_status_and_whether_it_is_verified_and_are_sorted if {
	decision := fixture.decided(fixture.asking_at("claude-fable-5@api.anthropic.com", object.union(_plain, {
		"at": "2026-06-15T12:00:00Z",
		"caller": null,
		"purpose": null,
	})))
	[[finding.id, finding.status, finding.verified] | some finding in decision.findings] == [
		["EAR-07", "in_force", false],
		["FACT-03", "in_force", true],
		["FACT-04", "in_force", true],
		["LIC-03", "contractual", false],
		["OFAC-01", "in_force", false],
		["VEND-01", "in_force", true],
	]
}

test_a_finding_has_these_fields_and_no_others if {
	decision := fixture.decided(fixture.asking_at("glm-5.2@fra-1", {}))
	{object.keys(finding) | some finding in decision.findings} == {{
		"id",
		"effect",
		"status",
		"verified",
		"msg",
		"facts",
		"missing",
		"remedy",
	}}
}

_views := fixture.compiled(data.policyguard.sample.catalog, fixture.call)

_nothing := {
	"verdict": "deny",
	"findings": [],
	"obligations": [],
	"advice": [],
	"replaced": [],
}

test_without_a_catalog_there_is_no_permission if {
	decision := data.policyguard.main.decision with input as fixture.call with data.catalog as {}
	decision == _nothing
}

test_without_a_rulebook_there_is_no_permission if {
	every book in [{}, {"rules": {}, "boundaries": [], "intervals": [{}]}] {
		decision := data.policyguard.main.decision with input as fixture.call
			with data.catalog as _views
			with data.policyguard.rulebook as book
		decision == _nothing
	}
}

test_without_a_whole_question_there_is_no_permission if {
	every group in ["at", "asked", "context", "data", "exporter", "tenant", "route"] {
		decision := data.policyguard.main.decision with input as object.remove(fixture.call, [group])
			with data.catalog as _views
		decision == _nothing
	}
}

test_a_finding_that_the_rulebook_does_not_have_is_no_permission if {
	rules := object.remove(data.policyguard.rulebook.rules, ["GDPR-01"])
	decision := data.policyguard.main.decision with input as fixture.call
		with data.catalog as _views
		with data.policyguard.rulebook.rules as rules
	decision == _nothing
}

test_replaced_entries_are_passed_on if {
	known := object.union(data.policyguard.sample.catalog, {"replaced": ["kimi-k2", "scaleway"]})
	fixture.decided_in(fixture.call, known).replaced == ["scaleway"]
}

# What people have signed: an unknown host, and a leave for it.
_nowhere := fixture.asking({"route": [null], "asked": {"model": "glm-5.2", "host": "llm.example", "opaque": false}})

_leave := {
	"id": "0193-leave",
	"rule": "FACT-02",
	"msg": "it is not known who runs this model and where: the catalog has no deployment of `glm-5.2` at `llm.example`",
	"missing": ["deployment"],
	"tenant": "acme",
	"asked_model": "glm-5.2",
	"asked_host": "llm.example",
	"model": "glm-5.2",
	"route": [null],
	"data_classes": ["pii"],
	"purpose": "inference",
	"bundle": "ab12",
	"since": "2026-07-01T00:00:00Z",
	"until": "2026-07-10T12:00:00.000001Z",
}

_with_leave(asked, leave) := decision if {
	decision := data.policyguard.main.decision with input as object.union(asked, {"approvals": [leave]})
		with data.catalog as fixture.compiled(data.policyguard.sample.catalog, asked)
		with data.policyguard.served as {"bundle": "ab12"}
}

test_an_approval_lifts_what_it_was_signed_for_and_is_named if {
	decision := _with_leave(_nowhere, _leave)
	decision.verdict == "allow"
	[finding.softened | some finding in decision.findings; finding.id == "FACT-02"] == [[{
		"by": "approval",
		"id": "0193-leave",
		"effect": "require_approval",
	}]]
	every advice in decision.advice {
		advice.id != "FACT-02"
	}
}

test_an_approval_that_differs_in_one_binding_lifts_nothing if {
	every patch in [
		{"rule": "FACT-01"},
		{"msg": "something else"},
		{"missing": []},
		{"tenant": "other"},
		{"asked_model": "kimi-k2"},
		{"asked_host": "other.example"},
		{"model": "kimi-k2"},
		{"route": ["glm-5.2@api.scaleway.ai"]},
		{"data_classes": ["health", "pii"]},
		{"data_classes": null},
		{"purpose": "evaluate"},
		{"purpose": null},
		{"bundle": "cd34"},
		{"since": "2026-07-10T12:00:00.000001Z"},
		{"until": "2026-07-10T12:00:00Z"},
	] {
		_with_leave(_nowhere, object.union(_leave, patch)).verdict == "require_approval"
	}
}

test_an_approval_without_one_of_its_bindings_lifts_nothing if {
	every name, _ in object.remove(_leave, ["id"]) {
		_with_leave(_nowhere, object.remove(_leave, [name])).verdict == "require_approval"
	}
}

test_an_approval_of_a_call_without_purpose_is_of_such_calls if {
	leave := object.union(_leave, {"purpose": null})
	decision := _with_leave(object.union(_nowhere, {"purpose": null}), leave)
	{finding.id: finding.effect | some finding in decision.findings} == {"FACT-02": "advise", "FACT-04": "require_approval"}
}

test_no_approval_lifts_a_denial if {
	strict := object.union(_nowhere, {"tenant": {"profile": "strict"}})
	_with_leave(strict, _leave).verdict == "deny"
}

test_no_approval_holds_where_the_policy_does_not_know_its_own_digest if {
	decision := data.policyguard.main.decision with input as object.union(_nowhere, {"approvals": [_leave]})
		with data.catalog as fixture.compiled(data.policyguard.sample.catalog, _nowhere)
	decision.verdict == "require_approval"
}

# A rulebook in which an override stands in the interval.
_overridden_to(to, asked, locked) := decision if {
	book := data.policyguard.rulebook
	decision := data.policyguard.main.decision with input as asked
		with data.catalog as fixture.compiled(data.policyguard.sample.catalog, asked)
		with data.policyguard.rulebook.boundaries as []
		with data.policyguard.rulebook.intervals as [{id: object.union(standing, _softer_at(id, to)) |
			some id, _ in book.rules
			standing := {"status": "in_force", "verified": true}
		}]
		with data.policyguard.rulebook.rules as {id: object.union(rule, {"locked": locked}) | some id, rule in book.rules}
}

_softer_at("GDPR-01", to) := {"override": {"id": "0193-softer", "to": to}}

_softer_at(id, _) := {} if id != "GDPR-01"

_to_china := fixture.asking_at("glm-5.2@open.bigmodel.cn", {})

test_an_override_softens_a_denial_and_is_named if {
	every to in ["require_approval", "advise"] {
		decision := _overridden_to(to, _to_china, false)
		[finding.effect | some finding in decision.findings; finding.id == "GDPR-01"] == [to]
		[finding.softened | some finding in decision.findings; finding.id == "GDPR-01"] == [[{
			"by": "override",
			"id": "0193-softer",
			"effect": "deny",
		}]]
	}
}

test_an_override_of_a_locked_rule_softens_nothing if {
	_overridden_to("advise", _to_china, true).verdict == "deny"
}

test_an_override_to_advice_takes_an_obligation_away_and_one_to_approval_does_not if {
	every to, count_of in {"require_approval": 1, "advise": 0} {
		obliged := _overridden_to(to, fixture.call, false).obligations
		count([duty | some duty in obliged; duty.id == "GDPR-01"]) == count_of
	}
}

# Rules of a tenant.
_own_finding := {
	"id": "ACME-01",
	"effect": "deny",
	"msg": "acme sends nothing to this host",
	"facts": {},
	"missing": [],
	"remedy": "another host",
}

_with_own(findings, rules) := decision if {
	decision := data.policyguard.main.decision with input as fixture.call
		with data.catalog as fixture.compiled(data.policyguard.sample.catalog, fixture.call)
		with data.policyguard.tenant.findings as findings
		with data.policyguard.rulebook.rules as object.union(data.policyguard.rulebook.rules, rules)
		with data.policyguard.rulebook.boundaries as []
		with data.policyguard.rulebook.intervals as [{id: {"status": "in_force", "verified": true} |
			some id, _ in object.union(data.policyguard.rulebook.rules, rules)
		}]
}

test_a_rule_of_a_tenant_objects_beside_the_others if {
	decision := _with_own({_own_finding}, {"ACME-01": {"locked": false}})
	decision.verdict == "deny"
	{finding.id | some finding in decision.findings} == {"ACME-01", "GDPR-01"}
}

test_a_rule_of_a_tenant_that_finds_nothing_changes_nothing if {
	_with_own(set(), {"ACME-01": {"locked": false}}).verdict == "allow"
}

test_a_finding_of_a_tenant_that_no_rulebook_lists_is_no_permission if {
	_with_own({_own_finding}, {}) == _nothing
}
