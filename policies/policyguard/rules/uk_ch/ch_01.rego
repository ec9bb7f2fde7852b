package policyguard.rules

# METADATA
# title: No transfer out of Switzerland without a basis of Swiss law
# description: |
#   Personal data in scope of the FADP may reach another country only if that country is
#   in Annex 1 to the Data Protection Ordinance, with clauses in the form that the FDPIC
#   accepts or binding rules and an assessment of less than a year, or under Article 17,
#   which a person has to approve. Annex 1 is not the list of the EU. For the United
#   States the certification must be under the Swiss-US framework.
# related_resources:
#   - ref: FADP (SR 235.1) Art. 16, 17
#   - ref: DPO (SR 235.11) Annex 1
# custom:
#   id: CH-01
#   severity: critical
#   citation: FADP Art. 16, 17; DPO Annex 1
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "every place is in Switzerland or a country of the list swiss-adequacy"
#     - "local_tools.swiss is scc or bcr, with an assessment of less than a year"
#     - "for the United States: an active certification under the Swiss-US framework"
#     - "nobody whose data is sent is in Switzerland, or exporter.swiss_effect is false"
#     - "the exporter is established outside Switzerland, none of the people is there, and nobody says that the processing has effects in Switzerland nevertheless"
#   effective:
#     - {from: 2023-09-01T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "CH-01",
	"effect": "deny",
	"msg": sprintf("%s at %s would take personal data in scope of the Swiss FADP to %s, for which neither Annex 1 nor a tool of that law (%s) is a basis", [
		input.model.label,
		hop.label,
		_transfer_names(bare),
		hop.contract.local_tools.swiss,
	]),
	"facts": _transfer_facts(hop, _ch_01_law),
	"missing": [],
	"remedy": "a deployment in Switzerland or a country of Annex 1, or clauses in the Swiss form with an assessment of less than a year",
} if {
	_ch_01_sent
	some hop in input.hops
	bare := _transfer_places(hop, _ch_01_law, {"basis"})
	count(bare) > 0
}

findings contains {
	"id": "CH-01",
	"effect": "require_approval",
	"msg": sprintf("%s at %s would take personal data in scope of the Swiss FADP to %s, and what allows it is for a person to judge: %s", [
		input.model.label,
		hop.label,
		_transfer_names(places),
		_transfer_doubts[doubt],
	]),
	"facts": _transfer_facts(hop, _ch_01_law),
	"missing": [],
	"remedy": "a person's approval, or a deployment in Switzerland or a country of Annex 1, or clauses in the Swiss form with an assessment of less than a year",
} if {
	_ch_01_sent
	some hop in input.hops
	some doubt, _ in _transfer_doubts
	places := _transfer_places(hop, _ch_01_law, {doubt})
	count(places) > 0
}

findings contains {
	"id": "CH-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether personal data in scope of the Swiss FADP that is sent to %s at %s has a basis to go where it goes", [
		input.model.label,
		hop.label,
	]),
	"facts": _transfer_facts(hop, _ch_01_law),
	"missing": sort(missing),
	"remedy": "the missing facts: places by an overlay with its source, papers by the tenant's contracts",
} if {
	_ch_01_sent
	some hop in input.hops
	missing := _transfer_missing(hop, _ch_01_law)
	count(missing) > 0
	count(_transfer_places(hop, _ch_01_law, {"basis"})) == 0
}

findings contains {
	"id": "CH-01",
	"effect": "indeterminate",
	"msg": "personal data is sent, and it is not known whether it is in scope of the Swiss FADP",
	"facts": {
		"data.subjects": input.data.subjects,
		"exporter.establishment": input.exporter.establishment,
		"exporter.swiss_effect": input.exporter.swiss_effect,
	},
	"missing": sort(missing),
	"remedy": "whether the processing has an effect in Switzerland",
} if {
	input.scope.personal == "yes"
	input.scope.swiss == "unknown"
	input.data.direct_from_subject == false
	missing := _ch_01_scope_missing
}

_ch_01_sent if {
	input.scope.personal == "yes"
	input.scope.swiss == "in"
	input.data.direct_from_subject == false
}

_ch_01_law := {
	"home": "CH",
	"list": "swiss",
	"tool": "swiss",
	"tools": {"scc", "bcr"},
	"of": "swiss-adequacy",
	"condition": "swiss-dpf",
	"extension": "swiss",
}

_ch_01_scope_missing := input.scope.missing if {
	count(input.scope.missing) > 0
} else := ["exporter.swiss_effect"]
