package policyguard.rules_test

import data.policyguard.fixture

_prov_01_at(installed) := fixture.effects_in(
	"PROV-01",
	fixture.asking_at("glm-5.2@fra-1", {}),
	fixture.catalog_with("deployments", "glm-5.2@fra-1", {"installed": installed}),
)

test_prov_01_pinned_weights_of_the_manifest_are_no_finding if {
	fixture.of("PROV-01", fixture.asking_at("glm-5.2@fra-1", {})) == set()
}

test_prov_01_other_weights_than_the_manifests_are_denied if {
	other := "0000000000000000000000000000000000000000000000000000000000000000"
	known := fixture.catalog_with("deployments", "glm-5.2@fra-1", {"installed": {"digest": other}})
	fixture.of_in("PROV-01", fixture.asking_at("glm-5.2@fra-1", {}), known) == {{
		"id": "PROV-01",
		"effect": "deny",
		"msg": "the weights that llm.fra-1.acme.example has installed are not those of the manifest",
		"facts": {
			"deployment": "glm-5.2@fra-1",
			"deployment.installed.weights": "glm-5.2-acme",
			"deployment.installed.revision": "7c0ffee5d2b94e61a3f08d1c52e9b7a46f1d3c88",
			"deployment.installed.digest": other,
			"weights.digest": "99eb990813d98684a39edb4546e4fa663f816a01b9bb5df4b92d02bb36e0800d",
		},
		"missing": [],
		"remedy": "the weights of the manifest, or a manifest of their own for these; quantised weights are new weights",
	}}
}

test_prov_01_a_branch_a_tag_and_a_short_commit_are_no_pins if {
	every revision in ["main", "v5.2", "7c0ffee", "7c0ffee5d2b94e61a3f08d1c52e9b7a46f1d3c88a"] {
		_prov_01_at({"revision": revision}) == {"require_approval"}
	}
}

test_prov_01_what_is_not_known_is_named if {
	every name, entry in {
		"deployment.installed.revision": {"revision": null},
		"deployment.installed.digest": {"digest": null},
		"weights.digest": {"weights": null},
	} {
		known := fixture.catalog_with("deployments", "glm-5.2@fra-1", {"installed": entry})
		asked := fixture.asking_at("glm-5.2@fra-1", {})
		fixture.effects_in("PROV-01", asked, known) == {"indeterminate"}
		fixture.missing_in("PROV-01", asked, known) == {name}
	}
}

test_prov_01_nothing_measured_is_all_unknown if {
	_prov_01_at(null) == {"indeterminate"}
}

test_prov_01_a_vendors_api_shows_no_weights if {
	fixture.of("PROV-01", fixture.call) == set()
}

_prov_01_evidence(patch) := object.union(data.policyguard.sample.catalog, {"evidence": {_prov_01_digest: object.union(
	{
		"weights": "glm-5.2-acme",
		"revision": "7c0ffee5d2b94e61a3f08d1c52e9b7a46f1d3c88",
		"digest": "99eb990813d98684a39edb4546e4fa663f816a01b9bb5df4b92d02bb36e0800d",
		"format": "safetensors",
		"remote_code": false,
		"parameters": null,
		"signature": null,
		"lineage": null,
		"source": "measured",
		"as_of": "2026-07-01",
	},
	patch,
)}})

_prov_01_digest := "1111111111111111111111111111111111111111111111111111111111111111"

_prov_01_measured(patch, digest) := fixture.effects_in(
	"PROV-01",
	fixture.asking_at("glm-5.2@fra-1", {"context": {"weights_evidence": digest}}),
	_prov_01_evidence(patch),
)

test_prov_01_what_was_measured_stands_for_what_is_installed if {
	_prov_01_measured({}, _prov_01_digest) == set()
	_prov_01_measured({"digest": "0000000000000000000000000000000000000000000000000000000000000000"}, _prov_01_digest) == {"deny"}
	_prov_01_measured({"revision": null}, _prov_01_digest) == {"indeterminate"}
}

test_prov_01_evidence_that_is_not_there_or_of_another_model_is_none if {
	_prov_01_measured({}, "2222222222222222222222222222222222222222222222222222222222222222") == {"indeterminate"}
	_prov_01_measured({"weights": "kimi-k2"}, _prov_01_digest) == {"indeterminate"}
}

test_prov_01_evidence_says_nothing_of_a_vendors_api if {
	fixture.of("PROV-01", fixture.asking({"context": {"weights_evidence": _prov_01_digest}})) == set()
}
