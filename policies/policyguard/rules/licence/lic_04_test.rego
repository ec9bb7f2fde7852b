package policyguard.rules_test

import data.policyguard.fixture

_lic_04_llama(terms) := fixture.catalog_with("models", "glm-5.2", {"licence_terms": object.union(
	{
		"display_name": null,
		"display_above_users": null,
		"display_above_revenue_usd": null,
		"ask_above_users": 700000000,
		"eu_excluded": false,
		"source": null,
	},
	terms,
)})

_lic_04(users) := fixture.asking({"tenant": {"product": {"users_at_release": users}}})

test_lic_04_more_users_at_release_than_the_licence_allows_is_denied if {
	known := _lic_04_llama({})
	fixture.of_in("LIC-04", _lic_04(700000000), known) == set()
	some finding in fixture.of_in("LIC-04", _lic_04(700000001), known)
	finding.effect == "deny"
	finding.msg == "the licence of glm-5.2 grants nothing to whoever had more than 700000000 monthly users at its release, without a licence of its own"
}

test_lic_04_a_licence_of_its_own_lifts_it if {
	[fixture.effects_in("LIC-04", asked, _lic_04_llama({})) |
		some [authority, model] in [["other", "glm-5.2"], ["BIS", "glm-5.2"], ["other", "kimi-k2"]]
		licence := fixture.licence({"authority": authority, "models": [model], "expires": "2026-12-31T00:00:00Z"})
		asked := object.union(_lic_04(700000001), {"tenant": {"licences": [licence]}})
	] == [set(), {"deny"}, {"deny"}]
}

test_lic_04_unknown_users_are_named if {
	fixture.missing_in("LIC-04", _lic_04(null), _lic_04_llama({})) == {"tenant.product.users_at_release"}
}

test_lic_04_other_licences_ask_nothing if {
	fixture.of("LIC-04", _lic_04(700000001)) == set()
	fixture.of_in("LIC-04", _lic_04(null), _lic_04_llama({"ask_above_users": null})) == set()
}
