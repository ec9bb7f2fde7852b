package policyguard.rules

# METADATA
# title: A large product displays the name that the licence asks for
# description: |
#   The licence of the Kimi models asks a commercial product or service with more than
#   100 million monthly users, or with more than 20 million US dollars of monthly
#   revenue, to display the name of that very version prominently on its user interface.
#   Either figure is enough, and it is the product's, not the company's. A derivative
#   carries the duty of its base, whatever it is called.
# related_resources:
#   - ref: Modified MIT License of Kimi K2 and later versions
# custom:
#   id: LIC-01
#   severity: high
#   citation: Modified MIT License of the Kimi models, by quotation
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "both figures are at or below the thresholds"
#     - "the name is displayed, whatever the figures are"
#   effective:
#     - {from: null, to: null, status: contractual, verified: false}
findings contains {
	"id": "LIC-01",
	"effect": "deny",
	"msg": sprintf("the licence of %s asks a product of this size to display `%s`, and its user interface does not", [
		term.id,
		term.terms.display_name,
	]),
	"facts": _lic_01_facts(term),
	"missing": [],
	"remedy": "the name, displayed prominently on the product's user interface",
} if {
	some term in _lic_01_terms
	_lic_01_large(term.terms)
	is_array(input.tenant.product.attributions)
	name := term.terms.display_name
	not name in input.tenant.product.attributions
}

findings contains {
	"id": "LIC-01",
	"effect": "oblige",
	"msg": sprintf("a product of this size keeps displaying `%s`, as the licence of %s asks", [
		term.terms.display_name,
		term.id,
	]),
	"facts": _lic_01_facts(term),
	"missing": [],
	"remedy": "",
	"obligation": {"type": "display_name", "properties": {"name": term.terms.display_name, "licence": term.id}},
} if {
	some term in _lic_01_terms
	_lic_01_large(term.terms)
	is_array(input.tenant.product.attributions)
	term.terms.display_name in input.tenant.product.attributions
}

findings contains {
	"id": "LIC-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the product displays `%s`, which the licence of %s asks of a large one", [
		term.terms.display_name,
		term.id,
	]),
	"facts": _lic_01_facts(term),
	"missing": sort(missing),
	"remedy": "the product's monthly users and revenue and the names that it displays, under [tenant.product]",
} if {
	some term in _lic_01_terms
	missing := _lic_01_missing(term.terms)
	count(missing) > 0
}

# The model's own terms and those of what it is derived from.
_lic_01_terms := [{"id": made.id, "terms": made.licence_terms} |
	some made in array.concat([input.model], input.model.lineage)
	is_object(made.licence_terms)
	is_string(made.licence_terms.display_name)
]

_lic_01_large(terms) if _lic_01_above(input.tenant.product.monthly_active_users, terms.display_above_users)

_lic_01_large(terms) if _lic_01_above(input.tenant.product.monthly_revenue_usd, terms.display_above_revenue_usd)

# More than; the figure itself is not.
_lic_01_above(figure, threshold) if {
	is_number(figure)
	is_number(threshold)
	figure > threshold
}

_lic_01_missing(terms) := {"tenant.product.attributions"} if {
	_lic_01_large(terms)
	input.tenant.product.attributions == null
} else := set() if {
	_lic_01_large(terms)
} else := set() if {
	is_array(input.tenant.product.attributions)
	terms.display_name in input.tenant.product.attributions
} else := {name |
	some name, value in {
		"tenant.product.monthly_active_users": input.tenant.product.monthly_active_users,
		"tenant.product.monthly_revenue_usd": input.tenant.product.monthly_revenue_usd,
	}
	value == null
}

_lic_01_facts(term) := {
	"model": input.model.id,
	sprintf("models.%s.licence_terms", [term.id]): term.terms,
	"tenant.product": input.tenant.product,
}
