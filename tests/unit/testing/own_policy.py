"""A ten-line policy and tests of it, strong and weak, for the tests of the kit."""

from __future__ import annotations

from pathlib import Path

from policyguard.testing.sources import PolicySource, read_policy

RULES = """package own

import data.limits as known

default allow := false

allow if {
	input.country in {"DE", "FR"}
	input.amount < known.most
}

findings contains {"id": "OWN-1", "effect": "deny", "facts": {"country": hop.country}} if {
	some hop in input.hops
	hop.country == "IR"
}
"""
STRONG = """package own_test

import data.own

_asked(country, amount) := {"country": country, "amount": amount, "hops": []}

test_allowed[name] if {
	some name, case in {
		"german": {"in": _asked("DE", 9), "allow": true},
		"french": {"in": _asked("FR", 9), "allow": true},
		"ten is too much": {"in": _asked("FR", 10), "allow": false},
		"elsewhere": {"in": _asked("US", 9), "allow": false},
	}
	own.allow == case.allow with input as case.in
}

test_any_hop_is_looked_at if {
	count(own.findings) == 1 with input as {"hops": [{"country": "DE"}, {"country": "IR"}]}
	{found.effect | some found in own.findings} == {"deny"} with input as {"hops": [{"country": "IR"}]}
}

test_a_good_hop_is_no_finding if {
	count(own.findings) == 0 with input as {"hops": [{"country": "DE"}]}
}
"""
WEAK = """package own_test

import data.own

test_small_amounts_in_germany if own.allow with input as {"country": "DE", "amount": 1}

test_iran if {
	count(own.findings) == 1 with input as {"hops": [{"country": "IR"}]}
}
"""


def written(
    directory: Path, *, tests: str = STRONG, rules: str = RULES
) -> PolicySource:
    """Write the policy and read it."""
    directory.mkdir(exist_ok=True)
    (directory / "own.rego").write_text(rules, "utf-8")
    (directory / "own_test.rego").write_text(tests, "utf-8")
    (directory / "data.json").write_text('{"limits": {"most": 10}}', "utf-8")
    return read_policy(directory)
