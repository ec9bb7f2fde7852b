package policyguard.rules

# METADATA
# title: No service to embargoed places or blocked persons
# description: |
#   Who is tied to the United States serves nobody in a comprehensively embargoed country
#   or region, and deals with no blocked person: one on the SDN List, or one that such
#   persons own by 50 % or more together, directly or through others. Regions count
#   where the country does not. This 50 % rule of the Treasury was never suspended.
#   Without a tie to the United States the rule only says what it saw; a tie that is not
#   known is asked for.
# related_resources:
#   - ref: 31 CFR chapter V
#   - ref: 50 USC 1702(b) and 4305(b)(4) (what embargoes exempt)
#   - ref: 31 CFR 560.210 (information that does not exist yet is not exempt)
#   - ref: Executive Order 13685
#   - ref: Executive Order 14065
#   - ref: OFAC guidance on entities owned by blocked persons, 2014-08-13
# custom:
#   id: OFAC-01
#   severity: critical
#   citation: 31 CFR chapter V; 50 USC 1702(b), 4305(b)(4); OFAC guidance of 2014-08-13 on ownership (50 %)
#   as_of: 2026-06-18
#   locked: true
#   exceptions:
#     - "a licence of OFAC, general or specific, names the country or the operator"
#     - "data.ofac_exemption claims personal communications or travel for a place other than Cuba: a person confirms that; the exemption for information covers no answer that a model makes on request"
#     - "blocked owners hold at most 49.99 % together"
#     - "the programme of a country has ended, as Syria's on 2025-06-30"
#     - "caller.location or caller.subdivision alone is declared, and is of no embargo: of two that do not fit the embargoed one counts, and each is believed without the other"
#   effective:
#     - {from: null, to: null, status: in_force, verified: false}
findings contains {
	"id": "OFAC-01",
	"effect": _ofac_01_effects[_ofac_01_tie][_ofac_01_claim][input.embargo.place],
	"msg": sprintf("the caller is in %s, %s%s", [
		_ofac_01_where,
		_ofac_01_places[input.embargo.place],
		_ofac_01_claims[_ofac_01_claim],
	]),
	"facts": object.union(_ofac_01_facts, _ofac_01_claimed),
	"missing": [],
	"remedy": "a licence of OFAC, general or specific, that names the country",
} if {
	input.embargo.place in {"country", "region", "part"}
	_ofac_01_tie != "unknown"
	not _ofac_01_licensed_place
}

findings contains {
	"id": "OFAC-01",
	"effect": "indeterminate",
	"msg": "it is not known whether the caller is in an embargoed place",
	"facts": _ofac_01_facts,
	"missing": sort({fact | some fact in input.embargo.missing} | _ofac_01_untold),
	"remedy": "where the caller is during the call: the country, and the region of Ukraine",
} if {
	input.embargo.place == "unknown"
	_ofac_01_asked
}

# Whom it serves is known to be barred; only the tie is not known.
findings contains {
	"id": "OFAC-01",
	"effect": "indeterminate",
	"msg": sprintf("this service meets %s, and it is not known whether it is tied to the United States", [_ofac_01_hits[hit]]),
	"facts": _ofac_01_facts,
	"missing": sort(_ofac_01_untold),
	"remedy": "the country of the establishment that the call is made for, and of who runs each deployment",
} if {
	_ofac_01_tie == "unknown"
	some hit, _ in _ofac_01_hits
	_ofac_01_met[hit]
}

findings contains {
	"id": "OFAC-01",
	"effect": _ofac_01_by_tie[_ofac_01_tie],
	"msg": sprintf("the caller acts for %s, %s", [input.caller.organisation.name, reason]),
	"facts": _ofac_01_facts,
	"missing": [],
	"remedy": "a licence of OFAC that covers the organisation",
} if {
	reason := _ofac_01_blocked
	_ofac_01_tie != "unknown"
}

