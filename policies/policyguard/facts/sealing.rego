# Whether encryption makes what passes a hop no export, by the limbs of the EAR and of
# the ITAR.
package policyguard.facts

# Whether what passes a hop is encrypted so that it is no export: `open`, `sealed`,
# `enclave` (inside an attested environment, which is unsettled), `unknown`, by the EAR
# and by the ITAR, with what fails and what is missing.
_no_seal := {"ear": "open", "itar": "open", "failed": [], "missing": []}

_seal(deployment) := _no_seal if {
	not is_object(deployment.sealing)
} else := {
	"ear": _sealed(ear_limbs, deployment.sealing.enclave),
	"itar": _sealed(itar_limbs, deployment.sealing.enclave),
	"failed": [limb | some limb, holds in itar_limbs; holds == false],
	"missing": [limb | some limb, holds in itar_limbs; holds == null],
} if {
	ear_limbs := {
		"deployment.sealing.end_to_end": _end_to_end(deployment),
		"deployment.sealing.fips": deployment.sealing.fips,
		"deployment.sealing.keys_withheld": deployment.sealing.keys_withheld,
		"deployment.storage_countries": _stored_outside(deployment.storage_countries, "bis-d5"),
	}
	itar_limbs := {
		"deployment.sealing.end_to_end": ear_limbs["deployment.sealing.end_to_end"],
		"deployment.sealing.keys_withheld": deployment.sealing.keys_withheld,
		"deployment.sealing.fips": _strong(deployment.sealing),
		"deployment.storage_countries": _stored_outside(deployment.storage_countries, "itar-126-1"),
		"deployment.processing_countries": _stored_outside(deployment.processing_countries, "itar-126-1"),
		"exporter.establishment": _sent_from_outside(input.exporter.establishment),
	}
}

_sealed(limbs, enclave) := "open" if {
	some _, holds in limbs
	holds == false
} else := "unknown" if {
	some _, holds in limbs
	holds == null
} else := "enclave" if {
	enclave == true
} else := "sealed"

# Who runs a model must decrypt: only a gateway can carry what it cannot read.
_end_to_end(deployment) := false if {
	deployment.mode != "gateway"
	deployment.sealing.enclave == false
} else := deployment.sealing.end_to_end

_stored_outside(countries, group) := null if {
	not is_array(countries)
} else := false if {
	some country in countries
	_barred(country, group)
} else := true

_barred(country, _) if country == "RU"

_barred(country, group) if _listed_country(group, country)

_strong(sealing) := true if {
	sealing.fips == true
} else := true if {
	is_number(sealing.strength_bits)
	sealing.strength_bits >= 128
} else := null if {
	sealing.fips == null
	sealing.strength_bits == null
} else := false

_sent_from_outside(country) := null if {
	country == null
} else := false if {
	_barred(country, "itar-126-1")
} else := true
