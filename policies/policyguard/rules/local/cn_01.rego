package policyguard.rules

# METADATA
# title: Personal information and important data leave China by the CAC's thresholds
# description: |
#   What an establishment in China sends abroad adds up from 1 January of the year. From
#   1,000,000 people, 10,000 whose information is sensitive, important data, or any
#   personal information of an operator of critical infrastructure: a security assessment
#   of the CAC. From 100,000 people or one whose information is sensitive: the standard
#   contract or a certification. Below, nothing. An exemption of Articles 4 and 5 is for
#   a person to confirm, and covers no important data. Hong Kong is abroad.
# related_resources:
#   - ref: CAC, Provisions on Promoting and Regulating Cross-Border Data Flows, 2024-03-22
#   - ref: PIPL Art. 38, 40
# custom:
#   id: CN-01
#   severity: high
#   citation: CAC Provisions of 2024-03-22, Art. 4-8; PIPL Art. 38, 40
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "everything stays in mainland China"
#     - "fewer than 100,000 people, and nothing sensitive"
#     - "the tool on file is the one that the amount needs"
#   effective:
#     - {from: 2024-03-22T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "CN-01",
	"effect": "deny",
	"msg": sprintf("%s at %s would take %s out of China, which needs %s, and the tool on file (%s) is not that", [
		input.model.label,
		hop.label,
		_cn_01_names[need],
		_cn_01_demands[need],
		hop.contract.local_tools.china,
	]),
	"facts": _cn_01_facts(hop),
	"missing": [],
	"remedy": "a deployment in mainland China, or the tool that this amount needs",
} if {
	_cn_01_sent
	some hop in _cn_01_abroad
	need := _cn_01_need
	is_string(hop.contract.local_tools.china)
	tools := _cn_01_tools[need]
	not hop.contract.local_tools.china in tools
	not _cn_01_exempt(need)
}

findings contains {
	"id": "CN-01",
	"effect": "require_approval",
	"msg": sprintf("%s at %s would take personal information out of China under an exemption that is claimed (%s)", [
		input.model.label,
		hop.label,
		input.data.china_exemption,
	]),
	"facts": _cn_01_facts(hop),
	"missing": [],
	"remedy": "someone who confirms that the exemption covers this",
} if {
	_cn_01_sent
	some hop in _cn_01_abroad
	need := _cn_01_need
	_cn_01_exempt(need)
}

findings contains {
	"id": "CN-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether what is sent to %s at %s may leave China", [
		input.model.label,
		hop.label,
	]),
	"facts": _cn_01_facts(hop),
	"missing": sort(missing),
	"remedy": "the number of people in this call and since 1 January, the tenant's sectors, whether important data is in it, and the tool on file",
} if {
	_cn_01_sent
	some hop in array.concat(_cn_01_abroad, _cn_01_unbounded)
	missing := _cn_01_missing(hop)
	count(missing) > 0
}

findings contains {
	"id": "CN-01",
	"effect": "indeterminate",
	"msg": "data is sent, and it is not known whether it is sent from China",
	"facts": {"data.classes": input.data.classes, "exporter.establishment": null},
	"missing": ["exporter.establishment"],
	"remedy": "the country of the establishment that sends the data",
} if {
	input.scope.CN == "unknown"
	_cn_01_matter
	count(_cn_01_abroad) + count(_cn_01_unbounded) > 0
}

_cn_01_sent if {
	input.scope.CN == "in"
	_cn_01_matter
}

_cn_01_matter if input.scope.personal == "yes"

_cn_01_matter if {
	input.data.important_data != false
	is_array(input.data.classes)
	count([class | some class in input.data.classes; not class in {"none", "public"}]) > 0
}

_cn_01_abroad := [hop |
	some hop in input.hops
	count([place | some place in hop.places; place != "CN"]) > 0
]

# Nothing is known abroad, and not every place is known.
_cn_01_unbounded := [hop |
	some hop in input.hops
	hop.known
	count([place | some place in hop.places; place != "CN"]) == 0
	count(hop.gaps) > 0
]

