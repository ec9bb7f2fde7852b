package policyguard.tenant

# METADATA
# title: Nobody else keeps our genetic data
# description: |
#   Weights that were trained on it and stores of embeddings give it away later. Asking
#   about it is free.
# custom:
#   id: ACME-01
#   severity: high
#   citation: data handbook of the laboratory, 4.2
#   as_of: 2026-07-01
#   locked: false
#   exceptions:
#     - "nothing is kept of it: inference, evaluation"
#   effective:
#     - {from: null, to: null, status: customer_policy, verified: true}
findings contains {
	"id": "ACME-01",
	"effect": "deny",
	"msg": sprintf("genetic data would be kept: it is sent to %s", [input.purpose.kind]),
	"facts": {"purpose.kind": input.purpose.kind, "data.classes": input.data.classes},
	"missing": [],
	"remedy": "leave the genetic data out",
} if {
	"omic" in input.data.classes
	input.purpose.kind in {"embed", "train"}
}
