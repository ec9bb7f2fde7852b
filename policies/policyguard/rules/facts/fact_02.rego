package policyguard.rules

# METADATA
# title: The deployment is known
# description: |
#   Every decision needs to know who runs the model and where. A host that the catalog
#   does not list together with the name that is asked for is unknown.
# related_resources:
#   - ref: policyguard, ADR 0008
# custom:
#   id: FACT-02
#   severity: high
#   citation: the guard's own demand, not law (ADR 0008)
#   as_of: 2026-11-23
#   locked: true
#   exceptions:
#     - "each hop of the route is a deployment of the catalog"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "FACT-02",
	"effect": "indeterminate",
	"msg": sprintf("it is not known who runs this model and where: %s", [_fact_02_reason(hop)]),
	"facts": {"asked.host": input.asked.host, "asked.model": input.asked.model, "deployment": hop.id},
	"missing": ["deployment"],
	"remedy": "use a deployment of the catalog, or add this one in an overlay with its source",
} if {
	some hop in input.hops
	not hop.known
}

_fact_02_reason(hop) := sprintf("the catalog has no deployment `%s`", [hop.id]) if {
	is_string(hop.id)
} else := sprintf("the catalog has no deployment of %s at `%s`", [_fact_02_name, input.asked.host]) if {
	is_string(input.asked.host)
} else := "it could not be seen where the call goes"

_fact_02_name := sprintf("`%s`", [input.asked.model]) if {
	is_string(input.asked.model)
} else := "this model"
