package policyguard.facts_test

import data.policyguard.fixture

_sealing := {
	"end_to_end": true,
	"fips": true,
	"strength_bits": 256,
	"keys_withheld": true,
	"enclave": false,
}

# A relay that carries ciphertext, with facts of it and of its sealing replaced.
_seal_of(relay, sealing) := view.hops[0].seal if {
	deployment := object.union(
		{
			"mode": "gateway",
			"sealing": object.union(_sealing, sealing),
			"storage_countries": ["SG"],
			"processing_countries": ["SG"],
		},
		relay,
	)
	known := fixture.catalog_with("deployments", "glm-5.2@us", deployment)
	view := fixture.view_in(fixture.asking_at("glm-5.2@us", {}), known)
}

test_all_limbs_together_seal_a_hop if {
	_seal_of({}, {}) == {kind: {"state": "sealed", "failed": [], "missing": []} | some kind in ["ear", "itar"]}
}

test_each_limb_that_fails_opens_it if {
	every limb in ["end_to_end", "fips", "keys_withheld"] {
		seal := _seal_of({}, object.union({"strength_bits": 64}, {limb: false}))
		[seal.ear.state, seal.itar.state] == ["open", "open"]
		sprintf("deployment.sealing.%s", [limb]) in seal.ear.failed
	}
}

test_each_limb_that_is_unknown_is_named if {
	every limb in ["end_to_end", "fips", "keys_withheld"] {
		seal := _seal_of({}, object.union({"strength_bits": null}, {limb: null}))
		[seal.ear.state, seal.itar.state] == ["unknown", "unknown"]
		seal.ear.missing == [sprintf("deployment.sealing.%s", [limb])]
	}
}

# A strong cipher does for the ITAR what only a validated module does for the EAR.
test_strength_is_the_itars_own_limb if {
	[[seal.ear.state, seal.itar.state] |
		some bits in [127, 128]
		seal := _seal_of({}, {"fips": false, "strength_bits": bits})
	] == [["open", "open"], ["open", "sealed"]]
}

test_storage_in_a_group_of_arms_embargo_or_in_russia_opens_it if {
	every country in ["CN", "HK", "RU"] {
		seal := _seal_of({"storage_countries": ["SG", country]}, {})
		[seal.ear.state, seal.itar.state] == ["open", "open"]
	}
	seal := _seal_of({"storage_countries": null}, {})
	[seal.ear.state, seal.itar.state] == ["unknown", "unknown"]
}

test_to_be_sent_to_such_a_country_opens_it_by_the_itar_alone if {
	seal := _seal_of({"processing_countries": ["CN"]}, {})
	[seal.ear.state, seal.itar.state] == ["sealed", "open"]
}

# The limb that is forgotten: not sent from one either.
test_to_be_sent_from_such_a_country_opens_it_by_the_itar_alone if {
	known := fixture.catalog_with("deployments", "glm-5.2@us", {
		"mode": "gateway",
		"sealing": _sealing,
		"storage_countries": ["SG"],
		"processing_countries": ["SG"],
	})
	[[seal.ear.state, seal.itar.state] |
		some from in ["DE", "CN", null]
		asked := fixture.asking_at("glm-5.2@us", {"exporter": {"establishment": from}})
		view := fixture.view_in(asked, known)
		seal := view.hops[0].seal
	] == [["sealed", "sealed"], ["sealed", "open"], ["sealed", "unknown"]]
}

# Inference is in the clear for who runs the model, whatever the transport.
test_who_runs_the_model_decrypts if {
	every mode in ["self_hosted", "vendor_api", "cloud_managed"] {
		seal := _seal_of({"mode": mode}, {})
		seal.ear.state == "open"
		seal.ear.failed == ["deployment.sealing.end_to_end"]
	}
}

test_an_enclave_is_its_own_answer if {
	seal := _seal_of({"mode": "vendor_api"}, {"enclave": true})
	[seal.ear.state, seal.itar.state] == ["enclave", "enclave"]
}

test_a_hop_without_encryption_of_its_own_is_open_for_no_limb if {
	open := {"state": "open", "failed": [], "missing": []}
	hops := _view(fixture.asking({"route": ["glm-5.2@api.scaleway.ai", null]})).hops
	[hop.seal | some hop in hops] == [{"ear": open, "itar": open}, {"ear": open, "itar": open}]
}

test_what_is_stored_in_russia_is_barred_by_both if {
	seal := _seal_of({"storage_countries": ["SG", "RU"]}, {})
	[seal.ear.failed, seal.itar.failed] == [["deployment.storage_countries"], ["deployment.storage_countries"]]
	known := object.union(
		fixture.catalog_with("deployments", "glm-5.2@us", {"mode": "gateway", "sealing": _sealing, "storage_countries": ["RU"]}),
		{"lists": {"bis-d5": {"countries": {"RU": []}}}},
	)
	fixture.view_in(fixture.asking_at("glm-5.2@us", {}), known).hops[0].seal.ear.state == "open"
}

test_the_itars_limb_is_unknown_only_where_both_facts_are if {
	[[limb in seal.itar.failed, limb in seal.itar.missing] |
		limb := "deployment.sealing.fips"
		some [fips, bits] in [[null, null], [null, 127], [null, 128], [false, null], [false, 128]]
		seal := _seal_of({}, {"fips": fips, "strength_bits": bits})
	] == [[false, true], [true, false], [false, false], [true, false], [false, false]]
}
