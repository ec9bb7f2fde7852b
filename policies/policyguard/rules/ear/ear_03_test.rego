package policyguard.rules_test

import data.policyguard.fixture

_ear_03_sent(deployment, evidence) := fixture.asking_at(deployment, {"data": {
	"classes": ["source_code"],
	"subjects": null,
	"ear": {"classification": "published", "us_origin": true, "evidence": evidence},
}})

test_ear_03_published_with_evidence_is_advice if {
	asked := _ear_03_sent("glm-5.2@open.bigmodel.cn", "https://example.com/repository")
	fixture.of("EAR-03", asked) == {{
		"id": "EAR-03",
		"effect": "advise",
		"msg": "what is sent counts as published, and so as not subject to the EAR, by this evidence: https://example.com/repository",
		"facts": {"data.ear.classification": "published", "data.ear.evidence": "https://example.com/repository"},
		"missing": [],
		"remedy": "",
	}}
}

test_ear_03_published_without_evidence_to_a_listed_operator_is_indeterminate if {
	asked := _ear_03_sent("glm-5.2@open.bigmodel.cn", null)
	fixture.effects("EAR-03", asked) == {"indeterminate"}
	fixture.missing("EAR-03", asked) == {"data.ear.evidence"}
}

test_ear_03_published_without_evidence_inside_the_united_states_is_nothing if {
	fixture.of("EAR-03", _ear_03_sent("glm-5.2@us", null)) == set()
}

test_ear_03_evidence_without_the_classification_is_nothing if {
	asked := fixture.asking_at("glm-5.2@open.bigmodel.cn", {"data": {"ear": {
		"classification": "EAR99",
		"evidence": "https://example.com/repository",
	}}})
	fixture.of("EAR-03", asked) == set()
}

test_ear_03_our_own_operator_is_nobody_else if {
	cloudless := fixture.catalog_with("deployments", "glm-5.2@fra-1", {"host_cloud": null})
	known := object.union(cloudless, {"lists": {"bis-entity-list": {"parties": {"acme": [{
		"names": ["ACME"],
		"scope": null,
		"policy": null,
		"covers": null,
		"verified": true,
		"source": null,
		"since": null,
		"until": null,
	}]}}}})
	[finding.msg | some finding in fixture.of_in("EAR-03", _ear_03_sent("glm-5.2@fra-1", null), known)] == ["glm-5.2 at llm.fra-1.acme.example takes what is sent to DE, and nothing shows that it is published"]
}

test_ear_03_a_licence_that_names_the_operator_needs_no_evidence if {
	licence := fixture.licence({"operators": ["zhipu-bigmodel"]})
	asked := object.union(_ear_03_sent("glm-5.2@open.bigmodel.cn", null), {"tenant": {"licences": [licence]}})
	fixture.of("EAR-03", asked) == set()
}

test_ear_03_what_can_hold_no_technology_needs_no_evidence if {
	sent := _ear_03_sent("glm-5.2@open.bigmodel.cn", null)
	every classes in [["none"], ["pii"], ["public"], ["financial", "pii"]] {
		fixture.of("EAR-03", object.union(sent, {"data": {"classes": classes}})) == set()
	}
	every classes in [null, ["technical"], ["confidential", "pii"]] {
		fixture.effects("EAR-03", object.union(sent, {"data": {"classes": classes}})) == {"indeterminate"}
	}
}

test_ear_03_technical_data_of_the_itar_is_left_to_its_own_rule if {
	sent := _ear_03_sent("glm-5.2@open.bigmodel.cn", null)
	fixture.of("EAR-03", object.union(sent, {"data": {"itar": true}})) == set()
	fixture.effects("ITAR-01", object.union(sent, {"data": {"itar": true}})) == {"deny", "indeterminate"}
	fixture.effects("EAR-03", object.union(sent, {"data": {"itar": false}})) == {"indeterminate"}
}

test_ear_03_foreign_origin_exported_from_elsewhere_needs_no_evidence if {
	sent := _ear_03_sent("glm-5.2@open.bigmodel.cn", null)
	foreign := {"data": {"ear": {"us_origin": false}}}
	fixture.of("EAR-03", object.union(sent, object.union(foreign, {"exporter": {"establishment": "DE"}}))) == set()
	fixture.effects("EAR-03", object.union(sent, object.union(foreign, {"exporter": {"establishment": "US"}}))) == {"indeterminate"}
	fixture.effects("EAR-03", object.union(sent, object.union(foreign, {"exporter": {"establishment": null}}))) == {"indeterminate"}
}
