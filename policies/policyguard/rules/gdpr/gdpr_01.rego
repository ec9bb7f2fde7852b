package policyguard.rules

# METADATA
# title: No transfer of personal data to a third country without a basis
# description: |
#   Personal data of an exporter in scope of the GDPR may reach a country outside the EEA
#   only with an adequacy decision, an Article 46 tool whose transfer was assessed within
#   a year, or an Article 49 derogation, which a person has to approve. Every hop counts,
#   and every place where it processes, stores or reads. Standard clauses without an
#   assessment, a processing agreement and a tool of UK law are no basis.
# related_resources:
#   - ref: GDPR Art. 44-46, 49
#   - ref: GDPR Art. 3
#   - ref: EDPB Guidelines 05/2021
#   - ref: EDPB Recommendations 01/2020
#   - ref: CJEU C-311/18 (Schrems II)
# custom:
#   id: GDPR-01
#   severity: critical
#   citation: GDPR Art. 44-46, 49
#   as_of: 2026-02-09
#   locked: false
#   exceptions:
#     - "every place is in the EEA or has an adequacy decision at the call's instant"
#     - "the United States, with dpf as transfer tool in the contract with a certified operator"
#     - "scc or bcr with an assessment of less than a year"
#     - "the exporter is out of scope: established elsewhere, and the people are elsewhere or article_3 is none"
#     - "people send data on themselves, of their own, to who answers them (data.direct_from_subject): that is no transfer by anybody else"
#   effective:
#     - {from: 2018-05-25T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "GDPR-01",
	"effect": "deny",
	"msg": sprintf("%s at %s would %s personal data%s in %s, %s", [
		input.model.label,
		hop.label,
		_gdpr_01_verb(hop, bare),
		_gdpr_01_people,
		_gdpr_01_names(bare),
		_gdpr_01_lack(hop, bare),
	]),
	"facts": _gdpr_01_facts(hop, bare),
	"missing": [],
	"remedy": "a deployment in the EEA or an adequate country, or a transfer tool with an assessment of less than a year",
} if {
	_gdpr_01_sent
	input.scope.gdpr == "in"
	some hop in input.hops
	bare := {place | some place, lack in _gdpr_01_lacks(hop); lack == "basis"}
	count(bare) > 0
}

findings contains {
	"id": "GDPR-01",
	"effect": "require_approval",
	"msg": sprintf("%s at %s would %s personal data%s in %s, %s", [
		input.model.label,
		hop.label,
		_gdpr_01_verb(hop, places),
		_gdpr_01_people,
		_gdpr_01_names(places),
		_gdpr_01_doubts[doubt],
	]),
	"facts": _gdpr_01_facts(hop, places),
	"missing": [],
	"remedy": "a person's approval, or a deployment in the EEA or an adequate country",
} if {
	_gdpr_01_sent
	input.scope.gdpr == "in"
	some hop in input.hops
	lacks := _gdpr_01_lacks(hop)
	some doubt, _ in _gdpr_01_doubts
	places := {place | some place, lack in lacks; lack == doubt}
	count(places) > 0
}

findings contains {
	"id": "GDPR-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether personal data%s that is sent to %s at %s has a basis to leave the EEA", [
		_gdpr_01_people,
		input.model.label,
		hop.label,
	]),
	"facts": _gdpr_01_facts(hop, hop.places),
	"missing": sort(missing),
	"remedy": "the missing facts: places by an overlay with its source, papers by the tenant's contracts",
} if {
	_gdpr_01_sent
	input.scope.gdpr == "in"
	some hop in input.hops
	missing := _gdpr_01_missing(hop)
	count(missing) > 0
	count([place | some place, lack in _gdpr_01_lacks(hop); lack == "basis"]) == 0
}

findings contains {
	"id": "GDPR-01",
	"effect": "indeterminate",
	"msg": "personal data is sent, and it is not known whether whoever sends it is in scope of the GDPR",
	"facts": {
		"data.classes": input.data.classes,
		"data.subjects": input.data.subjects,
		"exporter.establishment": input.exporter.establishment,
		"exporter.article_3": input.exporter.article_3,
	},
	"missing": sort(_gdpr_01_scope_missing),
	"remedy": "the country of the establishment for which the data is processed",
} if {
	_gdpr_01_sent
	input.scope.gdpr == "unknown"
}

# What is sent is unknown, and it may be what this rule would object to.
findings contains {
	"id": "GDPR-01",
	"effect": "indeterminate",
	"msg": sprintf("%s at %s has no known basis for personal data, and it is not known whether any is sent", [
		input.model.label,
		hop.label,
	]),
	"facts": _gdpr_01_facts(hop, hop.places),
	"missing": ["data.classes"],
	"remedy": "the classes of data that are sent",
} if {
	input.scope.personal == "unknown"
	input.scope.gdpr != "out"
	some hop in input.hops
	count(_gdpr_01_lacks(hop)) + count(_gdpr_01_missing(hop)) > 0
}

findings contains {
	"id": "GDPR-01",
	"effect": "oblige",
	"msg": "processing of personal data in scope of the GDPR is recorded",
	"facts": {"data.classes": input.data.classes, "exporter.establishment": input.exporter.establishment},
	"missing": [],
	"remedy": "",
	"obligation": {"type": "record_processing", "properties": {"article": "GDPR Art. 30"}},
} if {
	_gdpr_01_sent
	input.scope.gdpr == "in"
	every hop in input.hops {
		hop.known
		count(_gdpr_01_lacks(hop)) == 0
		count(_gdpr_01_missing(hop)) == 0
	}
}

