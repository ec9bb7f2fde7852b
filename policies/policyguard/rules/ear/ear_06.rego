package policyguard.rules

# METADATA
# title: What is encrypted end to end is no export, and inference is not
# description: |
#   To send or store ciphertext is no export if it is encrypted from originator to
#   recipient without a break, by FIPS 140-2 or as good, no third party has the keys, and
#   it is not stored in a country of group D:5 or in Russia. Who runs a model must
#   decrypt, so ordinary inference never meets this; a relay or a store can. Whether an
#   attested execution environment meets it is unsettled, and for a person to say.
# related_resources:
#   - ref: 15 CFR 734.18(a)(5)
# custom:
#   id: EAR-06
#   severity: medium
#   citation: 15 CFR 734.18(a)(5)
#   as_of: 2026-06-18
#   locked: false
#   exceptions:
#     - "no hop declares any encryption of its own"
#     - "what is sent is no item subject to the EAR"
#   effective:
#     - {from: 2016-09-01T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "EAR-06",
	"effect": "advise",
	"msg": sprintf("%s carries ciphertext alone, which by 15 CFR 734.18(a)(5) is no export", [hop.label]),
	"facts": _ear_06_facts(hop),
	"missing": [],
	"remedy": "",
} if {
	some hop in input.hops
	hop.seal.ear.state == "sealed"
	_ear_06_asked
}

findings contains {
	"id": "EAR-06",
	"effect": "require_approval",
	"msg": sprintf("%s decrypts inside an attested environment: whether that is an export is unsettled", [hop.label]),
	"facts": _ear_06_facts(hop),
	"missing": [],
	"remedy": "a person's approval, or a deployment to which the item may go in the clear",
} if {
	some hop in input.hops
	hop.seal.ear.state == "enclave"
	_ear_06_asked
}

findings contains {
	"id": "EAR-06",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the encryption at %s makes what it is sent no export", [hop.label]),
	"facts": _ear_06_facts(hop),
	"missing": sort(hop.seal.ear.missing),
	"remedy": "each limb of 15 CFR 734.18(a)(5), in an overlay with its source",
} if {
	some hop in input.hops
	hop.seal.ear.state == "unknown"
	_ear_06_asked
}

findings contains {
	"id": "EAR-06",
	"effect": "advise",
	"msg": sprintf("the encryption at %s does not make what it is sent no export: %s", [
		hop.label,
		concat(", ", [_ear_06_limbs[limb] | some limb in hop.seal.ear.failed]),
	]),
	"facts": _ear_06_facts(hop),
	"missing": [],
	"remedy": "",
} if {
	some hop in input.hops
	hop.seal.ear.state == "open"
	is_object(hop.deployment.sealing)
	_ear_06_asked
}

# Asked where it matters: an item subject to the EAR, or what may be one.
_ear_06_asked if {
	_ear_01_item
	not _ear_01_foreign
}

_ear_06_asked if count(_ear_01_missing) > 0

_ear_06_limbs := {
	"deployment.sealing.end_to_end": "it is not end to end",
	"deployment.sealing.fips": "it is not by FIPS 140-2 or as good",
	"deployment.sealing.keys_withheld": "others have the keys",
	"deployment.storage_countries": "it is stored in a country of group D:5 or in Russia",
}

_ear_06_facts(hop) := {
	"data.ear.classification": input.data.ear.classification,
	"deployment": hop.id,
	"deployment.mode": hop.deployment.mode,
	"deployment.sealing": hop.deployment.sealing,
	"deployment.storage_countries": hop.deployment.storage_countries,
}
