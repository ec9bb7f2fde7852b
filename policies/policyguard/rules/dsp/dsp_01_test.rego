package policyguard.rules_test

import data.policyguard.fixture

# Data of people in the United States that a company there sends to a company in China.
_dsp_01_sent(classes, counts, patch) := fixture.asking_at("glm-5.2@open.bigmodel.cn", object.union(
	{
		"exporter": {"establishment": "US"},
		"caller": {"location": "US", "person_status": "us_citizen"},
		"data": {"classes": classes, "subjects": ["US"], "counts": counts, "brokerage": false},
		"rolling": {"us_twelve_months": []},
	},
	patch,
))

_dsp_01_earlier(counterparty, counts) := {"rolling": {"us_twelve_months": [{"counterparty": counterparty, "counts": object.union(
	{"genomic": 0, "omic": 0, "biometric": 0, "geolocation": 0, "health": 0, "financial": 0, "pii": 0},
	counts,
)}]}}

_dsp_01_of_genomes(number, patch) := fixture.effects("DSP-01", _dsp_01_sent(["genomic"], {"genomic": number}, patch))

test_dsp_01_bulk_genomes_to_a_covered_person_are_denied if {
	[finding] := [found |
		some found in fixture.of("DSP-01", _dsp_01_sent(["genomic"], {"genomic": 101}, {}))
		contains(found.msg, "Zhipu")
	]
	finding == {
		"id": "DSP-01",
		"effect": "deny",
		"msg": "glm-5.2 at open.bigmodel.cn would give Zhipu BigModel, a company of CN, access to bulk human 'omic data of US persons (genomic: 101, more than 100)",
		"facts": {
			"data.brokerage": false,
			"data.classes": ["genomic"],
			"data.counts": {"genomic": 101},
			"data.dsp_exemption": null,
			"data.subjects": ["US"],
			"deployment": "glm-5.2@open.bigmodel.cn",
			"deployment.operator": "zhipu-bigmodel",
			"exporter.establishment": "US",
			"rolling.us_twelve_months": {"genomic": 0},
			"counterparty": "zhipu-bigmodel",
			"lists.dsp-countries-of-concern.as_of": "2026-06-18",
		},
		"missing": [],
		"remedy": "a deployment that no covered person can reach, as weights hosted by yourself",
	}
}

# More than the number, not the number.
test_dsp_01_bulk_is_more_than_the_number if {
	[_dsp_01_of_genomes(number, {}) | some number in [100, 101]] == [set(), {"deny"}]
	[fixture.effects("DSP-01", _dsp_01_sent(["omic"], {"omic": number}, {})) | some number in [1000, 1001]] == [set(), {"deny"}]
}

# Twelve months add up, for each counterparty on its own.
test_dsp_01_earlier_calls_to_the_same_counterparty_add_up if {
	[_dsp_01_of_genomes(1, _dsp_01_earlier(counterparty, {"genomic": before})) |
		some [counterparty, before] in [["zhipu-bigmodel", 99], ["zhipu-bigmodel", 100], ["lion-cloud", 100]]
	] == [set(), {"deny"}, set()]
}

test_dsp_01_data_of_several_categories_counts_by_the_lowest_number if {
	[fixture.effects("DSP-01", _dsp_01_sent(["genomic", "omic"], {"genomic": 0, "omic": number}, {})) |
		some number in [100, 101]
	] == [set(), {"deny"}]
}

test_dsp_01_other_data_beside_it_is_not_counted if {
	every finding in fixture.of("DSP-01", _dsp_01_sent(["genomic", "technical"], {"genomic": 101}, {})) {
		finding.facts["rolling.us_twelve_months"] == {"genomic": 0}
	}
}

test_dsp_01_pseudonyms_and_encryption_change_nothing if {
	asked := _dsp_01_sent(["genomic"], {"genomic": 101}, {"data": {"anonymous_evidence": "keyed pseudonyms"}})
	fixture.effects("DSP-01", asked) == {"deny"}
}

test_dsp_01_in_force_from_the_eighth_of_april_2025 if {
	[[finding.effect | some finding in fixture.decided(asked).findings; finding.id == "DSP-01"; contains(finding.msg, "Zhipu")] |
		some at in ["2025-04-07T23:59:59.999999Z", "2025-04-08T00:00:00Z"]
		asked := _dsp_01_sent(["genomic"], {"genomic": 101}, {"at": at})
	] == [[], ["deny"]]
}

