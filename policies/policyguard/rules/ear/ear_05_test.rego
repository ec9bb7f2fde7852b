package policyguard.rules_test

import data.policyguard.fixture

_ear_05_sent(patch) := fixture.asking_at("glm-5.2@us", object.union(
	{
		"exporter": {"establishment": "US"},
		"caller": {"person_status": "us_citizen"},
		"data": {"classes": ["technical"], "subjects": null, "ear": {"classification": "3E001", "us_origin": true}},
	},
	patch,
))

_ear_05_reader(role, patch) := object.union(
	{"role": role, "person_status": "us_citizen", "citizenships": null, "latest_citizenship": null},
	patch,
)

_ear_05_read_by(readers) := fixture.catalog_with("deployments", "glm-5.2@us", {"readers": readers})

_ear_05_ours := _ear_05_read_by([])

_ear_05_foreign(country) := {"caller": {"person_status": "foreign", "latest_citizenship": country}}

test_ear_05_an_administrator_who_is_a_foreign_person_is_a_release if {
	known := _ear_05_read_by([_ear_05_reader("administrator", {"person_status": "foreign", "latest_citizenship": "IN"})])
	fixture.of_in("EAR-05", _ear_05_sent({}), known) == {{
		"id": "EAR-05",
		"effect": "deny",
		"msg": "technology of ECCN 3E001 would be released to an administrator of inference.baseten.co, a foreign person of IN, without a licence",
		"facts": {
			"data.ear.classification": "3E001",
			"deployment.readers.person_status": "foreign",
			"deployment.readers.citizenships": null,
			"deployment.readers.latest_citizenship": "IN",
		},
		"missing": [],
		"remedy": "readers who are US persons alone, or a BIS licence that covers persons of that country",
	}}
}

test_ear_05_each_kind_of_reader_counts if {
	every role, label in {"administrator": "an administrator", "support": "support staff", "annotator": "an annotator", "user": "another user"} {
		known := _ear_05_read_by([_ear_05_reader(role, {"person_status": "foreign", "latest_citizenship": "IN"})])
		fixture.effects_in("EAR-05", _ear_05_sent({}), known) == {"deny"}
		some finding in fixture.of_in("EAR-05", _ear_05_sent({}), known)
		contains(finding.msg, sprintf("released to %s of inference.baseten.co", [label]))
	}
	some finding in fixture.of_in("EAR-05", _ear_05_sent(_ear_05_foreign("IN")), _ear_05_ours)
	contains(finding.msg, "released to the caller, a foreign person of IN")
}

# A holder of a green card and a protected person are no foreign persons, whatever
# their passport; nor does it matter where anybody is.
test_ear_05_residents_and_protected_persons_are_no_foreign_persons if {
	every status in ["us_citizen", "us_lpr", "us_protected"] {
		known := _ear_05_read_by([_ear_05_reader("administrator", {"person_status": status, "citizenships": ["CN"]})])
		fixture.effects_in("EAR-05", _ear_05_sent({"caller": {"person_status": status}}), known) == {"oblige"}
	}
}

test_ear_05_access_to_controlled_technology_is_recorded if {
	some finding in fixture.of_in("EAR-05", _ear_05_sent({}), _ear_05_ours)
	finding.effect == "oblige"
	finding.obligation == {"type": "record_processing", "properties": {"article": "15 CFR part 762", "years": 5}}
}

test_ear_05_the_caller_sees_what_comes_back if {
	[fixture.effects_in("EAR-05", _ear_05_sent(_ear_05_foreign(country)), _ear_05_ours) |
		some country in ["IN", "CA"]
	] == [{"deny"}, set()]
}

# The most recent citizenship decides, not every passport.
test_ear_05_the_latest_citizenship_decides if {
	dual := {"caller": {"person_status": "foreign", "citizenships": ["CN", "CA"], "latest_citizenship": "CA"}}
	fixture.of_in("EAR-05", _ear_05_sent(dual), _ear_05_ours) == set()
	fixture.missing_in("EAR-05", _ear_05_sent(object.union(dual, {"caller": {"latest_citizenship": null}})), _ear_05_ours) == {"caller.latest_citizenship"}
	only := {"caller": {"person_status": "foreign", "citizenships": ["CA"]}}
	fixture.of_in("EAR-05", _ear_05_sent(only), _ear_05_ours) == set()
}

test_ear_05_an_unknown_status_is_named if {
	fixture.missing_in("EAR-05", _ear_05_sent({"caller": {"person_status": null}}), _ear_05_ours) == {"caller.person_status"}
	known := _ear_05_read_by([_ear_05_reader("support", {"person_status": null})])
	fixture.missing_in("EAR-05", _ear_05_sent({}), known) == {"deployment.readers.person_status"}
}

test_ear_05_unknown_readers_are_named if {
	some finding in fixture.of("EAR-05", _ear_05_sent({}))
	finding.effect == "indeterminate"
	finding.missing == ["deployment.readers"]

	# Who had access cannot be recorded where nobody knows who that is.
	fixture.effects("EAR-05", _ear_05_sent({})) == {"indeterminate"}
}

