package policyguard.rules_test

import data.policyguard.fixture

_aia_01_known(patch) := fixture.catalog_with("models", "glm-5.2", patch)

_aia_01_tuning(share) := fixture.asking({"purpose": {"kind": "fine_tune", "compute_share_bp": share}})

test_aia_01_a_provider_that_has_published_nothing_is_told_and_nobody_is_denied if {
	known := _aia_01_known({"documents": {"training_summary": false, "copyright_policy": false}})
	fixture.of_in("AIA-01", fixture.call, known) == {{
		"id": "AIA-01",
		"effect": "advise",
		"msg": "the provider of glm-5.2 has not published a copyright policy and a summary of its training content: that is the provider's duty, not yours, and its model may be withdrawn from the Union's market",
		"facts": {
			"context.eu_market": null,
			"exporter.establishment": "DE",
			"model": "glm-5.2",
			"model.documents": {"training_summary": false, "copyright_policy": false, "source": null},
			"model.open_weights": true,
			"model.systemic_risk": null,
			"purpose.compute_share_bp": null,
			"purpose.kind": "inference",
		},
		"missing": [],
		"remedy": "",
	}}
}

test_aia_01_published_or_unknown_documents_are_no_finding_for_who_uses_a_model if {
	fixture.of_in("AIA-01", fixture.call, _aia_01_known({"documents": {"training_summary": true, "copyright_policy": true}})) == set()
	fixture.of("AIA-01", fixture.call) == set()
	fixture.effects_in("AIA-01", fixture.call, _aia_01_known({"documents": {"copyright_policy": false}})) == {"advise"}
}

test_aia_01_more_than_a_third_of_the_computing_makes_a_provider if {
	fixture.of("AIA-01", _aia_01_tuning(3333)) == set()
	some finding in fixture.of("AIA-01", _aia_01_tuning(3334))
	finding.effect == "oblige"
	contains(finding.msg, "makes you the provider")
	finding.obligation == {"type": "record_keeping", "properties": {"article": "AI Act Art. 53"}}
}

test_aia_01_a_model_with_systemic_risk_brings_more_duties if {
	some finding in fixture.of_in("AIA-01", _aia_01_tuning(5000), _aia_01_known({"systemic_risk": true}))
	contains(finding.msg, "duties of Article 55")
}

test_aia_01_an_unknown_share_is_said_and_asks_nobody if {
	some finding in fixture.of("AIA-01", _aia_01_tuning(null))
	finding.effect == "advise"
	contains(finding.msg, "it is not known whether")
}

test_aia_01_outside_the_unions_market_it_says_nothing if {
	every patch in [{"context": {"eu_market": false}}, {"exporter": {"establishment": "US"}}] {
		fixture.of_in("AIA-01", object.union(_aia_01_tuning(5000), patch), _aia_01_known({"documents": {"copyright_policy": false}})) == set()
	}
	abroad := {"context": {"eu_market": true}, "exporter": {"establishment": "US"}}
	fixture.effects("AIA-01", object.union(_aia_01_tuning(5000), abroad)) == {"oblige"}
}
