package policyguard.rules

# METADATA
# title: The model is known
# description: |
#   Every decision needs to know which model is called: who made it, under which terms.
#   A model that is not in the catalog, or that the route's deployments do not serve, is
#   unknown.
# related_resources:
#   - ref: policyguard, ADR 0008
# custom:
#   id: FACT-01
#   severity: high
#   citation: the guard's own demand, not law (ADR 0008)
#   as_of: 2026-11-23
#   locked: true
#   exceptions:
#     - "the catalog has the model, and each deployment of the route serves it"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "FACT-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known which model is called: the catalog has none for %s", [_fact_01_name]),
	"facts": {"asked.model": input.asked.model, "asked.host": input.asked.host},
	"missing": ["model"],
	"remedy": "name a model of the catalog, or add this one in an overlay with its source",
} if {
	not input.model.known
}

findings contains {
	"id": "FACT-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known which model is called: %s serves %s, not %s", [
		hop.label,
		hop.deployment.model,
		input.model.label,
	]),
	"facts": {"model": input.model.id, "deployment": hop.id, "deployment.model": hop.deployment.model},
	"missing": ["model"],
	"remedy": "name the model that the deployment serves",
} if {
	input.model.known
	some hop in input.hops
	hop.known
	hop.deployment.model != input.model.id
}

_fact_01_name := sprintf("`%s` at `%s`", [input.asked.model, input.asked.host]) if {
	is_string(input.asked.model)
	is_string(input.asked.host)
} else := sprintf("`%s`", [input.asked.model]) if {
	is_string(input.asked.model)
} else := "this call, which names none that could be read"
