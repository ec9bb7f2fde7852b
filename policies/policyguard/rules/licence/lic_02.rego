package policyguard.rules

# METADATA
# title: Outputs are not used to train a competing model against the developer's terms
# description: |
#   Some developers' terms forbid, or limit, training on outputs. These are contracts that
#   bind the customer, not law: they say nothing of inference, embedding or evaluation,
#   nothing of models whose licence permits it, and an accusation against a model's
#   developer is no defect of the model's licence for others.
# related_resources:
#   - ref: Anthropic Commercial Terms of Service, use restrictions
#   - ref: OpenAI Services Agreement, restrictions
#   - ref: Gemini API Additional Terms of Service, use restrictions
# custom:
#   id: LIC-02
#   severity: high
#   citation: developer's terms on the use of outputs, as the catalog cites them
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "the purpose is inference, embedding or evaluation"
#     - "the terms permit it, or the model does not compete with the developer's"
#   effective:
#     - {from: null, to: null, status: contractual, verified: true}
findings contains {
	"id": "LIC-02",
	"effect": "deny",
	"msg": sprintf("the terms of %s prohibit to %s a competing model with its outputs, and this call is for one", [
		input.model.label,
		_lic_02_verb[input.purpose.kind],
	]),
	"facts": _lic_02_facts,
	"missing": [],
	"remedy": "a model whose licence permits it, or the developer's express consent",
} if {
	_lic_02_trains
	_lic_02_term == "prohibited"
	input.purpose.competes == true
}

findings contains {
	"id": "LIC-02",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the terms of %s let its outputs be used to %s this model", [
		input.model.label,
		_lic_02_verb[input.purpose.kind],
	]),
	"facts": _lic_02_facts,
	"missing": missing,
	"remedy": "what the developer's terms say, and whether the model that is trained competes with the developer",
} if {
	_lic_02_trains
	input.model.known
	missing := _lic_02_missing
	count(missing) > 0
}

findings contains {
	"id": "LIC-02",
	"effect": "require_approval",
	"msg": sprintf("the terms of %s let its outputs be used to %s a model in some cases only", [
		input.model.label,
		_lic_02_verb[input.purpose.kind],
	]),
	"facts": _lic_02_facts,
	"missing": [],
	"remedy": "someone who has read the terms and says which exception applies",
} if {
	_lic_02_trains
	_lic_02_term == "exceptions"
}

_lic_02_verb := {"distil": "distil", "train": "train", "fine_tune": "fine-tune"}

_lic_02_trains if _lic_02_verb[input.purpose.kind]

_lic_02_term := input.model.output_terms.competing_training

default _lic_02_missing := []

_lic_02_missing := ["purpose.competes"] if {
	_lic_02_term == "prohibited"
	input.purpose.competes == null
}

_lic_02_missing := ["model.output_terms.competing_training"] if {
	_lic_02_term == null
	input.purpose.competes != false
}

_lic_02_facts := {
	"model": input.model.id,
	"model.output_terms.competing_training": _lic_02_term,
	"model.output_terms.source": input.model.output_terms.source,
	"purpose.kind": input.purpose.kind,
	"purpose.competes": input.purpose.competes,
}
