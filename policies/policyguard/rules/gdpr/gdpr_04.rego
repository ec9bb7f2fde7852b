package policyguard.rules

# METADATA
# title: A processor is bound by contract, trains on nothing and keeps nothing too long
# description: |
#   Who processes personal data for the tenant does so under a contract by Article 28,
#   with sub-processors that are named, without training on it for ends of its own, and
#   no longer than the tenant allows. What the contract says counts before public terms;
#   a vendor's safety retention counts whatever the contract says. Our own machines on
#   our own premises are nobody's processor.
# related_resources:
#   - ref: GDPR Art. 5(1)(b), 5(1)(e), 9, 28
# custom:
#   id: GDPR-04
#   severity: high
#   citation: GDPR Art. 5, 28
#   as_of: 2026-06-12
#   locked: false
#   exceptions:
#     - "the papers are whole and keep to the tenant's limits"
#     - "the exporter is established outside the EEA, none of the people is there, and nobody says that Article 3 reaches it nevertheless"
#   effective:
#     - {from: 2018-05-25T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "GDPR-04",
	"effect": "deny",
	"msg": sprintf("%s at %s would process personal data, and %s", [
		input.model.label,
		hop.label,
		_gdpr_04_defects[defect],
	]),
	"facts": _gdpr_04_facts(hop),
	"missing": [],
	"remedy": _gdpr_04_remedies[defect],
} if {
	_gdpr_04_sent
	some hop in _gdpr_04_processors
	some defect in _gdpr_04_found(hop)
}

findings contains {
	"id": "GDPR-04",
	"effect": "require_approval",
	"msg": sprintf("%s at %s would process personal data, and not all of its operator's sub-processors are named and accepted", [
		input.model.label,
		hop.label,
	]),
	"facts": _gdpr_04_facts(hop),
	"missing": [],
	"remedy": "the operator's list of sub-processors, examined",
} if {
	_gdpr_04_sent
	some hop in _gdpr_04_processors
	hop.contract.dpa == true
	hop.contract.sub_processors == false
}

findings contains {
	"id": "GDPR-04",
	"effect": "indeterminate",
	"msg": sprintf("it is not known under which terms %s at %s would process personal data", [
		input.model.label,
		hop.label,
	]),
	"facts": _gdpr_04_facts(hop),
	"missing": sort(missing),
	"remedy": "what the contract with the operator says, under [[tenant.contracts]]",
} if {
	_gdpr_04_sent
	some hop in _gdpr_04_processors
	count(_gdpr_04_found(hop)) == 0
	missing := _gdpr_04_missing(hop)
	count(missing) > 0
}

findings contains {
	"id": "GDPR-04",
	"effect": "advise",
	"msg": sprintf("this is data of a special category (%s): processing it needs a condition of Article 9(2) besides", [concat(", ", special)]),
	"facts": {"data.classes": input.data.classes},
	"missing": [],
	"remedy": "",
} if {
	_gdpr_04_sent
	special := [class | some class in input.data.classes; class in _gdpr_04_special]
	count(special) > 0
}

_gdpr_04_special := {"special_category", "health", "genomic", "biometric"}

_gdpr_04_sent if {
	input.scope.personal == "yes"
	input.scope.gdpr == "in"
}

# Everybody but ourselves on our own premises.
_gdpr_04_processors := [hop |
	some hop in input.hops
	hop.known
	not _gdpr_04_ours(hop.deployment)
]

_gdpr_04_ours(deployment) if {
	deployment.mode == "self_hosted"
	deployment.host_cloud == deployment.operator
}

_gdpr_04_defects := {
	"dpa": "no processing agreement by Article 28 is signed with who runs it",
	"training": "who runs it trains on what is sent",
	"retention": "what is sent would be kept longer than the tenant allows",
}

_gdpr_04_remedies := {
	"dpa": "a signed processing agreement, or an operator with which there is one",
	"training": "terms that exclude training, as an enterprise contract has them",
	"retention": "a deployment that keeps what is sent no longer than the tenant allows",
}

_gdpr_04_found(hop) := {defect |
	some defect, is_found in {
		"dpa": _gdpr_04_unsigned(hop),
		"training": hop.terms.training == true,
		"retention": _gdpr_04_too_long(hop.terms.retention_days),
	}
	is_found
}

# Under weights of ours that some cloud may carry, it is not known whose paper it is.
_gdpr_04_unsigned(hop) if {
	hop.contract.dpa == false
	not _gdpr_04_groundless(hop.deployment)
} else := false

_gdpr_04_groundless(deployment) if {
	deployment.mode == "self_hosted"
	deployment.host_cloud == null
}

_gdpr_04_too_long(days) if {
	is_number(days)
	is_number(input.tenant.retention_limit)
	days > input.tenant.retention_limit
} else := false

_gdpr_04_missing(hop) := {name |
	some name, is_missing in {
		"deployment.host_cloud": _gdpr_04_unknown_ground(hop.deployment),
		"deployment.operator": _gdpr_04_unknown_operator(hop.deployment),
		"tenant.contracts": _gdpr_04_undeclared(hop),
		"contract.dpa": _gdpr_04_unsaid(hop, "dpa"),
		"contract.sub_processors": _gdpr_04_unsaid(hop, "sub_processors"),
		"contract.training": _gdpr_04_unknown_training(hop),
		"contract.retention_days": _gdpr_04_unknown_retention(hop),
	}
	is_missing
}

_gdpr_04_unknown_ground(deployment) if {
	_gdpr_04_groundless(deployment)
} else := false

_gdpr_04_unknown_operator(deployment) if {
	deployment.mode != "self_hosted"
	deployment.operator == null
} else := false

_gdpr_04_undeclared(hop) if {
	hop.contract.state == "unknown"
	input.tenant.contracts == null
} else := false

_gdpr_04_unsaid(hop, name) if {
	hop.contract.state == "signed"
	hop.contract[name] == null
} else := false

_gdpr_04_unknown_training(hop) if {
	hop.contract.state != "unknown"
	hop.terms.training == null
} else := false

_gdpr_04_unknown_retention(hop) if {
	is_number(input.tenant.retention_limit)
	hop.contract.state != "unknown"
	hop.terms.retention_days == null
} else := false

_gdpr_04_facts(hop) := {
	"contract.dpa": hop.contract.dpa,
	"contract.sub_processors": hop.contract.sub_processors,
	"data.classes": input.data.classes,
	"deployment": hop.id,
	"deployment.operator": hop.deployment.operator,
	"terms.retention_days": hop.terms.retention_days,
	"terms.training": hop.terms.training,
	"tenant.retention_limit": input.tenant.retention_limit,
}
