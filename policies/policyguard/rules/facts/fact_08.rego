package policyguard.rules

# METADATA
# title: What is sent was declared
# description: |
#   Where settings have data searched, a class that is found and was not declared joins
#   those that were, and every rule judges them all. This rule names the difference, so
#   that somebody can see which declarations are wrong. Detectors hit by mistake, so it
#   advises; `undeclared = "refuse"` in the settings refuses such calls instead.
# related_resources:
#   - ref: policyguard, ADR 0056
# custom:
#   id: FACT-08
#   severity: medium
#   citation: the guard's own demand, not law (ADR 0056)
#   as_of: 2026-11-26
#   locked: false
#   exceptions:
#     - "nothing was found that was not declared, or nobody has searched"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "FACT-08",
	"effect": "advise",
	"msg": sprintf("what is sent seems to hold %s data, which was not declared: it is judged as if it had been", [concat(" and ", input.data.undeclared)]),
	"facts": {"data.classes": input.data.classes, "data.undeclared": input.data.undeclared},
	"missing": [],
	"remedy": "",
} if {
	_fact_08_differs
}

_fact_08_differs if {
	is_array(input.data.undeclared)
	count(input.data.undeclared) > 0
}
