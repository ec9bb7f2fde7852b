package policyguard.rules_test

import data.policyguard.fixture

_ear_07_asked(deployment, at, caller) := fixture.asking_at(deployment, {
	"at": at,
	"caller": caller,
	"data": {"classes": ["none"], "subjects": null},
})

_ear_07_fable(at, caller) := _ear_07_asked("claude-fable-5@api.anthropic.com", at, caller)

_ear_07_mythos(at, caller) := _ear_07_asked("claude-mythos-5@api.anthropic.com", at, caller)

# A French citizen in Paris.
_ear_07_french := {"person_status": "foreign", "citizenships": ["FR"], "location": "FR"}

_ear_07_annexed := object.union(_ear_07_french, {"organisation": object.union(
	fixture.organisation,
	{"annexes": ["bis-2026-06-26:A"]},
)})

test_ear_07_a_foreign_person_is_denied_while_the_letter_stands if {
	fixture.of("EAR-07", _ear_07_fable("2026-06-15T12:00:00Z", _ear_07_french)) == {{
		"id": "EAR-07",
		"effect": "deny",
		"msg": "the letter bis-2026-06-12 bars foreign persons from claude-fable-5, and the caller is one",
		"facts": {
			"model": "claude-fable-5",
			"model.restriction": "bis-2026-06-12",
			"model.restriction.verified": false,
			"model.restriction.relief": [],
			"caller.person_status": "foreign",
			"caller.organisation.annexes": null,
		},
		"missing": [],
		"remedy": "a BIS licence that names the model, an annex of the letter that names the organisation, or another model",
	}}
}

test_ear_07_the_letter_binds_from_the_minute_of_its_receipt if {
	fixture.effects("EAR-07", _ear_07_fable("2026-06-12T21:20:59.999999Z", _ear_07_french)) == set()
	fixture.effects("EAR-07", _ear_07_fable("2026-06-12T21:21:00Z", _ear_07_french)) == {"deny"}
}

test_ear_07_the_letter_is_over_when_it_is_lifted if {
	fixture.effects("EAR-07", _ear_07_fable("2026-06-30T23:59:59.999999Z", _ear_07_french)) == {"deny"}
	fixture.effects("EAR-07", _ear_07_fable("2026-07-01T00:00:00Z", _ear_07_french)) == set()
}

# Scenario G11: status decides, not passport or place.
test_ear_07_residents_and_protected_persons_are_no_foreign_persons if {
	every status in ["us_citizen", "us_lpr", "us_protected"] {
		caller := {"person_status": status, "citizenships": ["IN"], "location": "FR"}
		fixture.effects("EAR-07", _ear_07_fable("2026-06-15T12:00:00Z", caller)) == set()
	}
}

test_ear_07_a_foreign_person_in_san_francisco_is_one if {
	caller := {"person_status": "foreign", "citizenships": ["IN"], "location": "US"}
	fixture.effects("EAR-07", _ear_07_fable("2026-06-15T12:00:00Z", caller)) == {"deny"}
}

test_ear_07_unknown_status_is_named if {
	every caller in [{"citizenships": ["US"], "location": "US"}, null] {
		asked := _ear_07_fable("2026-06-15T12:00:00Z", caller)
		fixture.effects("EAR-07", asked) == {"indeterminate"}
		fixture.missing("EAR-07", asked) == {"caller.person_status"}
	}
}

test_ear_07_the_annex_relieves_from_the_day_of_the_relief if {
	fixture.effects("EAR-07", _ear_07_mythos("2026-06-25T23:59:59Z", _ear_07_annexed)) == {"deny"}
	fixture.effects("EAR-07", _ear_07_mythos("2026-06-26T00:00:00Z", _ear_07_annexed)) == set()
}

test_ear_07_the_relief_is_for_mythos_and_not_for_fable if {
	fixture.effects("EAR-07", _ear_07_fable("2026-06-27T12:00:00Z", _ear_07_annexed)) == {"deny"}
}

test_ear_07_the_relief_is_for_organisations_of_the_annex_only if {
	fixture.effects("EAR-07", _ear_07_mythos("2026-06-27T12:00:00Z", _ear_07_french)) == {"deny"}
	other := object.union(_ear_07_french, {"organisation": object.union(fixture.organisation, {"annexes": ["other:B"]})})
	fixture.effects("EAR-07", _ear_07_mythos("2026-06-27T12:00:00Z", other)) == {"deny"}
}

test_ear_07_a_licence_that_names_the_model_clears_it if {
	licence := {
		"id": "D9",
		"authority": "BIS",
		"operators": [],
		"models": ["claude-fable-5"],
		"expires": "2026-12-31T00:00:00Z",
	}
	asked := _ear_07_fable("2026-06-15T12:00:00Z", _ear_07_french)
	fixture.effects("EAR-07", object.union(asked, {"tenant": {"licences": [licence]}})) == set()
	other := object.union(licence, {"models": ["claude-mythos-5"]})
	fixture.effects("EAR-07", object.union(asked, {"tenant": {"licences": [other]}})) == {"deny"}
}

test_ear_07_a_letter_may_bar_everybody if {
	known := fixture.catalog_with("models", "gpt-5.5", {"restrictions": [{
		"letter": "bis-private",
		"persons": "all",
		"relief": [],
		"relief_since": null,
		"since": 1783000000,
		"until": null,
		"verified": true,
		"source": "our own file",
	}]})
	caller := {"person_status": "us_citizen"}
	asked := _ear_07_asked("gpt-5.5@api.openai.com", "2026-07-10T12:00:00Z", caller)
	fixture.effects_in("EAR-07", asked, known) == {"deny"}
}

test_ear_07_models_without_a_letter_are_left_alone if {
	asked := fixture.asking({"at": "2026-06-15T12:00:00Z", "caller": _ear_07_french})
	fixture.of("EAR-07", asked) == set()
}
