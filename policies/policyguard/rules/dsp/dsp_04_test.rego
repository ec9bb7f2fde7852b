package policyguard.rules_test

import data.policyguard.fixture

_dsp_04_papers := {"requirements": true, "certified": "2026-01-10T12:00:00Z", "audited": "2026-01-10T12:00:00Z"}

_dsp_04_sent(papers, patch) := _dsp_01_sent(["pii"], {"pii": 100001}, object.union(
	{"tenant": {"data_security": object.union(_dsp_04_papers, papers)}},
	patch,
))

test_dsp_04_a_programme_of_this_year_is_enough if {
	fixture.of("DSP-04", _dsp_04_sent({}, {})) == set()
	fixture.of("DSP-04", _dsp_04_sent({}, {"data": {"counts": {"pii": null}}})) == set()
}

test_dsp_04_a_year_and_no_second_more if {
	[fixture.effects("DSP-04", _dsp_04_sent({step: when}, {})) |
		some step in ["certified", "audited"]
		some when in ["2025-07-10T12:00:00Z", "2025-07-10T11:59:59Z", "2026-07-10T12:00:01Z"]
	] == [set(), {"deny"}, {"deny"}, set(), {"deny"}, {"deny"}]
}

test_dsp_04_what_is_stale_is_said if {
	some finding in fixture.of("DSP-04", _dsp_04_sent({"certified": "2024-01-01T00:00:00Z", "audited": "2024-01-01T00:00:00Z"}, {}))
	contains(finding.msg, "is a restricted transaction with Zhipu BigModel, and the compliance programme was not audited within a year and was not certified within a year")
}

test_dsp_04_not_before_october_2025 if {
	[[finding.effect | some finding in fixture.decided(asked).findings; finding.id == "DSP-04"; contains(finding.msg, "Zhipu")] |
		some at in ["2025-10-05T23:59:59Z", "2025-10-06T00:00:00Z"]
		asked := _dsp_04_sent({"certified": "2024-01-01T00:00:00Z", "audited": "2025-09-01T00:00:00Z"}, {"at": at})
	] == [[], ["deny"]]
}

test_dsp_04_what_is_no_restricted_transaction_needs_no_programme if {
	stale := {"certified": "2024-01-01T00:00:00Z"}
	every patch in [
		{"data": {"counts": {"pii": 100000}}},
		{"data": {"brokerage": true}},
		{"exporter": {"establishment": "DE"}},
		fixture.to("glm-5.2@us"),
	] {
		fixture.of("DSP-04", object.union(_dsp_04_sent(stale, {}), patch)) == set()
	}
}

test_dsp_04_what_is_unknown_is_named if {
	fixture.missing("DSP-04", _dsp_04_sent({"certified": null, "audited": null}, {})) == {"tenant.data_security.audited", "tenant.data_security.certified"}
	fixture.missing("DSP-04", _dsp_04_sent({"certified": "2024-01-01T00:00:00Z"}, {"data": {"counts": {"pii": null}}})) == {"data.counts.pii"}
}

test_dsp_04_every_hop_is_looked_at if {
	stale := {"certified": "2024-01-01T00:00:00Z"}
	fixture.effects("DSP-04", object.union(_dsp_04_sent(stale, {}), _dsp_01_twice)) == {"deny"}
	fixture.missing("DSP-04", object.union(_dsp_04_sent({"audited": null}, {}), _dsp_01_twice)) == {"tenant.data_security.audited"}
}

test_dsp_04_no_programme_is_asked_for_where_nobody_who_may_be_covered_gets_access if {
	unknown := {"certified": null, "audited": null}
	every patch in [fixture.to("glm-5.2@us"), fixture.to("glm-5.2@api.scaleway.ai"), _dsp_01_germans, {"data": {"counts": {"pii": 100000}}}] {
		fixture.of("DSP-04", object.union(_dsp_04_sent(unknown, {}), patch)) == set()
	}
}
