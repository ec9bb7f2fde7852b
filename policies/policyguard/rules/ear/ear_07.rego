package policyguard.rules

# METADATA
# title: No access to a model against a letter of BIS
# description: |
#   While an "is informed" letter bars access to a model, foreign persons in the sense of
#   15 CFR 772.1 need a licence. Citizens, lawful permanent residents and protected
#   persons are not foreign persons, wherever they are; passport and place decide nothing.
#   Organisations of an annex are relieved, with their staff, from the day of the relief.
#   Letters are in the catalog, with their windows; a model that its vendor has switched
#   off for everybody is VEND-01's matter.
# related_resources:
#   - ref: 15 CFR 744.22(b)
#   - ref: 15 CFR 772.1, "foreign person"
#   - ref: BIS letters of 2026-06-12, 2026-06-26 and 2026-06-30
# custom:
#   id: EAR-07
#   severity: critical
#   citation: BIS letter of 2026-06-12 (15 CFR 744.22; 50 USC 4817(b)(1)), relief of 2026-06-26, lifted 2026-06-30
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "the caller is no foreign person"
#     - "the caller's organisation is in an annex that relieves, from the day of the relief"
#     - "the tenant holds a BIS licence that names the model"
#     - "the instant is before the letter, or after it was lifted"
#   effective:
#     - {from: 2026-06-12T21:21:00Z, to: 2026-07-01T00:00:00Z, status: in_force, verified: false}
#     - {from: 2026-07-01T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "EAR-07",
	"effect": "deny",
	"msg": sprintf("the letter %s bars foreign persons from %s, and the caller is one", [restriction.letter, input.model.label]),
	"facts": _ear_07_facts(restriction),
	"missing": [],
	"remedy": _ear_07_remedy,
} if {
	some restriction in _ear_07_restrictions
	restriction.persons == "foreign"
	input.caller.person_status == "foreign"
}

findings contains {
	"id": "EAR-07",
	"effect": "deny",
	"msg": sprintf("the letter %s bars everybody from %s", [restriction.letter, input.model.label]),
	"facts": _ear_07_facts(restriction),
	"missing": [],
	"remedy": _ear_07_remedy,
} if {
	some restriction in _ear_07_restrictions
	restriction.persons == "all"
}

findings contains {
	"id": "EAR-07",
	"effect": "indeterminate",
	"msg": sprintf("the letter %s bars foreign persons from %s, and it is not known whether the caller is one", [
		restriction.letter,
		input.model.label,
	]),
	"facts": _ear_07_facts(restriction),
	"missing": ["caller.person_status"],
	"remedy": "the caller's status by 15 CFR 772.1",
} if {
	some restriction in _ear_07_restrictions
	restriction.persons == "foreign"
	input.caller.person_status == null
}

_ear_07_restrictions := [restriction |
	some restriction in input.model.restrictions
	not _ear_07_relieved(restriction)
	not _ear_07_licensed
]

_ear_07_relieved(restriction) if {
	annexes := input.caller.organisation.annexes
	is_array(annexes)
	some annex in restriction.relief
	annex in annexes
}

_ear_07_licensed if {
	some licence in input.licences
	licence.authority == "BIS"
	input.model.id in licence.models
}

_ear_07_facts(restriction) := {
	"model": input.model.id,
	"model.restriction": restriction.letter,
	"model.restriction.verified": restriction.verified,
	"model.restriction.relief": restriction.relief,
	"caller.person_status": input.caller.person_status,
	"caller.organisation.annexes": input.caller.organisation.annexes,
}

_ear_07_remedy := "a BIS licence that names the model, an annex of the letter that names the organisation, or another model"
