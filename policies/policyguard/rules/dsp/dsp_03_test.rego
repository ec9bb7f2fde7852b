package policyguard.rules_test

import data.policyguard.fixture

_dsp_03_papers(ban) := [fixture.contract("scaleway", {"onward_transfer_ban": ban})]

_dsp_03_sent(patch) := object.union(
	_dsp_01_sent(["health"], {"health": 10001}, object.union({"data": {"brokerage": true}, "tenant": {"contracts": _dsp_03_papers(false)}}, patch)),
	fixture.to("glm-5.2@api.scaleway.ai"),
)

test_dsp_03_a_sale_abroad_without_a_ban_on_passing_it_on_is_for_a_person if {
	some finding in fixture.of("DSP-03", _dsp_03_sent({}))
	finding.effect == "require_approval"
	finding.msg == "glm-5.2 at api.scaleway.ai would sell or license bulk sensitive data of US persons to Scaleway, and no contract forbids to pass it on to countries of concern"
	finding.facts["contract.onward_transfer_ban"] == false
	count(fixture.of("DSP-03", _dsp_03_sent({}))) == 1
}

test_dsp_03_a_contract_that_forbids_it_is_enough if {
	fixture.of("DSP-03", _dsp_03_sent({"tenant": {"contracts": _dsp_03_papers(true)}})) == set()
}

# A processor is no buyer.
test_dsp_03_a_processor_buys_nothing if {
	fixture.of("DSP-03", _dsp_03_sent({"data": {"brokerage": false}})) == set()
}

test_dsp_03_what_is_not_bulk_may_be_sold if {
	fixture.of("DSP-03", _dsp_03_sent({"data": {"counts": {"health": 10000}}})) == set()
}

test_dsp_03_a_buyer_in_the_united_states_is_not_foreign_and_a_covered_one_is_another_rules if {
	every deployment in ["glm-5.2@us", "glm-5.2@open.bigmodel.cn", "kimi-k2@hq"] {
		fixture.of("DSP-03", object.union(_dsp_03_sent({}), fixture.to(deployment))) == set()
	}
}

test_dsp_03_what_is_unknown_is_named if {
	fixture.missing("DSP-03", _dsp_03_sent({"data": {"brokerage": null}})) == {"data.brokerage"}
	fixture.missing("DSP-03", _dsp_03_sent({"data": {"counts": {"health": null}}})) == {"data.counts.health"}
	fixture.missing("DSP-03", _dsp_03_sent({"tenant": {"contracts": null}})) == {"contract.onward_transfer_ban"}
	fixture.missing("DSP-03", _dsp_03_sent({"exporter": {"establishment": null}})) == {"exporter.establishment"}
}

test_dsp_03_who_sends_has_to_be_a_us_person if {
	[fixture.effects("DSP-03", _dsp_03_sent({"exporter": {"establishment": country}})) | some country in ["US", "DE", null]] == [{"require_approval"}, set(), {"indeterminate"}]
	fixture.of("DSP-03", _dsp_03_sent({"exporter": {"establishment": "DE"}, "data": {"brokerage": null}})) == set()
}

test_dsp_03_what_is_not_bulk_is_asked_nothing if {
	fixture.of("DSP-03", _dsp_03_sent({"data": {"brokerage": null, "counts": {"health": 10000}}})) == set()
}

test_dsp_03_every_buyer_is_looked_at if {
	papers := [fixture.contract("scaleway", {"onward_transfer_ban": true}), fixture.contract("jingsheng-hengxing", {"onward_transfer_ban": null})]
	asked := object.union(_dsp_03_sent({"tenant": {"contracts": papers}}), {"route": ["glm-5.2@api.scaleway.ai", "glm-5.2@api.z.ai"]})
	fixture.missing("DSP-03", asked) == {"contract.onward_transfer_ban"}
}
