package policyguard.rules

# METADATA
# title: Bulk data that is sold abroad is not sold on to countries of concern
# description: |
#   Who sells or licenses bulk sensitive data of US persons to another foreign person, one
#   that is not covered, needs a contract that forbids to pass it on to countries of
#   concern and covered persons. A processor who works on the data is no buyer.
# related_resources:
#   - ref: 28 CFR 202.302
#   - ref: 28 CFR 202.214
# custom:
#   id: DSP-03
#   severity: high
#   citation: 28 CFR 202.302, 202.214
#   as_of: 2026-06-20
#   locked: false
#   exceptions:
#     - "the contract forbids onward transfer (onward_transfer_ban)"
#     - "nothing is sold: data.brokerage is false"
#     - "the counterparty is of the United States, or covered: that is DSP-01's"
#   effective:
#     - {from: 2025-04-08T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "DSP-03",
	"effect": "require_approval",
	"msg": sprintf("%s at %s would sell or license %s of US persons to %s, and no contract forbids to pass it on to countries of concern", [
		input.model.label,
		access.hop.label,
		_dsp_01_kind(access),
		access.name,
	]),
	"facts": _dsp_03_facts(access),
	"missing": [],
	"remedy": "a contract that forbids onward transfer (28 CFR 202.302), or a person's approval",
} if {
	_dsp_01_sender == "yes"
	_dsp_01_relevant
	input.data.brokerage == true
	some access in _dsp_03_foreign
	_dsp_01_sensitive(access) == "yes"
	access.hop.contract.onward_transfer_ban == false
}

findings contains {
	"id": "DSP-03",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s at %s sells bulk data of US persons abroad without a ban on passing it on", [
		input.model.label,
		access.hop.label,
	]),
	"facts": _dsp_03_facts(access),
	"missing": sort(missing),
	"remedy": "whether the data is sold or licensed, how many US persons it is about, and what the contract says",
} if {
	_dsp_01_sender != "no"
	_dsp_01_relevant
	input.data.brokerage != false
	some access in _dsp_03_foreign
	_dsp_01_sensitive(access) != "no"
	access.hop.contract.onward_transfer_ban != true
	missing := _dsp_03_missing(access)
	count(missing) > 0
}

# Foreign, and not known to be covered: those who are covered get nothing of it.
_dsp_03_foreign := [access |
	some access in _dsp_01_accesses
	access.covered != "yes"
	access.why != "a company of the United States"
]

_dsp_03_missing(access) := (_dsp_01_sender_missing | _dsp_02_counts_missing(access)) | {fact |
	some fact, known in {
		"data.brokerage": input.data.brokerage != null,
		"contract.onward_transfer_ban": access.hop.contract.onward_transfer_ban != null,
	}
	known == false
}

_dsp_03_facts(access) := object.union(_dsp_01_facts(access), {"contract.onward_transfer_ban": access.hop.contract.onward_transfer_ban})
