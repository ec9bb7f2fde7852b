package policyguard.rules

# METADATA
# title: The caller is known
# description: |
#   Every decision needs to know who asks. An id is enough here; rules that turn on who a
#   person is ask for more themselves.
# related_resources:
#   - ref: policyguard, ADR 0008
# custom:
#   id: FACT-03
#   severity: high
#   citation: the guard's own demand, not law (ADR 0008)
#   as_of: 2026-11-23
#   locked: true
#   exceptions:
#     - "caller is bound, with at least its id"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "FACT-03",
	"effect": "indeterminate",
	"msg": "it is not known who asks: no caller is declared for this call",
	"facts": {},
	"missing": ["caller"],
	"remedy": "declare the caller where the call is made",
} if {
	not input.caller.declared
}
