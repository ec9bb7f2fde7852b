package policyguard.rules_test

import data.policyguard.fixture

_prov_02_self := fixture.asking_at("glm-5.2@fra-1", {})

_prov_02_installed(entry) := fixture.catalog_with("deployments", "glm-5.2@fra-1", {"installed": entry})

test_prov_02_a_known_model_of_a_vendor_is_no_finding if {
	fixture.of("PROV-02", fixture.call) == set()
}

test_prov_02_who_hosts_weights_is_told_what_their_licence_asks if {
	fixture.of("PROV-02", _prov_02_self) == {{
		"id": "PROV-02",
		"effect": "advise",
		"msg": "who hosts glm-5.2 keeps to what its licence (MIT) asks: keep the MIT notice",
		"facts": {
			"deployment": "glm-5.2@fra-1",
			"model.weights_licence": "MIT",
			"model.notices": ["keep the MIT notice"],
		},
		"missing": [],
		"remedy": "",
	}}
}

test_prov_02_a_licence_that_is_not_known_is_called_so if {
	known := fixture.catalog_with("models", "glm-5.2", {"weights_licence": null})
	some finding in fixture.of_in("PROV-02", _prov_02_self, known)
	contains(finding.msg, "(not known)")
}

test_prov_02_an_unknown_developer_or_base_is_named if {
	every name, entry in {"model.developer": {"developer": null}, "model.base_models": {"base_models": null}} {
		known := fixture.catalog_with("models", "glm-5.2", entry)
		fixture.effects_in("PROV-02", fixture.call, known) == {"indeterminate"}
		fixture.missing_in("PROV-02", fixture.call, known) == {name}
	}
}

# A name is no provenance: the maker of a derivative is not the maker of its base.
test_prov_02_of_a_model_that_is_not_known_the_catalog_asks_nothing if {
	fixture.of("PROV-02", fixture.asking({"model": null})) == set()
}

test_prov_02_a_derivative_names_whose_it_is if {
	fixture.of("PROV-02", fixture.asking_at("tuned-1@us", {})) == {{
		"id": "PROV-02",
		"effect": "advise",
		"msg": "tuned-1 is derived from kimi-k2 by Moonshot AI, kimi-k2.5 by Moonshot AI, and their licences go with it",
		"facts": {"model": "tuned-1", "model.developer": "labs", "model.base_models": ["kimi-k2.5"]},
		"missing": [],
		"remedy": "",
	}}
}

test_prov_02_an_unknown_ancestor_is_named if {
	every name, entry in {
		"models.kimi-k2.developer": {"developer": null},
		"models.kimi-k2.base_models": {"base_models": null},
	} {
		known := fixture.catalog_with("models", "kimi-k2", entry)
		asked := fixture.asking_at("tuned-1@us", {})
		some finding in fixture.of_in("PROV-02", asked, known)
		finding.effect == "indeterminate"
		finding.missing == [name]
		contains(finding.msg, "derived from")
	}
}

test_prov_02_the_last_ancestor_is_looked_at_as_the_first if {
	asked := fixture.asking_at("tuned-1@us", {})
	known := fixture.catalog_with("models", "tuned-1", {"base_models": ["kimi-k2.5", "lost-1"]})
	fixture.missing_in("PROV-02", asked, known) == {"models.lost-1.developer", "models.lost-1.base_models"}
	alone := fixture.catalog_with("models", "kimi-k2.5", {"base_models": []})
	fixture.effects_in("PROV-02", asked, alone) == {"advise"}
}

test_prov_02_a_base_by_nobody_known_is_said_to_be_so if {
	known := fixture.catalog_with("models", "kimi-k2.5", {"developer": null})
	some finding in fixture.of_in("PROV-02", fixture.asking_at("tuned-1@us", {}), known)
	contains(finding.msg, "kimi-k2.5 by an unknown developer")
}

test_prov_02_weights_that_run_code_are_denied if {
	every entry in [{"format": "pickle"}, {"remote_code": true}] {
		fixture.effects_in("PROV-02", _prov_02_self, _prov_02_installed(entry)) == {"advise", "deny"}
	}
}

test_prov_02_a_manifest_that_says_so_is_enough if {
	every said, entry in {"pickle": {"format": "pickle"}, "remote code": {"remote_code": true}} {
		known := fixture.catalog_with("weights", "glm-5.2-acme", entry)
		some finding in fixture.of_in("PROV-02", _prov_02_self, known)
		finding.effect == "deny"
		finding.msg == sprintf("the weights at llm.fra-1.acme.example run code when they are loaded: %s", [said])
	}
}

test_prov_02_each_host_of_the_route_is_looked_at if {
	asked := object.union(_prov_02_self, {"route": ["glm-5.2@us", "glm-5.2@fra-1"]})
	fixture.effects_in("PROV-02", asked, _prov_02_installed({"format": "pickle"})) == {"advise", "deny"}
}

test_prov_02_a_licence_that_asks_nothing_is_not_advised if {
	fixture.of_in("PROV-02", _prov_02_self, fixture.catalog_with("models", "glm-5.2", {"notices": []})) == set()
}

test_prov_02_an_unknown_form_is_named if {
	base := fixture.catalog_with("weights", "glm-5.2-acme", {"format": null, "remote_code": null})
	every name, entry in {
		"deployment.installed.format": {"format": null},
		"deployment.installed.remote_code": {"remote_code": null},
	} {
		known := object.union(base, {"deployments": {"glm-5.2@fra-1": {"installed": entry}}})
		"indeterminate" in fixture.effects_in("PROV-02", _prov_02_self, known)
		fixture.missing_in("PROV-02", _prov_02_self, known) == {name}
	}
}

test_prov_02_what_the_manifest_says_is_known if {
	fixture.missing_in("PROV-02", _prov_02_self, _prov_02_installed({"format": null, "remote_code": null})) == set()
}

test_prov_02_a_vendors_weights_have_no_form_that_we_see if {
	every installed in [null, {"format": "pickle", "weights": null}] {
		known := fixture.catalog_with("deployments", "glm-5.2@us", {"installed": installed})
		fixture.of_in("PROV-02", fixture.asking_at("glm-5.2@us", {}), known) == set()
	}
}
