package policyguard.rules_test

import data.policyguard.fixture

_ear_02_code := {
	"at": "2026-11-23T12:00:00Z",
	"exporter": {"establishment": "US"},
	"caller": {"person_status": "us_citizen"},
	"data": {"classes": ["source_code"], "subjects": null, "ear": {"classification": "EAR99", "us_origin": true}},
}

_ear_02_to(patch) := fixture.asking_at("glm-5.2@api.z.ai", object.union(_ear_02_code, patch))

_ear_02_owner(party, share_bp) := {
	"owner": party,
	"party": party,
	"country": null,
	"listed": null,
	"share_bp": share_bp,
	"since": null,
	"until": null,
	"source": null,
	"verified": true,
}

_ear_02_owned(owners) := fixture.catalog_with("operators", "jingsheng-hengxing", {"owners": owners})

_ear_02_half := _ear_02_owned([_ear_02_owner("zhipu", 5000)])

# Scenario G06: the verdict at an instant for an operator that is wholly owned.
_ear_02_at(at) := [[finding.effect, finding.status, finding.verified] |
	elsewhere := object.union(_ear_02_owned([_ear_02_owner("zhipu", 10000)]), {"operators": {"jingsheng-hengxing": {"country": "AE"}}})
	some finding in fixture.decided_in(_ear_02_to({"at": at}), elsewhere).findings
	finding.id == "EAR-02"
]

test_ear_02_an_operator_that_listed_parties_own_by_half_is_denied if {
	fixture.of_in("EAR-02", _ear_02_to({}), _ear_02_half) == {{
		"id": "EAR-02",
		"effect": "deny",
		"msg": "glm-5.2 at api.z.ai would hand an item subject to the EAR (EAR99) to Z.ai (international), of which listed parties (zhipu) own 50 %; that the Affiliates Rule stands at this instant is by its own terms, not verified",
		"facts": {
			"data.classes": ["source_code"],
			"data.ear.classification": "EAR99",
			"data.ear.us_origin": true,
			"exporter.establishment": "US",
			"lists.bis-entity-list.as_of": "2026-06-18",
			"lists.bis-meu.as_of": "2026-06-18",
			"lists.ofac-sdn.as_of": "2026-06-18",
			"deployment": "glm-5.2@api.z.ai",
			"deployment.operator": "jingsheng-hengxing",
			"operator.country": "SG",
			"operator.owned_by_listed_bp": 5000,
			"operator.owned_by_listed_bp_at_most": 5000,
		},
		"missing": [],
		"remedy": "an operator of which listed parties own less than half, or a BIS licence that names this one",
	}}
}

test_ear_02_one_hundredth_of_a_percent_less_is_not_half if {
	fixture.of_in("EAR-02", _ear_02_to({}), _ear_02_owned([_ear_02_owner("zhipu", 4999)])) == set()
}

test_ear_02_a_share_is_written_as_people_write_it if {
	some finding in fixture.of_in("EAR-02", _ear_02_to({}), _ear_02_owned([_ear_02_owner("zhipu", 5105)]))
	contains(finding.msg, "(zhipu) own 51.05 %")
}

test_ear_02_it_stands_is_suspended_and_comes_back_unverified if {
	_ear_02_at("2025-09-28T23:59:59.999999Z") == []
	_ear_02_at("2025-09-29T00:00:00Z") == [["deny", "in_force", false]]
	_ear_02_at("2025-11-09T23:59:59Z") == [["deny", "in_force", false]]
	_ear_02_at("2025-11-10T00:00:00Z") == [["require_approval", "suspended", false]]
	_ear_02_at("2026-10-01T12:00:00Z") == [["require_approval", "suspended", false]]
	_ear_02_at("2026-11-09T23:59:59.999999Z") == [["require_approval", "suspended", false]]
	_ear_02_at("2026-11-10T00:00:00Z") == [["deny", "in_force", false]]
}

_ear_02_relieved(at, country, owners) := {finding.effect |
	known := object.union(_ear_02_owned(owners), {"operators": {"jingsheng-hengxing": {"country": country}}})
	some finding in fixture.of_in("EAR-02", _ear_02_to({"at": at}), known)
}

test_ear_02_the_temporary_licence_is_for_a_persons_eyes if {
	zhipu := [_ear_02_owner("zhipu", 10000)]
	[_ear_02_relieved(at, "SG", zhipu) |
		some at in ["2025-09-29T00:00:00Z", "2025-11-28T23:59:59Z", "2025-11-29T00:00:00Z", "2026-11-23T12:00:00Z"]
	] == [{"require_approval"}, {"require_approval"}, {"deny"}, {"deny"}]
	_ear_02_relieved("2025-10-10T12:00:00Z", "AE", zhipu) == {"deny"}
	_ear_02_relieved("2025-10-10T12:00:00Z", null, zhipu) == {"deny"}
	known := _ear_02_owned(zhipu)
	some finding in fixture.of_in("EAR-02", _ear_02_to({"at": "2025-10-10T12:00:00Z"}), known)
	finding.msg == "glm-5.2 at api.z.ai would hand an item subject to the EAR (EAR99) to Z.ai (international), of which listed parties (zhipu) own 100 %, under the temporary general licence of the Affiliates Rule for places such as SG; a person has to confirm it"
	[finding.facts["lists.bis-affiliates-relief.as_of"], finding.facts["operator.owned_by_blocked_bp_at_most"]] == ["2026-06-18", 0]
}

