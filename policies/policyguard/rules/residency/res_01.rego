package policyguard.rules

# METADATA
# title: Data stays where the tenant's residency policy allows
# description: |
#   Every place where any hop of the route may process or store must be a country that
#   the tenant allows. What counts is all that the inference profile may route to, not
#   the region in the URL: a profile that may run anywhere fails every such policy.
# related_resources:
#   - ref: tenant configuration, residency_allowed
# custom:
#   id: RES-01
#   severity: high
#   citation: tenant's residency policy (customer policy, not law)
#   as_of: 2026-11-23
#   locked: false
#   exceptions:
#     - "every country of every hop is in the list, and all of them are known"
#   effective:
#     - {from: null, to: null, status: customer_policy, verified: true}
findings contains {
	"id": "RES-01",
	"effect": "deny",
	"msg": sprintf("%s at %s may process or store in %s, which the tenant's residency policy does not allow", [
		input.model.label,
		hop.label,
		concat(", ", outside),
	]),
	"facts": _res_01_facts(hop),
	"missing": [],
	"remedy": "a deployment that processes and stores in the allowed countries only",
} if {
	is_array(input.tenant.residency_allowed)
	some hop in input.hops
	outside := _res_01_outside(hop.deployment)
	count(outside) > 0
}

findings contains {
	"id": "RES-01",
	"effect": "deny",
	"msg": sprintf("%s at %s may run anywhere its vendor is, so no residency policy can hold", [
		input.model.label,
		hop.label,
	]),
	"facts": _res_01_facts(hop),
	"missing": [],
	"remedy": "a deployment or inference profile that is bound to the allowed countries",
} if {
	is_array(input.tenant.residency_allowed)
	some hop in input.hops
	hop.deployment.processing_scope == "global"
}

findings contains {
	"id": "RES-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known everywhere %s at %s may process and store", [input.model.label, hop.label]),
	"facts": _res_01_facts(hop),
	"missing": sort(hop.gaps),
	"remedy": "countries that the operator promises, in an overlay with its source",
} if {
	is_array(input.tenant.residency_allowed)
	some hop in input.hops
	count(hop.gaps) > 0
	hop.deployment.processing_scope != "global"
	count(_res_01_outside(hop.deployment)) == 0
}

_res_01_outside(deployment) := {country |
	some countries in [deployment.processing_countries, deployment.storage_countries]
	is_array(countries)
	some country in countries
	not country in input.tenant.residency_allowed
}

_res_01_facts(hop) := {
	"tenant.residency_allowed": input.tenant.residency_allowed,
	"deployment": hop.id,
	"deployment.processing_scope": hop.deployment.processing_scope,
	"deployment.processing_countries": hop.deployment.processing_countries,
	"deployment.storage_countries": hop.deployment.storage_countries,
}
