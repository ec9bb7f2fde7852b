"""What becomes of findings: asked of each alone and each two, whatever rules found them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from policyguard.engines.protocol import PolicySet
from policyguard.errors import EvaluationError
from policyguard.settings import Settings
from policyguard.testing.claims import ALLOW, COMPOSITION, Effort
from policyguard.testing.compare import compare
from policyguard.testing.composition import composed, decisions, is_right
from policyguard.testing.policies import configured_policy
from policyguard.testing.prove import prove

MAIN = "policyguard/main/main.rego"


@cache
def shipped() -> PolicySet:
    return configured_policy(Settings())


def changed(old: str, new: str) -> PolicySet:
    text = shipped().modules[MAIN]
    assert old in text
    modules = {**shipped().modules, MAIN: text.replace(old, new, 1)}
    return replace(shipped(), modules=modules)


def wrong(policy: PolicySet) -> list[dict[str, object]]:
    asked = list(composed())
    answers = zip(asked, decisions(policy, asked), strict=True)
    return [item.facts() for item, decision in answers if not is_right(item, decision)]


def test_shipped_calls_are_allowed_if_nothing_objects_and_only_then() -> None:
    assert wrong(shipped()) == []


def test_a_verdict_that_overlooks_an_effect_is_shown() -> None:
    lenient = changed('"unavailable" in effects', '"unavailable" in {"x"}')

    assert wrong(lenient)[0] == {
        "tenant.profile": "balanced",
        "findings": ["unavailable of a rule that is in_force"],
    }


def test_a_finding_that_is_dropped_is_shown() -> None:
    dropping = changed(
        "view.status[id]\n",
        'view.status[id]\n\t\tfinding.effect != "oblige"\n',
    )

    assert wrong(dropping)[0]["findings"] == ["oblige of a rule that is in_force"]


def test_a_composition_that_is_milder_is_looser_and_opens_access() -> None:
    milder = changed(
        '"contested": {"deny": "require_approval"', '"contested": {"deny": "advise"'
    )

    diff = compare(shipped(), milder)

    (item,) = diff.rules
    # With an approval it is as severe as before, and said otherwise.
    assert (item.rule, item.relation, item.tier) == (
        COMPOSITION,
        "incomparable",
        "PROVED",
    )
    assert (item.stricter, item.looser > 0) == (0, True)
    (flip,) = diff.access
    assert dict(flip.facts) == {
        "tenant.profile": "balanced",
        "findings": ["deny of a rule that is contested"],
    }
    assert (flip.before[0], flip.after[0]) == (
        "verdict require_approval",
        "verdict allow",
    )


def test_a_comment_in_the_composition_changes_nothing() -> None:
    diff = compare(shipped(), changed("# INVARIANT", "# more\n# INVARIANT"))

    assert (diff.relation, [item.rule for item in diff.rules]) == (
        "equivalent",
        [COMPOSITION],
    )


def test_an_override_that_one_policy_has_is_named() -> None:
    own = shipped().data["policyguard"]
    assert isinstance(own, dict)
    book = own["rulebook"]
    softened = {"override": {"id": "o", "to": "advise"}}
    *before, last = book["intervals"]
    last = {**last, "LIC-04": {**last["LIC-04"], **softened}}
    data = {
        **shipped().data,
        "policyguard": {**own, "rulebook": {**book, "intervals": [*before, last]}},
    }

    diff = compare(shipped(), replace(shipped(), data=data))

    assert (diff.windows, diff.relation) == (("LIC-04",), "incomparable")


def test_the_claim_says_of_how_many_findings() -> None:
    proof = prove(shipped(), properties=[ALLOW], effort=Effort(crosschecks=0))

    assert [(c.rule, c.property, c.tier, c.cases, c.why) for c in proof.claims] == [
        (COMPOSITION, ALLOW, "PROVED", 5186, "of none, one or two findings")
    ]


def test_a_policy_that_composes_nothing_is_refused() -> None:
    modules = {n: t for n, t in shipped().modules.items() if n != MAIN}

    with pytest.raises(EvaluationError, match="no module below"):
        wrong(replace(shipped(), modules=modules))
