package policyguard.rules

# METADATA
# title: No transfer out of Saudi Arabia without a basis of the PDPL
# description: |
#   Personal data of an establishment, or of people, in Saudi Arabia may leave it to a
#   country that the authority holds adequate, or with its standard clauses or binding
#   rules and a risk assessment of less than a year. No decision on adequacy is known to
#   the catalog. Rules of single sectors and cloud classes are stricter and are not here.
# related_resources:
#   - ref: Personal Data Protection Law (M/19), Art. 29
#   - ref: Regulation on Personal Data Transfer outside the Kingdom
# custom:
#   id: SA-01
#   severity: critical
#   citation: Saudi PDPL Art. 29 and its transfer regulation
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "every place is in Saudi Arabia or in the list sa-adequacy, on which nothing is"
#     - "local_tools.saudi is scc or bcr, with a risk assessment of less than a year"
#   effective:
#     - {from: 2024-09-14T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "SA-01",
	"effect": "deny",
	"msg": sprintf("%s at %s would take personal data in scope of the Saudi PDPL to %s, for which neither a decision on adequacy nor a tool of that law (%s) is a basis", [
		input.model.label,
		hop.label,
		_transfer_names(bare),
		hop.contract.local_tools.saudi,
	]),
	"facts": _transfer_facts(hop, _sa_01_law),
	"missing": [],
	"remedy": "a deployment in Saudi Arabia, or the authority's clauses with a risk assessment of less than a year",
} if {
	_sa_01_sent
	some hop in input.hops
	bare := _transfer_places(hop, _sa_01_law, {"basis"})
	count(bare) > 0
}

findings contains {
	"id": "SA-01",
	"effect": "require_approval",
	"msg": sprintf("%s at %s would take personal data in scope of the Saudi PDPL to %s, and what allows it is for a person to judge: %s", [
		input.model.label,
		hop.label,
		_transfer_names(places),
		_transfer_doubts[doubt],
	]),
	"facts": _transfer_facts(hop, _sa_01_law),
	"missing": [],
	"remedy": "a person's approval, or a deployment in Saudi Arabia, or the authority's clauses with a risk assessment of less than a year",
} if {
	_sa_01_sent
	some hop in input.hops
	some doubt, _ in _transfer_doubts
	places := _transfer_places(hop, _sa_01_law, {doubt})
	count(places) > 0
}

findings contains {
	"id": "SA-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether personal data in scope of the Saudi PDPL that is sent to %s at %s has a basis to go where it goes", [
		input.model.label,
		hop.label,
	]),
	"facts": _transfer_facts(hop, _sa_01_law),
	"missing": sort(missing),
	"remedy": "the missing facts: places by an overlay with its source, papers by the tenant's contracts",
} if {
	_sa_01_sent
	some hop in input.hops
	missing := _transfer_missing(hop, _sa_01_law)
	count(missing) > 0
	count(_transfer_places(hop, _sa_01_law, {"basis"})) == 0
}

findings contains {
	"id": "SA-01",
	"effect": "indeterminate",
	"msg": "personal data is sent, and it is not known whether it is in scope of the Saudi PDPL",
	"facts": {
		"data.subjects": input.data.subjects,
		"exporter.establishment": input.exporter.establishment,
	},
	"missing": sort(missing),
	"remedy": "where the establishment is, and where the people are whom the data is about",
} if {
	input.scope.personal == "yes"
	input.scope.SA == "unknown"
	input.data.direct_from_subject == false
	missing := input.scope.missing
}

_sa_01_sent if {
	input.scope.personal == "yes"
	input.scope.SA == "in"
	input.data.direct_from_subject == false
}

_sa_01_law := {
	"home": "SA",
	"list": "saudi",
	"tool": "saudi",
	"tools": {"scc", "bcr"},
	"of": "sa-adequacy",
	"condition": "-",
	"extension": "active",
}
