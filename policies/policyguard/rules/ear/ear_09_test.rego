package policyguard.rules_test

import data.policyguard.fixture

_ear_09_for(kind, purpose) := fixture.asking({"purpose": object.union({"kind": kind, "end_use": "civil", "beneficiary_headquarters": "DE"}, purpose)})

test_ear_09_training_for_a_party_of_an_embargoed_country_is_for_a_person if {
	fixture.of("EAR-09", _ear_09_for("train", {"beneficiary_headquarters": "CN"})) == {{
		"id": "EAR-09",
		"effect": "require_approval",
		"msg": "a red flag: this is work on weights for a party with its headquarters in CN",
		"facts": {
			"purpose.kind": "train",
			"purpose.beneficiary_headquarters": "CN",
			"purpose.end_use": "civil",
			"purpose.compute_zettaops": null,
			"purpose.publishes": null,
			"lists.bis-d5.as_of": "2026-06-18",
		},
		"missing": [],
		"remedy": "a person's answer to the red flags of BIS on who the party is and what the model is for",
	}}
}

test_ear_09_each_way_of_training_counts_and_use_does_not if {
	[fixture.effects("EAR-09", _ear_09_for(kind, {"beneficiary_headquarters": "CN"})) |
		some kind in ["train", "fine_tune", "distil", "inference", "embed", "evaluate"]
	] == [{"require_approval"}, {"require_approval"}, {"require_approval"}, set(), set(), set()]
}

test_ear_09_a_party_elsewhere_is_no_red_flag if {
	fixture.of("EAR-09", _ear_09_for("train", {})) == set()
}

test_ear_09_military_use_counts_in_an_embargoed_country_and_weapons_everywhere if {
	[fixture.effects("EAR-09", _ear_09_for("train", {"end_use": use, "beneficiary_headquarters": country})) |
		some [use, country] in [
			["military", "CN"],
			["military_intelligence", "CN"],
			["wmd", "CN"],
			["military", "DE"],
			["military_intelligence", "DE"],
			["wmd", "DE"],
			["wmd", null],
		]
	] == [{"deny"}, {"deny"}, {"deny"}, set(), set(), {"deny"}, {"deny"}]
}

test_ear_09_a_licence_for_the_model_lifts_the_bar if {
	licensed := {"tenant": {"licences": [fixture.licence({"models": ["glm-5.2"]})]}}
	fixture.of("EAR-09", object.union(_ear_09_for("train", {"end_use": "wmd"}), licensed)) == set()
}

test_ear_09_for_whom_and_for_what_have_to_be_known if {
	fixture.missing("EAR-09", _ear_09_for("fine_tune", {"end_use": null, "beneficiary_headquarters": null})) == {"purpose.end_use", "purpose.beneficiary_headquarters"}
	fixture.missing("EAR-09", _ear_09_for("fine_tune", {"end_use": null})) == {"purpose.end_use"}
	fixture.missing("EAR-09", _ear_09_for("fine_tune", {"beneficiary_headquarters": null})) == {"purpose.beneficiary_headquarters"}
}

# 4E091 is neither repealed nor enforced, and 10^26 is its number, not 10^25.
test_ear_09_unpublished_weights_of_10_to_the_26_are_advice if {
	[fixture.effects("EAR-09", _ear_09_for("train", patch)) |
		some patch in [
			{"compute_zettaops": 99999},
			{"compute_zettaops": 100000},
			{"compute_zettaops": 100000, "publishes": false},
			{"compute_zettaops": 100000, "publishes": true},
		]
	] == [set(), {"advise"}, {"advise"}, set()]
}

test_ear_09_who_does_not_train_is_asked_nothing if {
	every purpose in [{"end_use": null}, {"beneficiary_headquarters": null}, {"compute_zettaops": 100000}] {
		fixture.of("EAR-09", _ear_09_for("inference", purpose)) == set()
	}
}
