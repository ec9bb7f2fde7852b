# METADATA
# title: The view
# description: |
#   Turns a call and the catalog into the one view that rules read as their input. Every
#   declared fact exists in it: a value, or null for unknown. Rules read no clock: what
#   depends on the instant is worked out here.
#
#   asked, context, data, exporter, tenant: the groups of the call, as they came.
#   caller, purpose: the same, with every field null (and caller.declared false) when
#     nobody declared them.
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
#   data_security: the tenant's programme, with the ages of its papers in seconds.
#   scope: which bodies of law on personal data the call is in: personal (yes, no or
#     unknown), gdpr, uk and swiss (in, out or unknown), and the same for each country
#     whose law follows its establishments and its people.
#   countries: of the countries that the call mentions: eea, and the conditions of
#     their adequacy decisions by the EU, the UK, Switzerland and Saudi Arabia (null:
#     without condition), and whether India restricts transfers there.
#   state: the list of technologies that the call's state prohibits to its bodies.
#   licences: those that have not expired. lists: each list that was read, by as_of.
#   status: of each rule that has one at the instant.
package policyguard.facts

view := {
	"asked": input.asked,
	"caller": _caller,
	"context": input.context,
	"countries": _countries,
	"data": input.data,
	"data_security": _data_security,
	"embargo": _embargo,
	"exporter": input.exporter,
	"groups": _groups,
	"hops": _hops,
	"licences": _licences,
	"lists": _lists,
	"model": _model,
	"purpose": _purpose,
	"rolling": input.rolling,
	"scope": _scope,
	"state": _state,
	"status": _status,
	"tenant": object.union(input.tenant, {"retention_limit": _retention_limit}),
}

# Ids of replaced entries that this call refers to; to look costs nothing where no
# overlay replaces anything.
replaced := [id | some id in data.catalog.replaced; id in _referred]

# Whole seconds: every instant of catalog and rulebook is one.
_now := floor(time.parse_rfc3339_ns(input.at) / 1000000000)

# Bound outside the loop: a call without an instant has no status, and so no view.
_status := data.policyguard.rulebook.intervals[index] if {
	now := _now
	index := count([boundary | some boundary in data.policyguard.rulebook.boundaries; boundary <= now])
}

# A catalog without one of these lists has no view, and so no answer: a list that is
# not there must not read as a list that names nobody.
_lists := {id: list.as_of | some id, list in data.catalog.lists} if {
	count(_needed_lists - object.keys(data.catalog.lists)) == 0
}

_party_lists := {
	"bis-denied-persons",
	"bis-entity-list",
	"bis-meu",
	"bis-unverified",
	"dod-1260h",
	"dsp-covered-persons",
	"ofac-sdn",
	"texas-prohibited",
}

_country_groups := {
	"bis-d5",
	"bis-e1",
	"bis-e2",
	"dsp-countries-of-concern",
	"itar-126-1",
	"ofac-embargoed",
}

_adequacy_lists := {"eea", "eu-adequacy", "in-restricted", "sa-adequacy", "swiss-adequacy", "uk-adequacy"}

_needed_lists := ((_party_lists | _country_groups) | _adequacy_lists) | {"prc-advanced-ics"}

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
	"country": null,
	"headquarters": null,
	"owners": null,
	"listed": null,
	"annexes": null,
}

_organisation(declared) := _owned_now(declared) if {
	is_object(declared)
} else := _owned_now(input.tenant.organisation) if {
	is_object(input.tenant.organisation)
} else := _no_organisation

# Owners at the instant.
_owned_now(organisation) := object.union(organisation, {"owners": [owner |
	some owner in organisation.owners
	_begun_text(owner.since)
	_goes_on_text(owner.until)
]}) if {
	is_array(organisation.owners)
} else := organisation

_begun_text(since) if since == null

_begun_text(since) if {
	is_string(since)
	_age(since) >= 0
}

_goes_on_text(until) if until == null

_goes_on_text(until) if {
	is_string(until)
	_age(until) < 0
}

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

_data_security := object.union(input.tenant.data_security, {
	"certified_age": _age(input.tenant.data_security.certified),
	"audited_age": _age(input.tenant.data_security.audited),
})

_licences := [licence |
	some licence in input.tenant.licences
	_now < floor(time.parse_rfc3339_ns(licence.expires) / 1000000000)
]