# What a person sends on himself, of his own, is no transfer by anybody else
# (EDPB Guidelines 05/2021).
_gdpr_01_sent if {
	input.scope.personal == "yes"
	input.data.direct_from_subject == false
}

_gdpr_01_scope_missing contains "exporter.establishment" if input.exporter.establishment == null

_gdpr_01_scope_missing contains "exporter.article_3" if is_string(input.exporter.establishment)

_gdpr_01_scope_missing contains "data.subjects" if {
	is_string(input.exporter.establishment)
	input.data.subjects == null
}

# Of each place without a basis: what is lacking. "basis": there is none; a doubt: a
# person has to say; a fact: it is unknown.
_gdpr_01_lacks(hop) := {place: lack |
	some place in hop.places
	not _gdpr_01_adequate(hop, place)
	not _gdpr_01_safeguarded(hop)
	lack := _gdpr_01_lack_of(hop, place)
}

_gdpr_01_adequate(_, place) if input.countries[place].eea

_gdpr_01_adequate(_, place) if null in input.countries[place].adequacy

# For the United States the decision covers certified recipients only.
_gdpr_01_adequate(hop, place) if {
	"dpf" in input.countries[place].adequacy
	hop.contract.transfer_tool == "dpf"
}

_gdpr_01_safeguarded(hop) if {
	hop.contract.transfer_tool in {"scc", "bcr"}
	hop.contract.assessment == "fresh"
}

_gdpr_01_lack_of(hop, place) := "deployment.host_cloud" if {
	hop.deployment.mode == "self_hosted"
	hop.deployment.host_cloud == null
} else := "own premises" if {
	hop.deployment.mode == "self_hosted"
	hop.deployment.host_cloud == hop.deployment.operator
} else := "deployment.operator" if {
	hop.deployment.mode != "self_hosted"
	hop.deployment.operator == null
} else := "tenant.contracts" if {
	hop.contract.state == "unknown"
} else := "contract.transfer_tool" if {
	hop.contract.transfer_tool == null
} else := "derogation" if {
	hop.contract.transfer_tool == "derogation"
} else := _gdpr_01_assessment(hop.contract) if {
	hop.contract.transfer_tool in {"scc", "bcr"}
} else := "condition" if {
	# Adequate for some recipients only, and no fact says whether this is one of them.
	some condition in input.countries[place].adequacy
	condition != "dpf"
} else := "basis"

_gdpr_01_assessment(contract) := "contract.transfer_assessed" if {
	contract.assessment == null
} else := "stale assessment" if {
	contract.assessment == "stale"
} else := "basis"

_gdpr_01_doubts := {
	"own premises": "on premises of the exporter's own: no transfer to another, but the law of that country reaches it",
	"derogation": "for which only a derogation of Art. 49 is on file, which suits no routine",
	"stale assessment": "and the assessment of that transfer is more than a year old",
	"condition": "for which the adequacy decision covers some recipients only",
}

# The facts without which nothing can be said of a hop. An assessment is of places, so a
# tool does not stand in for places that are unknown or that nobody has bounded.
_gdpr_01_missing(hop) := {gap | some gap in hop.gaps} | {lack |
	some lack in _gdpr_01_lacks(hop)
	lack in {
		"deployment.host_cloud",
		"deployment.operator",
		"tenant.contracts",
		"contract.transfer_tool",
		"contract.transfer_assessed",
	}
}

_gdpr_01_facts(hop, places) := object.union(
	{
		"deployment": hop.id,
		"deployment.operator": hop.deployment.operator,
		"deployment.processing_countries": hop.deployment.processing_countries,
		"deployment.processing_scope": hop.deployment.processing_scope,
		"deployment.transfer": hop.contract.transfer_tool,
		"deployment.transfer_assessed": hop.contract.transfer_assessed,
		"data.subjects": input.data.subjects,
	},
	{name: countries |
		some name, countries in {
			"deployment.storage_countries": hop.deployment.storage_countries,
			"deployment.remote_access_countries": hop.deployment.remote_access_countries,
			"contract.remote_access_countries": hop.contract.remote_access_countries,
		}
		is_array(countries)
		some country in countries
		country in places
	},
)

_gdpr_01_verb(hop, places) := "process" if {
	"**" in places
} else := "process" if {
	is_array(hop.deployment.processing_countries)
	some country in hop.deployment.processing_countries
	country in places
} else := "store" if {
	is_array(hop.deployment.storage_countries)
	some country in hop.deployment.storage_countries
	country in places
} else := "let people read"

_gdpr_01_names(places) := "any country" if {
	"**" in places
} else := concat(", ", places)

_gdpr_01_people := sprintf(" of people in %s", [concat(", ", input.data.subjects)]) if {
	is_array(input.data.subjects)
	count(input.data.subjects) > 0
} else := ""

_gdpr_01_lack(hop, places) := "for which the adequacy decision counts only with a certification under the Data Privacy Framework" if {
	hop.contract.transfer_tool == "none"
	every place in places {
		"dpf" in input.countries[place].adequacy
	}
} else := "for which no adequacy decision stands and no transfer tool is on file" if {
	hop.contract.transfer_tool == "none"
} else := "and the assessment of that transfer is dated after this call" if {
	hop.contract.transfer_tool in {"scc", "bcr"}
} else := sprintf("for which no adequacy decision stands, and the tool on file (%s) is none for it", [hop.contract.transfer_tool])
