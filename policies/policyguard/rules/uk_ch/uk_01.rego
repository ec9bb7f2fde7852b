package policyguard.rules

# METADATA
# title: No transfer out of the United Kingdom without a basis of UK law
# description: |
#   Personal data in scope of the UK GDPR may reach another country only under UK
#   adequacy regulations, the IDTA, the UK Addendum or binding rules with an assessment of
#   less than a year, or a derogation, which a person has to approve. The list is not the
#   one of the EU (Brazil is not on it), nor are clauses of the EU alone a tool. For the
#   United States the certification must have the UK extension. The test is since
#   2026-02-05 whether protection is "not materially lower".
# related_resources:
#   - ref: UK GDPR Art. 44A-49A
#   - ref: Data (Use and Access) Act 2025, Schedule 7
# custom:
#   id: UK-01
#   severity: critical
#   citation: UK GDPR Art. 44A-49A (before 2026-02-05 Art. 44-49)
#   as_of: 2026-07-02
#   locked: false
#   exceptions:
#     - "every place is in the UK or a country of the list uk-adequacy"
#     - "local_tools.uk is idta, addendum or bcr, with an assessment of less than a year"
#     - "for the United States: an active certification with uk_extension"
#     - "nobody whose data is sent is in the UK, or exporter.uk_article_3 is none"
#     - "the exporter is established outside the UK, none of the people is there, and nobody says that Article 3 of the UK GDPR reaches it nevertheless"
#   effective:
#     - {from: 2021-01-01T00:00:00Z, to: 2026-02-05T00:00:00Z, status: in_force, verified: false}
#     - {from: 2026-02-05T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "UK-01",
	"effect": "deny",
	"msg": sprintf("%s at %s would take personal data in scope of the UK GDPR to %s, for which neither adequacy regulations nor a tool of that law (%s) is a basis", [
		input.model.label,
		hop.label,
		_transfer_names(bare),
		hop.contract.local_tools.uk,
	]),
	"facts": _transfer_facts(hop, _uk_01_law),
	"missing": [],
	"remedy": "a deployment in the UK or an adequate country, or an IDTA or UK Addendum with an assessment of less than a year",
} if {
	_uk_01_sent
	some hop in input.hops
	bare := _transfer_places(hop, _uk_01_law, {"basis"})
	count(bare) > 0
}

findings contains {
	"id": "UK-01",
	"effect": "require_approval",
	"msg": sprintf("%s at %s would take personal data in scope of the UK GDPR to %s, and what allows it is for a person to judge: %s", [
		input.model.label,
		hop.label,
		_transfer_names(places),
		_transfer_doubts[doubt],
	]),
	"facts": _transfer_facts(hop, _uk_01_law),
	"missing": [],
	"remedy": "a person's approval, or a deployment in the UK or an adequate country, or an IDTA or UK Addendum with an assessment of less than a year",
} if {
	_uk_01_sent
	some hop in input.hops
	some doubt, _ in _transfer_doubts
	places := _transfer_places(hop, _uk_01_law, {doubt})
	count(places) > 0
}

findings contains {
	"id": "UK-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether personal data in scope of the UK GDPR that is sent to %s at %s has a basis to go where it goes", [
		input.model.label,
		hop.label,
	]),
	"facts": _transfer_facts(hop, _uk_01_law),
	"missing": sort(missing),
	"remedy": "the missing facts: places by an overlay with its source, papers by the tenant's contracts",
} if {
	_uk_01_sent
	some hop in input.hops
	missing := _transfer_missing(hop, _uk_01_law)
	count(missing) > 0
	count(_transfer_places(hop, _uk_01_law, {"basis"})) == 0
}

findings contains {
	"id": "UK-01",
	"effect": "indeterminate",
	"msg": "personal data is sent, and it is not known whether it is in scope of the UK GDPR",
	"facts": {
		"data.subjects": input.data.subjects,
		"exporter.establishment": input.exporter.establishment,
		"exporter.uk_article_3": input.exporter.uk_article_3,
	},
	"missing": sort(missing),
	"remedy": "whether the UK GDPR applies by its Article 3",
} if {
	input.scope.personal == "yes"
	input.scope.uk == "unknown"
	input.data.direct_from_subject == false
	missing := _uk_01_scope_missing
}