test_ear_05_a_contract_that_binds_the_operator_to_us_persons_is_enough if {
	papers := [fixture.contract("baseten", {"us_persons_only": true})]
	fixture.effects("EAR-05", _ear_05_sent({"tenant": {"contracts": papers}})) == {"oblige"}
	known := _ear_05_read_by([_ear_05_reader("support", {"person_status": "foreign", "latest_citizenship": "IN"})])
	fixture.effects_in("EAR-05", _ear_05_sent({"tenant": {"contracts": papers}}), known) == {"oblige"}
}

test_ear_05_ear99_may_be_read_by_all_but_persons_of_group_e if {
	[fixture.effects_in("EAR-05", _ear_05_sent(object.union(_ear_05_foreign(country), {"data": {"ear": {"classification": "EAR99"}}})), _ear_05_ours) |
		some country in ["CN", "RU", "IR", "CU"]
	] == [set(), set(), {"deny"}, {"deny"}]
	fixture.of("EAR-05", _ear_05_sent({"data": {"ear": {"classification": "EAR99"}}})) == set()
}

test_ear_05_a_licence_covers_persons_of_the_countries_that_it_names if {
	[fixture.effects_in("EAR-05", _ear_05_sent(object.union(_ear_05_foreign("IN"), {"tenant": {"licences": [fixture.licence(scope)]}})), _ear_05_ours) |
		some scope in [
			{"persons": ["IN"]},
			{"persons": ["IN"], "classifications": ["5E002"]},
			{"persons": ["FR"]},
			{"persons": ["IN"], "authority": "DDTC"},
		]
	] == [set(), {"deny"}, {"deny"}, {"deny"}]
}

test_ear_05_a_claimed_exception_is_for_a_person if {
	claimed := {"data": {"ear": {"exception": "TSR"}}}
	fixture.effects_in("EAR-05", _ear_05_sent(object.union(_ear_05_foreign("IN"), claimed)), _ear_05_ours) == {"require_approval"}
	fixture.effects_in("EAR-05", _ear_05_sent(object.union(_ear_05_foreign("IR"), claimed)), _ear_05_ours) == {"deny"}
}

test_ear_05_a_classification_by_which_none_is_needed_clears_its_countries if {
	cleared := {"data": {"ear": {"no_licence_countries": ["IN"]}}}
	fixture.of_in("EAR-05", _ear_05_sent(object.union(_ear_05_foreign("IN"), cleared)), _ear_05_ours) == set()
}

test_ear_05_unclassified_technology_is_named_if_somebody_may_not_read_it if {
	unknown := {"data": {"ear": {"classification": null}}}
	fixture.of_in("EAR-05", _ear_05_sent(unknown), _ear_05_ours) == set()
	fixture.missing_in("EAR-05", _ear_05_sent(object.union(unknown, _ear_05_foreign("IN"))), _ear_05_ours) == {"data.ear.classification"}
	fixture.missing("EAR-05", _ear_05_sent(unknown)) == {"data.ear.classification"}
}

test_ear_05_what_is_no_technology_may_be_read_by_anybody if {
	fixture.of_in("EAR-05", _ear_05_sent(object.union(_ear_05_foreign("IR"), {"data": {"ear": {"classification": "published"}}})), _ear_05_ours) == set()
}

test_ear_05_out_of_scope_nobody_is_asked_who_reads_it if {
	strangers := [_ear_05_reader("support", {"person_status": status, "latest_citizenship": "IR"}) | some status in ["foreign", null]]
	every patch in _ear_04_elsewhere {
		every claim in _ear_04_claimed {
			every known in [_ear_05_read_by(strangers), _ear_05_read_by(null)] {
				fixture.of_in("EAR-05", object.union(_ear_05_sent(object.union(_ear_05_foreign("IR"), patch)), claim), known) == set()
			}
		}
	}
}

test_ear_05_every_reader_is_looked_at if {
	[fixture.effects_in("EAR-05", _ear_05_sent(patch), _ear_05_read_by([_ear_05_reader("administrator", {}), _ear_05_reader("support", last)])) |
		some [patch, last] in [
			[{}, {"person_status": "foreign", "latest_citizenship": "IN"}],
			[{"data": {"ear": {"exception": "TSR"}}}, {"person_status": "foreign", "latest_citizenship": "IN"}],
			[{}, {"person_status": null}],
			[{"data": {"ear": {"classification": null}}}, {"person_status": "foreign"}],
		]
	] == [{"deny"}, {"require_approval"}, {"indeterminate"}, {"indeterminate"}]
}

test_ear_05_every_hop_is_looked_at if {
	twice := {"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@us"]}
	[fixture.missing("EAR-05", object.union(_ear_05_sent({"data": {"ear": {"classification": class}}}), twice)) |
		some class in ["3E001", null]
	] == [{"deployment.readers"}, {"data.ear.classification"}]
}

test_ear_05_a_claim_asks_nobody_where_no_licence_is_needed if {
	claimed := {"data": {"ear": {"exception": "TSR"}}}
	licensed := {"tenant": {"licences": [fixture.licence({"persons": ["IN"]})]}}
	[fixture.effects_in("EAR-05", _ear_05_sent(object.union(claimed, patch)), _ear_05_ours) |
		some patch in [
			object.union(_ear_05_foreign("IN"), licensed),
			_ear_05_foreign("CA"),
			{"caller": {"person_status": "us_lpr", "latest_citizenship": "IN"}},
		]
	] == [set(), set(), {"oblige"}]
}
