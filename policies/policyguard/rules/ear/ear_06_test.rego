package policyguard.rules_test

import data.policyguard.fixture

_ear_06_sent(patch) := fixture.asking_at("glm-5.2@us", object.union(
	{
		"exporter": {"establishment": "US"},
		"caller": {"person_status": "us_citizen"},
		"data": {"classes": ["technical"], "subjects": null, "ear": {"classification": "3E001", "us_origin": true}},
	},
	patch,
))

_ear_06_relay(patch) := fixture.catalog_with("deployments", "glm-5.2@us", object.union(
	{
		"mode": "gateway",
		"processing_countries": ["SG"],
		"storage_countries": ["SG"],
		"sealing": {"end_to_end": true, "fips": true, "strength_bits": 256, "keys_withheld": true, "enclave": false},
	},
	patch,
))

_ear_06_found(known) := {id: effects |
	some id in ["EAR-04", "EAR-05", "EAR-06"]
	effects := fixture.effects_in(id, _ear_06_sent({}), known)
}

test_ear_06_ciphertext_that_meets_every_limb_is_no_export if {
	_ear_06_found(_ear_06_relay({})) == {"EAR-04": set(), "EAR-05": {"oblige"}, "EAR-06": {"advise"}}
	some finding in fixture.of_in("EAR-06", _ear_06_sent({}), _ear_06_relay({}))
	finding.msg == "inference.baseten.co carries ciphertext alone, which by 15 CFR 734.18(a)(5) is no export"
}

# Encryption in transit blesses no inference: who runs the model decrypts.
test_ear_06_inference_is_in_the_clear_for_who_runs_the_model if {
	known := _ear_06_relay({"mode": "vendor_api"})
	_ear_06_found(known)["EAR-04"] == {"deny"}
	some finding in fixture.of_in("EAR-06", _ear_06_sent({}), known)
	[finding.effect, finding.msg] == ["advise", "the encryption at inference.baseten.co does not make what it is sent no export: it is not end to end"]
}

test_ear_06_each_limb_that_fails_lets_the_export_stand if {
	every change in [
		{"sealing": {"end_to_end": false}},
		{"sealing": {"fips": false}},
		{"sealing": {"keys_withheld": false}},
		{"storage_countries": ["RU"]},
		{"storage_countries": ["CN"]},
	] {
		_ear_06_found(_ear_06_relay(change))["EAR-04"] == {"deny"}
	}
}

test_ear_06_an_unknown_limb_is_named if {
	known := _ear_06_relay({"sealing": {"fips": null}})
	fixture.missing_in("EAR-06", _ear_06_sent({}), known) == {"deployment.sealing.fips"}
	_ear_06_found(known)["EAR-04"] == {"deny"}
}

test_ear_06_an_attested_environment_is_for_a_person if {
	known := _ear_06_relay({"mode": "vendor_api", "sealing": {"enclave": true}})
	_ear_06_found(known) == {"EAR-04": set(), "EAR-05": {"oblige"}, "EAR-06": {"require_approval"}}
}

test_ear_06_nothing_is_said_of_what_is_no_item if {
	every patch in [
		{"data": {"ear": {"classification": "not_technology"}}},
		{"data": {"ear": {"us_origin": false}}, "exporter": {"establishment": "DE"}},
	] {
		every relay in [{}, {"sealing": {"fips": null}}, {"sealing": {"enclave": true}, "mode": "vendor_api"}, {"mode": "vendor_api"}] {
			fixture.of_in("EAR-06", _ear_06_sent(patch), _ear_06_relay(relay)) == set()
		}
	}
}

test_ear_06_every_hop_is_looked_at if {
	asked := _ear_06_sent({"route": ["glm-5.2@fra-1", "glm-5.2@us"]})
	every relay, effect in {
		"{}": "advise",
		`{"sealing": {"fips": null}}`: "indeterminate",
		`{"sealing": {"enclave": true}, "mode": "vendor_api"}`: "require_approval",
		`{"mode": "vendor_api"}`: "advise",
	} {
		fixture.effects_in("EAR-06", asked, _ear_06_relay(json.unmarshal(relay))) == {effect}
	}
}

test_ear_06_what_may_be_an_item_is_asked_as_well if {
	fixture.effects_in("EAR-06", _ear_06_sent({"data": {"ear": {"classification": null}}}), _ear_06_relay({})) == {"advise"}
}

test_ear_06_a_hop_without_encryption_of_its_own_is_nothing if {
	fixture.of("EAR-06", _ear_06_sent({})) == set()
}
