package policyguard.rules

# METADATA
# title: No use of advanced chips designed in China without assurance
# description: |
#   BIS presumes that chips of ECCN 3A090 designed in China, the Ascend 910B, 910C and
#   910D by name, were made against the EAR: to use them, anywhere and by anybody, risks
#   General Prohibition 10. What a deployment runs on is therefore a fact like any other.
#   With a tie to the United States it is a bar; without one a person looks at it.
# related_resources:
#   - ref: 15 CFR 736.2(b)(10)
#   - ref: BIS guidance of 2025-05-13, by summaries
# custom:
#   id: EAR-08
#   severity: high
#   citation: 15 CFR 736.2(b)(10), BIS guidance of 2025-05-13
#   as_of: 2026-06-18
#   locked: false
#   exceptions:
#     - "the chip is another one"
#     - "a vendor outside group D:5 does not say: that is his to know, and no knowledge of ours"
#   effective:
#     - {from: 2025-05-13T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "EAR-08",
	"effect": effect,
	"msg": sprintf("%s at %s runs on %s, an advanced chip designed in China, which BIS presumes to be made against the EAR", [
		input.model.label,
		hop.label,
		hop.deployment.accelerator,
	]),
	"facts": _ear_08_facts(hop),
	"missing": [],
	"remedy": "a deployment on other chips, or assurance that these were made with a licence, for a person to approve",
} if {
	some hop in input.hops
	count(hop.chip) > 0
	effect := _ear_08_effect
}

findings contains {
	"id": "EAR-08",
	"effect": "indeterminate",
	"msg": sprintf("it is not known on which chips %s runs, which we host", [hop.label]),
	"facts": _ear_08_facts(hop),
	"missing": ["deployment.accelerator"],
	"remedy": "the chip, as `nvidia-h200`, in an overlay with its source",
} if {
	some hop in input.hops
	hop.deployment.mode == "self_hosted"
	hop.deployment.accelerator == null
}

# Whose chips a vendor uses is his to know; one in such a country is worth asking.
findings contains {
	"id": "EAR-08",
	"effect": "advise",
	"msg": sprintf("%s processes in a country under an arms embargo, on chips that are not known: ask whether they are advanced chips designed in China", [hop.label]),
	"facts": _ear_08_facts(hop),
	"missing": [],
	"remedy": "",
} if {
	some hop in input.hops
	hop.known
	hop.deployment.mode != "self_hosted"
	hop.deployment.accelerator == null
	some country in input.groups["bis-d5"]
	country in hop.places
}

_ear_08_effect := "deny" if {
	input.exporter.establishment == "US"
} else := "deny" if {
	input.caller.person_status in {"us_citizen", "us_lpr", "us_protected"}
} else := "deny" if {
	input.data.ear.us_origin == true
} else := "require_approval"

_ear_08_facts(hop) := {
	"deployment": hop.id,
	"deployment.accelerator": hop.deployment.accelerator,
	"exporter.establishment": input.exporter.establishment,
	"caller.person_status": input.caller.person_status,
	"data.ear.us_origin": input.data.ear.us_origin,
	"lists.prc-advanced-ics.as_of": input.lists["prc-advanced-ics"],
}