findings contains {
	"id": "OFAC-01",
	"effect": "indeterminate",
	"msg": "it is not known whether whom the caller acts for is a blocked person",
	"facts": _ofac_01_facts,
	"missing": sort(_ofac_01_unscreened | _ofac_01_untold),
	"remedy": "the lists that the organisation and its owners were screened against; for your own, once, in the settings of the tenant",
} if {
	_ofac_01_asked
	count(_ofac_01_unscreened) > 0
	not _ofac_01_blocked
}

findings contains {
	"id": "OFAC-01",
	"effect": _ofac_01_by_tie[_ofac_01_tie],
	"msg": sprintf("%s at %s would deal with %s, %s", [input.model.label, hop.label, party.name, reason]),
	"facts": object.union(_ofac_01_facts, {
		"deployment": hop.id,
		sprintf("deployment.%s", [party.role]): party.id,
		"operator.owned_by_blocked_bp": party.held.ofac.surely,
	}),
	"missing": [],
	"remedy": "another operator, or a licence of OFAC that names this one",
} if {
	_ofac_01_tie != "unknown"
	some hop in input.hops
	some party in hop.parties
	reason := _ofac_01_party(party)
	not _ofac_01_licensed_party(party)
}

findings contains {
	"id": "OFAC-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether blocked persons own half of %s, which runs %s", [party.name, hop.label]),
	"facts": object.union(_ofac_01_facts, {"deployment": hop.id, sprintf("deployment.%s", [party.role]): party.id}),
	"missing": sort({sprintf("deployment.%s.owners", [party.role])} | _ofac_01_untold),
	"remedy": "the owners of the operator with their shares, in an overlay with its source",
} if {
	_ofac_01_asked
	some hop in input.hops
	some party in hop.parties
	party.held.ofac.perhaps >= 5000
	party.held.ofac.surely < 5000
	count(party.listings["ofac-sdn"]) == 0
	not _ofac_01_licensed_party(party)
}

# A tie: who exports is in the United States, or an operator is of it.
_ofac_01_tie := "yes" if {
	input.exporter.establishment == "US"
} else := "yes" if {
	"US" in {party.country | some hop in input.hops; some party in hop.parties}
} else := "unknown" if {
	count(_ofac_01_open) > 0
} else := "no"

# A tie that nobody has denied may be there: of a call of which neither side is known,
# both are asked for.
_ofac_01_asked if _ofac_01_tie in {"yes", "unknown"}

# What would be a tie, and is not known: asked for where the tie decides.
_ofac_01_untold := _ofac_01_open if {
	_ofac_01_tie == "unknown"
} else := set()

_ofac_01_open contains "exporter.establishment" if input.exporter.establishment == null

_ofac_01_open contains "deployment.operator" if {
	some hop in input.hops
	hop.known
	hop.deployment.mode != "self_hosted"
	hop.deployment.operator == null
}

# Who runs our own machines is who exports; the cloud under them is not.
_ofac_01_open contains sprintf("deployment.%s.country", [party.role]) if {
	some hop in input.hops
	some party in hop.parties
	party.country == null
	not _ear_01_ours(hop, party)
}

_ofac_01_by_tie := {"yes": "deny", "no": "advise"}

_ofac_01_effects := {
	"yes": {
		"none": {"country": "deny", "region": "deny", "part": "require_approval"},
		"void": {"country": "deny", "region": "deny", "part": "require_approval"},
		"possible": {"country": "require_approval", "region": "require_approval", "part": "require_approval"},
	},
	"no": {
		"none": {"country": "advise", "region": "advise", "part": "advise"},
		"void": {"country": "advise", "region": "advise", "part": "advise"},
		"possible": {"country": "advise", "region": "advise", "part": "advise"},
	},
}

# What the statutes exempt is claimed by the caller, and confirmed by a person. The one
# for information is of what exists: a model's answer is made on request (31 CFR
# 560.210(c)(2)). Where the Trading with the Enemy Act is the law (Cuba), it is the only
# one: the others are general licences there.
_ofac_01_claim := "none" if {
	input.data.ofac_exemption == null
} else := "possible" if {
	input.data.ofac_exemption in {"personal_communications", "travel"}
	not "CU" in _ofac_01_countries
} else := "void"

