package policyguard.facts_test

import data.policyguard.fixture

_view(asked) := fixture.view_in(asked, data.policyguard.sample.catalog)

# Every fact that a call declares is in the view, though it is null.
test_an_undeclared_caller_has_every_fact_as_null if {
	view := _view(fixture.asking({"caller": null, "tenant": {"organisation": null}}))
	view.caller == object.union(fixture.call.caller, {
		"declared": false,
		"location": null,
		"organisation": _seen(fixture.organisation),
	})
	view.purpose == fixture.call.purpose
}

test_an_undeclared_purpose_has_every_fact_as_null if {
	_view(fixture.asking({"purpose": null})).purpose == object.union(fixture.call.purpose, {"kind": null})
}

test_an_undeclared_organisation_has_every_fact_as_null if {
	view := _view(fixture.asking({"tenant": {"organisation": null}}))
	view.caller.organisation == _seen(fixture.organisation)
	view.caller.declared == true
}

test_a_declared_organisation_is_itself if {
	given := object.union(fixture.organisation, {"name": "Other", "name_key": "other", "annexes": ["x:A"]})
	_view(fixture.asking({"caller": {"organisation": given}})).caller.organisation == _seen(given)
}

test_an_unknown_model_has_the_facts_of_a_known_one if {
	unknown := _view(fixture.asking({"model": null})).model
	known := object.remove(_view(fixture.call).model, ["source", "as_of"])
	object.keys(unknown) == object.keys(known)
	unknown.known == false
	unknown.label == "glm-5.2"
}

test_a_model_that_nobody_named_has_a_label if {
	_view(fixture.asking({"model": null, "asked": {"model": null}})).model.label == "an unknown model"
}

test_an_unknown_hop_has_the_facts_of_a_known_one if {
	view := _view(fixture.asking({"route": ["glm-5.2@api.scaleway.ai", null, "glm-5.2@fra-1"]}))
	[known, unknown, ours] := view.hops
	object.keys(unknown) == object.keys(known)
	object.keys(unknown.deployment) == object.keys(object.remove(known.deployment, ["source", "as_of"]))
	object.keys(unknown.weights) == object.keys(object.remove(ours.weights, ["source", "as_of"]))
	object.keys(unknown.installed) == object.keys(ours.installed)
	[known.known, unknown.known] == [true, false]
}

test_a_contract_has_the_same_facts_whether_unknown_absent_or_signed if {
	papers := [null, [], [fixture.contract("scaleway", {"dpa": true})]]
	contracts := [_view(fixture.asking({"tenant": {"contracts": paper}})).hops[0].contract | some paper in papers]
	[contract.state | some contract in contracts] == ["unknown", "none", "signed"]
	{object.keys(contract) | some contract in contracts} == {object.keys(contracts[0])}
	[contract.dpa | some contract in contracts] == [null, false, true]
}

test_the_label_is_the_host_that_was_asked_for if {
	_view(fixture.asking_at("claude-fable-5@bedrock-eu", {})).hops[0].label == "bedrock-runtime.eu-central-1.amazonaws.com"
}

test_the_label_is_the_first_host_when_another_was_asked_for if {
	_view(fixture.asking({"asked": {"host": "elsewhere.example"}})).hops[0].label == "api.scaleway.ai"
}

test_a_deployment_without_hosts_is_labelled_by_its_id if {
	known := object.union(data.policyguard.sample.catalog, {"deployments": {"glm-5.2@fra-1": {"hosts": []}}})
	view := fixture.view_in(fixture.asking({"route": ["glm-5.2@fra-1"]}), known)
	view.hops[0].label == "glm-5.2@fra-1"
}

test_the_cloud_under_our_own_host_is_who_receives if {
	known := object.union(data.policyguard.sample.catalog, {"deployments": {"glm-5.2@fra-1": {"host_cloud": "baseten"}}})
	asked := fixture.asking({
		"route": ["glm-5.2@fra-1"],
		"tenant": {"contracts": [fixture.contract("baseten", {})]},
	})
	view := fixture.view_in(asked, known)
	view.hops[0].contract.operator == "baseten"
	[[party.id, party.role] | some party in view.hops[0].parties] == [["acme", "operator"], ["baseten", "host_cloud"]]
}

