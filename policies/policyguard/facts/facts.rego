# METADATA
# title: The view
# description: |
#   Turns a call and the catalog into the one view that rules read as their input. Every
#   declared fact exists in it: a value, or null for unknown. Rules read no clock: what
#   depends on the instant is worked out here. What depends on the catalog alone is
#   joined when the catalog is compiled (`data.catalog.views`), and only looked up here.
#
#   asked, context, data, exporter, tenant: the groups of the call, as they came.
#   caller, purpose: the same, with every field null (and caller.declared false) when
#     nobody declared them; the organisation with the names of it and its owners that a
#     list has, too (potential), and the facts that were not compared (uncompared).
#   model: the catalog's entry with id, known, label (for messages), developer (an
#     object), lineage (its base models up to three steps back) and restrictions (those
#     that stand at the instant, with the annexes that relieve by then).
#   hops: for each deployment of the route: id, known, label, deployment, parties
#     (operator and host cloud, with their active listings and what listed owners hold
#     of them), contract (with the party that receives the data), weights (the
#     manifest), suspensions, places, gaps, seal (whether what passes it is encrypted
#     so that it is no export), chip (the listings of its accelerator).
#   groups: for each group of countries, those that the call mentions.
#   embargo: where the caller is, as the embargoes have it.
#   rolling: what earlier calls add up to, as it came.
#   chart: what the Country Chart says of the item that is sent, by country; `**` is every
#     other. Empty: it says nothing of it.
#   data_security: the tenant's programme, and whether each of its papers is fresh, stale
#     or ahead of the call.
#   scope: which bodies of law on personal data the call is in: personal (yes, no or
#     unknown), gdpr, uk and swiss (in, out or unknown), and the same for each country
#     whose law follows its establishments and its people.
#   countries: of the countries that the call mentions: eea, and the conditions of
#     their adequacy decisions by the EU, the UK, Switzerland and Saudi Arabia (null:
#     without condition), and whether India restricts transfers there.
#   state: the list of technologies that the call's state prohibits to its bodies.
#   licences: those that have not expired. lists: each list of the catalog, by as_of.
#   stale: the lists that are older than they may be.
#
#   listings are the entries that hold at the instant, by the name of their list, with
#   an empty array for each list of parties that does not name this one.
#   status: of each rule that has one at the instant.
package policyguard.facts

view := {
	"asked": input.asked,
	"caller": _caller,
	"chart": _chart,
	"context": input.context,
	"countries": _countries,
	"data": input.data,
	"data_security": object.union(input.tenant.data_security, {
		"certification": _assessment(input.tenant.data_security.certified),
		"audit": _assessment(input.tenant.data_security.audited),
	}),
	"embargo": _embargo,
	"exporter": input.exporter,
	"groups": _groups,
	"hops": _hops,
	"licences": [licence |
		some licence in input.tenant.licences
		_now < _seconds(licence.expires)
	],
	"lists": _lists,
	"model": _model,
	"purpose": _purpose,
	"rolling": input.rolling,
	"scope": _scope,
	"stale": _at(_views.stale),
	"state": {"body": input.context.state_body, "list": _state_list(input.context.state_body)},
	"status": _status,
	"tenant": object.union(input.tenant, {"retention_limit": _retention_limit(input.tenant)}),
}

# Looked up once: the embedded engine takes a mention of `data` for one of a rule, and
# looks for that rule at each of them.
_views := data.catalog.views

# Ids of replaced entries that this call refers to; to look costs nothing where no
# overlay replaces anything.
replaced := [id | some id in data.catalog.replaced; id in _referred]

# Whole seconds: every instant of catalog and rulebook is one.
_now := floor(time.parse_rfc3339_ns(input.at) / 1000000000)

# Bound outside the loop: a call without an instant has no status, and so no view.
_status := book.intervals[index] if {
	now := _now
	book := data.policyguard.rulebook
	index := count([boundary | some boundary in book.boundaries; boundary <= now])
}

# A catalog without one of these lists has no view, and so no answer: a list that is
# not there must not read as a list that names nobody.
_lists := known if {
	known := _views.lists
	count(_needed_lists - object.keys(known)) == 0
}

