package policyguard.rules

# METADATA
# title: Access to a model is not resold against its developer's terms
# description: |
#   A developer may let its customers build products on its models, and forbid them to
#   pass the model itself on: to give others the interface, a key, or an account. That is
#   a term of contract, which binds who has the account, and no law. A product that uses
#   the model is no resale.
# related_resources:
#   - ref: Anthropic Commercial Terms of Service, use restrictions
# custom:
#   id: LIC-06
#   severity: medium
#   citation: developer's terms on resale, as the catalog cites them (contract, not law)
#   as_of: 2026-11-26
#   locked: false
#   exceptions:
#     - "tenant.product.resells is false: others get a product that uses the model"
#     - "the terms permit it, or the model has none (published weights)"
#     - "the developer has approved it: a paper under tenant.licences (authority other) that names the model"
#   effective:
#     - {from: null, to: null, status: contractual, verified: false}
findings contains {
	"id": "LIC-06",
	"effect": "deny",
	"msg": sprintf("the terms of %s prohibit to resell access to it, and others get the model itself through this tenant", [input.model.label]),
	"facts": _lic_06_facts,
	"missing": [],
	"remedy": "a product of your own that uses the model, the developer's express approval, or published weights",
} if {
	_lic_06_in_scope
	_lic_06_terms.resale == "prohibited"
	input.tenant.product.resells == true
}

findings contains {
	"id": "LIC-06",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the terms of %s let it be used so", [input.model.label]),
	"facts": _lic_06_facts,
	"missing": sort(_lic_06_missing),
	"remedy": "whether others get the model itself through you (once, in the settings of the tenant), and what the terms say of it",
} if {
	_lic_06_in_scope
	count(_lic_06_missing) > 0
}

_lic_06_terms := input.model.access_terms

# Terms permit it, or the developer has approved it: then nothing turns on who gets it.
_lic_06_in_scope if {
	is_object(_lic_06_terms)
	_lic_06_terms.resale != "permitted"
	not _lic_06_approved
}

_lic_06_approved if {
	some licence in input.licences
	licence.authority == "other"
	input.model.id in licence.models
}

_lic_06_missing contains "tenant.product.resells" if input.tenant.product.resells == null

_lic_06_missing contains "model.access_terms.resale" if {
	_lic_06_terms.resale == null
	input.tenant.product.resells != false
}

_lic_06_facts := {
	"model": input.model.id,
	"model.access_terms.resale": _lic_06_terms.resale,
	"model.access_terms.source": _lic_06_terms.source,
	"tenant.product.resells": input.tenant.product.resells,
}
