package policyguard.rules

# METADATA
# title: No bulk 'omic data to covered persons, and no sale of bulk data to them
# description: |
#   A US person must not give covered persons or countries of concern access to bulk
#   human 'omic data of US persons, nor sell or license them any bulk sensitive data or
#   data related to the government. Bulk is more than a number of persons, added up over
#   twelve months for each counterparty; pseudonyms, encryption and consent change
#   nothing. Who is covered is a matter of ownership and place, not of any list: a
#   company in Singapore that a Chinese one owns is. To host weights oneself gives nobody
#   access.
# related_resources:
#   - ref: 28 CFR 202.301
#   - ref: 28 CFR 202.303
#   - ref: 28 CFR 202.205, 202.206
#   - ref: 28 CFR 202.211
# custom:
#   id: DSP-01
#   severity: critical
#   citation: 28 CFR 202.301, 202.303 (bulk by 202.205 and 202.206)
#   as_of: 2026-06-20
#   locked: false
#   exceptions:
#     - "the counterparty is a company of the United States that nobody has designated"
#     - "you host the weights yourself: no covered person gets access, whoever made them"
#     - "the sender is no US person, or the data is about nobody of the United States"
#     - "the numbers, added up, are the thresholds or less"
#   effective:
#     - {from: 2025-04-08T00:00:00Z, to: null, status: in_force, verified: true}
findings contains {
	"id": "DSP-01",
	"effect": _dsp_01_effect,
	"msg": sprintf("%s at %s would give %s, %s, access to bulk human 'omic data of US persons (%s)", [
		input.model.label,
		access.hop.label,
		access.name,
		access.why,
		_dsp_01_amount(access.counterparty, _dsp_01_omic),
	]),
	"facts": _dsp_01_facts(access),
	"missing": [],
	"remedy": "a deployment that no covered person can reach, as weights hosted by yourself",
} if {
	_dsp_01_sender == "yes"
	count(_dsp_01_omic) > 0
	some access in _dsp_01_accesses
	access.covered == "yes"
	_dsp_01_bulk(access.counterparty, _dsp_01_omic) == "yes"
}

findings contains {
	"id": "DSP-01",
	"effect": _dsp_01_effect,
	"msg": sprintf("%s at %s would sell or license %s of US persons to %s, %s", [
		input.model.label,
		access.hop.label,
		_dsp_01_kind(access),
		access.name,
		access.why,
	]),
	"facts": _dsp_01_facts(access),
	"missing": [],
	"remedy": "no sale or licence of the data, or a deployment that no covered person can reach",
} if {
	_dsp_01_sender == "yes"
	input.data.brokerage == true
	_dsp_01_relevant
	some access in _dsp_01_accesses
	access.covered == "yes"
	_dsp_01_sensitive(access) == "yes"
}

findings contains {
	"id": "DSP-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s at %s gives a covered person access to bulk human 'omic data of US persons", [
		input.model.label,
		access.hop.label,
	]),
	"facts": _dsp_01_facts(access),
	"missing": sort(missing),
	"remedy": "how many US persons the data is about, in this call and in twelve months, and who owns the operator",
} if {
	_dsp_01_sender != "no"
	count(_dsp_01_omic) > 0
	some access in _dsp_01_accesses
	access.covered != "no"
	_dsp_01_bulk(access.counterparty, _dsp_01_omic) != "no"
	missing := (_dsp_01_sender_missing | access.missing) | _dsp_01_counts_missing(access.counterparty, _dsp_01_omic)
	count(missing) > 0
}

findings contains {
	"id": "DSP-01",
	"effect": "indeterminate",
	"msg": sprintf("it is not known whether %s at %s sells or licenses bulk data of US persons to a covered person", [
		input.model.label,
		access.hop.label,
	]),
	"facts": _dsp_01_facts(access),
	"missing": sort(missing),
	"remedy": "whether the data is sold or licensed, how many US persons it is about, in this call and in twelve months, and who owns the operator",
} if {
	_dsp_01_sender != "no"
	input.data.brokerage != false
	_dsp_01_relevant
	some access in _dsp_01_accesses
	access.covered != "no"
	_dsp_01_sensitive(access) != "no"
	missing := ((_dsp_01_sender_missing | access.missing) | _dsp_01_sensitive_missing(access)) | _dsp_01_sale_missing
	count(missing) > 0
}

# An exemption that is claimed is for a person to confirm.
_dsp_01_effect := "require_approval" if {
	is_string(input.data.dsp_exemption)
} else := "deny"

# The duties are those of US persons.
_dsp_01_sender := "yes" if {
	input.exporter.establishment == "US"
} else := "unknown" if {
	input.exporter.establishment == null
} else := "no"

_dsp_01_sender_missing contains "exporter.establishment" if _dsp_01_sender == "unknown"

_dsp_01_sale_missing contains "data.brokerage" if input.data.brokerage == null

# The categories of this call, unless it is known to be about nobody of the United
# States.
_dsp_01_categories := {class |
	some class in input.data.classes
	_dsp_01_thresholds[class]
	_dsp_01_people
} if {
	is_array(input.data.classes)
} else := set()

# Nothing else is worth a look at who gets access.
_dsp_01_relevant if input.data.classes == null

_dsp_01_relevant if _dsp_01_government

_dsp_01_relevant if count(_dsp_01_categories) > 0

_dsp_01_people if input.data.subjects == null

_dsp_01_people if "US" in input.data.subjects

_dsp_01_people if {
	some category, _ in _dsp_01_thresholds
	input.data.counts[category] > 0
}

_dsp_01_omic := _dsp_01_categories & {"genomic", "omic"}