test_ear_02_half_counts_under_the_licence_and_less_than_half_is_a_red_flag if {
	at := "2025-10-10T12:00:00Z"
	_ear_02_relieved(at, "SG", [_ear_02_owner("zhipu", 5000)]) == {"require_approval"}
	unknown := object.union(_ear_02_owner(null, 5001), {"owner": "somebody"})
	_ear_02_relieved(at, "SG", [_ear_02_owner("zhipu", 4999), unknown]) == {"indeterminate"}
	known := _ear_02_owned([_ear_02_owner("zhipu", 4999), unknown])
	unclassified := _ear_02_to({"data": {"ear": {"classification": null}}})
	fixture.missing_in("EAR-02", unclassified, known) == {"data.ear.classification"}
}

# While the rule is suspended what asked for a person advises.
test_ear_02_the_licence_outlasts_the_first_window if {
	decision := fixture.decided_in(_ear_02_to({"at": "2025-11-20T12:00:00Z"}), _ear_02_owned([_ear_02_owner("zhipu", 10000)]))
	[finding.effect | some finding in decision.findings; finding.id == "EAR-02"] == ["advise"]
}

test_ear_02_the_temporary_licence_is_not_for_whom_blocked_persons_own if {
	blocked := object.union(_ear_02_owner(null, 5000), {"owner": "B", "listed": ["ofac-sdn"]})
	less := object.union(blocked, {"share_bp": 4999})
	_ear_02_relieved("2025-10-10T12:00:00Z", "SG", [_ear_02_owner("zhipu", 5000), blocked]) == {"deny"}
	_ear_02_relieved("2025-10-10T12:00:00Z", "SG", [_ear_02_owner("zhipu", 5001), less]) == {"require_approval"}
}

test_ear_02_unknown_owners_are_a_red_flag if {
	[finding] := [found | some found in fixture.of("EAR-02", _ear_02_to({}))]
	[finding.effect, finding.missing] == ["indeterminate", ["deployment.operator.owners"]]
	contains(finding.msg, "a red flag: it is not known whether listed parties own half of Z.ai (international)")
}

# It stays one while the rule is suspended.
test_ear_02_a_red_flag_asks_for_approval_while_the_rule_is_suspended if {
	decision := fixture.decided(_ear_02_to({"at": "2026-10-01T12:00:00Z"}))
	[finding.effect | some finding in decision.findings; finding.id == "EAR-02"] == ["require_approval"]
}

test_ear_02_a_known_ultimate_parent_is_no_red_flag if {
	known := fixture.catalog_with("operators", "jingsheng-hengxing", {"control_country": "SG"})
	fixture.of_in("EAR-02", _ear_02_to({}), known) == set()
}

test_ear_02_a_company_of_the_united_states_is_no_affiliate if {
	known := object.union(_ear_02_half, {"operators": {"jingsheng-hengxing": {"country": "US"}}})
	fixture.of_in("EAR-02", _ear_02_to({}), known) == set()
}

test_ear_02_who_is_listed_himself_is_the_other_rules if {
	known := fixture.catalog_with("operators", "zhipu-bigmodel", {"owners": [_ear_02_owner("zhipu", 10000)]})
	fixture.of_in("EAR-02", fixture.asking_at("glm-5.2@open.bigmodel.cn", _ear_02_code), known) == set()
}

test_ear_02_what_is_no_item_reaches_any_affiliate if {
	every class in ["not_technology", "published"] {
		fixture.of_in("EAR-02", _ear_02_to({"data": {"ear": {"classification": class}}}), _ear_02_half) == set()
	}
	foreign := {"exporter": {"establishment": "SG"}, "data": {"ear": {"us_origin": false}}}
	fixture.of_in("EAR-02", _ear_02_to(foreign), _ear_02_half) == set()
}

test_ear_02_an_unclassified_item_is_named if {
	asked := _ear_02_to({"data": {"ear": {"classification": null}}})
	fixture.effects_in("EAR-02", asked, _ear_02_half) == {"indeterminate"}
	fixture.missing_in("EAR-02", asked, _ear_02_half) == {"data.ear.classification"}
}

test_ear_02_a_licence_that_names_the_affiliate_clears_it if {
	licence := fixture.licence({"operators": ["jingsheng-hengxing"]})
	fixture.of_in("EAR-02", _ear_02_to({"tenant": {"licences": [licence]}}), _ear_02_half) == set()
}

test_ear_02_the_cloud_under_a_host_counts_as_well if {
	known := object.union(_ear_02_half, {"deployments": {"glm-5.2@us": {"host_cloud": "jingsheng-hengxing"}}})
	fixture.effects_in("EAR-02", fixture.asking_at("glm-5.2@us", _ear_02_code), known) == {"deny"}
}
