package policyguard.rules

# METADATA
# title: Weights that we host are pinned and are the ones of the manifest
# description: |
#   Where the tenant hosts the weights, the loader must name a commit in full, because a
#   branch or tag can move, and what is installed must have the digest of a manifest in
#   the catalog. A vendor's API shows no weights, so the rule says nothing of it.
# related_resources:
#   - ref: OpenSSF Model Signing 1.0
# custom:
#   id: PROV-01
#   severity: high
#   citation: tenant's provenance policy (customer policy); OpenSSF Model Signing 1.0
#   as_of: 2026-05-14
#   locked: false
#   exceptions:
#     - "the revision is a full commit and both digests agree"
#     - "the deployment is a vendor's or a cloud's"
#   effective:
#     - {from: null, to: null, status: customer_policy, verified: true}
findings contains {
	"id": "PROV-01",
	"effect": "deny",
	"msg": sprintf("the weights that %s has installed are not those of the manifest", [hop.label]),
	"facts": _prov_01_facts(hop),
	"missing": [],
	"remedy": "the weights of the manifest, or a manifest of their own for these; quantised weights are new weights",
} if {
	some hop in input.hops
	hop.deployment.mode == "self_hosted"
	is_string(hop.installed.digest)
	is_string(hop.weights.digest)
	hop.installed.digest != hop.weights.digest
}

findings contains {
	"id": "PROV-01",
	"effect": "require_approval",
	"msg": sprintf("the weights at %s are not pinned: `%s` is no commit in full and can move", [
		hop.label,
		hop.installed.revision,
	]),
	"facts": _prov_01_facts(hop),
	"missing": [],
	"remedy": "the commit in 40 hexadecimal digits",
} if {
	some hop in input.hops
	hop.deployment.mode == "self_hosted"
	is_string(hop.installed.revision)
	not regex.match(`^[0-9a-fA-F]{40}$`, hop.installed.revision)
}

findings contains {
	"id": "PROV-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s runs the weights of the manifest", [hop.label]),
	"facts": _prov_01_facts(hop),
	"missing": sort(missing),
	"remedy": "what is installed as measured where it runs, and the manifest that it is held to, in an overlay",
} if {
	some hop in input.hops
	hop.deployment.mode == "self_hosted"
	missing := {name |
		some name, value in {
			"deployment.installed.revision": hop.installed.revision,
			"deployment.installed.digest": hop.installed.digest,
			"weights.digest": hop.weights.digest,
		}
		value == null
	}
	count(missing) > 0
}

_prov_01_facts(hop) := {
	"deployment": hop.id,
	"deployment.installed.weights": hop.installed.weights,
	"deployment.installed.revision": hop.installed.revision,
	"deployment.installed.digest": hop.installed.digest,
	"weights.digest": hop.weights.digest,
}