# To host the weights oneself gives no covered person access.
test_dsp_01_our_own_host_is_no_access if {
	asked := object.union(_dsp_01_sent(["genomic"], {"genomic": 101}, {}), fixture.to("kimi-k2@hq"))
	fixture.of("DSP-01", asked) == set()
	known := fixture.catalog_with("deployments", "kimi-k2@hq", {"host_cloud": "inspur-cloud"})
	fixture.effects_in("DSP-01", asked, known) == {"deny"}
}

_dsp_01_at(operator, patch) := fixture.of_in(
	"DSP-01",
	fixture.asking_at("glm-5.2@us", object.remove(_dsp_01_sent(["genomic"], {"genomic": 101}, {}), ["model", "route", "asked"])),
	object.union(fixture.catalog_with("operators", "baseten", operator), patch),
)

test_dsp_01_who_is_covered_is_a_matter_of_ownership_and_place if {
	[{finding.effect | some finding in _dsp_01_at(operator, {})} |
		some operator in [
			{"country": "US", "control_country": "CN"},
			{"country": "SG", "control_country": "CN"},
			{"country": "VE", "control_country": "VE"},
			{"country": "HK", "control_country": "GB"},
			{"country": "SG", "control_country": "SG"},
			{"country": "SG", "control_country": null},
			{"country": null, "control_country": "GB"},
		]
	] == [set(), {"deny"}, {"deny"}, {"deny"}, set(), {"indeterminate"}, {"indeterminate"}]
}

_dsp_01_share(country, share_bp) := {
	"owner": "somebody",
	"party": null,
	"country": country,
	"listed": [],
	"share_bp": share_bp,
	"since": null,
	"until": null,
	"source": null,
	"verified": true,
}

test_dsp_01_half_owned_from_a_country_of_concern_is_covered if {
	[{finding.effect | some finding in _dsp_01_at({"country": "SG", "owners": [_dsp_01_share("CN", share_bp)]}, {})} |
		some share_bp in [4999, 5000]
	] == [set(), {"deny"}]
}

test_dsp_01_a_designated_company_of_the_united_states_is_covered if {
	listing := {"names": ["B"], "scope": null, "policy": null, "covers": null, "verified": true, "source": null, "since": null, "until": null}
	listed := {"lists": {"dsp-covered-persons": {"parties": {"baseten": [listing]}}}}
	some finding in _dsp_01_at({}, listed)
	contains(finding.msg, "Baseten, a designated covered person")
}

test_dsp_01_to_whom_nobody_objects_any_number_may_go if {
	every sold in [true, null] {
		every number in [100001, null] {
			asked := _dsp_01_sent(["genomic", "pii"], {"genomic": number, "pii": number}, {"data": {"brokerage": sold}})
			fixture.of("DSP-01", object.union(asked, fixture.to("glm-5.2@us"))) == set()
		}
	}
}

test_dsp_01_people_in_a_country_of_concern_are_access_as_well if {
	some finding in _dsp_01_at({}, {"deployments": {"glm-5.2@us": {"remote_access_countries": ["CN"]}}})
	[finding.effect, finding.facts.counterparty] == ["deny", "baseten"]
	contains(finding.msg, "would give people in CN, a country of concern, access")
}

test_dsp_01_an_unknown_operator_is_named if {
	{name | some finding in _dsp_01_at({}, {"deployments": {"glm-5.2@us": {"operator": null}}}); some name in finding.missing} == {"deployment.operator"}
	unknown := {"deployments": {"glm-5.2@us": {"operator": null, "processing_countries": ["CN"]}}}
	"deny" in {finding.effect | some finding in _dsp_01_at({}, unknown)}
}

test_dsp_01_a_sale_of_bulk_data_of_any_category_is_denied if {
	sale := {"data": {"brokerage": true}}
	[fixture.effects("DSP-01", _dsp_01_sent([category], {category: number}, sale)) |
		some [category, number] in [
			["biometric", 1000],
			["biometric", 1001],
			["geolocation", 1001],
			["health", 10000],
			["health", 10001],
			["financial", 10001],
			["pii", 100000],
			["pii", 100001],
		]
	] == [set(), {"deny"}, {"deny"}, set(), {"deny"}, {"deny"}, set(), {"deny"}]
}

test_dsp_01_a_sale_of_data_related_to_the_government_has_no_threshold if {
	sale := {"data": {"brokerage": true, "subjects": null}}
	some finding in fixture.of("DSP-01", _dsp_01_sent(["government_related"], {}, sale))
	contains(finding.msg, "would sell or license data related to the government of US persons to Zhipu BigModel")
}