_uk_01_sent if {
	input.scope.personal == "yes"
	input.scope.uk == "in"
	input.data.direct_from_subject == false
}

_uk_01_law := {
	"home": "GB",
	"list": "uk",
	"tool": "uk",
	"tools": {"idta", "addendum", "bcr"},
	"of": "uk-adequacy",
	"condition": "uk-bridge",
	"extension": "uk_extension",
}

_uk_01_scope_missing := input.scope.missing if {
	count(input.scope.missing) > 0
} else := ["exporter.uk_article_3"]

# What follows is shared by the rules on transfers that turn on a list of adequate
# countries and a tool of their own law: UK-01, CH-01, SA-01.

_transfer_places(hop, law, lacks) := [place |
	some place in hop.places
	_transfer_lack(hop, place, law) in lacks
]

# What one place lacks: "basis", a doubt for a person, or the name of an unknown fact.
_transfer_lack(hop, place, law) := "nothing" if {
	place == law.home
} else := "nothing" if {
	null in input.countries[place][law.list]
} else := "nothing" if {
	law.condition in input.countries[place][law.list]
	hop.contract.dpf.active == true
	hop.contract.dpf[law.extension] == true
} else := "deployment.host_cloud" if {
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
} else := sprintf("contract.local_tools.%s", [law.tool]) if {
	hop.contract.local_tools[law.tool] == null
} else := _transfer_assessment(hop.contract) if {
	hop.contract.local_tools[law.tool] in law.tools
} else := "derogation" if {
	hop.contract.local_tools[law.tool] == "derogation"
} else := "contract.dpf" if {
	law.condition in input.countries[place][law.list]
	_transfer_unread(hop.contract.dpf, law.extension)
} else := "condition" if {
	some condition in input.countries[place][law.list]
	condition != law.condition
} else := "basis"

_transfer_unread(certification, _) if certification == null

_transfer_unread(certification, extension) if {
	certification.active == true
	certification[extension] == null
}

_transfer_assessment(contract) := "contract.transfer_assessed" if {
	contract.assessment == null
} else := "basis" if {
	contract.assessment == "ahead"
} else := "stale assessment" if {
	contract.assessment == "stale"
} else := "nothing"

_transfer_doubts := {
	"of": "uk-adequacy",
	"condition": "the adequacy decision covers some recipients only",
	"derogation": "only a derogation is on file, which suits no routine",
	"own premises": "these are premises of the exporter's own, but the law of that country reaches them",
	"stale assessment": "the assessment on file is more than a year old",
}

_transfer_missing(hop, law) := ({gap | some gap in hop.gaps} | _transfer_unknown_reach(hop)) | {lack |
	some place in hop.places
	lack := _transfer_lack(hop, place, law)
	not lack in {"nothing", "basis"}
	not _transfer_doubts[lack]
}

# Reading from afar takes data where it is read: not to know from where is no answer.
_transfer_unknown_reach(hop) := {"deployment.remote_access_countries" |
	hop.known
	hop.deployment.remote_access_countries == null
	hop.contract.remote_access_countries == null
}

_transfer_names(places) := "any country" if {
	"**" in places
} else := concat(", ", places)

_transfer_facts(hop, law) := {
	"contract.dpf": hop.contract.dpf,
	sprintf("contract.local_tools.%s", [law.tool]): hop.contract.local_tools[law.tool],
	"contract.transfer_assessed": hop.contract.transfer_assessed,
	"data.subjects": input.data.subjects,
	"deployment": hop.id,
	"deployment.operator": hop.deployment.operator,
	"deployment.places": hop.places,
	"exporter.establishment": input.exporter.establishment,
	sprintf("lists.%s.as_of", [law.of]): input.lists[law.of],
}
