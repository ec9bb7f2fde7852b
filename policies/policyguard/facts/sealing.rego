# Whether encryption makes what passes a hop no export, by the limbs of the EAR and of
# the ITAR.
package policyguard.facts

# Whether what passes a hop is encrypted so that it is no export, by the EAR and by the
# ITAR: `open`, `sealed`, `enclave` (it decrypts inside an attested environment, which is
# unsettled) or `unknown`, with the limbs that fail and those that are missing.
_no_seal := {"ear": _open, "itar": _open}

_open := {"state": "open", "failed": [], "missing": []}

_seal(deployment) := _no_seal if {
	not is_object(deployment.sealing)
} else := {"ear": _limbs(ear, deployment.sealing.enclave), "itar": _limbs(itar, deployment.sealing.enclave)} if {
	ear := {
		"deployment.sealing.end_to_end": _end_to_end(deployment),
		"deployment.sealing.fips": deployment.sealing.fips,
		"deployment.sealing.keys_withheld": deployment.sealing.keys_withheld,
		"deployment.storage_countries": _outside(deployment.storage_countries, "bis-d5"),
	}
	itar := object.union(ear, {
		"deployment.sealing.fips": _strong(deployment.sealing),
		"deployment.storage_countries": _outside(deployment.storage_countries, "itar-126-1"),
		"deployment.processing_countries": _outside(deployment.processing_countries, "itar-126-1"),
		"exporter.establishment": _outside(_exporter_countries, "itar-126-1"),
	})
}

_limbs(limbs, enclave) := {
	"state": _sealed(limbs, enclave),
	"failed": [limb | some limb, holds in limbs; holds == false],
	"missing": [limb | some limb, holds in limbs; holds == null],
}

_exporter_countries := [input.exporter.establishment] if {
	input.exporter.establishment != null
} else := null

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

_outside(countries, group) := null if {
	not is_array(countries)
} else := false if {
	some country in countries
	_barred(country, group)
} else := true

_barred(country, _) if country == "RU"

_barred(country, group) if _listed_country(group, country)

_strong(sealing) if {
	sealing.fips == true
} else if {
	is_number(sealing.strength_bits)
	sealing.strength_bits >= 128
} else := null if {
	sealing.fips == null
	sealing.strength_bits == null
} else := false
