package policyguard.rules

# METADATA
# title: Companies that listed parties own by half count as listed
# description: |
#   The Affiliates Rule: a company outside the United States of which parties on the
#   Entity List, the Military End User List or the SDN List hold 50 % or more, together,
#   directly or through others, counts as listed itself. What counts is ownership, not
#   control. The rule was in force, is suspended for a year, and by its own terms comes
#   back on 2026-11-10; whether it did was not verified. That nobody knows who owns an
#   operator is a red flag, also while the rule is suspended.
# related_resources:
#   - ref: 90 FR 47201
#     description: "Affiliates Rule (interim final rule of 2025-09-29) with its temporary general licence, by secondary reading"
#   - ref: BIS suspension of the Affiliates Rule, 2025-11-10, by secondary reading
# custom:
#   id: EAR-02
#   severity: critical
#   citation: BIS Affiliates Rule of 2025-09-29 (15 CFR 744.11, 744.21, 744.8), suspended 2025-11-10 to 2026-11-09
#   as_of: 2026-11-23
#   locked: false
#   exceptions:
#     - "listed parties own at most 49.99 %, by shares whose window holds the instant"
#     - "the ultimate parent is known (control_country) and no owner with an entry is listed"
#     - "the operator is organised in the United States, or listed itself: that is EAR-01's"
#     - "a BIS licence names the operator, for the item and the country as far as it says"
#     - "the temporary general licence of the first window may cover it: a party in a place of Country Groups A:5 or A:6 of which blocked persons own less than half; a person confirms that"
#   effective:
#     - {from: 2025-09-29T00:00:00Z, to: 2025-11-10T00:00:00Z, status: in_force, verified: false}
#     - {from: 2025-11-10T00:00:00Z, to: 2026-11-10T00:00:00Z, status: suspended, verified: false}
#     - {from: 2026-11-10T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "EAR-02",
	"effect": "deny",
	"msg": sprintf("%s at %s would hand an item subject to the EAR (%s) to %s, of which listed parties (%s) own %s; that the Affiliates Rule stands at this instant is by its own terms, not verified", [
		input.model.label,
		affiliate.hop.label,
		input.data.ear.classification,
		affiliate.party.name,
		concat(", ", affiliate.party.held.bis.owners),
		_ear_02_percent(affiliate.party.held.bis.surely),
	]),
	"facts": _ear_02_facts(affiliate),
	"missing": [],
	"remedy": "an operator of which listed parties own less than half, or a BIS licence that names this one",
} if {
	_ear_01_item
	_ear_01_subject
	some affiliate in _ear_02_affiliates
	affiliate.party.held.bis.surely >= 5000
	not _ear_02_relieved(affiliate.party)
}

findings contains {
	"id": "EAR-02",
	"effect": "require_approval",
	"msg": sprintf("%s at %s would hand an item subject to the EAR (%s) to %s, of which listed parties (%s) own %s, under the temporary general licence of the Affiliates Rule for places such as %s; a person has to confirm it", [
		input.model.label,
		affiliate.hop.label,
		input.data.ear.classification,
		affiliate.party.name,
		concat(", ", affiliate.party.held.bis.owners),
		_ear_02_percent(affiliate.party.held.bis.surely),
		affiliate.party.country,
	]),
	"facts": object.union(_ear_02_facts(affiliate), {
		"operator.owned_by_blocked_bp_at_most": affiliate.party.held.ofac.perhaps,
		"lists.bis-affiliates-relief.as_of": object.get(input.lists, "bis-affiliates-relief", null),
	}),
	"missing": [],
	"remedy": "a person who has read the licence, or an operator of which listed parties own less than half",
} if {
	_ear_01_item
	_ear_01_subject
	some affiliate in _ear_02_affiliates
	affiliate.party.held.bis.surely >= 5000
	_ear_02_relieved(affiliate.party)
}

findings contains {
	"id": "EAR-02",
	"effect": "indeterminate",
	"msg": sprintf("a red flag: it is not known whether listed parties own half of %s, which would get an item subject to the EAR (%s) at %s", [
		affiliate.party.name,
		input.data.ear.classification,
		affiliate.hop.label,
	]),
	"facts": _ear_02_facts(affiliate),
	"missing": [sprintf("deployment.%s.owners", [affiliate.party.role])],
	"remedy": "the owners of the operator with their shares, in an overlay with its source",
} if {
	_ear_01_item
	_ear_01_subject
	some affiliate in _ear_02_affiliates
	affiliate.party.held.bis.surely < 5000
}

findings contains {
	"id": "EAR-02",
	"effect": "indeterminate",
	"msg": sprintf("listed parties own half of %s or may do so, and it is not known whether what %s at %s is sent is an item subject to the EAR", [
		affiliate.party.name,
		input.model.label,
		affiliate.hop.label,
	]),
	"facts": _ear_02_facts(affiliate),
	"missing": _ear_01_missing,
	"remedy": "classification and origin of what is sent",
} if {
	count(_ear_01_missing) > 0
	some affiliate in _ear_02_affiliates
}

# Not listed themselves, not of the United States, and owned by half or perhaps so.
_ear_02_affiliates := [{"hop": hop, "party": party} |
	some hop in input.hops
	some party in hop.parties
	party.held.bis.perhaps >= 5000
	party.country != "US"
	count(party.listings["bis-entity-list"]) == 0
	_ear_01_receives(hop, party)
	not _ear_01_licensed(party)
]

# The list names places for as long as the licence stood. It lifts what owners on the
# Entity List and the Military End User List bring, never what blocked owners do.
_ear_02_relieved(party) if {
	party.country in input.groups["bis-affiliates-relief"]
	party.held.ofac.perhaps < 5000
}

_ear_02_percent(share_bp) := sprintf("%d %%", [floor(share_bp / 100)]) if {
	share_bp % 100 == 0
} else := sprintf("%d.%02d %%", [floor(share_bp / 100), share_bp % 100])

_ear_02_facts(affiliate) := object.union(_ear_01_facts, object.union(_ear_01_party(affiliate), {
	"operator.country": affiliate.party.country,
	"operator.owned_by_listed_bp": affiliate.party.held.bis.surely,
	"operator.owned_by_listed_bp_at_most": affiliate.party.held.bis.perhaps,
	"lists.bis-meu.as_of": input.lists["bis-meu"],
	"lists.ofac-sdn.as_of": input.lists["ofac-sdn"],
}))
