# Whether a question is whole: each declared fact is there, of its type, and one of its words.
package policyguard.facts

# The guard writes whole questions alone. Whoever asks OPA or an engine without it is held
# to the same here, once, so that no rule has to ask what `1` means where `true` belongs: a
# rule that compares it would fall silent, and silence must mean that it does not object.
# What an entry of contracts, licences or owners leaves out is unknown instead; other facts
# that nobody declares.

# The question is whole. Decisions ask this alone.
whole if {
	_route_is_whole
	_data_is_whole
	_purpose_is_whole
	_caller_is_whole
	_organisation_is_whole
	_tenant_is_whole
	_contracts_are_whole
	_licences_are_whole
}

# The parts that are not, for whoever wants to know why no rule was asked.
not_whole contains "asked, context, exporter, model, route" if not _route_is_whole

not_whole contains "data, rolling" if not _data_is_whole

not_whole contains "purpose" if not _purpose_is_whole

not_whole contains "caller" if not _caller_is_whole

not_whole contains "caller.organisation, tenant.organisation" if not _organisation_is_whole

not_whole contains "tenant" if not _tenant_is_whole

not_whole contains "tenant.contracts" if not _contracts_are_whole

not_whole contains "tenant.licences" if not _licences_are_whole

_route_is_whole if {
	_now >= 0
	is_array(input.approvals)
	is_array(input.route)
	count([odd | some odd in input.route; not type_name(odd) in {"null", "string"}]) == 0
	type_name(input.model) in {"null", "string"}
	type_name(input.asked.model) in {"null", "string"}
	type_name(input.asked.host) in {"null", "string"}
	input.asked.opaque in {true, false}
	context := input.context
	context.dod_contract in {null, true, false}
	context.dod_tier in {null, "direct", "indirect"}
	context.gsa_schedule in {null, true, false}
	context.eu_market in {null, true, false}
	type_name(context.state_body) in {"null", "string"}
	type_name(context.weights_evidence) in {"null", "string"}
	exporter := input.exporter
	type_name(exporter.establishment) in {"null", "string"}
	exporter.article_3 in {null, "establishment", "targeting", "none"}
	exporter.uk_article_3 in {null, "establishment", "targeting", "none"}
	exporter.swiss_effect in {null, true, false}
}

_purpose_is_whole if input.purpose == null

_purpose_is_whole if {
	purpose := input.purpose
	purpose.kind in {"inference", "embed", "fine_tune", "train", "distil", "evaluate"}
	purpose.competes in {null, true, false}
	purpose.publishes in {null, true, false}
	purpose.end_use in {null, "civil", "military", "military_intelligence", "wmd"}
	type_name(purpose.beneficiary_headquarters) in {"null", "string"}
	type_name(purpose.compute_zettaops) in {"null", "number"}
	type_name(purpose.compute_share_bp) in {"null", "number"}
}

_caller_is_whole if input.caller == null

_caller_is_whole if {
	caller := input.caller
	caller.person_status in {null, "us_citizen", "us_lpr", "us_protected", "foreign"}
	type_name(caller.latest_citizenship) in {"null", "string"}
	type_name(caller.residence) in {"null", "string"}
	type_name(caller.location) in {"null", "string"}
	type_name(caller.subdivision) in {"null", "string"}
	type_name(caller.citizenships) in {"null", "array"}
	count([odd | odd := caller.citizenships[_]; not is_string(odd)]) == 0
	type_name(caller.organisation) in {"null", "object"}
}

# Of the one that the caller acts for; no rule sees another.
_organisation_is_whole if {
	type_name(input.tenant.organisation) in {"null", "object"}
	_acts_for == null
}

_organisation_is_whole if {
	type_name(input.tenant.organisation) in {"null", "object"}
	organisation := _acts_for
	is_string(organisation.name)
	type_name(organisation.country) in {"null", "string"}
	type_name(organisation.headquarters) in {"null", "string"}
	type_name(organisation.listed) in {"null", "array"}
	type_name(organisation.annexes) in {"null", "array"}
	type_name(organisation.owners) in {"null", "array"}
	every owner in _list(organisation.owners) {
		is_string(owner.name)
		type_name(owner.country) in {"null", "string"}
		type_name(owner.since) in {"null", "string"}
		type_name(owner.until) in {"null", "string"}
		type_name(owner.share_bp) in {"null", "number"}
		type_name(owner.listed) in {"null", "array"}
	}
	texts := [organisation.listed, organisation.annexes, [text | text := organisation.owners[_].listed[_]]]
	count([odd | odd := texts[_][_]; not is_string(odd)]) == 0
}

_acts_for := input.caller.organisation if {
	is_object(input.caller.organisation)
} else := input.tenant.organisation

