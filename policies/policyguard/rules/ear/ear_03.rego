package policyguard.rules

# METADATA
# title: What is published is not subject to the EAR
# description: |
#   Published information and software are outside the EAR, if someone can see that they
#   are published. A private fine-tune of published weights, or a private change to
#   published code, is not published.
# related_resources:
#   - ref: 15 CFR 734.3(b)(3)
#   - ref: 15 CFR 734.7
# custom:
#   id: EAR-03
#   severity: low
#   citation: 15 CFR 734.3(b)(3), 734.7
#   as_of: 2026-06-18
#   locked: false
#   exceptions:
#     - "it stays inside the United States, with nobody on the Entity List"
#     - "it is not of US origin and exported from elsewhere: then it is outside the EAR whether published or not"
#     - "a BIS licence names the operator"
#     - "none of data.classes can hold technology, so that nothing turns on whether it is published"
#     - "it is technical data of the ITAR, which the EAR leaves to ITAR-01"
#   effective:
#     - {from: null, to: null, status: in_force, verified: true}
findings contains {
	"id": "EAR-03",
	"effect": "advise",
	"msg": sprintf("what is sent counts as published, and so as not subject to the EAR, by this evidence: %s", [evidence]),
	"facts": {"data.ear.classification": "published", "data.ear.evidence": evidence},
	"missing": [],
	"remedy": "",
} if {
	input.data.ear.classification == "published"
	evidence := input.data.ear.evidence
	is_string(evidence)
}

findings contains {
	"id": "EAR-03",
	"effect": "indeterminate",
	"msg": sprintf("%s at %s is run by %s, a party on the Entity List, and nothing shows that what is sent is published", [
		input.model.label,
		consignee.hop.label,
		consignee.party.name,
	]),
	"facts": {
		"data.ear.classification": "published",
		"data.ear.evidence": null,
		"deployment": consignee.hop.id,
		"lists.bis-entity-list.as_of": input.lists["bis-entity-list"],
	},
	"missing": ["data.ear.evidence"],
	"remedy": "where the publication can be seen",
} if {
	_ear_03_unproven
	some consignee in _ear_01_consignees
}

findings contains {
	"id": "EAR-03",
	"effect": "indeterminate",
	"msg": sprintf("%s at %s takes what is sent to %s, and nothing shows that it is published", [
		input.model.label,
		hop.label,
		_ear_04_names(places),
	]),
	"facts": {
		"data.ear.classification": "published",
		"data.ear.evidence": null,
		"deployment": hop.id,
		"deployment.places": sort(places),
	},
	"missing": ["data.ear.evidence"],
	"remedy": "where the publication can be seen",
} if {
	_ear_03_unproven
	some hop in input.hops
	not _ear_04_licensed_anywhere(hop)
	places := _ear_04_abroad(hop)
	count(places) > 0
}

# What can hold no technology, or is of foreign origin and exported from elsewhere, is
# outside the EAR whether published or not, and needs no evidence.
_ear_03_unproven if {
	input.data.ear.classification == "published"
	input.data.ear.evidence == null
	input.data.itar != true
	_ear_01_may_hold_technology
	not _ear_01_foreign
}
