package policyguard.rules

# METADATA
# title: What is sent is kept no longer than the tenant allows
# description: |
#   A tenant that demands zero retention, or a longest retention, gets it for everything
#   that is neither public nor nothing, whatever law says of it. Personal data in scope of
#   the GDPR is GDPR-04's. A vendor's safety retention counts, whatever a contract says.
# related_resources:
#   - ref: tenant configuration, zero_retention and retention_max_days
# custom:
#   id: RES-02
#   severity: high
#   citation: tenant's retention policy (customer policy, not law)
#   as_of: 2026-11-23
#   locked: false
#   exceptions:
#     - "the tenant demands nothing"
#     - "contract and public terms keep to the limit, the vendor's safety retention included"
#   effective:
#     - {from: null, to: null, status: customer_policy, verified: true}
findings contains {
	"id": "RES-02",
	"effect": "deny",
	"msg": sprintf("%s at %s would keep what is sent for %v days, and the tenant allows %v", [
		input.model.label,
		hop.label,
		hop.terms.retention_days,
		input.tenant.retention_limit,
	]),
	"facts": _res_02_facts(hop),
	"missing": [],
	"remedy": "a deployment that keeps what is sent no longer than the tenant allows",
} if {
	_res_02_sent
	some hop in input.hops
	is_number(hop.terms.retention_days)

	# policyguard ignore:order -- `_res_02_sent` asks whether the limit is a number
	hop.terms.retention_days > input.tenant.retention_limit
}

findings contains {
	"id": "RES-02",
	"effect": "indeterminate",
	"msg": sprintf("it is not known how long %s at %s would keep what is sent", [input.model.label, hop.label]),
	"facts": _res_02_facts(hop),
	"missing": ["contract.retention_days"],
	"remedy": "what the contract with the operator says, under [[tenant.contracts]]",
} if {
	_res_02_sent
	some hop in input.hops
	hop.known
	hop.terms.retention_days == null
}

_res_02_sent if {
	is_number(input.tenant.retention_limit)
	is_array(input.data.classes)
	count([class | some class in input.data.classes; not class in {"none", "public"}]) > 0
	not _gdpr_04_sent
}

_res_02_facts(hop) := {
	"data.classes": input.data.classes,
	"deployment": hop.id,
	"terms.retention_days": hop.terms.retention_days,
	"tenant.retention_limit": input.tenant.retention_limit,
}