test_dsp_01_unknown_numbers_are_named if {
	fixture.missing("DSP-01", _dsp_01_sent(["genomic"], {}, {})) == {"data.counts.genomic"}
	fixture.missing("DSP-01", _dsp_01_sent(["genomic"], {"genomic": 1}, {"rolling": {"us_twelve_months": null}})) == {"rolling.us_twelve_months"}
	sale := {"data": {"brokerage": true}}
	fixture.missing("DSP-01", _dsp_01_sent(["health"], {}, sale)) == {"data.counts.health"}
	fixture.missing("DSP-01", _dsp_01_sent(null, {}, sale)) == {"data.classes"}
}

test_dsp_01_a_known_number_above_it_denies_whatever_else_is_unknown if {
	_dsp_01_of_genomes(101, {"rolling": {"us_twelve_months": null}}) == {"deny", "indeterminate"}
}

test_dsp_01_the_duties_are_those_of_us_persons if {
	_dsp_01_of_genomes(101, {"exporter": {"establishment": "DE"}}) == set()
	[_dsp_01_of_genomes(number, {"exporter": {"establishment": null}}) | some number in [100, 101]] == [set(), {"indeterminate"}]
	sale := {"data": {"brokerage": true}, "exporter": {"establishment": null}}
	fixture.missing("DSP-01", _dsp_01_sent(["government_related"], {}, sale)) == {"exporter.establishment"}
}

test_dsp_01_data_about_nobody_of_the_united_states_is_out_of_scope if {
	[_dsp_01_of_genomes(number, {"data": {"subjects": ["DE"]}}) | some number in [0, 101, null]] == [set(), {"deny"}, set()]
	_dsp_01_of_genomes(101, {"data": {"subjects": null}}) == {"deny"}
}

test_dsp_01_a_claimed_exemption_is_for_a_person if {
	_dsp_01_of_genomes(101, {"data": {"dsp_exemption": "clinical_investigation"}}) == {"require_approval"}
}

test_dsp_01_whether_it_is_a_sale_has_to_be_said if {
	asked := _dsp_01_sent(["health"], {"health": 10001}, {"data": {"brokerage": null}})
	fixture.missing("DSP-01", asked) == {"data.brokerage"}
}

_dsp_01_germans := {"exporter": {"establishment": "DE"}}

# A first hop that gives nobody access hides no second one that does.
_dsp_01_twice := {"model": "glm-5.2", "route": ["glm-5.2@api.scaleway.ai", "glm-5.2@open.bigmodel.cn"]}

test_dsp_01_who_is_no_us_person_is_asked_nothing_however_little_is_known if {
	every sold in [true, false, null] {
		every number in [101, null] {
			fixture.of("DSP-01", _dsp_01_sent(["genomic"], {"genomic": number}, object.union(_dsp_01_germans, {"data": {"brokerage": sold}}))) == set()
		}
	}
}

test_dsp_01_an_unknown_sender_is_asked_for_and_not_denied if {
	every sold in [true, false, null] {
		asked := _dsp_01_sent(["genomic"], {"genomic": 101}, {"exporter": {"establishment": null}, "data": {"brokerage": sold}})
		fixture.effects("DSP-01", asked) == {"indeterminate"}
	}
}

test_dsp_01_what_is_neither_omic_nor_sold_is_not_counted_here if {
	fixture.of("DSP-01", _dsp_01_sent(["pii"], {"pii": null}, {})) == set()
	fixture.missing("DSP-01", _dsp_01_sent(["pii"], {"pii": null}, {"data": {"brokerage": null}})) == {"data.brokerage", "data.counts.pii"}
}

test_dsp_01_every_hop_is_looked_at if {
	messages := {finding.msg | some finding in fixture.of("DSP-01", object.union(_dsp_01_sent(["genomic"], {"genomic": 101}, {"data": {"brokerage": true}}), _dsp_01_twice))}
	some sale in messages
	startswith(sale, "glm-5.2 at open.bigmodel.cn would sell or license bulk sensitive data")
	some access in messages
	startswith(access, "glm-5.2 at open.bigmodel.cn would give Zhipu BigModel")
	some people in messages
	startswith(people, "glm-5.2 at open.bigmodel.cn would give people in CN")
	unknown := _dsp_01_sent(["pii"], {"pii": null}, {"data": {"brokerage": true}})
	fixture.missing("DSP-01", object.union(unknown, _dsp_01_twice)) == {"data.counts.pii"}
	every sold in [true, false] {
		asked := _dsp_01_sent(["genomic"], {"genomic": null}, {"data": {"brokerage": sold}})
		fixture.missing("DSP-01", object.union(asked, _dsp_01_twice)) == {"data.counts.genomic"}
	}
}
