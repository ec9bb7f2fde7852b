package policyguard.rules

# METADATA
# title: The purpose is known
# description: |
#   Every decision needs to know what the call is for, because terms and export rules
#   treat inference, training and distillation differently.
# related_resources:
#   - ref: policyguard, ADR 0008
# custom:
#   id: FACT-04
#   severity: medium
#   citation: the guard's own demand, not law (ADR 0008)
#   as_of: 2026-11-23
#   locked: true
#   exceptions:
#     - "purpose is bound"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "FACT-04",
	"effect": "indeterminate",
	"msg": "it is not known what this call is for: no purpose is declared",
	"facts": {},
	"missing": ["purpose"],
	"remedy": "declare the purpose, as inference or distil",
} if {
	input.purpose.kind == null
}
