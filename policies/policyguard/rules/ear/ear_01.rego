package policyguard.rules

# METADATA
# title: No items subject to the EAR to a party on the Entity List
# description: |
#   An item subject to the EAR, EAR99 included, must not go without a licence to a party
#   on the Entity List in any role, within what the party's entry covers. The rule looks
#   at what goes out and to whom: the operator and the cloud of each hop, never the
#   developer of the weights.
# related_resources:
#   - ref: 15 CFR 744.11
#   - ref: 15 CFR 744.16
#   - ref: Supplement No. 4 to 15 CFR part 744
#   - ref: 15 CFR 748.5(c)-(f)
# custom:
#   id: EAR-01
#   severity: critical
#   citation: 15 CFR 744.11, 744.16 and Supplement No. 4 to part 744
#   as_of: 2026-06-18
#   locked: false
#   exceptions:
#     - "what is sent is not_technology, or published (then EAR-03 asks for evidence)"
#     - "nothing of it is of US origin and it is exported from another country than the United States"
#     - "a BIS licence that names the operator has not expired, and covers the item and the operator's country as far as it says for which"
#     - "the party's entry names what it covers (covers), and this is none of it"
#     - "the hop carries ciphertext alone (EAR-06)"
#     - "the listed party is only the developer of the weights"
#     - "the deployment is self-hosted and the listed party would be its own operator; a listed cloud underneath still counts, unless the premises are the operator's own"
#     - "nobody has classified what is sent, and none of data.classes can hold technology: that answers what it is"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "EAR-01",
	"effect": "deny",
	"msg": sprintf("%s at %s would hand an item subject to the EAR (%s) to %s, a party on the Entity List (%s)", [
		input.model.label,
		consignee.hop.label,
		input.data.ear.classification,
		consignee.party.name,
		concat("; ", {_ear_01_scope(listing) | some listing in consignee.listings}),
	]),
	"facts": object.union(_ear_01_facts, _ear_01_party(consignee)),
	"missing": [],
	"remedy": "an operator that is not listed, a BIS licence that names this one, or evidence that the item is published",
} if {
	_ear_01_item
	_ear_01_subject
	some consignee in _ear_01_consignees
}

findings contains {
	"id": "EAR-01",
	"effect": "indeterminate",
	"msg": sprintf("%s is on the Entity List, and it is not known whether what %s at %s is sent is an item subject to the EAR", [
		consignee.party.name,
		input.model.label,
		consignee.hop.label,
	]),
	"facts": object.union(_ear_01_facts, _ear_01_party(consignee)),
	"missing": missing,
	"remedy": "classification and origin of what is sent",
} if {
	missing := _ear_01_missing
	count(missing) > 0
	some consignee in _ear_01_consignees
}

findings contains {
	"id": "EAR-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known who runs %s, so neither whether it is on the Entity List", [hop.label]),
	"facts": object.union(_ear_01_facts, {"deployment": hop.id, "deployment.operator": null}),
	"missing": ["deployment.operator"],
	"remedy": "the operator's legal entity, in an overlay with its source",
} if {
	_ear_01_item
	_ear_01_subject
	some hop in input.hops
	hop.known
	hop.deployment.mode != "self_hosted"
	hop.deployment.operator == null
}

# Who takes what is sent into his hands, is listed and is not covered by a licence. Our
# own machines are nobody's hands but ours; the cloud under them is.
_ear_01_consignees := [{"hop": hop, "party": party, "listings": listings} |
	some hop in input.hops
	some party in hop.parties
	count(party.listings["bis-entity-list"]) > 0
	listings := [listing | some listing in party.listings["bis-entity-list"]; _ear_01_covers(listing)]
	count(listings) > 0
	_ear_01_receives(hop, party)
	not _ear_01_licensed(party)
]

# What an entry covers; an entry that says nothing covers every item.
_ear_01_covers(listing) if listing.covers == null

_ear_01_covers(_) if input.data.ear.classification == null

_ear_01_covers(listing) if {
	is_array(listing.covers)
	input.data.ear.classification in listing.covers
}

# Ciphertext that meets the limbs of 15 CFR 734.18(a)(5) is handed to nobody (EAR-06).
_ear_01_receives(hop, party) if {
	not _ear_01_ours(hop, party)
	not hop.seal.ear.state in {"sealed", "enclave"}
}

# On premises of our own, who runs the machines is their cloud as well.
_ear_01_ours(hop, party) if {
	hop.deployment.mode == "self_hosted"
	party.id == hop.deployment.operator
}

# A licence that names the party, for this item as far as it says for which.
_ear_01_licensed(party) if {
	some licence in input.licences
	licence.authority == "BIS"
	party.id in licence.operators
	_ear_01_licensed_item(licence)
	_ear_01_licensed_country(licence, party.country)
}

_ear_01_licensed_item(licence) if count(licence.classifications) == 0

_ear_01_licensed_item(licence) if input.data.ear.classification in licence.classifications

_ear_01_licensed_country(licence, _) if count(licence.countries) == 0

_ear_01_licensed_country(licence, country) if country in licence.countries

# EAR99 and every ECCN; EAR99 is a classification, not a clearance.
_ear_01_item if {
	is_string(input.data.ear.classification)
	not input.data.ear.classification in {"not_technology", "published"}
}

_ear_01_subject if input.data.ear.us_origin == true

_ear_01_subject if input.exporter.establishment == "US"

# Foreign origin and exported from elsewhere: nothing of it is subject to the EAR here.
_ear_01_foreign if {
	input.data.ear.us_origin == false
	is_string(input.exporter.establishment)
	input.exporter.establishment != "US"
}

default _ear_01_missing := []

_ear_01_missing := sort(_ear_01_unknown_item | _ear_01_unknown_origin) if {
	not _ear_01_foreign
	_ear_01_may_be_item
	count(_ear_01_unknown_item | _ear_01_unknown_origin) > 0
}

_ear_01_may_be_item if _ear_01_item

_ear_01_may_be_item if count(_ear_01_unknown_item) > 0

# Personal data and ordinary prose are no technology, whatever their classification is;
# technical data of the ITAR is not subject to the EAR (15 CFR 734.3(b)(1)).
_ear_01_unknown_item contains "data.ear.classification" if {
	input.data.ear.classification == null
	input.data.itar != true
	_ear_01_may_hold_technology
}

_ear_01_unknown_item contains "data.classes" if {
	input.data.ear.classification == null
	input.data.itar != true
	input.data.classes == null
}

_ear_01_may_hold_technology if input.data.classes == null

_ear_01_may_hold_technology if {
	is_array(input.data.classes)
	some class in input.data.classes
	class in {"source_code", "technical", "confidential"}
}

_ear_01_unknown_origin contains "data.ear.us_origin" if {
	not _ear_01_subject
	input.data.ear.us_origin == null
}

_ear_01_unknown_origin contains "exporter.establishment" if {
	not _ear_01_subject
	input.exporter.establishment == null
}

_ear_01_facts := {
	"data.classes": input.data.classes,
	"data.ear.classification": input.data.ear.classification,
	"data.ear.us_origin": input.data.ear.us_origin,
	"exporter.establishment": input.exporter.establishment,
	"lists.bis-entity-list.as_of": input.lists["bis-entity-list"],
}

_ear_01_party(consignee) := {
	"deployment": consignee.hop.id,
	sprintf("deployment.%s", [consignee.party.role]): consignee.party.id,
}

_ear_01_scope(listing) := listing.scope if {
	is_string(listing.scope)
} else := "scope not stated"