# More than so many persons or devices is bulk.
_dsp_01_thresholds := {
	"genomic": 100,
	"omic": 1000,
	"biometric": 1000,
	"geolocation": 1000,
	"health": 10000,
	"financial": 10000,
	"pii": 100000,
}

# Data of several categories counts by the lowest of their numbers.
_dsp_01_threshold := min([_dsp_01_thresholds[category] | some category in _dsp_01_categories])

_dsp_01_bulk(counterparty, categories) := "yes" if {
	some category in categories
	_dsp_01_known_sum(counterparty, category) > _dsp_01_threshold
} else := "unknown" if {
	count(_dsp_01_counts_missing(counterparty, categories)) > 0
} else := "no"

_dsp_01_known_sum(counterparty, category) := sum([number |
	some number in [input.data.counts[category], _dsp_01_before(counterparty, category)]
	is_number(number)
])

# What the counterparty was sent in twelve months; null: nobody knows.
_dsp_01_before(counterparty, category) := null if {
	not is_array(input.rolling.us_twelve_months)
} else := entry.counts[category] if {
	some entry in input.rolling.us_twelve_months
	entry.counterparty == counterparty
} else := 0

_dsp_01_counts_missing(counterparty, categories) := {sprintf("data.counts.%s", [category]) |
	some category in categories
	input.data.counts[category] == null
} | {"rolling.us_twelve_months" |
	some category in categories
	_dsp_01_before(counterparty, category) == null
}

# Bulk data of any category, or data related to the government, of which any number is
# too many.
_dsp_01_sensitive(access) := "yes" if {
	_dsp_01_government
} else := "unknown" if {
	input.data.classes == null
} else := _dsp_01_bulk(access.counterparty, _dsp_01_categories)

_dsp_01_sensitive_missing(access) := set() if {
	_dsp_01_government
} else := {"data.classes"} if {
	input.data.classes == null
} else := _dsp_01_counts_missing(access.counterparty, _dsp_01_categories)

_dsp_01_government if {
	is_array(input.data.classes)
	"government_related" in input.data.classes
}

# Who gets access at each hop, and whether he is a covered person: the companies, and
# people in countries of concern. Our own machines give nobody access; the cloud under
# them does.
_dsp_01_accesses := array.concat(
	[object.union({"hop": hop, "name": party.name, "counterparty": party.counterparty}, _dsp_01_covered(party)) |
		some hop in input.hops
		some party in hop.parties
		not _ear_01_ours(hop, party)
	],
	array.concat(
		[{
			"hop": hop,
			"name": sprintf("people in %s", [concat(", ", sort(places))]),
			"counterparty": _dsp_01_host(hop),
			"covered": "yes",
			"why": "a country of concern",
			"missing": set(),
		} |
			some hop in input.hops
			places := {place | some place in hop.places; place in input.groups["dsp-countries-of-concern"]}
			count(places) > 0
		],
		[{
			"hop": hop,
			"name": "an operator that is not known",
			"counterparty": null,
			"covered": "unknown",
			"why": "who may be covered",
			"missing": {"deployment.operator"},
		} |
			some hop in input.hops
			hop.known
			hop.deployment.mode != "self_hosted"
			hop.deployment.operator == null
		],
	),
)

_dsp_01_host(hop) := hop.parties[0].counterparty if {
	count(hop.parties) > 0
} else := null

_dsp_01_covered(party) := {"covered": "yes", "why": "a designated covered person", "missing": set()} if {
	count(party.listings["dsp-covered-persons"]) > 0
} else := {"covered": "no", "why": "a company of the United States", "missing": set()} if {
	party.country == "US"
} else := {"covered": "yes", "why": sprintf("a company of %s", [party.country]), "missing": set()} if {
	party.country in input.groups["dsp-countries-of-concern"]
} else := {"covered": "yes", "why": sprintf("whose ultimate parent is in %s", [party.control_country]), "missing": set()} if {
	party.control_country in input.groups["dsp-countries-of-concern"]
} else := {"covered": "yes", "why": sprintf("of which covered persons own %s", [_ear_02_percent(party.held.dsp.surely)]), "missing": set()} if {
	party.held.dsp.surely >= 5000
} else := {"covered": "unknown", "why": "whose owners are not known", "missing": {sprintf("deployment.%s.owners", [party.role])}} if {
	party.held.dsp.perhaps >= 5000
} else := {"covered": "unknown", "why": "whose country is not known", "missing": {sprintf("deployment.%s.country", [party.role])}} if {
	party.country == null
} else := {"covered": "no", "why": "not covered", "missing": set()}

_dsp_01_kind(_) := "data related to the government" if {
	_dsp_01_government
} else := "bulk sensitive data"

_dsp_01_amount(counterparty, categories) := concat(", ", [sprintf("%s: %d, more than %d", [category, _dsp_01_known_sum(counterparty, category), _dsp_01_threshold]) |
	some category in sort(categories)
	_dsp_01_known_sum(counterparty, category) > _dsp_01_threshold
])

_dsp_01_facts(access) := {
	"data.brokerage": input.data.brokerage,
	"data.classes": input.data.classes,
	"data.counts": {category: input.data.counts[category] | some category in _dsp_01_categories},
	"data.dsp_exemption": input.data.dsp_exemption,
	"data.subjects": input.data.subjects,
	"deployment": access.hop.id,
	"deployment.operator": access.hop.deployment.operator,
	"exporter.establishment": input.exporter.establishment,
	"rolling.us_twelve_months": {category: _dsp_01_before(access.counterparty, category) | some category in _dsp_01_categories},
	"counterparty": access.counterparty,
	"lists.dsp-countries-of-concern.as_of": input.lists["dsp-countries-of-concern"],
}
