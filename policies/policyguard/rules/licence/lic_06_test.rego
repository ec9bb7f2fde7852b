package policyguard.rules_test

import data.policyguard.fixture

_lic_06_at(deployment, resells) := fixture.asking_at(deployment, {"tenant": {"product": {"resells": resells}}})

_lic_06_asked(resells) := _lic_06_at("claude-fable-5@api.anthropic.com", resells)

_lic_06_terms_of(resale) := fixture.catalog_with("models", "claude-fable-5", {"access_terms": {"resale": resale}})

test_lic_06_access_that_is_resold_is_denied if {
	fixture.of("LIC-06", _lic_06_asked(true)) == {{
		"id": "LIC-06",
		"effect": "deny",
		"msg": "the terms of claude-fable-5 prohibit to resell access to it, and others get the model itself through this tenant",
		"facts": {
			"model": "claude-fable-5",
			"model.access_terms.resale": "prohibited",
			"model.access_terms.source": "s",
			"tenant.product.resells": true,
		},
		"missing": [],
		"remedy": "a product of your own that uses the model, the developer's express approval, or published weights",
	}}
}

test_lic_06_a_product_that_uses_the_model_is_no_resale if {
	fixture.of("LIC-06", _lic_06_asked(false)) == set()
}

test_lic_06_nobody_has_said_whether_it_is_resold if {
	fixture.effects("LIC-06", _lic_06_asked(null)) == {"indeterminate"}
	fixture.missing("LIC-06", _lic_06_asked(null)) == {"tenant.product.resells"}
}

test_lic_06_terms_that_nobody_has_read_matter_where_it_may_be_resold if {
	known := _lic_06_terms_of(null)
	fixture.effects_in("LIC-06", _lic_06_asked(true), known) == {"indeterminate"}
	fixture.missing_in("LIC-06", _lic_06_asked(true), known) == {"model.access_terms.resale"}
	fixture.missing_in("LIC-06", _lic_06_asked(null), known) == {"model.access_terms.resale", "tenant.product.resells"}
	fixture.of_in("LIC-06", _lic_06_asked(false), known) == set()
}

test_lic_06_terms_that_permit_it_object_to_nothing if {
	every resells in [true, false, null] {
		fixture.of_in("LIC-06", _lic_06_asked(resells), _lic_06_terms_of("permitted")) == set()
	}
}

test_lic_06_published_weights_may_be_served_to_anybody if {
	every resells in [true, false, null] {
		fixture.of("LIC-06", _lic_06_at("glm-5.2@api.scaleway.ai", resells)) == set()
	}
}

_lic_06_with(paper) := fixture.effects("LIC-06", object.union(_lic_06_asked(true), {"tenant": {
	"product": {"resells": true},
	"licences": [fixture.licence(paper)],
}}))

test_lic_06_the_developers_approval_is_of_one_model if {
	_lic_06_with({"authority": "other", "models": ["claude-fable-5"]}) == set()
	_lic_06_with({"authority": "other", "models": ["claude-mythos-5"]}) == {"deny"}
	_lic_06_with({"authority": "state", "models": ["claude-fable-5"]}) == {"deny"}
}
