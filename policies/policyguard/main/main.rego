# METADATA
# title: The decision
# description: |
#   Composes what the rules found into one document. Findings only add up: no rule can
#   clear what another one objects to.
package policyguard.main

# Packages are named in full, never imported: through an import the embedded engine does
# not see the local rules of any module but the first, and their findings vanish.

# Without rules, rulebook, catalog or a whole question there is no answer, and no
# answer is no permission.
default decision := {
	"verdict": "deny",
	"findings": [],
	"obligations": [],
	"advice": [],
	"replaced": [],
}

# METADATA
# title: The answer to one call
# entrypoint: true
decision := {
	"verdict": _verdict({finding.effect | some finding in findings}),
	"findings": [object.remove(finding, ["obligation"]) | some finding in findings],
	"obligations": [object.union(finding.obligation, {"id": finding.id}) |
		some finding in findings
		finding.effect == "oblige"
	],
	"advice": [{"id": finding.id, "msg": finding.msg} |
		some finding in findings
		finding.effect == "advise"
		not finding.softened
	],
	"replaced": data.policyguard.facts.replaced,
} if {
	# Of what is not whole no rule can be sure; `data.policyguard.facts.not_whole` says why.
	data.policyguard.facts.whole
	view := data.policyguard.facts.view
	shipped := data.policyguard.rules.findings with input as view
	found := shipped | _of_tenant(view)
	_all_listed(found, data.policyguard.rulebook.rules)

	# A set is gone through in order: here of the ids, and of what differs under one id.
	findings := [_settled(finding, _standing(id, view), view.tenant.profile) |
		some [id, finding] in {[one.id, one] | some one in found}
		view.status[id]
	]
}

# What if it were in force: a tenant may assume that a proposed rule is.
_standing(id, view) := object.union(view.status[id], {"status": "in_force", "verified": false}) if {
	view.status[id].status == "proposed"
	id in view.tenant.assumed
} else := view.status[id]

# A tenant's own rules add what they object to, and clear nothing. Most tenants have
# none, and then there is no such package.
_of_tenant(view) := own if {
	own := data.policyguard.tenant.findings with input as view
} else := set()

# A finding that the rulebook does not know has no status, and must not be dropped for
# that.
_all_listed(found, rules) if {
	count(rules) > 0
	every finding in found {
		rules[finding.id]
	}
}

# INVARIANT: every finding of a rule that has a status comes out of this; nothing in it
# can be undefined.
_settled(finding, standing, profile) := _approved(_overridden(
	object.union(finding, {
		"effect": _by_profile(_by_status(finding.effect, standing.status), profile),
		"status": standing.status,
		"verified": standing.verified,
	}),
	standing,
))

# What a person has signed takes from a finding's effect, and is named in the finding:
# `softened` lists who did it and what the effect was before, in order.
_overridden(finding, standing) := object.union(finding, {
	"effect": effect,
	"softened": [{"by": "override", "id": override.id, "effect": finding.effect}],
}) if {
	override := standing.override
	effect := _milder[override.to][finding.effect]
	data.policyguard.rulebook.rules[finding.id].locked == false
} else := finding

_milder := {
	"require_approval": {"deny": "require_approval"},
	"advise": {
		"deny": "advise",
		"unavailable": "advise",
		"require_approval": "advise",
		"oblige": "advise",
	},
}

# INVARIANT: of all effects an approval lifts `require_approval` alone.
_approved(finding) := object.union(finding, {
	"effect": "advise",
	"softened": array.concat(
		object.get(finding, "softened", []),
		[{"by": "approval", "id": _approvals(finding)[0], "effect": "require_approval"}],
	),
}) if {
	finding.effect == "require_approval"
	count(_approvals(finding)) > 0
} else := finding

# The guard has verified who signed them, for which caller, and that uses are left. Here
# it is asked whether they are of this call and of this finding, to the word.
_approvals(finding) := [approval.id |
	some approval in input.approvals
	approval.rule == finding.id
	approval.msg == finding.msg
	approval.missing == finding.missing
	approval.tenant == input.tenant.id
	approval.asked_model == input.asked.model
	approval.asked_host == input.asked.host
	approval.model == input.model
	approval.route == input.route
	approval.data_classes == input.data.classes
	approval.purpose == _purpose_kind
	approval.bundle == data.policyguard.served.bundle
	now := time.parse_rfc3339_ns(input.at)
	time.parse_rfc3339_ns(approval.since) <= now
	now < time.parse_rfc3339_ns(approval.until)
]

default _purpose_kind := null

_purpose_kind := input.purpose.kind if is_object(input.purpose)

_by_status(effect, status) := object.get(_softer, [status, effect], effect)

# An effect that a status leaves alone is not in the table.
_softer := {
	"suspended": {
		"deny": "require_approval",
		"unavailable": "advise",
		"require_approval": "advise",
		"oblige": "advise",
		"indeterminate": "require_approval",
	},
	"contested": {"deny": "require_approval", "indeterminate": "require_approval"},
	"proposed": {
		"deny": "advise",
		"unavailable": "advise",
		"require_approval": "advise",
		"oblige": "advise",
		"indeterminate": "advise",
	},
}

_by_profile(effect, profile) := "require_approval" if {
	effect == "indeterminate"
	profile == "balanced"
} else := "deny" if {
	effect == "indeterminate"
} else := effect

_verdict(effects) := "deny" if {
	"deny" in effects
} else := "unavailable" if {
	"unavailable" in effects
} else := "require_approval" if {
	"require_approval" in effects
} else := "allow"
