package policyguard.rules

# METADATA
# title: A transfer under the Data Privacy Framework needs a certification that covers it
# description: |
#   Where the tool on file for the United States is the EU-US Data Privacy Framework, the
#   recipient's certification must be active, have been looked at within a year, and
#   cover HR data where HR data is sent. The decision is before the Court of Justice: a
#   fallback is advised.
# related_resources:
#   - ref: Implementing Decision (EU) 2023/1795
#   - ref: CJEU C-703/25 P (pending)
# custom:
#   id: GDPR-02
#   severity: high
#   citation: Implementing Decision (EU) 2023/1795; GDPR Art. 45
#   as_of: 2026-06-30
#   locked: false
#   exceptions:
#     - "the tool is another one"
#     - "people send data on themselves, of their own (data.direct_from_subject)"
#   effective:
#     - {from: 2023-07-10T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "GDPR-02",
	"effect": "deny",
	"msg": sprintf("%s at %s would receive personal data in the United States under the Data Privacy Framework, and %s", [
		input.model.label,
		hop.label,
		_gdpr_02_defects[defect],
	]),
	"facts": _gdpr_02_facts(hop),
	"missing": [],
	"remedy": "an active certification that covers this data, or standard clauses with an assessment",
} if {
	some hop in _gdpr_02_hops
	some defect in _gdpr_02_found(hop)
}

findings contains {
	"id": "GDPR-02",
	"effect": "require_approval",
	"msg": sprintf("the certification of the operator of %s was last looked at more than a year ago, and is renewed each year", [hop.label]),
	"facts": _gdpr_02_facts(hop),
	"missing": [],
	"remedy": "a look at the framework's list of participants, with its date",
} if {
	some hop in _gdpr_02_hops
	count(_gdpr_02_found(hop)) == 0
	hop.contract.dpf_check == "stale"
}

findings contains {
	"id": "GDPR-02",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the certification of the operator of %s covers what %s is sent", [
		hop.label,
		input.model.label,
	]),
	"facts": _gdpr_02_facts(hop),
	"missing": sort(missing),
	"remedy": "what the framework's list of participants says of the operator, and when it was looked at",
} if {
	some hop in _gdpr_02_hops
	count(_gdpr_02_found(hop)) == 0
	missing := _gdpr_02_missing(hop)
	count(missing) > 0
}

findings contains {
	"id": "GDPR-02",
	"effect": "advise",
	"msg": sprintf("the adequacy decision under which %s receives personal data is before the Court of Justice (C-703/25 P): keep standard clauses ready", [hop.label]),
	"facts": _gdpr_02_facts(hop),
	"missing": [],
	"remedy": "",
} if {
	some hop in _gdpr_02_hops
	count(_gdpr_02_found(hop)) == 0
	count(_gdpr_02_missing(hop)) == 0
}

# Where the framework is what the transfer rests on.
_gdpr_02_hops := [hop |
	input.scope.personal == "yes"
	input.scope.gdpr == "in"
	input.data.direct_from_subject == false
	some hop in input.hops
	hop.contract.transfer_tool == "dpf"
	some place in hop.places
	"dpf" in input.countries[place].adequacy
]

_gdpr_02_defects := {
	"lapsed": "its operator's certification is not active",
	"hr": "its operator's certification does not cover HR data",
	"later": "its operator's certification was looked at after this call only",
}

_gdpr_02_found(hop) := {defect |
	is_object(hop.contract.dpf)
	some defect, is_found in {
		"lapsed": hop.contract.dpf.active == false,
		"hr": _gdpr_02_not_for_hr(hop.contract.dpf),
		"later": hop.contract.dpf_check == "ahead",
	}
	is_found
}

_gdpr_02_not_for_hr(certification) if {
	certification.hr_data == false
	input.data.employment == true
} else := false

_gdpr_02_missing(hop) := {"contract.dpf"} if {
	hop.contract.dpf == null
} else := {name |
	some name, is_missing in {
		"contract.dpf.as_of": hop.contract.dpf.as_of == null,
		"contract.dpf.hr_data": _gdpr_02_unknown_cover(hop.contract.dpf),
		"data.employment": _gdpr_02_unknown_kind(hop.contract.dpf),
	}
	is_missing
}

_gdpr_02_unknown_cover(certification) if {
	certification.hr_data == null
	input.data.employment != false
} else := false

_gdpr_02_unknown_kind(certification) if {
	certification.hr_data != true
	input.data.employment == null
} else := false

_gdpr_02_facts(hop) := {
	"contract.dpf": hop.contract.dpf,
	"contract.transfer_tool": hop.contract.transfer_tool,
	"data.employment": input.data.employment,
	"deployment": hop.id,
	"deployment.operator": hop.deployment.operator,
}
