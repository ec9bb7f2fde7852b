package policyguard.rules_test

import data.policyguard.fixture

_ear_10_tuning(patch) := fixture.asking_at("glm-5.2@us", object.union(
	{
		"purpose": {"kind": "fine_tune"},
		"exporter": {"establishment": "US"},
		"caller": {"person_status": "us_citizen"},
		"data": {"classes": ["technical"], "subjects": null, "ear": {"classification": "3E001", "us_origin": true}},
	},
	patch,
))

test_ear_10_tuning_on_controlled_technology_is_for_a_person if {
	fixture.of("EAR-10", _ear_10_tuning({})) == {{
		"id": "EAR-10",
		"effect": "require_approval",
		"msg": "weights tuned on technology of ECCN 3E001 may hold it: they are not the published weights of glm-5.2",
		"facts": {
			"data.ear.classification": "3E001",
			"data.ear.us_origin": true,
			"model": "glm-5.2",
			"model.published": true,
			"model.tuned_on": null,
			"purpose.kind": "fine_tune",
			"caller.person_status": "us_citizen",
		},
		"missing": [],
		"remedy": "a person's approval, or tuning without controlled technology",
	}}
}

test_ear_10_inference_changes_no_weights if {
	fixture.of("EAR-10", _ear_10_tuning({"purpose": {"kind": "inference"}})) == set()
}

test_ear_10_what_is_tuned_on_decides if {
	[fixture.effects("EAR-10", _ear_10_tuning({"data": {"ear": {"classification": class}}})) |
		some class in ["EAR99", "3E991", "5E002", "published", "not_technology", null]
	] == [{"advise"}, {"advise"}, {"require_approval"}, set(), set(), {"indeterminate"}]
	foreign := {"exporter": {"establishment": "DE"}, "data": {"ear": {"us_origin": false}}}
	fixture.of("EAR-10", _ear_10_tuning(foreign)) == set()
}

_ear_10_used(model, patch) := fixture.effects_in("EAR-10", fixture.asking_at("glm-5.2@us", object.union({"caller": {"person_status": "us_citizen"}}, patch)), known) if {
	known := object.union(data.policyguard.sample.catalog, {
		"models": {"glm-5.2": object.union({"tuned_on": "3E001", "published": false}, model)},
		"deployments": {"glm-5.2@us": object.get(patch, "deployment", {})},
	})
}

# Published base weights do not make a private derivative published.
test_ear_10_tuned_weights_stay_where_the_technology_could if {
	_ear_10_used({}, {}) == set()
	_ear_10_used({}, {"deployment": {"processing_countries": ["SG"]}}) == {"require_approval"}
	_ear_10_used({}, {"deployment": {"processing_scope": null}}) == {"require_approval"}
	_ear_10_used({}, {"caller": {"person_status": "foreign"}}) == {"require_approval"}
	_ear_10_used({}, {"caller": {"person_status": null}}) == {"require_approval"}
}

test_ear_10_tuned_weights_without_controlled_technology_are_free if {
	every model in [{"tuned_on": "published"}, {"tuned_on": "not_technology"}, {"tuned_on": "EAR99"}, {"published": true}] {
		_ear_10_used(model, {"deployment": {"processing_countries": ["SG"]}}) == set()
	}
}

test_ear_10_what_our_own_derivative_was_tuned_on_has_to_be_known if {
	known := object.union(data.policyguard.sample.catalog, {"models": {"glm-5.2": {"published": false}}})
	fixture.missing_in("EAR-10", fixture.asking_at("glm-5.2@fra-1", {}), known) == {"model.tuned_on"}
	fixture.of_in("EAR-10", fixture.call, known) == set()
}
