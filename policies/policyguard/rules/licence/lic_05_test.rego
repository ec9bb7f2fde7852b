package policyguard.rules_test

import data.policyguard.fixture

_lic_05_known := _lic_04_llama({"eu_excluded": true, "ask_above_users": null})

_lic_05(deployment, patch) := fixture.asking_at(deployment, patch)

test_lic_05_a_company_in_the_union_that_hosts_it_is_denied if {
	some finding in fixture.of_in("LIC-05", _lic_05("glm-5.2@fra-1", {}), _lic_05_known)
	finding.effect == "deny"
	finding.msg == "the licence of glm-5.2 grants no rights to companies with their principal place of business in the Union (DE), and this one would host or build on it"
}

test_lic_05_who_builds_on_it_is_denied_wherever_it_runs if {
	every kind in ["fine_tune", "train", "distil"] {
		fixture.effects_in("LIC-05", _lic_05("glm-5.2@us", {"purpose": {"kind": kind}}), _lic_05_known) == {"deny"}
	}
}

test_lic_05_who_calls_anothers_service_is_an_end_user if {
	fixture.of_in("LIC-05", _lic_05("glm-5.2@us", {}), _lic_05_known) == set()
}

test_lic_05_the_union_is_not_the_economic_area if {
	fixture.of_in("LIC-05", _lic_05("glm-5.2@fra-1", {"exporter": {"establishment": "NO"}}), _lic_05_known) == set()
	fixture.of_in("LIC-05", _lic_05("glm-5.2@fra-1", {"exporter": {"establishment": "US"}}), _lic_05_known) == set()
}

test_lic_05_other_licences_exclude_nobody if {
	every patch in [{}, {"exporter": {"establishment": null}}, {"purpose": null}] {
		fixture.of("LIC-05", _lic_05("glm-5.2@fra-1", patch)) == set()
		fixture.of_in("LIC-05", _lic_05("glm-5.2@fra-1", patch), _lic_04_llama({"eu_excluded": false})) == set()
	}
}

test_lic_05_what_is_not_known_is_named if {
	fixture.missing_in("LIC-05", _lic_05("glm-5.2@fra-1", {"exporter": {"establishment": null}}), _lic_05_known) == {"exporter.establishment"}
	fixture.missing_in("LIC-05", _lic_05("glm-5.2@us", {"purpose": null}), _lic_05_known) == {"purpose"}
	fixture.missing_in("LIC-05", _lic_05("glm-5.2@fra-1", {"purpose": null}), _lic_05_known) == {"purpose"}
	fixture.of_in("LIC-05", _lic_05("glm-5.2@us", {"exporter": {"establishment": null}}), _lic_05_known) == set()
}
