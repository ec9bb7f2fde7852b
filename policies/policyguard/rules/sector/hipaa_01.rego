package policyguard.rules

# METADATA
# title: Health information goes to business associates only
# description: |
#   A covered entity or business associate under HIPAA discloses protected health
#   information to whoever processes it for them under a business associate agreement.
#   HIPAA says nothing of where: it is no rule of residency.
# related_resources:
#   - ref: 45 CFR 160.103
#   - ref: 45 CFR 164.502(e), 164.504(e)
# custom:
#   id: HIPAA-01
#   severity: critical
#   citation: 45 CFR 164.502(e), 164.504(e)
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "an agreement is signed, wherever it runs"
#     - "it runs on our own premises"
#     - "the tenant is in no such sector"
#   effective:
#     - {from: 2013-09-23T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "HIPAA-01",
	"effect": "deny",
	"msg": sprintf("%s at %s would receive health information, and no business associate agreement is signed with who runs it", [
		input.model.label,
		hop.label,
	]),
	"facts": _hipaa_01_facts(hop),
	"missing": [],
	"remedy": "a signed business associate agreement, or an operator with which there is one",
} if {
	_hipaa_01_sent
	_hipaa_01_bound
	some hop in _gdpr_04_processors
	hop.contract.baa == false
}

findings contains {
	"id": "HIPAA-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s at %s may receive health information", [
		input.model.label,
		hop.label,
	]),
	"facts": _hipaa_01_facts(hop),
	"missing": sort(missing),
	"remedy": "the tenant's sectors, and what the contract with the operator says of a business associate agreement",
} if {
	_hipaa_01_sent
	some hop in _gdpr_04_processors
	missing := _hipaa_01_missing(hop)
	count(missing) > 0
}

_hipaa_01_sent if {
	is_array(input.data.classes)
	"health" in input.data.classes
	input.data.anonymous_evidence == null
}

_hipaa_01_bound if {
	_hipaa_01_american
	is_array(input.tenant.sectors)
	"hipaa" in input.tenant.sectors
}

_hipaa_01_missing(hop) := ({"contract.baa" |
	_hipaa_01_bound
	hop.contract.state == "signed"
	hop.contract.baa == null
} | {"tenant.contracts" |
	_hipaa_01_bound
	hop.contract.state == "unknown"
}) | {"tenant.sectors" |
	input.tenant.sectors == null
	hop.contract.baa != true
	_hipaa_01_american
}

# Whoever has not said: in scope where the United States are, or may be, where the
# establishment or the people are.
_hipaa_01_american if input.exporter.establishment in {null, "US"}

_hipaa_01_american if input.data.subjects == null

_hipaa_01_american if "US" in input.data.subjects

_hipaa_01_facts(hop) := {
	"contract.baa": hop.contract.baa,
	"data.classes": input.data.classes,
	"deployment": hop.id,
	"deployment.operator": hop.deployment.operator,
	"tenant.sectors": input.tenant.sectors,
}
