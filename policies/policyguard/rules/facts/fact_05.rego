package policyguard.rules

# METADATA
# title: What is sent is known
# description: |
#   Every decision needs to know which classes of data are sent. The class `none` says
#   that there are none of those in the list; undeclared classes are unknown, and so is a
#   body that could not be read.
# related_resources:
#   - ref: policyguard, ADR 0008
# custom:
#   id: FACT-05
#   severity: high
#   citation: the guard's own demand, not law (ADR 0008)
#   as_of: 2026-11-23
#   locked: true
#   exceptions:
#     - "data.classes is bound and the body was read"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "FACT-05",
	"effect": "indeterminate",
	"msg": "it is not known what is sent: no classes of data are declared",
	"facts": {},
	"missing": ["data.classes"],
	"remedy": "declare the classes of data, `none` if none of the list is in it",
} if {
	input.data.classes == null
}

findings contains {
	"id": "FACT-05",
	"effect": "indeterminate",
	"msg": "it is not known what is sent: something in this call could not be read",
	"facts": {"asked.opaque": true},
	"missing": ["asked.body"],
	"remedy": "call through a client that the guard can read",
} if {
	input.asked.opaque
}
