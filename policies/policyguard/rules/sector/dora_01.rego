package policyguard.rules

# METADATA
# title: A financial entity's contract says where the service is given and data is kept
# description: |
#   A financial entity in the Union has a contract with each provider of ICT services
#   that says where the service is given and data is processed and kept, and that a
#   change is announced; and a register of these contracts. DORA asks that places are
#   stated. It is no duty to stay anywhere.
# related_resources:
#   - ref: Regulation (EU) 2022/2554 (DORA) Art. 28(3), 30(2)(b)
# custom:
#   id: DORA-01
#   severity: high
#   citation: Regulation (EU) 2022/2554 (DORA) Art. 28-30
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "the tenant is no financial entity"
#     - "it runs on our own premises"
#   effective:
#     - {from: 2025-01-17T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "DORA-01",
	"effect": "deny",
	"msg": sprintf("the contract with who runs %s at %s does not say where the service is given and data is kept", [
		input.model.label,
		hop.label,
	]),
	"facts": _dora_01_facts(hop),
	"missing": [],
	"remedy": "a contract with the clause of Article 30(2)(b), or an operator with which there is one",
} if {
	_dora_01_sent
	_dora_01_bound
	some hop in _gdpr_04_processors
	hop.contract.dora_clause == false
}

findings contains {
	"id": "DORA-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether the contract with who runs %s at %s has what a financial entity's must have", [
		input.model.label,
		hop.label,
	]),
	"facts": _dora_01_facts(hop),
	"missing": sort(missing),
	"remedy": "the tenant's sectors, and whether the contract has the clause of Article 30(2)(b)",
} if {
	_dora_01_sent
	some hop in _gdpr_04_processors
	missing := _dora_01_missing(hop)
	count(missing) > 0
}

findings contains {
	"id": "DORA-01",
	"effect": "oblige",
	"msg": sprintf("the contract with who runs %s belongs into the register of information (Art. 28(3))", [hop.label]),
	"facts": _dora_01_facts(hop),
	"missing": [],
	"remedy": "",
	"obligation": {"type": "record_keeping", "properties": {"article": "DORA Art. 28(3)"}},
} if {
	_dora_01_sent
	_dora_01_bound
	some hop in _gdpr_04_processors
	hop.contract.dora_clause == true
}

# What is public, or nothing, supports no function that the contract is about.
_dora_01_sent if {
	_dora_01_european
	is_array(input.data.classes)
	count([class | some class in input.data.classes; not class in {"none", "public"}]) > 0
}

_dora_01_european if input.countries[input.exporter.establishment].eea

_dora_01_european if input.exporter.establishment == null

_dora_01_bound if {
	is_string(input.exporter.establishment)
	is_array(input.tenant.sectors)
	"financial_eu" in input.tenant.sectors
}

_dora_01_missing(hop) := (({"contract.dora_clause" |
	_dora_01_bound
	hop.contract.state == "signed"
	hop.contract.dora_clause == null
} | {"tenant.contracts" |
	_dora_01_bound
	hop.contract.state == "unknown"
}) | {"tenant.sectors" |
	input.tenant.sectors == null
	hop.contract.dora_clause != true
}) | {"exporter.establishment" |
	input.exporter.establishment == null
	is_array(input.tenant.sectors)
	"financial_eu" in input.tenant.sectors
	hop.contract.dora_clause != true
}

_dora_01_facts(hop) := {
	"contract.dora_clause": hop.contract.dora_clause,
	"deployment": hop.id,
	"deployment.operator": hop.deployment.operator,
	"exporter.establishment": input.exporter.establishment,
	"tenant.sectors": input.tenant.sectors,
}
