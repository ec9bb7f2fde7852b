"""Laws of every shipped rule: on a call of which each finds something, and on calls near it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from unit.testing.trials import changed, shipped

from policyguard.engines.protocol import PolicySet
from policyguard.testing.breaches import breach_of
from policyguard.testing.properties import PROPERTIES, Property, property_named
from policyguard.testing.strategies import inputs
from policyguard.testing.trial import Trial

IDS = ("tenant.licences.id", "asked.host")
FACTS = (
    "at", "caller.location", "data.classes", "data.subjects", "exporter.establishment",
    "model", "purpose.kind", "route", "tenant.profile", "tenant.contracts",
)  # fmt: skip
DRAWN = {"deterministic": 1}
OPINIONS = frozenset({"monotone_time", "ill_typed_never_allows"})
LAWS = sorted(
    name
    for name, prop in PROPERTIES.items()
    if prop.form != "policy" and name not in OPINIONS
)


def over_the_small_catalog(policy: PolicySet) -> Trial:
    data = {**policy.data, "catalog": policy.golden_catalog}
    return Trial(replace(policy, data=data))


@cache
def trial() -> Trial:
    return over_the_small_catalog(shipped())


def firing(of: Trial) -> Iterator[Any]:
    """Yield few golden calls, of which together every rule finds something."""
    left = set(of.rules)
    found = {v.name: of.found(v.input).keys() & left for v in of.policy.golden}
    calls = {v.name: v.input for v in of.policy.golden}
    while left:
        name = max(found, key=lambda item: len(found[item] & left))
        if not found[name] & left:
            return
        left -= found[name]
        yield calls[name]


def law(name: str) -> Property:
    return property_named(name, facts=IDS if name == "irrelevant" else ())


def require(name: str, of: Trial) -> set[str]:
    """Check a law on a call of each rule, and on some between them; return the rules."""
    calls = list(firing(of))
    near = st.builds(
        lambda one, other: {**one, other[0]: other[1]},
        st.sampled_from(calls),
        inputs(of, facts=FACTS).flatmap(
            lambda call: st.sampled_from(sorted(call.items()))
        ),
    )
    looked_at: set[str] = set()

    def holds(call: Any) -> None:
        looked_at.update(of.found(call).keys() & set(of.rules))
        breach = breach_of(law(name), of, call)
        assert breach is None, breach.text()

    tested = given(near)(holds)
    for call in calls:
        tested = example(call)(tested)
    settings(
        max_examples=DRAWN.get(name, 5),
        phases=(Phase.explicit, Phase.generate),
        deadline=None,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )(tested)()
    return looked_at


@pytest.mark.parametrize("name", LAWS)
def test_every_shipped_rule_keeps_the_law(name: str) -> None:
    assert require(name, trial()) == set(trial().rules)


@pytest.mark.parametrize(
    ("name", "module", "before", "after"),
    [
        (
            "fail_closed",
            "rules/procurement/proc_05",
            "input.context.dod_contract == null",
            'input.context.dod_tier == "none"',
        ),
        (
            "boundary_exact",
            "facts/facts",
            "some edge in dated.boundaries; edge <= _now",
            "some edge in dated.boundaries; edge < _now",
        ),
    ],
)
def test_a_fault_in_one_rule_breaks_a_law(
    name: str, module: str, before: str, after: str
) -> None:
    faulty = changed(f"policyguard/{module}.rego", before, after)

    with pytest.raises(AssertionError, match=f"{name} does not hold"):
        require(name, over_the_small_catalog(faulty))
