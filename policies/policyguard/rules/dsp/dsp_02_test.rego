package policyguard.rules_test

import data.policyguard.fixture

_dsp_02_programme(requirements) := {"tenant": {"data_security": {"requirements": requirements}}}

_dsp_02_of(classes, counts, patch) := fixture.effects("DSP-02", _dsp_01_sent(classes, counts, patch))

# Scenario G14: a vendor whom a Chinese company owns, and 120 000 people.
test_dsp_02_bulk_identifiers_to_a_covered_person_need_the_requirements if {
	asked := object.union(_dsp_01_sent(["financial", "pii"], {"pii": 120000, "financial": 0}, _dsp_02_programme(false)), fixture.to("glm-5.2@lion"))
	[finding] := [found | some found in fixture.of("DSP-02", asked)]
	finding.effect == "deny"
	finding.msg == "glm-5.2 at lion.example would let Lion Cloud, whose ultimate parent is in CN, reach bulk sensitive data of US persons (pii: 120000, more than 10000) without the security requirements of CISA"
	finding.facts["tenant.data_security.requirements"] == false
	finding.facts.counterparty == "lion-cloud"
}

test_dsp_02_it_is_restricted_and_not_banned if {
	some finding in fixture.of("DSP-02", _dsp_01_sent(["pii"], {"pii": 100001}, _dsp_02_programme(true)))
	finding.effect == "oblige"
	finding.obligation == {"type": "record_processing", "properties": {"article": "28 CFR 202.1101", "years": 10}}
}

test_dsp_02_each_category_has_its_number if {
	[_dsp_02_of([category], {category: number}, _dsp_02_programme(false)) |
		some [category, number] in [
			["biometric", 1000],
			["biometric", 1001],
			["geolocation", 1000],
			["geolocation", 1001],
			["health", 10000],
			["health", 10001],
			["financial", 10000],
			["financial", 10001],
			["pii", 100000],
			["pii", 100001],
		]
	] == [set(), {"deny"}, set(), {"deny"}, set(), {"deny"}, set(), {"deny"}, set(), {"deny"}]
}

test_dsp_02_twelve_months_add_up if {
	[_dsp_02_of(["pii"], {"pii": 1}, object.union(_dsp_02_programme(false), _dsp_01_earlier("zhipu-bigmodel", {"pii": before}))) |
		some before in [99999, 100000]
	] == [set(), {"deny"}]
}

test_dsp_02_data_related_to_the_government_has_no_threshold if {
	some finding in fixture.of("DSP-02", _dsp_01_sent(["government_related"], {}, _dsp_02_programme(false)))
	contains(finding.msg, "reach data related to the government of US persons (any number)")
}

test_dsp_02_a_company_of_the_united_states_is_not_covered_and_our_own_host_is_no_access if {
	every deployment in ["glm-5.2@us", "kimi-k2@hq"] {
		every requirements in [true, false, null] {
			asked := object.union(_dsp_01_sent(["pii"], {"pii": 1000000}, _dsp_02_programme(requirements)), fixture.to(deployment))
			fixture.of("DSP-02", asked) == set()
		}
	}
}

test_dsp_02_a_sale_is_another_rules if {
	_dsp_02_of(["pii"], {"pii": 100001}, object.union(_dsp_02_programme(false), {"data": {"brokerage": true}})) == set()
}

test_dsp_02_what_is_unknown_is_named if {
	bulk := {"pii": 100001}
	fixture.missing("DSP-02", _dsp_01_sent(["pii"], bulk, _dsp_02_programme(null))) == {"tenant.data_security.requirements"}
	fixture.missing("DSP-02", _dsp_01_sent(["pii"], {}, _dsp_02_programme(false))) == {"data.counts.pii"}
	fixture.missing("DSP-02", _dsp_01_sent(["pii"], bulk, object.union(_dsp_02_programme(false), {"exporter": {"establishment": null}}))) == {"exporter.establishment"}
	unowned := object.union(_dsp_01_sent(["pii"], bulk, _dsp_02_programme(false)), fixture.to("glm-5.2@api.z.ai"))
	fixture.missing("DSP-02", unowned) == {"deployment.operator.owners"}
	fixture.missing("DSP-02", _dsp_01_sent(null, {}, _dsp_02_programme(false))) == {"data.classes"}
}

test_dsp_02_a_claimed_exemption_is_for_a_person if {
	exempt := object.union(_dsp_02_programme(false), {"data": {"dsp_exemption": "financial_services"}})
	_dsp_02_of(["financial"], {"financial": 10001}, exempt) == {"require_approval"}
}

test_dsp_02_another_sender_is_out_of_scope if {
	_dsp_02_of(["pii"], {"pii": 100001}, object.union(_dsp_02_programme(false), {"exporter": {"establishment": "DE"}})) == set()
}

test_dsp_02_every_hop_is_looked_at if {
	asked := object.union(_dsp_01_sent(["pii"], {"pii": 100001}, _dsp_02_programme(false)), _dsp_01_twice)
	fixture.effects("DSP-02", asked) == {"deny"}
	unknown := object.union(_dsp_01_sent(["pii"], {"pii": null}, _dsp_02_programme(false)), _dsp_01_twice)
	fixture.missing("DSP-02", unknown) == {"data.counts.pii"}
}

test_dsp_02_what_stands_of_the_requirements_decides_alone if {
	[_dsp_02_of(["pii"], {"pii": 100001}, _dsp_02_programme(requirements)) | some requirements in [true, false, null]] == [{"oblige"}, {"deny"}, {"indeterminate"}]
}

test_dsp_02_out_of_scope_nothing_is_asked_and_nothing_recorded if {
	every requirements in [true, false, null] {
		_dsp_02_of(["pii"], {"pii": null}, object.union(_dsp_02_programme(requirements), _dsp_01_germans)) == set()
		_dsp_02_of(["pii"], {"pii": 100001}, object.union(_dsp_02_programme(requirements), _dsp_01_germans)) == set()
		_dsp_02_of(["pii"], {"pii": 100000}, _dsp_02_programme(requirements)) == set()
	}
}
