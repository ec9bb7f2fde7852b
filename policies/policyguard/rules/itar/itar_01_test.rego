package policyguard.rules_test

import data.policyguard.fixture

_itar_01_sent(deployment, patch) := fixture.asking_at(deployment, object.union(
	{
		"exporter": {"establishment": "US"},
		"caller": {"person_status": "us_citizen", "location": "US"},
		"data": {"classes": ["technical"], "subjects": null, "itar": true},
	},
	patch,
))

_itar_01_us(patch) := _itar_01_sent("glm-5.2@us", patch)

_itar_01_read_by(readers) := fixture.catalog_with("deployments", "glm-5.2@us", {"readers": readers})

_itar_01_reader(patch) := object.union(
	{"role": "support", "person_status": "us_citizen", "citizenships": null, "latest_citizenship": null},
	patch,
)

_itar_01_agreement(patch) := {"tenant": {"licences": [fixture.licence(object.union({"authority": "DDTC", "operators": ["scaleway"], "countries": ["FR"]}, patch))]}}

_itar_01_relay(patch) := fixture.catalog_with("deployments", "glm-5.2@us", object.union(
	{
		"mode": "gateway",
		"processing_countries": ["SG"],
		"storage_countries": ["SG"],
		"sealing": {"end_to_end": true, "fips": false, "strength_bits": 128, "keys_withheld": true, "enclave": false},
	},
	patch,
))

test_itar_01_technical_data_stays_in_the_united_states if {
	[finding] := [found | some found in fixture.of("ITAR-01", _itar_01_sent("glm-5.2@api.scaleway.ai", {})); found.effect == "deny"]
	finding == {
		"id": "ITAR-01",
		"effect": "deny",
		"msg": "glm-5.2 at api.scaleway.ai would take technical data of the ITAR to FR, without a licence of DDTC",
		"facts": {
			"data.itar": true,
			"deployment": "glm-5.2@api.scaleway.ai",
			"deployment.operator": "scaleway",
			"deployment.places": ["FR"],
			"deployment.sealing": null,
			"contract.us_persons_only": false,
			"lists.itar-126-1.as_of": "2026-06-18",
		},
		"missing": [],
		"remedy": "a deployment in the United States that US persons alone can reach, or an agreement of DDTC that covers this one",
	}
}

test_itar_01_us_persons_alone_in_the_united_states_are_no_finding if {
	fixture.of_in("ITAR-01", _itar_01_us({}), _itar_01_read_by([])) == set()
	fixture.of_in("ITAR-01", _itar_01_us({}), _itar_01_read_by([_itar_01_reader({"person_status": "us_lpr"})])) == set()
	papers := [fixture.contract("baseten", {"us_persons_only": true})]
	fixture.of("ITAR-01", _itar_01_us({"tenant": {"contracts": papers}})) == set()
}

test_itar_01_a_foreign_reader_is_a_release if {
	known := _itar_01_read_by([_itar_01_reader({"person_status": "foreign", "citizenships": ["FR", "IR"]})])
	some finding in fixture.of_in("ITAR-01", _itar_01_us({}), known)
	finding.effect == "deny"
	finding.msg == "technical data of the ITAR would be released to support staff of inference.baseten.co, a foreign person (FR, IR), without a licence of DDTC"
}

# All nationalities count, where the EAR looks at the latest.
test_itar_01_an_agreement_covers_every_nationality_or_does_not_cover if {
	reading := {"caller": {"person_status": "foreign", "citizenships": ["FR", "GB"], "latest_citizenship": "GB"}}
	[fixture.effects_in("ITAR-01", _itar_01_us(object.union(reading, _itar_01_agreement({"persons": persons}))), _itar_01_read_by([])) |
		some persons in [["FR", "GB"], ["GB"], []]
	] == [set(), {"deny"}, {"deny"}]
	unsaid := _itar_01_us({"caller": {"person_status": "foreign"}})
	some finding in fixture.of_in("ITAR-01", unsaid, _itar_01_read_by([]))
	finding.effect == "deny"
	contains(finding.msg, "(of a country that is not said)")
}

# The latest one stands in for no other.
test_itar_01_nationalities_that_are_not_known_are_asked_for_where_an_agreement_may_cover_them if {
	asked := [_itar_01_us(object.union({"caller": object.union({"person_status": "foreign"}, of)}, _itar_01_agreement({"persons": ["GB"]}))) |
		some of in [{}, {"latest_citizenship": "GB"}, {"citizenships": [], "latest_citizenship": "GB"}, {"latest_citizenship": "FR"}]
	]
	[fixture.effects_in("ITAR-01", call, _itar_01_read_by([])) | some call in asked] == [{"indeterminate"}, {"indeterminate"}, {"indeterminate"}, {"deny"}]
	fixture.missing_in("ITAR-01", asked[1], _itar_01_read_by([])) == {"caller.citizenships"}
	nobody := _itar_01_us(object.union({"caller": {"person_status": "foreign"}}, _itar_01_agreement({"persons": []})))
	fixture.effects_in("ITAR-01", nobody, _itar_01_read_by([])) == {"deny"}
}

# What was agreed with one operator says nothing of another's people.
test_itar_01_an_agreement_covers_the_people_of_the_operators_that_it_names if {
	read := {"readers": [_itar_01_reader({"person_status": "foreign", "citizenships": ["GB"]})]}
	at_host := fixture.catalog_with("deployments", "glm-5.2@us", read)
	[fixture.effects_in("ITAR-01", _itar_01_us(_itar_01_agreement({"persons": ["GB"], "operators": operators})), at_host) |
		some operators in [["baseten"], ["scaleway"], []]
	] == [set(), {"deny"}, {"deny"}]
	nobodys := fixture.catalog_with("deployments", "glm-5.2@us", object.union(read, {"operator": null}))
	"deny" in fixture.effects_in("ITAR-01", _itar_01_us(_itar_01_agreement({"persons": ["GB"], "operators": ["baseten"]})), nobodys)
}