_needed_lists := {
	"bis-d5",
	"bis-denied-persons",
	"bis-e1",
	"bis-e2",
	"bis-entity-list",
	"bis-meu",
	"bis-unverified",
	"dod-1260h",
	"dsp-countries-of-concern",
	"dsp-covered-persons",
	"eea",
	"eu-adequacy",
	"in-restricted",
	"itar-126-1",
	"ofac-embargoed",
	"ofac-sdn",
	"prc-advanced-ics",
	"sa-adequacy",
	"swiss-adequacy",
	"texas-prohibited",
	"uk-adequacy",
}

# The value of a view that holds at the instant.
_at(dated) := dated.intervals[count([edge | some edge in dated.boundaries; edge <= _now])]

_no_caller := {
	"declared": false,
	"person_status": null,
	"citizenships": null,
	"latest_citizenship": null,
	"residence": null,
	"location": null,
	"subdivision": null,
}

# A caller that names no other organisation acts for the tenant, if that is known.
_caller := object.union(input.caller, {"declared": true, "organisation": _organisation(input.caller.organisation)}) if {
	is_object(input.caller)
} else := object.union(_no_caller, {"organisation": _organisation(null)})

_no_organisation := {
	"name": null,
	"name_key": null,
	"country": null,
	"headquarters": null,
	"owners": null,
	"listed": null,
	"annexes": null,
	"potential": [],
	"uncompared": set(),
}

_organisation(declared) := _screened(_owned_now(declared)) if {
	is_object(declared)
} else := _screened(_owned_now(input.tenant.organisation)) if {
	is_object(input.tenant.organisation)
} else := _no_organisation

# Owners at the instant; one of whom it cannot be told is one.
_owned_now(organisation) := object.union(organisation, {"owners": [owner |
	some owner in organisation.owners
	not _owns_later(owner)
	not _owned_before(owner)
]}) if {
	is_array(organisation.owners)
} else := organisation

_owns_later(owner) if _now < _seconds(owner.since)

_owned_before(owner) if _seconds(owner.until) <= _now

default _purpose := {
	"kind": null,
	"competes": null,
	"beneficiary_headquarters": null,
	"end_use": null,
	"compute_zettaops": null,
	"publishes": null,
	"compute_share_bp": null,
}

_purpose := input.purpose if is_object(input.purpose)

_unknown_model := {
	"id": null,
	"known": false,
	"name": null,
	"family": null,
	"version": null,
	"names": [],
	"base_models": null,
	"lineage": [],
	"open_weights": null,
	"published": null,
	"weights_licence": null,
	"code_licence": null,
	"notices": [],
	"output_terms": {"competing_training": null, "source": null},
	"access_terms": null,
	"access": _no_access,
	"tuned_on": null,
	"licence_terms": null,
	"documents": {"training_summary": null, "copyright_policy": null, "source": null},
	"systemic_risk": null,
	"restrictions": [],
}

_model := known if {
	known := _at(_views.models[input.model])
	known.access_terms == null
} else := object.union(known, {"access": _access(known.access_terms)}) if {
	known := _at(_views.models[input.model])
} else := object.union(_unknown_model, {"label": _asked_model, "developer": _views.nobody})

_asked_model := input.asked.model if {
	is_string(input.asked.model)
} else := "an unknown model"

# A call without a route has no view: nothing to object to is no permission.
_hops := [_hop(id) | some id in input.route] if count(input.route) > 0

_hop(id) := object.union(object.union(known, _measured(known)), {
	"label": _label(known),
	"contract": contract,
	"terms": _terms(known.deployment.data_policy, contract),
	"places": _places(known.places, contract),
	"seal": _seal(known.deployment),
}) if {
	known := _at(_views.deployments[id])
	contract := _contract(known.recipient)
} else := {
	"id": id,
	"known": false,
	"label": null,
	"deployment": _no_deployment,
	"parties": [],
	"recipient": null,
	"contract": _unknown_contract,
	"terms": {"training": null, "retention_days": null},
	"weights": _no_weights,
	"installed": _no_installation,
	"suspensions": [],
	"places": [],
	"gaps": [],
	"seal": _no_seal,
	"chip": [],
}

# What a call says was measured where the weights are loaded, by the digest of the
# evidence; evidence that the catalog has not, or of another model, leaves them unknown.
_measured(hop) := {"installed": found.installed, "weights": found.weights} if {
	hop.deployment.mode == "self_hosted"
	found := _views.evidence[input.context.weights_evidence]
	found.model == hop.deployment.model
} else := {"installed": _no_installation, "weights": _no_weights} if {
	hop.deployment.mode == "self_hosted"
	is_string(input.context.weights_evidence)
} else := {}

