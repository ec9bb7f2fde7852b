package policyguard.rules

# METADATA
# title: The vendor has not switched the deployment off
# description: |
#   A vendor may switch a deployment off for everybody. That is no bar in law: the call
#   cannot be served, whoever asks, and the verdict is `unavailable`, not `deny`.
# related_resources:
#   - ref: policyguard, ADR 0008
# custom:
#   id: VEND-01
#   severity: info
#   citation: vendor's own statement, as the catalog cites it
#   as_of: 2026-11-23
#   locked: false
#   exceptions:
#     - "the instant is before the vendor switched it off, or after it was switched on again"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "VEND-01",
	"effect": "unavailable",
	"msg": sprintf("%s at %s cannot be reached at this instant: %s", [
		input.model.label,
		hop.label,
		suspension.reason,
	]),
	"facts": {
		"deployment": hop.id,
		"deployment.state": suspension.state,
		"deployment.state.verified": suspension.verified,
		"deployment.state.source": suspension.source,
	},
	"missing": [],
	"remedy": "another deployment or model, or waiting until the vendor switches it on again",
} if {
	some hop in input.hops
	some suspension in hop.suspensions
}