test_lineage_goes_back_three_steps if {
	[base.id | some base in _view(fixture.asking({"model": "tuned-1"})).model.lineage] == ["kimi-k2", "kimi-k2.5"]
}

test_an_ancestor_that_the_catalog_does_not_have_is_unknown if {
	known := object.union(data.policyguard.sample.catalog, {"models": {"glm-5.2": {"base_models": ["lost-1"]}}})
	view := fixture.view_in(fixture.call, known)
	view.model.lineage == [{
		"id": "lost-1",
		"base_models": null,
		"developer": fixture.view_in(fixture.asking({"model": null}), known).model.developer,
		"weights_licence": null,
		"licence_terms": null,
	}]
}

test_a_status_is_that_of_the_second if {
	statuses := [object.get(_view(fixture.asking({"at": at})).status, "GDPR-01", null) |
		some at in ["2018-05-24T23:59:59.999999Z", "2018-05-25T00:00:00Z"]
	]
	statuses == [null, {"status": "in_force", "verified": false}]
}

test_the_last_microsecond_before_a_second_is_before_it if {
	_view(fixture.asking({"at": "2026-06-12T21:20:59.999999Z"})).status["FACT-01"]
	not _view(fixture.asking({"at": "2026-06-12T21:20:59.999999Z"})).status["EAR-07"]
	_view(fixture.asking({"at": "2026-06-12T21:21:00.000001Z"})).status["EAR-07"]
}

test_a_catalog_without_a_list_has_no_view if {
	every list in [
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
	] {
		lists := object.remove(data.policyguard.sample.catalog.lists, [list])
		known := object.union(object.remove(data.policyguard.sample.catalog, ["lists"]), {"lists": lists})
		views := [view | view := fixture.view_in(fixture.call, known)]
		views == []
	}
}

# The view of a call whose catalog has other views besides.
_view_with(asked, views) := view if {
	known := object.union(fixture.compiled(data.policyguard.sample.catalog, asked), {"views": views})
	view := data.policyguard.facts.view with input as asked with data.catalog as known
}

test_of_a_dated_view_the_value_at_the_instant_counts if {
	at := 1783684800
	_view_with(fixture.call, {"stale": {"boundaries": [at - 9, at, at + 1, at + 2], "intervals": [["a"], ["b"], ["c"], ["d"], ["e"]]}}).stale == ["c"]
}

test_a_licence_counts_until_before_it_expires if {
	licences := [fixture.licence({"id": at, "expires": at}) |
		some at in ["2026-07-10T11:59:59Z", "2026-07-10T12:00:00Z", "2026-07-10T12:00:01Z", "2027-01-01T00:00:00Z"]
	]
	[licence.id | some licence in _view(fixture.asking({"tenant": {"licences": licences}})).licences] == ["2026-07-10T12:00:01Z", "2027-01-01T00:00:00Z"]
}

test_a_call_without_a_route_has_no_view if {
	[view | view := _view(fixture.asking({"route": []}))] == []
}

test_the_label_is_any_host_of_the_deployment_that_was_asked_for if {
	known := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"hosts": ["api.scaleway.ai", "b.example"]})
	fixture.view_in(fixture.asking({"asked": {"host": "b.example"}}), known).hops[0].label == "b.example"
}

test_weights_are_what_was_measured_where_they_are_loaded if {
	found := {"model": "glm-5.2", "installed": {"format": "gguf"}, "weights": {"files": 3}}
	evidence := {"evidence": {"ours": found, "another's": object.union(found, {"model": "kimi-k2"})}}
	[[hop.installed.format, hop.weights.files, hop.installed.weights] |
		some [deployment, digest] in [
			["glm-5.2@fra-1", "ours"],
			["glm-5.2@fra-1", "another's"],
			["glm-5.2@fra-1", "lost"],
			["glm-5.2@fra-1", null],
			["glm-5.2@us", "ours"],
			["glm-5.2@us", "lost"],
		]
		asked := fixture.asking_at(deployment, {"context": {"weights_evidence": digest}})
		hop := _view_with(asked, evidence).hops[0]
	] == [
		["gguf", 3, "glm-5.2-acme"],
		[null, null, null],
		[null, null, null],
		["safetensors", null, "glm-5.2-acme"],
		[null, null, null],
		[null, null, null],
	]
}