_ofac_01_claims := {
	"none": "",
	"possible": "; the exemption that is claimed has to be confirmed by a person",
	"void": "; what is claimed exempts no call to a model from there",
}

_ofac_01_claimed := {"data.ofac_exemption": claim |
	claim := input.data.ofac_exemption
	claim != null
}

_ofac_01_countries := {input.caller.location, substring(_ofac_01_text(input.caller.subdivision), 0, 2)}

_ofac_01_places := {
	"country": "a country under a comprehensive embargo",
	"region": "a region under a comprehensive embargo",
	"part": "of which a part is under a comprehensive embargo",
}

_ofac_01_where := input.caller.subdivision if {
	is_string(input.caller.subdivision)
} else := input.caller.location

_ofac_01_hits := {
	"place": "an embargoed place",
	"organisation": "a blocked person",
	"operator": "a blocked operator",
}

_ofac_01_met["place"] if {
	input.embargo.place in {"country", "region", "part"}
	not _ofac_01_licensed_place
}

_ofac_01_met["organisation"] if _ofac_01_blocked

_ofac_01_met["operator"] if {
	some hop in input.hops
	some party in hop.parties
	_ofac_01_party(party)
	not _ofac_01_licensed_party(party)
}

_ofac_01_blocked := "a party on the SDN List" if {
	is_array(input.caller.organisation.listed)
	"ofac-sdn" in input.caller.organisation.listed
	not _ofac_01_licensed_place
} else := sprintf("of which blocked persons own %s", [_ear_02_percent(share)]) if {
	is_array(input.caller.organisation.owners)
	share := sum([owner.share_bp |
		some owner in input.caller.organisation.owners
		is_array(owner.listed)
		"ofac-sdn" in owner.listed
		is_number(owner.share_bp)
	])
	share >= 5000
}

_ofac_01_unscreened contains "caller.organisation.listed" if input.caller.organisation.listed == null

_ofac_01_unscreened contains "caller.organisation.owners" if not is_array(input.caller.organisation.owners)

# A share or an owner that is unknown, and could make it half.
_ofac_01_unscreened contains "caller.organisation.owners" if {
	is_array(input.caller.organisation.owners)
	sum([_ofac_01_at_most(owner) | some owner in input.caller.organisation.owners]) >= 5000
}

_ofac_01_at_most(owner) := 0 if {
	is_array(owner.listed)
	not "ofac-sdn" in owner.listed
} else := owner.share_bp if {
	is_number(owner.share_bp)
} else := 10000

_ofac_01_party(party) := "a party on the SDN List" if {
	count(party.listings["ofac-sdn"]) > 0
} else := sprintf("of which blocked persons (%s) own %s", [concat(", ", party.held.ofac.owners), _ear_02_percent(party.held.ofac.surely)]) if {
	party.held.ofac.surely >= 5000
} else := "a company of a country under a comprehensive embargo" if {
	party.country in input.groups["ofac-embargoed"]
}

_ofac_01_licensed_party(party) if {
	some licence in input.licences
	licence.authority == "OFAC"
	party.id in licence.operators
}

_ofac_01_licensed_place if {
	some licence in input.licences
	licence.authority == "OFAC"
	some country in licence.countries
	country in _ofac_01_countries
}

_ofac_01_text(value) := value if {
	is_string(value)
} else := ""

_ofac_01_facts := {
	"caller.location": input.caller.location,
	"caller.subdivision": input.caller.subdivision,
	"caller.organisation.listed": input.caller.organisation.listed,
	"caller.person_status": input.caller.person_status,
	"exporter.establishment": input.exporter.establishment,
	"lists.ofac-embargoed.as_of": input.lists["ofac-embargoed"],
	"lists.ofac-sdn.as_of": input.lists["ofac-sdn"],
}