_data_is_whole if {
	sent := input.data
	type_name(sent.classes) in {"null", "array"}
	type_name(sent.undeclared) in {"null", "array"}
	type_name(sent.subjects) in {"null", "array"}
	type_name(sent.citizenships) in {"null", "array"}
	type_name(sent.ear.no_licence_countries) in {"null", "array"}
	sent.classes != []
	lists := [sent.classes, sent.undeclared]
	count({class | class := lists[_][_]} - {
		"none",
		"public",
		"confidential",
		"pii",
		"special_category",
		"health",
		"financial",
		"genomic",
		"omic",
		"biometric",
		"geolocation",
		"government_related",
		"source_code",
		"technical",
	}) == 0
	countries := [sent.subjects, sent.citizenships, sent.ear.no_licence_countries]
	count([odd | odd := countries[_][_]; not is_string(odd)]) == 0
	type_name(sent.anonymous_evidence) in {"null", "string"}
	type_name(sent.ear.classification) in {"null", "string"}
	type_name(sent.ear.evidence) in {"null", "string"}
	type_name(sent.ear.exception) in {"null", "string"}
	type_name(sent.persons) in {"null", "number"}
	_counts_are_whole(sent.counts)
	sent.ear.us_origin in {null, true, false}
	sent.brokerage in {null, true, false}
	sent.employment in {null, true, false}
	sent.collection_at_source in {null, true, false}
	sent.direct_from_subject in {true, false}
	sent.important_data in {null, true, false}
	sent.itar in {null, true, false}
	sent.china_exemption in {null, "transit", "contract", "employment", "emergency"}
	sent.ofac_exemption in {null, "personal_communications", "information", "travel"}
	sent.dsp_exemption in {
		null,
		"personal_communications",
		"information",
		"travel",
		"official_business",
		"financial_services",
		"corporate_group",
		"required_by_law",
		"investment_agreement",
		"telecommunications",
		"drug_authorisation",
		"clinical_investigation",
	}
	type_name(input.rolling.us_twelve_months) in {"null", "array"}
	count([odd | odd := input.rolling.us_twelve_months[_]; not _months_are_whole(odd)]) == 0
	_people_are_whole(input.rolling.china_since_january)
}

_counts_are_whole(counts) if {
	type_name(counts.genomic) in {"null", "number"}
	type_name(counts.omic) in {"null", "number"}
	type_name(counts.biometric) in {"null", "number"}
	type_name(counts.geolocation) in {"null", "number"}
	type_name(counts.health) in {"null", "number"}
	type_name(counts.financial) in {"null", "number"}
	type_name(counts.pii) in {"null", "number"}
}

_months_are_whole(entry) if {
	is_string(entry.counterparty)
	_counts_are_whole(entry.counts)
}

_people_are_whole(people) if {
	people == null
} else if {
	type_name(people.persons) in {"null", "number"}
	type_name(people.sensitive) in {"null", "number"}
}

_tenant_is_whole if {
	tenant := input.tenant
	is_string(tenant.id)
	tenant.profile in {"balanced", "strict"}
	tenant.zero_retention in {true, false}
	type_name(tenant.retention_max_days) in {"null", "number"}
	_residency_is_whole(tenant.residency_allowed)
	type_name(tenant.sectors) in {"null", "array"}
	count({sector | sector := tenant.sectors[_]} - {"financial_eu", "hipaa", "ciio_cn", "payments_in"}) == 0
	is_array(tenant.assumed)
	type_name(tenant.product.attributions) in {"null", "array"}
	names := [tenant.assumed, tenant.product.attributions]
	count([odd | odd := names[_][_]; not is_string(odd)]) == 0
	type_name(tenant.product.monthly_active_users) in {"null", "number"}
	type_name(tenant.product.monthly_revenue_usd) in {"null", "number"}
	type_name(tenant.product.users_at_release) in {"null", "number"}
	tenant.product.resells in {null, true, false}
	tenant.data_security.requirements in {null, true, false}
	type_name(tenant.data_security.certified) in {"null", "string"}
	type_name(tenant.data_security.audited) in {"null", "string"}
}

_residency_is_whole(allowed) if {
	allowed == "anywhere"
} else if {
	is_array(allowed)
	count([odd | some odd in allowed; not is_string(odd)]) == 0
}

# Those with whom the route goes to, as rules see them: no other is read. Here a hop that
# were undefined would be missed.
_contracts_are_whole if {
	type_name(input.tenant.contracts) in {"null", "array"}
	every contract in _list(input.tenant.contracts) {
		is_string(contract.operator)
	}
	count(_hops) == count(input.route)
	every hop in _hops {
		_contract_is_whole(hop.contract)
	}
}

_contract_is_whole(contract) if {
	contract.state != "signed"
} else if {
	contract.dpa in {null, true, false}
	contract.transfer_tool in {null, "none", "scc", "bcr", "dpf", "idta", "addendum", "derogation"}
	contract.supplementary_measures in {null, true, false}
	contract.training in {null, true, false}
	contract.sub_processors in {null, true, false}
	contract.baa in {null, true, false}
	contract.us_persons_only in {null, true, false}
	contract.onward_transfer_ban in {null, true, false}
	contract.dora_clause in {null, true, false}
	type_name(contract.retention_days) in {"null", "number"}
	type_name(contract.source) in {"null", "string"}
	type_name(contract.transfer_assessed) in {"null", "string"}
	type_name(contract.remote_access_countries) in {"null", "array"}
	count([odd | odd := contract.remote_access_countries[_]; not is_string(odd)]) == 0
	contract.local_tools.uk in {null, "none", "idta", "addendum", "bcr", "derogation"}
	contract.local_tools.swiss in {null, "none", "scc", "bcr", "derogation"}
	contract.local_tools.china in {null, "none", "standard_contract", "certification", "security_assessment"}
	contract.local_tools.saudi in {null, "none", "scc", "bcr"}
	_certification_is_whole(contract.dpf)
}

_certification_is_whole(certification) if {
	certification == null
} else if {
	certification.active in {true, false}
	certification.hr_data in {null, true, false}
	certification.uk_extension in {null, true, false}
	certification.swiss in {null, true, false}
	type_name(certification.as_of) in {"null", "string"}
}

_licences_are_whole if {
	is_array(input.tenant.licences)
	every licence in input.tenant.licences {
		is_string(licence.id)
		is_string(licence.expires)
		licence.authority in {"BIS", "DDTC", "OFAC", "DoD", "state", "other"}
		covered := [licence.operators, licence.models, licence.classifications, licence.countries, licence.persons]
		count([odd | some odd in covered; not is_array(odd)]) == 0
		count([odd | odd := covered[_][_]; not is_string(odd)]) == 0
	}
}