test_the_contract_is_the_one_with_who_receives if {
	signed := [fixture.contract("openai", {"dpa": false}), fixture.contract("scaleway", {"dpa": true})]
	nobody := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"operator": null})
	every told in [
		[signed, data.policyguard.sample.catalog, ["signed", "scaleway", true]],
		[[signed[0]], data.policyguard.sample.catalog, ["none", null, false]],
		[null, data.policyguard.sample.catalog, ["unknown", null, null]],
		[signed, nobody, ["unknown", null, null]],
	] {
		hop := fixture.view_in(fixture.asking({"tenant": {"contracts": told[0]}}), told[1]).hops[0]
		hop.known == true
		[hop.contract.state, hop.contract.operator, hop.contract.dpa] == told[2]
	}
}

test_who_has_no_contract_has_nothing_in_it if {
	contract := _view(fixture.asking({"tenant": {"contracts": []}})).hops[0].contract
	{name: value | some name, value in contract; value != null} == {
		"state": "none",
		"dpa": false,
		"transfer_tool": "none",
		"local_tools": {"uk": "none", "swiss": "none", "china": "none", "saudi": "none"},
		"supplementary_measures": false,
		"sub_processors": false,
		"baa": false,
		"us_persons_only": false,
		"onward_transfer_ban": false,
		"dora_clause": false,
	}
}

test_an_assessment_is_fresh_for_a_year_from_its_second if {
	[_view(fixture.asking({"tenant": {"contracts": [fixture.contract("scaleway", {"transfer_assessed": at})]}})).hops[0].contract.assessment |
		some at in [null, "2025-07-10T11:59:59Z", "2025-07-10T12:00:00Z", "2026-07-10T12:00:00Z", "2026-07-10T12:00:01Z"]
	] == [null, "stale", "fresh", "fresh", "ahead"]
	looked := fixture.contract("scaleway", {"dpf": {"active": true, "as_of": "2025-07-10T11:59:59Z"}})
	_view(fixture.asking({"tenant": {"contracts": [looked]}})).hops[0].contract.dpf_check == "stale"
}

test_terms_of_access_count_from_their_second_and_always_where_they_name_none if {
	[fixture.view_in(asked, known).model.access.headquarters |
		some since in [null, 1783684799, 1783684800, 1783684801]
		known := fixture.catalog_with("models", "claude-fable-5", {"access_terms": {"since": since}})
		asked := fixture.asking_at("claude-fable-5@bedrock-eu", {"caller": {"organisation": object.union(fixture.ours, {"headquarters": "CN"})}})
	] == ["unsupported", "unsupported", "unsupported", "supported"]
	_view(fixture.call).model.access == {"caller": "supported", "headquarters": "supported", "held_bp": 0, "missing": []}
}

test_a_contract_adds_the_countries_from_which_it_allows_access if {
	[_view(fixture.asking({"tenant": {"contracts": [fixture.contract("scaleway", {"remote_access_countries": countries})]}})).hops[0].places |
		some countries in [null, [], ["IN", "DE"]]
	] == [["FR"], ["FR"], ["DE", "FR", "IN"]]
}

test_every_country_that_the_call_mentions_is_looked_up if {
	known := object.union(
		fixture.catalog_with("deployments", "glm-5.2@us", {"processing_countries": ["US", "IN"], "host_cloud": "openai"}),
		{"operators": {"baseten": {"control_country": "CN"}, "openai": {"control_country": "GB"}, "scaleway": {"control_country": null}}},
	)
	asked := fixture.asking({
		"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@us"],
		"data": {"subjects": ["BR", "XX"]},
		"exporter": {"establishment": "CH"},
	})
	view := fixture.view_in(asked, known)
	object.keys(view.countries) == {"BR", "CH", "CN", "FR", "GB", "IN", "US", "XX"}
	view.countries.FR.eea == true
	view.countries.XX == fixture.compiled(known, asked).views.elsewhere
	nowhere := fixture.view_in(object.union(asked, {"exporter": {"establishment": null}}), known)
	object.keys(nowhere.countries) == {"BR", "CN", "FR", "GB", "IN", "US", "XX"}
}

