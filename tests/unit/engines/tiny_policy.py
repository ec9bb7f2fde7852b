"""A policy of two rules, small enough to read, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policyguard.engines.protocol import Golden, PolicySet

ENTRYPOINT: Final = "data.policyguard.main.decision"
RULES: Final = """package policyguard.rules

findings contains {"id": "EAR-01", "effect": "deny"} if input.model == "bad"

findings contains {"id": "EAR-02", "effect": "advise"} if {
	data.catalog.models[input.model].open
}
"""
MAIN: Final = """package policyguard.main

import data.policyguard.rules

_verdict := "deny" if {
	some finding in rules.findings
	finding.effect == "deny"
} else := "allow"

decision := {"verdict": _verdict, "findings": [finding | some finding in rules.findings]}
"""
DENIED: Final = Golden(
    name="bad model", input={"model": "bad"}, verdict="deny", rules=("EAR-01",)
)
ADVISED: Final = Golden(
    name="open model", input={"model": "open"}, verdict="allow", rules=("EAR-02",)
)


def policy(**changes: Any) -> PolicySet:
    """Return the tiny policy with some of its fields changed."""
    fields: dict[str, Any] = {
        "modules": {"main.rego": MAIN, "rules.rego": RULES},
        "data": {
            "catalog": {"models": {"fr": {"open": True}}},
            "policyguard": {"rulebook": {"revision": "2026.11.1"}},
        },
        "entrypoint": ENTRYPOINT,
        "rule_ids": frozenset({"EAR-01", "EAR-02"}),
        "bundle_digest": "b" * 64,
        "catalog_digest": "c" * 64,
        "golden": (DENIED, ADVISED),
        "golden_catalog": {"models": {"open": {"open": True}}},
    }
    return PolicySet(**{**fields, **changes})


def answering(
    body: str, *, data: Mapping[str, Any] | None = None, **more: Any
) -> PolicySet:
    """Return a policy without rules whose entrypoint is the given text."""
    return policy(
        modules={"main.rego": f"package policyguard.main\n\n{body}\n"},
        data=data or {},
        rule_ids=frozenset(),
        golden=(),
        golden_catalog=None,
        **more,
    )
