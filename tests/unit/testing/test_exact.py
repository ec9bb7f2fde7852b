"""What rules do not depend on, and what of them decides nothing, is decided for all calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from unit.testing.test_prove import COUNTRIES, FEW, OWN, shipped, space

from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError, EvaluationError
from policyguard.testing.claims import Claim, Effort
from policyguard.testing.properties import property_named
from policyguard.testing.prove import prove

PLACE = "input.countries[input.exporter.establishment].eea"
ONE_VIEW = replace(FEW, views=1, crosschecks=0)


def own(*bodies: str) -> PolicySet:
    """Return the policy with a rule that denies where one of some bodies holds."""
    denial = OWN.partition("\n\n")[2]
    text = "package policyguard.tenant\n\n" + "\n".join(
        denial.replace(PLACE, body) for body in bodies
    )
    return replace(shipped(), modules={**shipped().modules, "own.rego": text})


def claim(
    policy: PolicySet,
    name: str,
    *facts: str,
    rule: str = "ACME-01",
    effort: Effort = FEW,
    but: Sequence[str] = (),
) -> Claim:
    (found,) = prove(
        policy,
        space=space(),
        rules=[rule],
        properties=[property_named(name, facts=facts, but=but)],
        effort=effort,
    ).claims
    return found


def said(found: Claim) -> tuple[str, int, int]:
    return found.tier, found.cases, found.broken


def test_a_fact_that_a_rule_does_not_read_is_irrelevant_to_it() -> None:
    policy = own("input.purpose.publishes == true")

    proved = claim(policy, "irrelevant", "purpose.competes", "data.classes")
    broken = claim(policy, "irrelevant", "purpose.publishes", "data.classes")

    assert said(proved) == ("PROVED", 6, 0)
    assert (broken.tier, broken.why) == ("VIOLATED", "it changes by purpose.publishes")
    assert [
        (found.facts, found.changed, found.before, found.after)
        for found in broken.counterexamples()
    ] == [
        (
            {"purpose.publishes": True},
            "purpose.publishes",
            ("ACME-01 deny",),
            (),
        ),
        (
            {"purpose.publishes": None},
            "purpose.publishes",
            (),
            ("ACME-01 deny",),
        ),
    ]


def test_a_rule_that_is_not_decided_depends_on_nothing_that_it_does_not_read() -> None:
    policy = own("input.purpose.publishes == true")

    unread = claim(policy, "irrelevant", "purpose.competes", effort=ONE_VIEW)
    read = claim(policy, "irrelevant", "purpose.publishes", effort=ONE_VIEW)

    assert (unread.tier, unread.why) == (
        "PROVED",
        "whatever comes of what is not decided",
    )
    assert read.tier == "VIOLATED"


def test_a_rule_that_depends_on_what_it_is_not_seen_to_read_proves_nothing() -> None:
    # What is looked up by country now depends on something else as well.
    facts = shipped().modules[COUNTRIES]
    crossing = facts.replace(
        "_countries := {",
        "_countries := {} if {\n\tinput.data.employment == true\n} else := {",
    )
    policy = own(PLACE)
    policy = replace(policy, modules={**policy.modules, COUNTRIES: crossing})

    with pytest.raises(EvaluationError, match="differs from what it is seen to read"):
        claim(
            policy,
            "monotone_classes",
            effort=replace(ONE_VIEW, crosschecks=500),
        )


def test_what_is_irrelevant_has_to_be_named() -> None:
    with pytest.raises(ConfigurationError, match="name the facts"):
        claim(shipped(), "irrelevant", rule="FACT-01")
    with pytest.raises(ConfigurationError, match=r"no dimension `data\.nothing`"):
        claim(shipped(), "irrelevant", "data.nothing", rule="FACT-01")


def test_a_condition_that_decides_nothing_is_named_with_its_line() -> None:
    idle = own(
        "is_array(input.hops)\n\tinput.purpose.publishes == true",
    )

    dead = claim(idle, "no_dead_condition")

    assert said(dead) == ("VIOLATED", 2, 1)
    assert dead.why == "line 11: `is_array(input.hops)`"
    assert said(claim(idle, "no_dead_condition", but=["is_array(input.hops)"])) == (
        "PROVED",
        1,
        0,
    )


def test_a_condition_that_decides_in_one_call_of_many_is_not_dead() -> None:
    rare = own(
        "input.purpose.publishes == true\n\tinput.purpose.competes == true\n"
        '\tinput.exporter.establishment == "CN"\n\tinput.data.persons == 100000',
    )

    assert said(claim(rare, "no_dead_condition")) == ("PROVED", 4, 0)
    # So few calls would have to be drawn by luck: that is said, and no more.
    unmet = claim(rare, "no_dead_condition", effort=ONE_VIEW)
    assert (unmet.tier, unmet.cases, unmet.bound) == ("SAMPLED", 20, 0.15)
    assert "line 13: `input.exporter.establishment" in unmet.why


def test_each_value_of_a_fact_matters_or_is_shown() -> None:
    some = own("input.purpose.publishes == true")
    every = own("input.purpose.publishes == true", "input.purpose.publishes == false")
    uncovered, covered = (
        claim(policy, "no_uncovered", "purpose.publishes") for policy in (some, every)
    )

    assert said(uncovered) == ("VIOLATED", 2, 1)
    assert uncovered.counterexample is not None
    assert uncovered.counterexample.facts == {"purpose.publishes": False}
    assert said(covered) == ("PROVED", 2, 0)


def test_of_countries_each_class_is_asked_whether_it_matters() -> None:
    fact = "exporter.establishment"
    calm = space().base["exporter"]["establishment"]  # type: ignore[index,call-overload]
    others = {v for v in space().dim(fact).values if v is not None} - {calm}
    one = claim(own(f'input.{fact} == "CN"'), "no_uncovered", fact)
    every = claim(own(f'input.{fact} != "{calm}"'), "no_uncovered", fact)

    assert said(one) == ("VIOLATED", len(others), len(others) - 1)
    assert said(every) == ("PROVED", len(others), 0)


def test_a_rule_that_is_not_decided_leaves_open_what_it_may_look_at() -> None:
    policy = own('"health" in input.data.classes')

    found = claim(policy, "no_uncovered", "data.classes", effort=ONE_VIEW)
    drawn = claim(
        policy, "no_uncovered", "data.classes", effort=replace(ONE_VIEW, samples=0)
    )

    assert (found.tier, found.why) == ("SAMPLED", "not decided of ACME-01")
    assert found.broken < drawn.broken
