package policyguard.rules

# METADATA
# title: Training for a party of an embargoed country is looked at by a person
# description: |
#   To train a model for somebody, or to lend chips or people for it, needs a licence
#   where it is known to serve weapons of mass destruction or military intelligence. For a
#   party whose ultimate parent is in a country of group D:5 BIS counts it as a red flag.
#   Weights of 10^26 operations or more that stay unpublished fall under ECCN 4E091, which
#   is in the text of the law and by BIS's own policy not enforced: advice, not a bar.
# related_resources:
#   - ref: 15 CFR 744.6, 744.22, 744.23
#   - ref: BIS policy statement of 2025-05-13 and guidance of 2026-05-31, by summaries
#   - ref: ECCN 4E091 (90 FR 4544); GAO B-337935
# custom:
#   id: EAR-09
#   severity: high
#   citation: 15 CFR 744.6, 744.22, 744.23; BIS 2025-05-13, 2026-05-31; ECCN 4E091 (not enforced)
#   as_of: 2026-06-18
#   locked: false
#   exceptions:
#     - "the beneficiary is elsewhere and the end use is civil or military"
#     - "a BIS licence names the model"
#   effective:
#     - {from: 2025-05-13T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "EAR-09",
	"effect": "deny",
	"msg": sprintf("this is work on weights for %s, which a licence would have to cover", [_ear_09_uses[input.purpose.end_use]]),
	"facts": _ear_09_facts,
	"missing": [],
	"remedy": "another end use, or a BIS licence that names the model",
} if {
	_ear_09_training
	_ear_09_barred
	not _ear_07_licensed
}

findings contains {
	"id": "EAR-09",
	"effect": "require_approval",
	"msg": sprintf("a red flag: this is work on weights for a party with its headquarters in %s", [input.purpose.beneficiary_headquarters]),
	"facts": _ear_09_facts,
	"missing": [],
	"remedy": "a person's answer to the red flags of BIS on who the party is and what the model is for",
} if {
	_ear_09_training
	input.purpose.beneficiary_headquarters in input.groups["bis-d5"]
	not _ear_09_barred
}

findings contains {
	"id": "EAR-09",
	"effect": "indeterminate",
	"msg": "this is work on weights, and it is not known for whom or for what",
	"facts": _ear_09_facts,
	"missing": sort(_ear_09_missing),
	"remedy": "where the ultimate parent of the beneficiary is headquartered, and the end use",
} if {
	_ear_09_training
	count(_ear_09_missing) > 0
}

findings contains {
	"id": "EAR-09",
	"effect": "advise",
	"msg": "the training run reaches 10^26 operations and its weights stay unpublished: ECCN 4E091 names such weights, and BIS does not enforce it",
	"facts": _ear_09_facts,
	"missing": [],
	"remedy": "",
} if {
	_ear_09_training
	is_number(input.purpose.compute_zettaops)
	input.purpose.compute_zettaops >= 100000
	input.purpose.publishes != true
}

_ear_09_training if input.purpose.kind in {"train", "fine_tune", "distil"}

# Weapons of mass destruction wherever; the military of a country of group D:5.
_ear_09_barred if input.purpose.end_use == "wmd"

_ear_09_barred if {
	input.purpose.end_use in {"military", "military_intelligence"}
	input.purpose.beneficiary_headquarters in input.groups["bis-d5"]
}

_ear_09_missing contains "purpose.end_use" if input.purpose.end_use == null

_ear_09_missing contains "purpose.beneficiary_headquarters" if {
	input.purpose.end_use != "wmd"
	input.purpose.beneficiary_headquarters == null
}

_ear_09_uses := {
	"wmd": "weapons of mass destruction",
	"military": "military use in a country under an arms embargo",
	"military_intelligence": "military intelligence of a country under an arms embargo",
}

_ear_09_facts := {
	"purpose.kind": input.purpose.kind,
	"purpose.beneficiary_headquarters": input.purpose.beneficiary_headquarters,
	"purpose.end_use": input.purpose.end_use,
	"purpose.compute_zettaops": input.purpose.compute_zettaops,
	"purpose.publishes": input.purpose.publishes,
	"lists.bis-d5.as_of": input.lists["bis-d5"],
}
