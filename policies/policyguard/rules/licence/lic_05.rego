package policyguard.rules

# METADATA
# title: Multimodal Llama models grant nothing to companies in the Union
# description: |
#   The policy of some multimodal Llama models grants no rights to people domiciled, and
#   companies with their principal place of business, in the European Union. End users of
#   a product that somebody else built with them are excepted, so the rule looks at who
#   hosts the weights or builds on them, not at who calls another's service.
# related_resources:
#   - ref: Llama 3.2 and Llama 4 Acceptable Use Policies
# custom:
#   id: LIC-05
#   severity: medium
#   citation: Acceptable Use Policies of Llama 3.2 (multimodal) and Llama 4, by quotation
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "a service that somebody else runs is called for inference"
#     - "the establishment is elsewhere; Iceland, Liechtenstein and Norway are not in the Union"
#   effective:
#     - {from: null, to: null, status: contractual, verified: false}
findings contains {
	"id": "LIC-05",
	"effect": "deny",
	"msg": sprintf("the licence of %s grants no rights to companies with their principal place of business in the Union (%s), and this one would host or build on it", [
		concat(", ", _lic_05_excluding),
		input.exporter.establishment,
	]),
	"facts": _lic_05_facts,
	"missing": [],
	"remedy": "a model whose licence covers companies in the Union, or a service that somebody else runs",
} if {
	_lic_05_builds
	count(_lic_05_excluding) > 0
	_lic_05_union
}

findings contains {
	"id": "LIC-05",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the licence of %s grants anything: to companies in the Union it does not", [concat(", ", _lic_05_excluding)]),
	"facts": _lic_05_facts,
	"missing": sort(missing),
	"remedy": "the country of the establishment, and what the call is for",
} if {
	count(_lic_05_excluding) > 0
	missing := {name |
		some name, is_missing in {
			"exporter.establishment": input.exporter.establishment == null,
			"purpose": input.purpose.kind == null,
		}
		is_missing
	}
	count(missing) > 0
	_lic_05_may_build
	_lic_05_may_be_union
}

_lic_05_excluding := [made.id |
	some made in array.concat([input.model], input.model.lineage)
	is_object(made.licence_terms)
	made.licence_terms.eu_excluded == true
]

_lic_05_builds if {
	some hop in input.hops
	hop.deployment.mode == "self_hosted"
}

_lic_05_builds if input.purpose.kind in {"fine_tune", "train", "distil"}

_lic_05_may_build if _lic_05_builds

_lic_05_may_build if input.purpose.kind == null

# The EEA without its three states that are not in the Union.
_lic_05_union if {
	input.countries[input.exporter.establishment].eea
	not input.exporter.establishment in {"IS", "LI", "NO"}
}

_lic_05_may_be_union if _lic_05_union

_lic_05_may_be_union if input.exporter.establishment == null

_lic_05_facts := {
	"exporter.establishment": input.exporter.establishment,
	"model": input.model.id,
	"model.base_models": input.model.base_models,
	"purpose.kind": input.purpose.kind,
}