test_every_entry_that_the_call_refers_to_is_looked_for_among_the_replaced if {
	asked := fixture.asking_at("tuned-1@us", {"route": ["tuned-1@us", "glm-5.2@fra-1"]})
	cloud := fixture.catalog_with("deployments", "glm-5.2@fra-1", {"host_cloud": "aws-bedrock"})
	ids := {"tuned-1", "labs", "kimi-k2", "kimi-k2.5", "moonshot", "tuned-1@us", "glm-5.2@fra-1", "glm-5.2", "glm-5.2-acme", "baseten", "acme", "aws-bedrock"}
	known := object.union(cloud, {"replaced": sort(ids | {"openai"})})
	found := data.policyguard.facts.replaced with input as asked with data.catalog as fixture.compiled(known, asked)
	{id | some id in found} == ids

	# The model that was asked for, though a host has another.
	other := fixture.asking({"model": "gpt-5.5"})
	views := fixture.compiled(object.union(data.policyguard.sample.catalog, {"replaced": ["gpt-5.5"]}), other)
	again := data.policyguard.facts.replaced with input as other with data.catalog as views
	again == ["gpt-5.5"]
}

test_replaced_entries_that_the_call_refers_to_are_listed if {
	ids := ["eea", "glm-5", "glm-5.2@api.scaleway.ai", "kimi-k2", "scaleway", "zhipu"]
	known := object.union(data.policyguard.sample.catalog, {"replaced": ids})
	views := fixture.compiled(known, fixture.call)
	found := data.policyguard.facts.replaced with input as fixture.call with data.catalog as views
	found == ["eea", "glm-5", "glm-5.2@api.scaleway.ai", "scaleway", "zhipu"]
}

test_a_caller_that_names_no_organisation_acts_for_the_tenant if {
	ours := fixture.ours
	theirs := object.union(fixture.organisation, {"name": "Other", "name_key": "other"})
	own := {"tenant": {"organisation": ours}}
	_view(fixture.asking(own)).caller.organisation == _seen(ours)
	_view(fixture.asking(object.union(own, {"caller": {"organisation": theirs}}))).caller.organisation == _seen(theirs)
	_view(fixture.asking(object.union(own, {"caller": null}))).caller.organisation == _seen(ours)
}

test_owners_of_an_organisation_are_those_of_the_instant if {
	owner := data.policyguard.sample.blank_owner
	owners := [
		object.union(owner, {"name": "always"}),
		object.union(owner, {"name": "from now", "since": "2026-07-10T12:00:00Z"}),
		object.union(owner, {"name": "not yet", "since": "2026-07-10T12:00:01Z"}),
		object.union(owner, {"name": "still", "until": "2026-07-10T12:00:01Z"}),
		object.union(owner, {"name": "no more", "until": "2026-07-10T12:00:00Z"}),
	]
	asked := fixture.asking({"caller": {"organisation": object.union(fixture.organisation, {"owners": owners})}})
	[entry.name | some entry in _view(asked).caller.organisation.owners] == ["always", "from now", "still"]
}

test_an_operator_that_the_catalog_does_not_have_is_unknown if {
	known := fixture.catalog_with("deployments", "glm-5.2@us", {"operator": "lost"})
	view := fixture.view_in(fixture.asking_at("glm-5.2@us", {}), known)
	[party] := view.hops[0].parties
	object.keys(party) == object.keys(_view(fixture.call).hops[0].parties[0])
	[party.name, party.country, party.held.bis.perhaps] == ["lost", null, 10000]
}

test_the_chip_is_listed_from_the_day_of_the_guidance if {
	known := fixture.catalog_with("deployments", "glm-5.2@fra-1", {"accelerator": "ascend-910b"})
	[count(view.hops[0].chip) |
		some at in ["2025-05-12T23:59:59Z", "2025-05-13T00:00:00Z"]
		view := fixture.view_in(fixture.asking_at("glm-5.2@fra-1", {"at": at}), known)
	] == [0, 1]
}

_scope(patch) := _view(fixture.asking(patch)).scope

test_personal_data_is_what_its_classes_say if {
	_scope({"data": {"classes": ["none"]}}).personal == "no"
	every class in ["pii", "special_category", "health", "financial", "genomic", "biometric", "geolocation"] {
		_scope({"data": {"classes": ["technical", class]}}).personal == "yes"
	}
	_scope({"data": {"classes": null}}).personal == "unknown"
	_scope({"data": {"classes": ["pii"], "anonymous_evidence": "report 7"}}).personal == "no"
}