_unknown_model := {
	"id": null,
	"known": false,
	"name": null,
	"family": null,
	"version": null,
	"developer": _no_developer,
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

_model := object.union(entry, {
	"id": input.model,
	"known": true,
	"label": input.model,
	"developer": _developer(entry.developer),
	"lineage": _lineage(entry),
	"access": _access(entry.access_terms),
	"restrictions": [_restriction(restriction) | some restriction in entry.restrictions; _active(restriction)],
}) if {
	entry := data.catalog.models[input.model]
} else := object.union(_unknown_model, {"label": _asked_model})

_asked_model := input.asked.model if {
	is_string(input.asked.model)
} else := "an unknown model"

_restriction(restriction) := object.union(restriction, {"relief": _relief(restriction)})

# The annexes that relieve at this instant.
_relief(restriction) := restriction.relief if {
	is_number(restriction.relief_since)
	restriction.relief_since <= _now
} else := []

_developer(id) := object.union(data.catalog.developers[id], {
	"id": id,
	"listings": {
		"dod-1260h": _listings("dod-1260h", id),
		"texas-prohibited": _listings("texas-prohibited", id),
	},
}) if {
	data.catalog.developers[id]
} else := _no_developer

_no_developer := {
	"id": null,
	"name": null,
	"country": null,
	"parent_country": null,
	"owners": null,
	"listings": {"dod-1260h": [], "texas-prohibited": []},
}

_lineage(entry) := [] if {
	count(_bases([entry])) == 0
} else := [_ancestor(id) | some id in ((first | second) | third)] if {
	first := _bases([entry])
	second := _bases([data.catalog.models[id] | some id in first])
	third := _bases([data.catalog.models[id] | some id in second])
}

_bases(entries) := {id |
	some entry in entries
	is_array(entry.base_models)
	some id in entry.base_models
}

_ancestor(id) := {
	"id": id,
	"base_models": data.catalog.models[id].base_models,
	"developer": _developer(data.catalog.models[id].developer),
	"weights_licence": data.catalog.models[id].weights_licence,
	"licence_terms": data.catalog.models[id].licence_terms,
} if {
	data.catalog.models[id]
} else := {
	"id": id,
	"base_models": null,
	"developer": _no_developer,
	"weights_licence": null,
	"licence_terms": null,
}

# A call without a route has no view: nothing to object to is no permission.
_hops := [_hop(id) | some id in input.route] if count(input.route) > 0

_hop(id) := {
	"id": id,
	"known": true,
	"label": _label(id, deployment),
	"deployment": deployment,
	"parties": [_party(party, role) | some role in ["operator", "host_cloud"]; party := deployment[role]; party != null],
	"contract": contract,
	"terms": _terms(deployment.data_policy, contract),
	"weights": _manifest(_installed(deployment).weights),
	"installed": _installed(deployment),
	"suspensions": [state | some state in deployment.states; _active(state)],
	"places": _places(deployment, contract),
	"gaps": _gaps(deployment),
	"seal": _seal(deployment),
	"chip": _chip(deployment.accelerator),
} if {
	deployment := data.catalog.deployments[id]
	contract := _contract(_recipient(deployment))
} else := {
	"id": id,
	"known": false,
	"label": null,
	"deployment": _no_deployment,
	"parties": [],
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

# The host that was asked for, where the deployment answers there.
_label(id, deployment) := host if {
	host := input.asked.host
	host in deployment.hosts
} else := host if {
	host := deployment.hosts[0]
} else := id

_party(id, role) := {
	"id": id,
	"role": role,
	"name": operator.name,
	"country": operator.country,
	"control_country": operator.control_country,
	"counterparty": _counterparty(operator.parent, id),
	"listings": _all_listings(id),
	"held": _held(id, operator.owners, operator.control_country),
} if {
	operator := data.catalog.operators[id]
} else := {
	"id": id,
	"role": role,
	"name": id,
	"country": null,
	"control_country": null,
	"counterparty": id,
	"listings": _all_listings(id),
	"held": _held(id, null, null),
}

_counterparty(parent, id) := parent if {
	parent != null
} else := id

_all_listings(id) := {list: _listings(list, id) | some list in _party_lists}

# A path with two keys that vary is looked up by `object.get`: as a reference it costs
# the embedded engine five times as much.
_listings(list, party) := [listing |
	some listing in object.get(data.catalog.lists, [list, "parties", party], [])
	_active(listing)
]

_chip(accelerator) := [] if {
	accelerator == null
} else := [listing |
	some listing in data.catalog.lists["prc-advanced-ics"].items[accelerator]
	_active(listing)
]

# Who receives the data: the operator, or the cloud under a host of our own.
_recipient(deployment) := deployment.host_cloud if {
	deployment.mode == "self_hosted"
	deployment.host_cloud != null
} else := deployment.operator

_contract(party) := object.union(contract, {
	"state": "signed",
	"assessed_age": _age(contract.transfer_assessed),
	"dpf_age": _age(object.get(contract, ["dpf", "as_of"], null)),
}) if {
	party != null
	is_array(input.tenant.contracts)
	some contract in input.tenant.contracts
	contract.operator == party
} else := _no_contract if {
	party != null
	is_array(input.tenant.contracts)
} else := _unknown_contract

# In seconds; negative when it lies in the future of the call.
_age(instant) := _now - floor(time.parse_rfc3339_ns(instant) / 1000000000) if {
	is_string(instant)
} else := null

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
_retention_limit := 0 if {
	input.tenant.zero_retention == true
} else := input.tenant.retention_max_days

_unknown_contract := {
	"state": "unknown",
	"operator": null,
	"dpa": null,
	"transfer_tool": null,
	"transfer_assessed": null,
	"assessed_age": null,
	"dpf": null,
	"dpf_age": null,
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
	"assessed_age": null,
	"dpf": null,
	"dpf_age": null,
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

_installed(deployment) := deployment.installed if {
	is_object(deployment.installed)
} else := _no_installation

_no_installation := {"weights": null, "revision": null, "digest": null, "format": null, "remote_code": null}

_manifest(id) := data.catalog.weights[id] if {
	data.catalog.weights[id]
} else := _no_weights

_no_weights := {
	"model": null,
	"repository": null,
	"revision": null,
	"format": null,
	"remote_code": null,
	"files": null,
	"digest": null,
}

# Each country that the data is known to reach, by all that is known of it. `**` is
# every country where the vendor is.
_places(deployment, contract) := sort({country |
	some countries in [
		deployment.processing_countries,
		deployment.storage_countries,
		deployment.remote_access_countries,
		contract.remote_access_countries,
		_anywhere(deployment.processing_scope),
	]
	is_array(countries)
	some country in countries
})

_anywhere(scope) := ["**"] if {
	scope == "global"
} else := []

# What is not known of where a deployment processes and stores. Countries without a
# scope are a habit, not a promise.
_gaps(deployment) := [gap |
	some gap, known in {
		"deployment.processing_scope": deployment.processing_scope != null,
		"deployment.processing_countries": _processing_is_known(deployment),
		"deployment.storage_countries": is_array(deployment.storage_countries),
	}
	known == false
]

_processing_is_known(deployment) if {
	deployment.processing_scope == "fixed"
	count(_list(deployment.processing_countries)) > 0
} else if {
	# The missing scope is named instead.
	deployment.processing_scope == null
	count(_list(deployment.processing_countries)) > 0
} else := false

_list(countries) := countries if {
	is_array(countries)
} else := []

_countries := {country: {
	"eea": count(_listed_conditions("eea", country)) > 0,
	"adequacy": _listed_conditions("eu-adequacy", country),
	"uk": _listed_conditions("uk-adequacy", country),
	"swiss": _listed_conditions("swiss-adequacy", country),
	"saudi": _listed_conditions("sa-adequacy", country),
	"in_restricted": count(_listed_conditions("in-restricted", country)) > 0,
} |
	some country in _mentioned
}

_listed_conditions(list, country) := [entry.condition |
	some entry in data.catalog.lists[list].countries[country]
	_active(entry)
]

_mentioned := (({country | some hop in _hops; some country in hop.places} | {country | country := input.data.subjects[_]}) | {country | country := input.exporter.establishment; country != null}) | {country | some hop in _hops; some party in hop.parties; country := party.control_country; country != null}

_scope := {
	"personal": _personal,
	"gdpr": _gdpr,
	"uk": _by_declaration("GB", _uk_declared),
	"swiss": _by_declaration("CH", _swiss_declared),
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
_personal := "no" if {
	input.data.anonymous_evidence != null
} else := "unknown" if {
	input.data.classes == null
} else := "yes" if {
	some class in input.data.classes
	class in _personal_classes
} else := "no"

_personal_classes := {
	"pii",
	"special_category",
	"health",
	"financial",
	"genomic",
	"biometric",
	"geolocation",
}

# Article 3 GDPR: an establishment in the EEA decides before anything that is declared.
_gdpr := "in" if {
	_countries[input.exporter.establishment].eea
} else := "in" if {
	input.exporter.article_3 in {"establishment", "targeting"}
} else := "out" if {
	input.exporter.article_3 == "none"
} else := "out" if {
	is_string(input.exporter.establishment)
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

_uk_declared := "in" if {
	input.exporter.uk_article_3 in {"establishment", "targeting"}
} else := "out" if {
	input.exporter.uk_article_3 == "none"
} else := null

_swiss_declared := "in" if {
	input.exporter.swiss_effect == true
} else := "out" if {
	input.exporter.swiss_effect == false
} else := null

# Lists of technologies that a state prohibits to its bodies.
_state := {"body": input.context.state_body, "list": object.get(_state_lists, [input.context.state_body], null)}

_state_lists := {"US-TX": "texas-prohibited"}

_active(window) if {
	_has_begun(window.since)
	_goes_on(window.until)
}

_has_begun(since) if since == null

_has_begun(since) if {
	is_number(since)
	since <= _now
}

_goes_on(until) if until == null

_goes_on(until) if {
	is_number(until)
	_now < until
}

_referred := (((object.keys(_lists) | {input.model, _model.developer.id}) | {id | some ancestor in _model.lineage; some id in [ancestor.id, ancestor.developer.id]}) | {id | some hop in _hops; some id in [hop.id, hop.deployment.model, hop.installed.weights]}) | {party.id | some hop in _hops; some party in hop.parties}
