package policyguard.rules

# METADATA
# title: The caller is where the developer's terms allow, and so are its owners
# description: |
#   A developer may offer its models in some countries only, and to no company of which
#   owners with headquarters elsewhere hold more than half, wherever that company sits.
#   These are terms of contract, not law, and the number is another one than that of the
#   export lists: more than 50 %, where those say 50 % or more.
# related_resources:
#   - ref: Anthropic, statement on unsupported regions of 2025-09-04 or 05, by press
#   - ref: Anthropic, supported countries and regions
# custom:
#   id: LIC-03
#   severity: high
#   citation: developer's terms, as the catalog cites them (contract, not law)
#   as_of: 2026-06-18
#   locked: false
#   exceptions:
#     - "the caller is in a supported country, and such owners hold 50.00 % or less"
#     - "the model is published, and a host runs it"
#   effective:
#     - {from: null, to: null, status: contractual, verified: false}
findings contains {
	"id": "LIC-03",
	"effect": "deny",
	"msg": sprintf("the terms of %s do not offer it in %s, where the caller is", [input.model.label, _lic_03_where]),
	"facts": _lic_03_facts,
	"missing": [],
	"remedy": "another model, as published weights on a host that may serve the place",
} if {
	input.model.access.caller == "unsupported"
}

findings contains {
	"id": "LIC-03",
	"effect": "deny",
	"msg": sprintf("the terms of %s bar companies of which owners in unsupported countries hold more than half, and of %s they hold %s", [
		input.model.label,
		_lic_03_organisation,
		_ear_02_percent(input.model.access.held_bp),
	]),
	"facts": _lic_03_facts,
	"missing": [],
	"remedy": "another model, as published weights",
} if {
	input.model.access.held_bp > 5000
}

findings contains {
	"id": "LIC-03",
	"effect": "deny",
	"msg": sprintf("the terms of %s do not offer it to companies with headquarters in %s", [
		input.model.label,
		input.caller.organisation.headquarters,
	]),
	"facts": _lic_03_facts,
	"missing": [],
	"remedy": "another model, as published weights",
} if {
	input.model.access.headquarters == "unsupported"
}

findings contains {
	"id": "LIC-03",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the terms of %s offer it to this caller", [input.model.label]),
	"facts": _lic_03_facts,
	"missing": sort(input.model.access.missing),
	"remedy": "where the caller is and for whom it acts; for your own company, once, in the settings of the tenant",
} if {
	count(input.model.access.missing) > 0
	input.model.access.held_bp <= 5000
	not "unsupported" in {input.model.access.caller, input.model.access.headquarters}
}

_lic_03_where := input.caller.location if {
	is_string(input.caller.location)
} else := input.caller.subdivision

_lic_03_organisation := input.caller.organisation.name if {
	is_string(input.caller.organisation.name)
} else := "the caller's organisation"

_lic_03_facts := {
	"model": input.model.id,
	"model.access_terms.source": input.model.access_terms.source,
	"caller.location": input.caller.location,
	"caller.organisation.headquarters": input.caller.organisation.headquarters,
	"caller.organisation.owners_unsupported_bp": input.model.access.held_bp,
}