_cn_01_need := "important data" if {
	input.data.important_data == true
} else := "critical" if {
	input.scope.personal == "yes"
	is_array(input.tenant.sectors)
	"ciio_cn" in input.tenant.sectors
} else := "many" if {
	input.scope.personal == "yes"
	_cn_01_persons >= 1000000
} else := "many sensitive" if {
	_cn_01_is_sensitive
	_cn_01_sensitive >= 10000
} else := "sensitive" if {
	_cn_01_is_sensitive
} else := "some" if {
	input.scope.personal == "yes"
	_cn_01_persons >= 100000
}

_cn_01_names := {
	"critical": "personal information of an operator of critical infrastructure",
	"important data": "important data",
	"many": "personal information of 1,000,000 people or more since 1 January",
	"many sensitive": "sensitive personal information of 10,000 people or more since 1 January",
	"sensitive": "sensitive personal information",
	"some": "personal information of 100,000 people or more since 1 January",
}

_cn_01_tools := {
	"critical": {"security_assessment"},
	"important data": {"security_assessment"},
	"many": {"security_assessment"},
	"many sensitive": {"security_assessment"},
	"sensitive": {"security_assessment", "standard_contract", "certification"},
	"some": {"security_assessment", "standard_contract", "certification"},
}

_cn_01_demands := {
	"critical": "a security assessment",
	"important data": "a security assessment",
	"many": "a security assessment",
	"many sensitive": "a security assessment",
	"sensitive": "the standard contract, a certification or a security assessment",
	"some": "the standard contract, a certification or a security assessment",
}

_cn_01_exempt(need) if {
	need != "important data"
	is_string(input.data.china_exemption)
}

_cn_01_is_sensitive if {
	input.scope.personal == "yes"
	some class in input.data.classes
	class in {"special_category", "health", "financial", "genomic", "biometric", "geolocation"}
}

# Distinct people: who is in this call is not in what went before.
_cn_01_persons := before + input.data.persons if {
	before := input.rolling.china_since_january.persons
	is_number(before)
	is_number(input.data.persons)
}

_cn_01_sensitive := before + input.data.persons if {
	before := input.rolling.china_since_january.sensitive
	is_number(before)
	is_number(input.data.persons)
}

_cn_01_missing(hop) := ({"contract.local_tools.china" |
	need := _cn_01_need
	hop.contract.local_tools.china == null
	not _cn_01_exempt(need)
	hop in _cn_01_abroad
} | {name |
	some name, is_missing in {
		"data.important_data": input.data.important_data == null,
		"tenant.sectors": _cn_01_lacks_sectors,
		"data.persons": _cn_01_lacks(input.data.persons),
		"rolling.china_since_january": _cn_01_lacks(_cn_01_counted),
	}
	is_missing
	not _cn_01_assessed(hop)
}) | {gap |
	hop in _cn_01_unbounded
	not _cn_01_assessed(hop)
	some gap in hop.gaps
}

# What a security assessment has passed is not less for being more.
_cn_01_assessed(hop) if hop.contract.local_tools.china == "security_assessment"

_cn_01_lacks_sectors if {
	input.scope.personal == "yes"
	input.tenant.sectors == null
} else := false

_cn_01_lacks(number) if {
	input.scope.personal == "yes"
	number == null
} else := false

_cn_01_counted := null if {
	input.rolling.china_since_january == null
} else := null if {
	input.rolling.china_since_january.persons == null
} else := null if {
	_cn_01_is_sensitive
	input.rolling.china_since_january.sensitive == null
} else := 0

_cn_01_facts(hop) := {
	"contract.local_tools.china": hop.contract.local_tools.china,
	"data.china_exemption": input.data.china_exemption,
	"data.classes": input.data.classes,
	"data.important_data": input.data.important_data,
	"data.persons": input.data.persons,
	"deployment": hop.id,
	"deployment.places": hop.places,
	"exporter.establishment": input.exporter.establishment,
	"rolling.china_since_january": input.rolling.china_since_january,
	"tenant.sectors": input.tenant.sectors,
}
