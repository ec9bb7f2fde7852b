package policyguard.rules_test

import data.policyguard.fixture

_lic_03_asked(patch) := fixture.asking_at("claude-fable-5@api.anthropic.com", object.union({"data": {"classes": ["none"]}}, patch))

_lic_03_owned(owners) := _lic_03_asked({"caller": {"organisation": object.union(fixture.ours, {"owners": [object.union(data.policyguard.sample.blank_owner, owner) | some owner in owners]})}})

test_lic_03_a_caller_in_an_unsupported_country_is_denied if {
	fixture.of("LIC-03", _lic_03_asked({"caller": {"location": "CN"}})) == {{
		"id": "LIC-03",
		"effect": "deny",
		"msg": "the terms of claude-fable-5 do not offer it in CN, where the caller is",
		"facts": {
			"model": "claude-fable-5",
			"model.access_terms.source": "s",
			"caller.location": "CN",
			"caller.organisation.headquarters": "DE",
			"caller.organisation.owners_unsupported_bp": 0,
		},
		"missing": [],
		"remedy": "another model, as published weights on a host that may serve the place",
	}}
	some finding in fixture.of("LIC-03", _lic_03_asked({"caller": {"location": null, "subdivision": "CN-BJ"}}))
	contains(finding.msg, "in CN-BJ, where")
}

test_lic_03_a_caller_in_a_supported_country_is_no_finding if {
	fixture.of("LIC-03", _lic_03_asked({})) == set()
}

test_lic_03_a_country_in_neither_list_is_unknown if {
	fixture.missing("LIC-03", _lic_03_asked({"caller": {"location": "KZ"}})) == {"caller.location"}
	fixture.missing("LIC-03", _lic_03_asked({"caller": {"location": null}})) == {"caller.location"}
}

# More than half, where the export lists say half or more.
test_lic_03_half_is_not_more_than_half if {
	[fixture.effects("LIC-03", _lic_03_owned(owners)) |
		some owners in [
			[{"country": "CN", "share_bp": 5000}],
			[{"country": "CN", "share_bp": 5001}],
			[{"country": "CN", "share_bp": 3000}, {"name": "B", "country": "HK", "share_bp": 2001}],
			[{"country": "CN", "share_bp": 3000}, {"name": "B", "country": "DE", "share_bp": 7000}],
		]
	] == [set(), {"deny"}, {"deny"}, set()]
	some finding in fixture.of("LIC-03", _lic_03_owned([{"country": "CN", "share_bp": 5001}]))
	contains(finding.msg, "of ACME they hold 50.01 %")
}

test_lic_03_where_the_company_sits_does_not_matter_but_its_headquarters_do if {
	some finding in fixture.of("LIC-03", _lic_03_asked({"caller": {"organisation": object.union(fixture.ours, {"country": "SG", "headquarters": "CN"})}}))
	[finding.effect, finding.msg] == ["deny", "the terms of claude-fable-5 do not offer it to companies with headquarters in CN"]
}

test_lic_03_the_limit_on_companies_began_later_than_that_on_places if {
	owned := _lic_03_owned([{"country": "CN", "share_bp": 10000}])
	[fixture.effects("LIC-03", object.union(owned, {"at": at})) |
		some at in ["2025-09-04T23:59:59Z", "2025-09-05T00:00:00Z"]
	] == [set(), {"deny"}]
	unknown := object.union(_lic_03_asked({"tenant": {"organisation": null}}), {"at": "2025-09-04T23:59:59Z"})
	fixture.of("LIC-03", unknown) == set()
}

test_lic_03_unknown_owners_and_headquarters_are_named if {
	fixture.missing("LIC-03", _lic_03_asked({"tenant": {"organisation": null}})) == {"caller.organisation.headquarters", "caller.organisation.owners"}
	fixture.missing("LIC-03", _lic_03_owned([{"country": null, "share_bp": 5001}])) == {"caller.organisation.owners"}
	fixture.missing("LIC-03", _lic_03_owned([{"country": "CN", "share_bp": null}])) == {"caller.organisation.owners"}
	fixture.of("LIC-03", _lic_03_owned([{"country": null, "share_bp": 5000}])) == set()
}

test_lic_03_a_company_without_a_name_is_called_so if {
	some finding in fixture.of("LIC-03", _lic_03_asked({"caller": {"organisation": object.union(fixture.organisation, {
		"headquarters": "DE",
		"owners": [object.union(data.policyguard.sample.blank_owner, {"country": "CN", "share_bp": 6000})],
	})}}))
	contains(finding.msg, "of the caller's organisation they hold 60 %")
}

test_lic_03_published_weights_have_no_such_terms if {
	fixture.of("LIC-03", fixture.asking({"caller": {"location": "CN"}})) == set()
}

test_lic_03_terms_are_contract_and_not_law if {
	[finding.status | some finding in fixture.decided(_lic_03_asked({"caller": {"location": "CN"}})).findings; finding.id == "LIC-03"] == ["contractual"]
}