# The host that was asked for, where the deployment answers there.
_label(known) := input.asked.host if {
	input.asked.host in known.deployment.hosts
} else := known.label

_contract(party) := object.union(contract, {
	"state": "signed",
	"assessment": _assessment(contract.transfer_assessed),
	"dpf_check": _assessment(object.get(contract, ["dpf", "as_of"], null)),
}) if {
	party != null
	is_array(input.tenant.contracts)
	some entry in input.tenant.contracts
	entry.operator == party
	contract := _stated(entry)
} else := _no_contract if {
	party != null
	is_array(input.tenant.contracts)
} else := _unknown_contract

# What an entry leaves out is unknown. A hop whose contract is undefined would vanish.
_stated(entry) := object.union(object.union(_unknown_contract, entry), {"dpf": object.union(_unknown_certification, entry.dpf)}) if {
	is_object(entry.dpf)
} else := object.union(_unknown_contract, entry)

_unknown_certification := {"active": null, "hr_data": null, "uk_extension": null, "swiss": null, "as_of": null}

# Of a paper, at the instant: fresh, stale, or ahead of it. Never an age: what rules see
# of the time changes at instants alone, and the memo of decisions relies on that.
_assessment(instant) := null if {
	not is_string(instant)
} else := "ahead" if {
	_now < _seconds(instant)
} else := "fresh" if {
	_now <= _seconds(instant) + _views.lives.assessment
} else := "stale"

_seconds(instant) := floor(time.parse_rfc3339_ns(instant) / 1000000000) if is_string(instant)

# What a contract says counts before what a vendor tells everybody; a vendor's safety
# retention counts, whatever a contract says.
_terms(policy, contract) := {
	"training": _known_or(contract.training, policy.training),
	"retention_days": _retention(policy, _known_or(contract.retention_days, _ordinary_retention(policy))),
}

_known_or(value, other) := other if {
	value == null
} else := value

_ordinary_retention(policy) := 0 if {
	policy.zero_retention == true
} else := policy.retention_days

_retention(policy, days) := null if {
	days == null
} else := max([days, policy.safety_retention_days]) if {
	is_number(policy.safety_retention_days)
} else := days

# The longest that the tenant allows; null: it demands nothing.
_retention_limit(tenant) := 0 if {
	tenant.zero_retention == true
} else := tenant.retention_max_days

_unknown_contract := {
	"state": "unknown",
	"operator": null,
	"dpa": null,
	"transfer_tool": null,
	"transfer_assessed": null,
	"assessment": null,
	"dpf": null,
	"dpf_check": null,
	"local_tools": {"uk": null, "swiss": null, "china": null, "saudi": null},
	"supplementary_measures": null,
	"training": null,
	"retention_days": null,
	"remote_access_countries": null,
	"sub_processors": null,
	"baa": null,
	"us_persons_only": null,
	"onward_transfer_ban": null,
	"dora_clause": null,
	"source": null,
}

_no_contract := {
	"state": "none",
	"operator": null,
	"dpa": false,
	"transfer_tool": "none",
	"transfer_assessed": null,
	"assessment": null,
	"dpf": null,
	"dpf_check": null,
	"local_tools": {"uk": "none", "swiss": "none", "china": "none", "saudi": "none"},
	"supplementary_measures": false,
	"training": null,
	"retention_days": null,
	"remote_access_countries": null,
	"sub_processors": false,
	"baa": false,
	"us_persons_only": false,
	"onward_transfer_ban": false,
	"dora_clause": false,
	"source": null,
}

_no_deployment := {
	"model": null,
	"mode": null,
	"operator": null,
	"host_cloud": null,
	"hosts": [],
	"names": [],
	"inference_profile": null,
	"processing_scope": null,
	"processing_countries": null,
	"storage_countries": null,
	"remote_access_countries": null,
	"accelerator": null,
	"readers": null,
	"sealing": null,
	"data_policy": {"training": null, "retention_days": null, "zero_retention": null, "safety_retention_days": null},
	"states": [],
	"installed": null,
	"price": null,
}

