package policyguard.rules

# METADATA
# title: Covered persons get bulk data only under the security requirements
# description: |
#   A vendor agreement by which a covered person can reach bulk sensitive personal data of
#   US persons, or any data related to the government, is restricted, not banned: it needs
#   the security requirements of CISA. A hosted model is a vendor agreement. A company of
#   the United States is no covered person, whoever owns it, unless it is designated.
# related_resources:
#   - ref: 28 CFR 202.401
#   - ref: 28 CFR 202.248
#   - ref: 28 CFR 202.205, 202.206
# custom:
#   id: DSP-02
#   severity: critical
#   citation: 28 CFR 202.401, 202.205, 202.206, 202.248
#   as_of: 2026-06-20
#   locked: false
#   exceptions:
#     - "the counterparty is a company of the United States that nobody has designated"
#     - "you host the weights yourself: no covered person gets access, whoever made them"
#     - "the sender is no US person, or the data is about nobody of the United States"
#     - "the numbers, added up, are the thresholds or less"
#   effective:
#     - {from: 2025-04-08T00:00:00Z, to: null, status: in_force, verified: true}
findings contains {
	"id": "DSP-02",
	"effect": _dsp_01_effect,
	"msg": sprintf("%s at %s would let %s, %s, reach %s of US persons (%s) without the security requirements of CISA", [
		input.model.label,
		access.hop.label,
		access.name,
		access.why,
		_dsp_01_kind(access),
		_dsp_02_amount(access),
	]),
	"facts": _dsp_02_facts(access),
	"missing": [],
	"remedy": "a deployment that no covered person can reach, or the security requirements of CISA, met",
} if {
	_dsp_01_sender == "yes"
	_dsp_01_relevant
	some access in _dsp_02_restricted
	access.covered == "yes"
	_dsp_01_sensitive(access) == "yes"
	input.data_security.requirements == false
}

findings contains {
	"id": "DSP-02",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s at %s lets a covered person reach bulk data of US persons, or data related to the government, without the security requirements of CISA", [
		input.model.label,
		access.hop.label,
	]),
	"facts": _dsp_02_facts(access),
	"missing": sort(missing),
	"remedy": "how many US persons the data is about, in this call and in twelve months, who owns the operator, and what stands of the security requirements",
} if {
	_dsp_01_sender != "no"
	_dsp_01_relevant
	some access in _dsp_02_restricted
	access.covered != "no"
	_dsp_01_sensitive(access) != "no"
	input.data_security.requirements != true
	missing := _dsp_02_missing(access)
	count(missing) > 0
}

findings contains {
	"id": "DSP-02",
	"effect": "oblige",
	"msg": "a restricted transaction with a covered person is recorded for ten years",
	"facts": _dsp_02_facts(access),
	"missing": [],
	"remedy": "",
	"obligation": {"type": "record_processing", "properties": {"article": "28 CFR 202.1101", "years": 10}},
} if {
	_dsp_01_sender != "no"
	_dsp_01_relevant
	input.data_security.requirements == true
	some access in _dsp_02_restricted
	access.covered != "no"
	_dsp_01_sensitive(access) != "no"
}

# A sale is DSP-01's and DSP-03's.
_dsp_02_restricted := [access |
	input.data.brokerage != true
	some access in _dsp_01_accesses
]

_dsp_02_missing(access) := ((_dsp_01_sender_missing | access.missing) | _dsp_02_counts_missing(access)) | _dsp_02_papers_missing

_dsp_02_counts_missing(access) := _dsp_01_sensitive_missing(access) if {
	_dsp_01_sensitive(access) == "unknown"
} else := set()

_dsp_02_papers_missing contains "tenant.data_security.requirements" if input.data_security.requirements == null

_dsp_02_amount(access) := "any number" if {
	_dsp_01_government
} else := _dsp_01_amount(access.counterparty, _dsp_01_categories)

_dsp_02_facts(access) := object.union(_dsp_01_facts(access), {"tenant.data_security.requirements": input.data_security.requirements})
