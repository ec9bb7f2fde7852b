package policyguard.rules

# METADATA
# title: American models under a GSA schedule (draft)
# description: |
#   A draft clause for the GSA's schedules would ask for American AI systems. It is a
#   draft: it advises and objects to nothing. A tenant can assume it, to see what it
#   would do.
# related_resources:
#   - ref: GSAR 552.239-7001 (draft)
# custom:
#   id: PROC-04
#   severity: info
#   citation: GSAR 552.239-7001 (draft)
#   as_of: 2026-11-23
#   locked: false
#   exceptions:
#     - "context.gsa_schedule is false"
#     - "the developer is in the United States"
#   effective:
#     - {from: null, to: null, status: proposed, verified: false}
findings contains {
	"id": "PROC-04",
	"effect": _proc_04_effects[_proc_04_weight].objects,
	"msg": sprintf("%s is not made in the United States (%s), which a draft clause of the GSA's schedules would ask for", [
		input.model.label,
		input.model.developer.country,
	]),
	"facts": _proc_04_facts,
	"missing": [],
	"remedy": "a model of a developer in the United States",
} if {
	input.context.gsa_schedule == true
	is_string(input.model.developer.country)
	input.model.developer.country != "US"
}

findings contains {
	"id": "PROC-04",
	"effect": _proc_04_effects[_proc_04_weight].asks,
	"msg": sprintf("it is not known where %s is made, which a draft clause of the GSA's schedules would ask for", [input.model.label]),
	"facts": _proc_04_facts,
	"missing": ["model.developer.country"],
	"remedy": "the developer's country, in an overlay with its source",
} if {
	input.context.gsa_schedule == true
	input.model.known
	input.model.developer.country == null
}

findings contains {
	"id": "PROC-04",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s is for a GSA schedule, whose draft clause this tenant assumes", [input.model.label]),
	"facts": _proc_04_facts,
	"missing": ["context.gsa_schedule"],
	"remedy": "whether a GSA schedule contract is performed",
} if {
	input.context.gsa_schedule == null
	_proc_04_weight == "binds"
	input.model.developer.country != "US"
}

# A draft objects to nothing by itself: who neither assumes it nor says whether a schedule
# is performed has nothing to answer. Once it is more than a draft, everybody has.
default _proc_04_weight := "draft"

_proc_04_weight := "binds" if "PROC-04" in input.tenant.assumed

_proc_04_weight := "binds" if input.status["PROC-04"].status != "proposed"

_proc_04_effects := {
	"binds": {"objects": "deny", "asks": "indeterminate"},
	"draft": {"objects": "advise", "asks": "advise"},
}

_proc_04_facts := {
	"context.gsa_schedule": input.context.gsa_schedule,
	"model": input.model.id,
	"model.developer": input.model.developer.id,
	"model.developer.country": input.model.developer.country,
}