test_itar_01_an_agreement_clears_the_operator_and_the_countries_that_it_names if {
	french := {"readers": []}
	known := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", french)
	[fixture.effects_in("ITAR-01", _itar_01_sent("glm-5.2@api.scaleway.ai", _itar_01_agreement(scope)), known) |
		some scope in [
			{},
			{"countries": []},
			{"countries": ["DE"]},
			{"operators": ["baseten"]},
			{"authority": "BIS"},
			{"expires": "2026-07-10T12:00:00Z"},
		]
	] == [set(), {"deny"}, {"deny"}, {"deny"}, {"deny"}, {"deny"}]
}

# What the EAR calls published is no shortcut.
test_itar_01_a_classification_as_published_clears_nothing if {
	published := {"data": {"ear": {"classification": "published", "evidence": "https://example.com/post"}}}
	"deny" in fixture.effects("ITAR-01", _itar_01_sent("glm-5.2@api.scaleway.ai", published))
}

test_itar_01_ciphertext_that_meets_every_limb_is_no_export if {
	fixture.of_in("ITAR-01", _itar_01_us({}), _itar_01_relay({})) == set()
}

# The limbs of the ITAR are its own: 128 bits, and not sent from such a country either.
test_itar_01_each_limb_that_fails_lets_the_export_stand if {
	every change in [
		{"sealing": {"strength_bits": 127}},
		{"sealing": {"end_to_end": false}},
		{"sealing": {"keys_withheld": false}},
		{"storage_countries": ["RU"]},
		{"processing_countries": ["CN"]},
		{"mode": "vendor_api"},
	] {
		"deny" in fixture.effects_in("ITAR-01", _itar_01_us({}), _itar_01_relay(change))
	}
	"deny" in fixture.effects_in("ITAR-01", _itar_01_us({"exporter": {"establishment": "CN"}}), _itar_01_relay({}))
}

test_itar_01_an_attested_environment_is_for_a_person if {
	known := _itar_01_relay({"mode": "vendor_api", "sealing": {"enclave": true}})
	fixture.effects_in("ITAR-01", _itar_01_us({}), known) == {"require_approval"}
}

test_itar_01_unknown_places_and_readers_are_named if {
	fixture.missing("ITAR-01", _itar_01_us({})) == {"deployment.readers"}
	fixture.missing("ITAR-01", _itar_01_sent("gpt-5.5@api.openai.com", {})) == {
		"deployment.processing_countries",
		"deployment.processing_scope",
		"deployment.readers",
		"deployment.storage_countries",
	}
	known := fixture.catalog_with("deployments", "glm-5.2@us", {"operator": null, "readers": []})
	fixture.missing_in("ITAR-01", _itar_01_us({}), known) == {"deployment.operator"}
	fixture.missing("ITAR-01", object.union(_itar_01_us({}), {"route": [null]})) == {"deployment", "deployment.operator", "deployment.readers"}
}

test_itar_01_an_unknown_status_is_named if {
	fixture.missing_in("ITAR-01", _itar_01_us({"caller": {"person_status": null}}), _itar_01_read_by([])) == {"caller.person_status"}
	known := _itar_01_read_by([_itar_01_reader({"person_status": null})])
	fixture.missing_in("ITAR-01", _itar_01_us({}), known) == {"deployment.readers.person_status"}
}

_itar_01_unsaid(patch) := object.union({"data": {"itar": null, "ear": {"classification": null}}}, patch)

test_itar_01_what_may_be_technical_data_is_asked_for_where_it_would_matter if {
	fixture.missing("ITAR-01", _itar_01_sent("glm-5.2@api.scaleway.ai", _itar_01_unsaid({}))) == {"data.itar"}
	fixture.missing("ITAR-01", _itar_01_us(_itar_01_unsaid({}))) == {"data.itar"}
	fixture.of_in("ITAR-01", _itar_01_us(_itar_01_unsaid({})), _itar_01_read_by([])) == set()
	fixture.missing_in("ITAR-01", _itar_01_us(_itar_01_unsaid({"caller": {"person_status": "foreign"}})), _itar_01_read_by([])) == {"data.itar"}
}

# What the EAR calls published, or no technology, is no answer to another law's question.
test_itar_01_no_classification_stands_in_for_the_answer_but_one_that_excludes_it if {
	[fixture.missing("ITAR-01", _itar_01_sent("glm-5.2@api.scaleway.ai", {"data": {"itar": null, "ear": {"classification": class}}})) |
		some class in ["published", "not_technology", "EAR99", "3E001"]
	] == [{"data.itar"}, {"data.itar"}, set(), set()]
}

test_itar_01_what_cannot_be_technical_data_is_not_asked_for if {
	every data_of in [
		{"itar": false},
		{"itar": null, "classes": ["pii"]},
		{"itar": null, "ear": {"classification": "EAR99"}},
		{"itar": null, "ear": {"us_origin": false}},
	] {
		asked := _itar_01_sent("glm-5.2@api.scaleway.ai", {"exporter": {"establishment": "FR"}, "data": data_of})
		fixture.of("ITAR-01", asked) == set()
	}
}
