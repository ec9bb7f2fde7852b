package policyguard.rules

# METADATA
# title: Reading from afar, and law that can compel it, count as transfers
# description: |
#   Data that is stored in the EEA and can be read from a third country is transferred
#   there, and clauses alone do not answer that: supplementary measures must be proved.
#   The same holds where the law of a country without adequacy can compel the operator's
#   parent. A country of which any adequacy decision stands does not count here. Who can
#   read what is sent, and from where, must be known.
# related_resources:
#   - ref: Irish DPC, TikTok, 2025-04-30 (under appeal)
#   - ref: CJEU C-311/18 (Schrems II)
#   - ref: EDPB Recommendations 01/2020
# custom:
#   id: GDPR-03
#   severity: critical
#   citation: GDPR Art. 44, 46; CJEU C-311/18; Irish DPC, TikTok, 2025-04-30
#   as_of: 2026-02-09
#   locked: false
#   exceptions:
#     - "every country of remote access and control is in the EEA or has an adequacy decision, whatever its condition is: the law of that country was examined"
#     - "GDPR-01 finds no basis for that country at all: then there is nothing to supplement, and GDPR-01 says so"
#     - "people send data on themselves, of their own"
#   effective:
#     - {from: 2020-07-16T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "GDPR-03",
	"effect": effect,
	"msg": sprintf("personal data that %s at %s is sent %s, %s", [
		input.model.label,
		hop.label,
		reach.msg,
		_gdpr_03_states[state],
	]),
	"facts": _gdpr_03_facts(hop),
	"missing": missing,
	"remedy": "an operator that only countries with adequacy can reach or compel, or supplementary measures that a person has examined",
} if {
	_gdpr_03_sent
	some hop in input.hops
	some reach in _gdpr_03_reaches(hop)
	state := _gdpr_03_state(hop)
	[effect, missing] := _gdpr_03_effects[state]
}

findings contains {
	"id": "GDPR-03",
	"effect": "indeterminate",
	"msg": sprintf("it is not known from where personal data can be read that %s at %s is sent, or whose law can compel that", [
		input.model.label,
		hop.label,
	]),
	"facts": _gdpr_03_facts(hop),
	"missing": sort(missing),
	"remedy": "countries of remote access by the contract with the operator, and the country of its ultimate parent by an overlay with its source",
} if {
	_gdpr_03_sent
	some hop in input.hops
	hop.known
	count([place | some place, lack in _gdpr_01_lacks(hop); lack == "basis"]) == 0
	missing := _gdpr_03_missing(hop)
	count(missing) > 0
}

_gdpr_03_sent if {
	input.scope.personal == "yes"
	input.scope.gdpr == "in"
	input.data.direct_from_subject == false
}

# Where GDPR-01 finds no basis at all, there is nothing to supplement.
_gdpr_03_reaches(hop) := {reach |
	lacks := _gdpr_01_lacks(hop)
	some countries in [hop.deployment.remote_access_countries, hop.contract.remote_access_countries]
	is_array(countries)
	some country in countries
	not _gdpr_03_answers(country)
	object.get(lacks, country, null) != "basis"
	reach := {"msg": sprintf("can be read from %s", [country])}
} | {reach |
	lacks := _gdpr_01_lacks(hop)
	some party in hop.parties
	is_string(party.control_country)
	not _gdpr_03_answers(party.control_country)
	object.get(lacks, party.control_country, null) != "basis"
	reach := {"msg": sprintf("is with %s, which the law of %s can compel", [party.name, party.control_country])}
}

# The law of a country was examined where an adequacy decision stands, whatever its
# condition is.
_gdpr_03_answers(country) if input.countries[country].eea

_gdpr_03_answers(country) if count(input.countries[country].adequacy) > 0

_gdpr_03_state(hop) := "proved" if {
	hop.contract.supplementary_measures == true
} else := "unknown" if {
	hop.contract.supplementary_measures == null
} else := "none"

_gdpr_03_states := {
	"none": "and no supplementary measures are on file",
	"proved": "and a person has to say whether the supplementary measures on file answer that",
	"unknown": "and it is not known whether supplementary measures are in place",
}

_gdpr_03_effects := {
	"none": ["deny", []],
	"proved": ["require_approval", []],
	"unknown": ["indeterminate", ["contract.supplementary_measures"]],
}

_gdpr_03_missing(hop) := {name |
	hop.deployment.remote_access_countries == null
	hop.contract.remote_access_countries == null
	name := "deployment.remote_access_countries"
} | {name |
	some party in hop.parties
	party.control_country == null
	name := sprintf("operators.%s.control_country", [party.id])
}

_gdpr_03_facts(hop) := {
	"contract.remote_access_countries": hop.contract.remote_access_countries,
	"contract.supplementary_measures": hop.contract.supplementary_measures,
	"deployment": hop.id,
	"deployment.operator": hop.deployment.operator,
	"deployment.remote_access_countries": hop.deployment.remote_access_countries,
	"control_countries": {party.id: party.control_country | some party in hop.parties},
}