test_the_uk_and_switzerland_follow_their_establishment_or_what_is_declared if {
	_scope({"exporter": {"establishment": "GB"}}).uk == "in"
	_scope({"exporter": {"establishment": "CH"}}).swiss == "in"
	_scope({"exporter": {"uk_article_3": "targeting", "swiss_effect": true}}).uk == "in"
	_scope({"exporter": {"uk_article_3": "establishment"}}).uk == "in"
	_scope({"exporter": {"establishment": null}}).uk == "unknown"
	_scope({"data": {"subjects": null}}).uk == "unknown"
	_scope({"exporter": {"uk_article_3": "targeting", "swiss_effect": true}}).swiss == "in"
	_scope({"data": {"subjects": ["CH", "GB"]}}).uk == "unknown"
	_scope({"data": {"subjects": ["CH", "GB"]}}).swiss == "unknown"
	_scope({"data": {"subjects": ["GB"]}, "exporter": {"uk_article_3": "none"}}).uk == "out"
	_scope({"data": {"subjects": ["CH"]}, "exporter": {"swiss_effect": false}}).swiss == "out"
	_scope({}).uk == "out"
	_scope({}).swiss == "out"
}

test_the_gdpr_follows_an_establishment_in_the_eea_or_what_is_declared_or_the_people if {
	[_scope({"exporter": {"establishment": establishment, "article_3": declared}, "data": {"subjects": subjects}}).gdpr |
		some [establishment, declared, subjects] in [
			["DE", "none", ["US"]],
			["US", "establishment", ["US"]],
			["US", "targeting", ["US"]],
			[null, "targeting", ["US"]],
			["US", "none", ["DE"]],
			["US", null, ["US"]],
			["US", null, ["US", "DE"]],
			["US", null, []],
			["US", null, null],
			[null, null, ["US"]],
		]
	] == ["in", "in", "in", "in", "out", "out", "unknown", "unknown", "unknown", "unknown"]
}

test_other_law_follows_establishments_and_people if {
	every country in ["IN", "RU", "SA"] {
		_scope({"exporter": {"establishment": country}})[country] == "in"
		_scope({"data": {"subjects": [country]}})[country] == "in"
		_scope({"data": {"subjects": null}})[country] == "unknown"
		_scope({"exporter": {"establishment": null}})[country] == "unknown"
		_scope({})[country] == "out"
	}
}

test_the_law_of_china_follows_establishments_alone if {
	_scope({"exporter": {"establishment": "CN"}}).CN == "in"
	_scope({"exporter": {"establishment": null}}).CN == "unknown"
	_scope({"data": {"subjects": ["CN"]}}).CN == "out"
}

test_what_a_scope_misses_is_named if {
	{name | some name in _scope({"data": {"subjects": null}, "exporter": {"establishment": null}}).missing} == {
		"data.subjects",
		"exporter.establishment",
	}
}

_terms(papers, policy) := view.hops[0].terms if {
	known := fixture.catalog_with("deployments", "glm-5.2@api.scaleway.ai", {"data_policy": policy})
	asked := fixture.asking({"tenant": {"contracts": [fixture.contract("scaleway", papers)]}})
	view := fixture.view_in(asked, known)
}

test_a_contract_counts_before_public_terms_and_safety_retention_before_both if {
	_terms({}, {}) == {"training": null, "retention_days": null}
	_terms({}, {"training": true, "retention_days": 30}) == {"training": true, "retention_days": 30}
	_terms({"training": false, "retention_days": 7}, {"training": true, "retention_days": 30}) == {
		"training": false,
		"retention_days": 7,
	}
	_terms({}, {"zero_retention": true, "retention_days": 30}).retention_days == 0
	[_terms({"retention_days": days}, {"safety_retention_days": 30}).retention_days | some days in [0, 40]] == [30, 40]
}

test_the_stricter_of_two_demands_on_retention_counts if {
	limits := [_view(fixture.asking({"tenant": tenant})).tenant.retention_limit |
		some tenant in [{}, {"retention_max_days": 30}, {"zero_retention": true, "retention_max_days": 30}]
	]
	limits == [null, 30, 0]
}

test_a_state_has_a_list_or_none if {
	[_view(fixture.asking({"context": {"state_body": body}})).state.list | some body in ["US-TX", "US-VA", "none", null]] == [
		"texas-prohibited",
		null,
		null,
		null,
	]
}
