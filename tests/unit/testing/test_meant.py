"""Exceptions of proofs are meant for some calls, and open for all others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.meant import MEANT, UNREACHED, reasons, why_meant
from policyguard.assembly import bundle_of
from policyguard.settings import Settings
from policyguard.testing.claims import Claim, Counterexample


def silence(rule: str, changed: str, **facts: Any) -> Claim:
    """Return a claim that a rule falls silent by a fact, on a call with these facts."""
    call = {
        "caller": facts.get("caller"),
        "data": {
            "classes": facts.get("classes", ["none"]),
            "ear": {"us_origin": None, "classification": None, **facts.get("ear", {})},
        },
        "exporter": {"establishment": facts.get("establishment")},
        "tenant": {
            "organisation": facts.get("organisation"),
            "contracts": facts.get("contracts"),
        },
    }
    return Claim(
        property="fail_closed",
        rule=rule,
        tier="VIOLATED",
        cases=1,
        counterexample=Counterexample(call=call, facts={}, changed=changed),
    )


@pytest.mark.parametrize(
    ("claim", "meant"),
    [
        (silence("EAR-04", "data.ear.classification"), True),
        (silence("EAR-04", "data.ear.classification", classes=["technical"]), False),
        (silence("EAR-04", "data.ear.classification", classes=None), False),
        (silence("EAR-04", "data.ear.us_origin"), False),
        (silence("EAR-01", "data.ear.classification"), True),
        (silence("EAR-01", "data.ear.classification", classes=["technical"]), False),
        (silence("EAR-02", "data.ear.classification"), True),
        (silence("EAR-02", "data.ear.classification", classes=["technical"]), False),
        (silence("EAR-03", "data.ear.classification"), False),
        (
            silence(
                "EAR-03",
                "tenant.contracts",
                contracts=[{"remote_access_countries": ["FO"]}],
            ),
            True,
        ),
        (
            silence(
                "EAR-03",
                "tenant.contracts",
                contracts=[{"remote_access_countries": None}],
            ),
            False,
        ),
        (silence("ITAR-01", "data.itar", classes=["technical"]), False),
        (
            silence(
                "ITAR-01",
                "data.itar",
                classes=["technical"],
                ear={"us_origin": False},
                establishment="DE",
            ),
            True,
        ),
        (
            silence(
                "ITAR-01",
                "data.itar",
                classes=["technical"],
                ear={"us_origin": False},
                establishment="US",
            ),
            False,
        ),
        (
            silence(
                "OFAC-01",
                "caller.location",
                caller={"location": "CU", "subdivision": "FR-IDF"},
            ),
            True,
        ),
        (
            silence(
                "OFAC-01",
                "caller.location",
                caller={"location": "UA", "subdivision": "UA-43"},
            ),
            False,
        ),
        (silence("OFAC-01", "caller.location", caller={"location": "CU"}), False),
    ],
)
def test_only_the_calls_that_are_meant_are_an_exception(
    claim: Claim, *, meant: bool
) -> None:
    assert (why_meant(claim) is not None) is meant


def test_one_call_that_is_open_leaves_the_whole_claim_open() -> None:
    meant = silence("EAR-04", "data.ear.classification")
    other = silence("EAR-04", "data.ear.us_origin").counterexample
    assert meant.counterexample is not None
    assert other is not None

    claim = replace(meant, others=(other,))

    assert [why is None for _, why in reasons(claim)] == [False, True]
    assert why_meant(claim) is None
    assert why_meant(replace(meant, others=(meant.counterexample,))) == why_meant(meant)


def test_a_rule_that_nothing_reaches_is_open_unless_it_is_known_why() -> None:
    claims = [
        Claim(property="reachable", rule=rule, tier="VIOLATED", cases=1)
        for rule in ("OPEN-01", "EAR-01")
    ]

    assert [why_meant(claim) for claim in claims] == [UNREACHED["OPEN-01"], None]


def test_each_exception_is_of_a_rule_that_ships() -> None:
    named = {item.rule for item in MEANT} | set(UNREACHED)

    assert named <= set(bundle_of(Settings()).rules)