_no_installation := {"weights": null, "revision": null, "digest": null, "format": null, "remote_code": null}

_no_weights := {
	"model": null,
	"repository": null,
	"revision": null,
	"format": null,
	"remote_code": null,
	"files": null,
	"digest": null,
}

# What a contract says of access from afar adds to what the catalog says.
_places(known, contract) := known if {
	count(_list(contract.remote_access_countries)) == 0
} else := sort({place | some places in [known, contract.remote_access_countries]; some place in places})

_list(countries) := countries if {
	is_array(countries)
} else := []

_has_begun(since) if since == null

_has_begun(since) if since <= _now

_countries := {country: _country(country) |
	some country in ((({place | some hop in _hops; some place in hop.places} | {subject | subject := input.data.subjects[_]}) | {place | place := input.exporter.establishment; place != null}) | {place | some hop in _hops; some party in hop.parties; place := party.control_country; place != null})
}

_country(country) := _at(_views.countries[country]) if {
	_views.countries[country]
} else := _views.elsewhere

_scope := {
	"personal": _personal(input.data),
	"gdpr": _gdpr(input.exporter),
	"uk": _by_declaration("GB", _uk_declared(input.exporter)),
	"swiss": _by_declaration("CH", _swiss_declared(input.exporter)),
	"CN": _by_establishment("CN"),
	"IN": _by_people("IN"),
	"RU": _by_people("RU"),
	"SA": _by_people("SA"),
	"missing": [name |
		some name, value in {
			"exporter.establishment": input.exporter.establishment,
			"data.subjects": input.data.subjects,
		}
		value == null
	],
}

# Anonymous data is out of scope if someone can say why it is anonymous; pseudonyms and
# encryption change nothing.
_personal(sent) := "no" if {
	sent.anonymous_evidence != null
} else := "unknown" if {
	sent.classes == null
} else := "yes" if {
	some class in sent.classes
	class in {"pii", "special_category", "health", "financial", "genomic", "biometric", "geolocation"}
} else := "no"

# Article 3 GDPR: an establishment in the EEA decides before anything that is declared.
_gdpr(exporter) := "in" if {
	_countries[exporter.establishment].eea
} else := "in" if {
	exporter.article_3 in {"establishment", "targeting"}
} else := "out" if {
	exporter.article_3 == "none"
} else := "out" if {
	is_string(exporter.establishment)
	_nobody_in_the_eea
} else := "unknown"

# An establishment elsewhere, and nobody whose data is sent is in the EEA.
_nobody_in_the_eea if {
	is_array(input.data.subjects)
	count(input.data.subjects) > 0
	every country in input.data.subjects {
		_countries[country].eea == false
	}
}

# Law that follows an establishment, and reaches further where somebody says so.
_by_declaration(country, declared) := "in" if {
	input.exporter.establishment == country
} else := declared if {
	is_string(declared)
} else := "out" if {
	is_string(input.exporter.establishment)
	is_array(input.data.subjects)
	not country in input.data.subjects
} else := "unknown"

# Law that follows an establishment or the people whom the data is about.
_by_people(country) := "in" if {
	input.exporter.establishment == country
} else := "in" if {
	is_array(input.data.subjects)
	country in input.data.subjects
} else := "out" if {
	is_string(input.exporter.establishment)
	is_array(input.data.subjects)
} else := "unknown"

_by_establishment(country) := "in" if {
	input.exporter.establishment == country
} else := "out" if {
	is_string(input.exporter.establishment)
} else := "unknown"

_uk_declared(exporter) := "in" if {
	exporter.uk_article_3 in {"establishment", "targeting"}
} else := "out" if {
	exporter.uk_article_3 == "none"
} else := null

_swiss_declared(exporter) := "in" if {
	exporter.swiss_effect == true
} else := "out" if {
	exporter.swiss_effect == false
} else := null

# Lists of technologies that a state prohibits to its bodies.
_state_list(state) := "texas-prohibited" if {
	state == "US-TX"
} else := null

_referred := (((object.keys(_lists) | {input.model, _model.developer.id}) | {id | some ancestor in _model.lineage; some id in [ancestor.id, ancestor.developer.id]}) | {id | some hop in _hops; some id in [hop.id, hop.deployment.model, hop.installed.weights]}) | {party.id | some hop in _hops; some party in hop.parties}
