package policyguard.rules_test

import data.policyguard.fixture

_lic_02_asked(deployment, kind, competes) := fixture.asking_at(deployment, {
	"purpose": {"kind": kind, "competes": competes},
	"data": {"classes": ["none"], "subjects": null},
})

test_lic_02_distilling_a_competitor_from_prohibited_outputs_is_denied if {
	fixture.of("LIC-02", _lic_02_asked("claude-fable-5@bedrock-eu", "distil", true)) == {{
		"id": "LIC-02",
		"effect": "deny",
		"msg": "the terms of claude-fable-5 prohibit to distil a competing model with its outputs, and this call is for one",
		"facts": {
			"model": "claude-fable-5",
			"model.output_terms.competing_training": "prohibited",
			"model.output_terms.source": "commercial terms",
			"purpose.kind": "distil",
			"purpose.competes": true,
		},
		"missing": [],
		"remedy": "a model whose licence permits it, or the developer's express consent",
	}}
}

test_lic_02_each_way_of_training_counts if {
	every kind in ["distil", "train", "fine_tune"] {
		fixture.effects("LIC-02", _lic_02_asked("claude-fable-5@bedrock-eu", kind, true)) == {"deny"}
	}
}

test_lic_02_inference_embedding_and_evaluation_are_no_training if {
	every kind in ["inference", "embed", "evaluate"] {
		every competes in [true, null] {
			fixture.of("LIC-02", _lic_02_asked("claude-fable-5@bedrock-eu", kind, competes)) == set()
		}
	}
}

test_lic_02_training_what_does_not_compete_is_not_prohibited if {
	fixture.of("LIC-02", _lic_02_asked("claude-fable-5@bedrock-eu", "distil", false)) == set()
}

test_lic_02_whether_it_competes_has_to_be_said if {
	asked := _lic_02_asked("claude-fable-5@bedrock-eu", "train", null)
	fixture.effects("LIC-02", asked) == {"indeterminate"}
	fixture.missing("LIC-02", asked) == {"purpose.competes"}
}

test_lic_02_terms_with_exceptions_are_for_a_person if {
	every competes in [true, false, null] {
		fixture.effects("LIC-02", _lic_02_asked("gpt-5.5@api.openai.com", "distil", competes)) == {"require_approval"}
	}
}

# An accusation against its developer is no defect of a model's licence.
test_lic_02_a_licence_that_permits_it_permits_it if {
	fixture.of("LIC-02", _lic_02_asked("glm-5.2@us", "distil", true)) == set()
}

test_lic_02_unknown_terms_are_named if {
	asked := _lic_02_asked("tuned-1@us", "distil", true)
	fixture.effects("LIC-02", asked) == {"indeterminate"}
	fixture.missing("LIC-02", asked) == {"model.output_terms.competing_training"}
	fixture.of("LIC-02", _lic_02_asked("tuned-1@us", "distil", false)) == set()
}

test_lic_02_an_unknown_model_is_left_to_the_rule_on_unknown_models if {
	asked := object.union(_lic_02_asked("tuned-1@us", "distil", true), {"model": null})
	fixture.of("LIC-02", asked) == set()
}
