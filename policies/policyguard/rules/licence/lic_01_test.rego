package policyguard.rules_test

import data.policyguard.fixture

_lic_01(product) := fixture.asking_at("tuned-1@us", {"tenant": {"product": object.union(
	{"monthly_active_users": 1000, "monthly_revenue_usd": 1000, "attributions": []},
	product,
)}})

_lic_01_whose(product) := {finding.msg | some finding in fixture.of("LIC-01", _lic_01(product)); finding.effect == "deny"}

test_lic_01_g17_a_large_product_on_a_derivative_that_hides_its_base_is_denied if {
	"the licence of kimi-k2.5 asks a product of this size to display `Kimi K2.5`, and its user interface does not" in _lic_01_whose({"monthly_revenue_usd": 167000000})
}

test_lic_01_more_than_means_more_than if {
	every product in [{"monthly_active_users": 100000000}, {"monthly_revenue_usd": 20000000}] {
		fixture.of("LIC-01", _lic_01(product)) == set()
	}
	every product in [{"monthly_active_users": 100000001}, {"monthly_revenue_usd": 20000001}] {
		fixture.effects("LIC-01", _lic_01(product)) == {"deny"}
	}
}

test_lic_01_either_figure_is_enough_and_below_both_nothing_is_asked if {
	fixture.of("LIC-01", _lic_01({"monthly_active_users": 90000000, "monthly_revenue_usd": 19000000})) == set()
}

test_lic_01_the_name_of_the_version_itself_has_to_be_displayed if {
	shown := ["Kimi K2.5"]
	_lic_01_whose({"monthly_revenue_usd": 167000000, "attributions": shown}) == {"the licence of kimi-k2 asks a product of this size to display `Kimi K2`, and its user interface does not"}
	all := {"monthly_revenue_usd": 167000000, "attributions": ["Kimi K2", "Kimi K2.5"]}
	fixture.effects("LIC-01", _lic_01(all)) == {"oblige"}
	{finding.obligation | some finding in fixture.of("LIC-01", _lic_01(all))} == {
		{"type": "display_name", "properties": {"name": "Kimi K2", "licence": "kimi-k2"}},
		{"type": "display_name", "properties": {"name": "Kimi K2.5", "licence": "kimi-k2.5"}},
	}
}

test_lic_01_unknown_figures_and_names_are_named if {
	fixture.missing("LIC-01", _lic_01({"monthly_active_users": null, "monthly_revenue_usd": null})) == {
		"tenant.product.monthly_active_users",
		"tenant.product.monthly_revenue_usd",
	}
	fixture.missing("LIC-01", _lic_01({"monthly_revenue_usd": null})) == {"tenant.product.monthly_revenue_usd"}
	large := {"monthly_revenue_usd": 167000000, "monthly_active_users": null}
	fixture.missing("LIC-01", _lic_01(object.union(large, {"attributions": null}))) == {"tenant.product.attributions"}
	fixture.effects("LIC-01", _lic_01(object.union(large, {"attributions": null}))) == {"indeterminate"}
	fixture.effects("LIC-01", _lic_01(large)) == {"deny"}
	fixture.of("LIC-01", _lic_01({"attributions": null})) == set()
}

test_lic_01_who_displays_the_names_need_not_tell_figures if {
	fixture.of("LIC-01", _lic_01({"monthly_active_users": null, "attributions": ["Kimi K2", "Kimi K2.5"]})) == set()
}

test_lic_01_other_licences_ask_nothing if {
	fixture.of("LIC-01", fixture.call) == set()
}
