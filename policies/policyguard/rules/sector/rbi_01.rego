package policyguard.rules

# METADATA
# title: Payment data of a payment system in India is stored in India only
# description: |
#   Operators of payment systems in India keep the whole data of payments in systems in
#   India only. It may be processed abroad, and then comes back and is deleted there.
# related_resources:
#   - ref: RBI/2017-18/153, Storage of Payment System Data, 2018-04-06
# custom:
#   id: RBI-01
#   severity: high
#   citation: RBI/2017-18/153 (Storage of Payment System Data)
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "the tenant is no operator of a payment system"
#     - "nothing is stored outside India"
#   effective:
#     - {from: 2018-10-15T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "RBI-01",
	"effect": "deny",
	"msg": sprintf("%s at %s would store payment data outside India (%s)", [
		input.model.label,
		hop.label,
		concat(", ", outside),
	]),
	"facts": _rbi_01_facts(hop),
	"missing": [],
	"remedy": "a deployment that stores in India only, or that stores nothing",
} if {
	_rbi_01_sent
	_rbi_01_in_sector
	some hop in input.hops
	outside := _rbi_01_outside(hop)
	count(outside) > 0
}

findings contains {
	"id": "RBI-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s at %s would store payment data outside India", [
		input.model.label,
		hop.label,
	]),
	"facts": _rbi_01_facts(hop),
	"missing": sort(missing),
	"remedy": "the tenant's sectors, where the data comes from, and the countries where the operator stores",
} if {
	_rbi_01_sent
	some hop in input.hops
	hop.known
	missing := _rbi_01_missing(hop)
	count(missing) > 0
}

_rbi_01_sent if {
	input.scope.IN != "out"
	is_array(input.data.classes)
	"financial" in input.data.classes
}

_rbi_01_in_sector if {
	input.scope.IN == "in"
	is_array(input.tenant.sectors)
	"payments_in" in input.tenant.sectors
}

_rbi_01_outside(hop) := [country |
	is_array(hop.deployment.storage_countries)
	some country in hop.deployment.storage_countries
	country != "IN"
]

_rbi_01_missing(hop) := ({"tenant.sectors" |
	input.tenant.sectors == null
	_rbi_01_may_store(hop)
} | {"deployment.storage_countries" |
	_rbi_01_in_sector
	hop.deployment.storage_countries == null
}) | {name |
	input.scope.IN == "unknown"
	_rbi_01_may_be_in_sector
	_rbi_01_may_store(hop)
	some name in input.scope.missing
}

_rbi_01_may_store(hop) if hop.deployment.storage_countries == null

_rbi_01_may_store(hop) if count(_rbi_01_outside(hop)) > 0

_rbi_01_may_be_in_sector if input.tenant.sectors == null

_rbi_01_may_be_in_sector if "payments_in" in input.tenant.sectors

_rbi_01_facts(hop) := {
	"data.classes": input.data.classes,
	"data.subjects": input.data.subjects,
	"deployment": hop.id,
	"deployment.storage_countries": hop.deployment.storage_countries,
	"exporter.establishment": input.exporter.establishment,
	"tenant.sectors": input.tenant.sectors,
}
