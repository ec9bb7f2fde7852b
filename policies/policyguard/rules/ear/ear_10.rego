package policyguard.rules

# METADATA
# title: Weights tuned on controlled data are not the published weights
# description: |
#   Published weights are outside the EAR. Weights that somebody tunes on controlled
#   technology are not published, and may hold the technology: whether they do is
#   unsettled, so a person decides, both before such tuning and before such weights are
#   used where the technology itself could not go.
# related_resources:
#   - ref: 15 CFR 734.7
#   - ref: 15 CFR 734.3(b)(3)
# custom:
#   id: EAR-10
#   severity: high
#   citation: 15 CFR 734.3(b)(3), 734.7 (by their wording; no authority has settled it)
#   as_of: 2026-11-23
#   locked: false
#   exceptions:
#     - "what is sent is published or not_technology, or not subject to the EAR"
#     - "the model is published, or was tuned on nothing controlled"
#   effective:
#     - {from: null, to: null, status: in_force, verified: false}
findings contains {
	"id": "EAR-10",
	"effect": "require_approval",
	"msg": sprintf("weights tuned on technology of %s may hold it: they are not the published weights of %s", [
		_ear_04_class,
		input.model.label,
	]),
	"facts": _ear_10_facts,
	"missing": [],
	"remedy": "a person's approval, or tuning without controlled technology",
} if {
	_ear_09_training
	_ear_05_asked
}

findings contains {
	"id": "EAR-10",
	"effect": "advise",
	"msg": sprintf("weights tuned on items of EAR99 are not published: they count as subject to the EAR, not as the published weights of %s", [input.model.label]),
	"facts": _ear_10_facts,
	"missing": [],
	"remedy": "",
} if {
	_ear_09_training
	_ear_01_item
	_ear_01_subject
	_ear_04_light
}

findings contains {
	"id": "EAR-10",
	"effect": "indeterminate",
	"msg": "this is work on weights, and it is not known whether what they are tuned on is controlled technology",
	"facts": _ear_10_facts,
	"missing": _ear_01_missing,
	"remedy": "classification and origin of what is sent",
} if {
	_ear_09_training
	count(_ear_01_missing) > 0
}

findings contains {
	"id": "EAR-10",
	"effect": "require_approval",
	"msg": sprintf("%s was tuned on technology of ECCN %s and is not published: at %s it may release it", [
		input.model.label,
		input.model.tuned_on,
		hop.label,
	]),
	"facts": object.union(_ear_10_facts, {"deployment": hop.id, "deployment.places": sort(_ear_04_destinations(hop))}),
	"missing": [],
	"remedy": "a person's approval, or the published weights",
} if {
	is_string(input.model.tuned_on)
	not input.model.tuned_on in {"EAR99", "published", "not_technology"}
	input.model.published != true
	some hop in input.hops
	_ear_10_out(hop)
}

findings contains {
	"id": "EAR-10",
	"effect": "indeterminate",
	"msg": sprintf("%s is tuned from published weights and is not published, and it is not known on what it was tuned", [input.model.label]),
	"facts": _ear_10_facts,
	"missing": ["model.tuned_on"],
	"remedy": "the export class of what it was tuned on, in an overlay with its source",
} if {
	input.model.known
	input.model.tuned_on == null
	input.model.published == false
	count(input.model.lineage) > 0
	some hop in input.hops
	hop.deployment.mode == "self_hosted"
}

# Out of the country, or in the hands of who is no US person.
_ear_10_out(hop) if count(_ear_04_abroad(hop)) > 0

_ear_10_out(hop) if count(hop.gaps) > 0

_ear_10_out(_) if not input.caller.person_status in {"us_citizen", "us_lpr", "us_protected"}

_ear_10_facts := {
	"data.ear.classification": input.data.ear.classification,
	"data.ear.us_origin": input.data.ear.us_origin,
	"model": input.model.id,
	"model.published": input.model.published,
	"model.tuned_on": input.model.tuned_on,
	"purpose.kind": input.purpose.kind,
	"caller.person_status": input.caller.person_status,
}
