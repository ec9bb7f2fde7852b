package policyguard.rules

# METADATA
# title: Developer, lineage and form of the weights are known
# description: |
#   A name is no provenance: it must be known who trained a model and what it was derived
#   from, because a derivative carries its base's licence. Weights that we host must be of
#   a form that runs no code when it is loaded. Where weights come from is no objection.
# related_resources:
#   - ref: CycloneDX 1.7, pedigree
# custom:
#   id: PROV-02
#   severity: high
#   citation: tenant's provenance policy (customer policy); CycloneDX 1.7 pedigree
#   as_of: 2026-08-07
#   locked: false
#   exceptions:
#     - "developer and lineage are in the catalog, and self-hosted weights are safetensors or gguf without remote code"
#   effective:
#     - {from: null, to: null, status: customer_policy, verified: true}
findings contains {
	"id": "PROV-02",
	"effect": "indeterminate",
	"msg": sprintf("it is not known who trained %s and from what%s", [input.model.label, _prov_02_derived]),
	"facts": _prov_02_facts,
	"missing": sort(_prov_02_missing),
	"remedy": "developer and base models, in an overlay with their source",
} if {
	input.model.known
	count(_prov_02_missing) > 0
}

findings contains {
	"id": "PROV-02",
	"effect": "deny",
	"msg": sprintf("the weights at %s run code when they are loaded: %s", [hop.label, concat(", ", sort(unsafe))]),
	"facts": _prov_02_form(hop),
	"missing": [],
	"remedy": "weights in safetensors or gguf that need no code of the repository",
} if {
	some hop in input.hops
	hop.deployment.mode == "self_hosted"
	unsafe := _prov_02_unsafe(hop)
	count(unsafe) > 0
}

findings contains {
	"id": "PROV-02",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the weights at %s run code when they are loaded", [hop.label]),
	"facts": _prov_02_form(hop),
	"missing": sort(missing),
	"remedy": "format and remote code of what is installed, in an overlay",
} if {
	some hop in input.hops
	hop.deployment.mode == "self_hosted"
	missing := {name |
		some name, values in {
			"deployment.installed.format": [hop.installed.format, hop.weights.format],
			"deployment.installed.remote_code": [hop.installed.remote_code, hop.weights.remote_code],
		}
		every value in values {
			value == null
		}
	}
	count(missing) > 0
}

findings contains {
	"id": "PROV-02",
	"effect": "advise",
	"msg": sprintf("%s is derived from %s, and their licences go with it", [
		input.model.label,
		concat(", ", _prov_02_others),
	]),
	"facts": _prov_02_facts,
	"missing": [],
	"remedy": "",
} if {
	input.model.developer.id != null
	count(_prov_02_others) > 0
}

findings contains {
	"id": "PROV-02",
	"effect": "advise",
	"msg": sprintf("who hosts %s keeps to what its licence (%s) asks: %s", [
		input.model.label,
		_prov_02_licence,
		concat("; ", input.model.notices),
	]),
	"facts": {"deployment": hop.id, "model.weights_licence": input.model.weights_licence, "model.notices": input.model.notices},
	"missing": [],
	"remedy": "",
} if {
	count(input.model.notices) > 0
	some hop in input.hops
	hop.deployment.mode == "self_hosted"
}

_prov_02_missing contains "model.developer" if input.model.developer.id == null

_prov_02_missing contains "model.base_models" if input.model.base_models == null

_prov_02_missing contains sprintf("models.%s.developer", [base.id]) if {
	some base in input.model.lineage
	base.developer.id == null
}

_prov_02_missing contains sprintf("models.%s.base_models", [base.id]) if {
	some base in input.model.lineage
	base.base_models == null
}

_prov_02_derived := sprintf(" (derived from %s)", [concat(", ", _prov_02_others)]) if {
	count(_prov_02_others) > 0
} else := ""

# Bases that somebody else made.
_prov_02_others := {sprintf("%s by %s", [base.id, _prov_02_name(base.developer)]) |
	some base in input.model.lineage
	base.developer.id != input.model.developer.id
}

_prov_02_name(developer) := developer.name if {
	is_string(developer.name)
} else := "an unknown developer"

_prov_02_licence := input.model.weights_licence if {
	is_string(input.model.weights_licence)
} else := "not known"

_prov_02_facts := {
	"model": input.model.id,
	"model.developer": input.model.developer.id,
	"model.base_models": input.model.base_models,
}

_prov_02_unsafe(hop) := {"pickle" |
	some weights in [hop.installed, hop.weights]
	weights.format == "pickle"
} | {"remote code" |
	some weights in [hop.installed, hop.weights]
	weights.remote_code == true
}

_prov_02_form(hop) := {
	"deployment": hop.id,
	"deployment.installed.format": hop.installed.format,
	"deployment.installed.remote_code": hop.installed.remote_code,
	"weights.format": hop.weights.format,
	"weights.remote_code": hop.weights.remote_code,
}
