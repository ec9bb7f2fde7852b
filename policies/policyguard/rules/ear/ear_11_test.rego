package policyguard.rules_test

import data.policyguard.fixture

_ear_11_listing := {"names": ["B"], "scope": null, "policy": null, "covers": null, "verified": true, "source": null, "since": 1767225600, "until": null}

_ear_11_on(list) := object.union(data.policyguard.sample.catalog, {"lists": {list: {"parties": {"baseten": [_ear_11_listing]}}}})

_ear_11_sent(patch) := fixture.asking_at("glm-5.2@us", object.union(
	{
		"exporter": {"establishment": "US"},
		"caller": {"person_status": "us_citizen"},
		"data": {"classes": ["source_code"], "subjects": null, "ear": {"classification": "EAR99", "us_origin": true}},
	},
	patch,
))

test_ear_11_a_denied_person_is_denied if {
	fixture.of_in("EAR-11", _ear_11_sent({}), _ear_11_on("bis-denied-persons")) == {{
		"id": "EAR-11",
		"effect": "deny",
		"msg": "glm-5.2 at inference.baseten.co would hand an item subject to the EAR (EAR99) to Baseten, a party on the Denied Persons List",
		"facts": {
			"data.classes": ["source_code"],
			"data.ear.classification": "EAR99",
			"data.ear.us_origin": true,
			"exporter.establishment": "US",
			"deployment": "glm-5.2@us",
			"deployment.operator": "baseten",
			"lists.bis-denied-persons.as_of": "2026-06-18",
		},
		"missing": [],
		"remedy": "another operator",
	}}
}

# Each list says its own thing; one flag for all of them would not.
test_ear_11_each_list_is_read_for_what_it_says if {
	[fixture.effects_in("EAR-11", _ear_11_sent({}), _ear_11_on(list)) |
		some list in ["bis-denied-persons", "bis-meu", "bis-unverified", "bis-entity-list"]
	] == [{"deny"}, {"require_approval"}, {"require_approval"}, set()]
}

test_ear_11_the_list_is_named if {
	every list, name in {"bis-denied-persons": "Denied Persons List", "bis-meu": "Military End User List", "bis-unverified": "Unverified List"} {
		some finding in fixture.of_in("EAR-11", _ear_11_sent({}), _ear_11_on(list))
		contains(finding.msg, name)
	}
}

test_ear_11_not_before_the_listing if {
	[fixture.effects_in("EAR-11", _ear_11_sent({"at": at}), _ear_11_on("bis-meu")) |
		some at in ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"]
	] == [set(), {"require_approval"}]
}

test_ear_11_every_party_of_every_hop_is_looked_at if {
	hosted := object.union(_ear_11_on("bis-denied-persons"), {"deployments": {"glm-5.2@api.scaleway.ai": {"host_cloud": "baseten"}}})
	every asked in [
		_ear_11_sent({"route": ["glm-5.2@fra-1", "glm-5.2@us"]}),
		_ear_11_sent(fixture.to("glm-5.2@api.scaleway.ai")),
	] {
		fixture.effects_in("EAR-11", asked, hosted) == {"deny"}
		unclassified := object.union(asked, {"data": {"ear": {"classification": null}}})
		fixture.missing_in("EAR-11", unclassified, hosted) == {"data.ear.classification"}
	}
}

test_ear_11_what_is_no_item_may_go_to_any_of_them if {
	fixture.of_in("EAR-11", _ear_11_sent({"data": {"ear": {"classification": "published"}}}), _ear_11_on("bis-denied-persons")) == set()
}

test_ear_11_an_unclassified_item_is_named if {
	fixture.missing_in("EAR-11", _ear_11_sent({"data": {"ear": {"classification": null}}}), _ear_11_on("bis-unverified")) == {"data.ear.classification"}
}

test_ear_11_a_licence_that_names_the_party_clears_it if {
	licence := fixture.licence({"operators": ["baseten"]})
	fixture.of_in("EAR-11", _ear_11_sent({"tenant": {"licences": [licence]}}), _ear_11_on("bis-meu")) == set()
}
