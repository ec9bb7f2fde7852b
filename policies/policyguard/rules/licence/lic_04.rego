package policyguard.rules

# METADATA
# title: Above 700 million users a Llama model needs a licence of its own
# description: |
#   Whoever had more than 700 million monthly users, over all products and affiliates, in
#   the month before a Llama version was released asks Meta for a licence before using
#   it. What counts is that month, not today. A derivative carries the condition.
# related_resources:
#   - ref: Llama 3.3 Community License Agreement, section 2
# custom:
#   id: LIC-04
#   severity: medium
#   citation: Llama Community License Agreements, section 2 (additional commercial terms)
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "as many users or fewer"
#     - "the tenant holds a licence with authority = \"other\" that names the model"
#   effective:
#     - {from: null, to: null, status: contractual, verified: false}
findings contains {
	"id": "LIC-04",
	"effect": "deny",
	"msg": sprintf("the licence of %s grants nothing to whoever had more than %v monthly users at its release, without a licence of its own", [
		term.id,
		term.terms.ask_above_users,
	]),
	"facts": _lic_04_facts(term),
	"missing": [],
	"remedy": "a licence from the developer that names this model, or another model",
} if {
	some term in _lic_04_terms
	_lic_01_above(input.tenant.product.users_at_release, term.terms.ask_above_users)
}

findings contains {
	"id": "LIC-04",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the licence of %s grants anything: above %v monthly users at its release it does not", [
		term.id,
		term.terms.ask_above_users,
	]),
	"facts": _lic_04_facts(term),
	"missing": ["tenant.product.users_at_release"],
	"remedy": "monthly users of all products in the month before the release, under [tenant.product]",
} if {
	some term in _lic_04_terms
	input.tenant.product.users_at_release == null
}

_lic_04_terms := [{"id": made.id, "terms": made.licence_terms} |
	some made in array.concat([input.model], input.model.lineage)
	is_object(made.licence_terms)
	is_number(made.licence_terms.ask_above_users)
	not _lic_04_licensed(made.id)
]

_lic_04_licensed(id) if {
	some licence in input.licences
	licence.authority == "other"
	id in licence.models
}

_lic_04_facts(term) := {
	"model": input.model.id,
	sprintf("models.%s.licence_terms", [term.id]): term.terms,
	"tenant.product.users_at_release": input.tenant.product.users_at_release,
}
