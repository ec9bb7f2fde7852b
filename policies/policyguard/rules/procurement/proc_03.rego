package policyguard.rules

# METADATA
# title: No prohibited technology for a state's bodies
# description: |
#   Some states of the US prohibit technologies to their bodies: to staff, devices and
#   networks. The lists name developers, so weights that someone else hosts are meant
#   too. They bind nobody outside that state's bodies. An exception is asked for.
# related_resources:
#   - ref: Governor of Texas, prohibited technologies, 2026-01-26
# custom:
#   id: PROC-03
#   severity: high
#   citation: Texas, prohibited technologies (2025-01, 2026-01-26)
#   as_of: 2026-02-03
#   locked: false
#   exceptions:
#     - "context.state_body is none, or a body outside the United States"
#     - "the tenant holds a licence with authority = \"state\" (an exception) that names the model"
#   effective:
#     - {from: 2025-01-31T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "PROC-03",
	"effect": "deny",
	"msg": sprintf("%s is a prohibited technology for bodies of %s: %s", [
		input.model.label,
		input.context.state_body,
		concat(", ", sort(_proc_03_named)),
	]),
	"facts": _proc_03_facts,
	"missing": [],
	"remedy": "a model and an operator that the state's list does not name, or an exception of the state for this one",
} if {
	is_string(input.state.list)
	count(_proc_03_named) > 0
	not _proc_03_excepted
}

findings contains {
	"id": "PROC-03",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s may be used for a body of %s", [input.model.label, input.context.state_body]),
	"facts": _proc_03_facts,
	"missing": ["lists.state"],
	"remedy": "that state's list of prohibited technologies: the catalog has none",
} if {
	is_string(input.context.state_body)
	startswith(input.context.state_body, "US-")
	input.state.list == null
	not _proc_03_excepted
}

findings contains {
	"id": "PROC-03",
	"effect": "indeterminate",
	"msg": sprintf("a list of technologies that a state prohibits names %s (%s), and it is not known whether a state's body is asking", [
		input.model.label,
		concat(", ", sort(_proc_03_named)),
	]),
	"facts": _proc_03_facts,
	"missing": ["context.state_body"],
	"remedy": "the state whose body this is, or `none`",
} if {
	input.context.state_body == null
	count(_proc_03_named) > 0
}

# Texas has the only list that is read, and so the only one that can name somebody.
_proc_03_named contains developer.name if {
	some made in _proc_01_made
	developer := made.developer
	count(developer.listings["texas-prohibited"]) > 0
}

_proc_03_named contains party.name if {
	some hop in input.hops
	some party in hop.parties
	count(party.listings["texas-prohibited"]) > 0
}

_proc_03_excepted if {
	some licence in input.licences
	licence.authority == "state"
	input.model.id in licence.models
}

_proc_03_facts := {
	"context.state_body": input.context.state_body,
	"model": input.model.id,
	"model.developer": input.model.developer.id,
	"lists.texas-prohibited.as_of": input.lists["texas-prohibited"],
}
