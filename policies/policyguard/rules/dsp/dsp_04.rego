package policyguard.rules

# METADATA
# title: Restricted transactions need a compliance programme, certified and audited
# description: |
#   Since October 2025 who engages in a restricted transaction keeps a data compliance
#   programme that an officer certifies every year, and has it audited every year.
# related_resources:
#   - ref: 28 CFR 202.1001
#   - ref: 28 CFR 202.1002
# custom:
#   id: DSP-04
#   severity: high
#   citation: 28 CFR 202.1001, 202.1002
#   as_of: 2026-06-20
#   locked: false
#   exceptions:
#     - "certification and audit are at most 365 days old at the call's instant"
#     - "it is no restricted transaction"
#   effective:
#     - {from: 2025-10-06T00:00:00Z, to: null, status: in_force, verified: true}
findings contains {
	"id": "DSP-04",
	"effect": _dsp_01_effect,
	"msg": sprintf("%s at %s is a restricted transaction with %s, and the compliance programme %s", [
		input.model.label,
		access.hop.label,
		access.name,
		concat(" and ", sort(lacks)),
	]),
	"facts": _dsp_04_facts(access),
	"missing": [],
	"remedy": "a programme that was certified and audited within a year, or a deployment that no covered person can reach",
} if {
	_dsp_01_sender == "yes"
	_dsp_01_relevant
	some access in _dsp_02_restricted
	access.covered == "yes"
	_dsp_01_sensitive(access) == "yes"
	lacks := {_dsp_04_words[step] | some step in ["certified", "audited"]; _dsp_04_state[step] == "stale"}
	count(lacks) > 0
}

findings contains {
	"id": "DSP-04",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the compliance programme covers %s at %s, which is a restricted transaction or may be one", [
		input.model.label,
		access.hop.label,
	]),
	"facts": _dsp_04_facts(access),
	"missing": sort(missing),
	"remedy": "when the programme was last certified and audited; how many US persons the data is about, and who owns the operator",
} if {
	_dsp_01_sender != "no"
	_dsp_01_relevant
	some access in _dsp_02_restricted
	access.covered != "no"
	_dsp_01_sensitive(access) != "no"
	some step in ["certified", "audited"]
	_dsp_04_state[step] != "fresh"
	missing := ((_dsp_01_sender_missing | access.missing) | _dsp_02_counts_missing(access)) | {sprintf("tenant.data_security.%s", [name]) |
		some name in ["certified", "audited"]
		_dsp_04_state[name] == "unknown"
	}
	count(missing) > 0
}

_dsp_04_state := {
	"certified": _dsp_04_paper(input.data_security.certification),
	"audited": _dsp_04_paper(input.data_security.audit),
}

# Of a year; what lies in the future of the call has not happened.
_dsp_04_paper(state) := "unknown" if {
	state == null
} else := "fresh" if {
	state == "fresh"
} else := "stale"

_dsp_04_words := {
	"certified": "was not certified within a year",
	"audited": "was not audited within a year",
}

_dsp_04_facts(access) := object.union(_dsp_01_facts(access), {
	"tenant.data_security.certified": input.data_security.certified,
	"tenant.data_security.audited": input.data_security.audited,
})
