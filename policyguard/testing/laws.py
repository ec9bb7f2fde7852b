"""Makes tests of properties: one line in an author's test file is one test.

    from policyguard.testing import laws

    test_fail_closed = laws.fail_closed("rules")
    test_no_name_matters = laws.irrelevant("rules", facts=["tenant.licences.id"])

`pytest` collects each as a test. Hypothesis draws the calls, and shrinks the one that
breaks the property to the few facts that matter. With `save=` that call is kept as a
test beside the rules, and as one of pytest, before the failure is shown.

What is found is that the property was not broken on the calls drawn; `policyguard policy
prove` decides the same over every call of a space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import InvalidArgument

from policyguard.errors import ConfigurationError
from policyguard.testing.breaches import Breach, breach_of
from policyguard.testing.budget import Look, spending
from policyguard.testing.existence import EXISTENCE
from policyguard.testing.export import save_breach
from policyguard.testing.properties import Property, property_named
from policyguard.testing.strategies import at_bounds, inputs
from policyguard.testing.trial import Trial

Policy: TypeAlias = "Trial | Path | str | None"
"""What is on trial: a directory, what settings name, or a trial that is made already."""
Law: TypeAlias = Callable[[], None]
EXAMPLES: Final = 100
NIGHTLY: Final = "nightly"
"""The profile of Hypothesis with which laws are tried on new calls, and more of them."""
_MORE: Final = 20
try:
    # A project's own profile of that name stays.
    hypothesis_settings.get_profile(NIGHTLY)
except InvalidArgument:
    hypothesis_settings.register_profile(NIGHTLY, derandomize=False, print_blob=True)


def law(  # noqa: PLR0913 -- the words of one demand
    name: str,
    of: Policy = None,
    *,
    rules: Iterable[str] = (),
    facts: Iterable[str] = (),
    but: Iterable[str] = (),
    config: Path | str | None = None,
    examples: int = EXAMPLES,
    save: Path | str | None = None,
) -> Law:
    """Return a test that a property holds, for pytest to collect.

    Args:
        name: The property, one of `properties.PROPERTIES`.
        of: A bundle's root, or a tenant's own rules, which are then the ones on trial;
            without it what the settings name. Or a `Trial`.
        rules: Ids of the rules that are on trial; without them all of `of`.
        facts: Names of the facts that it is demanded of; without them all.
        but: Names of facts that it is not demanded of.
        config: A `policyguard.toml`, which names bundle and catalog.
        examples: How many calls are drawn.
        save: A directory into which a call that breaks it is written as tests.

    Raises:
        ConfigurationError: there is no such property, or it is demanded of rules by
            name alone. What is wrong with the policy
            itself is said when the test runs.
    """
    prop = property_named(name, facts=tuple(facts), but=tuple(but))
    chosen = tuple(rules)
    if name == "monotone_time" and not chosen and not isinstance(of, Trial):
        # What ends, as a licence's need does, is no fault: it is an opinion on a rule.
        raise ConfigurationError("`monotone_time`: name the `rules` that never ease")

    def test() -> None:
        trial = of if isinstance(of, Trial) else _trial(of, config, chosen)
        check(prop, trial, examples=examples, save=save)

    test.__name__ = test.__qualname__ = f"test_{name}"
    test.__doc__ = prop.says
    return test


def check(
    prop: Property,
    trial: Trial,
    *,
    examples: int = EXAMPLES,
    save: Path | str | None = None,
) -> None:
    """Check a property on calls that Hypothesis draws.

    Args:
        prop: The property.
        trial: The policy.
        examples: How many calls are drawn.
        save: A directory into which a call that breaks it is written as tests.

    Raises:
        AssertionError: a call breaks it: the smallest that was found is shown.
    """
    with spending() as look:
        _check(prop, trial, examples, save, look)


def _check(
    prop: Property, trial: Trial, examples: int, save: Path | str | None, look: Look
) -> None:
    if prop.form == "policy":
        missing = EXISTENCE[prop.name](prop, trial, examples)
        if missing:
            raise AssertionError(
                "\n  ".join([f"{prop.name} does not hold: {prop.says}", *missing])
            )
        return
    last: list[Breach] = []
    calls = count()

    @_effort(examples)
    @given(at_bounds(trial) if prop.name == "boundary_exact" else inputs(trial))
    def holds(call: dict[str, object]) -> None:
        look(f"after {next(calls)} of {examples} calls, none of which breaks it")
        breach = breach_of(prop, trial, call)  # type: ignore[arg-type]
        if breach is not None:
            last[:] = [breach]
            raise AssertionError(breach.text())

    try:
        holds()
    except (AssertionError, pytest.skip.Exception):
        if not last:
            raise
        # Hypothesis runs the smallest example last, if there is time to look for it.
        breach = last[0]
        kept = [] if save is None else save_breach(breach, trial, Path(save))
        written = [f"  written: {path}" for path in kept]
        raise AssertionError("\n".join([breach.text(), *written])) from None


def _effort(examples: int) -> hypothesis_settings:
    """Return the same calls each time; at night others, and more of them."""
    nightly = hypothesis_settings.get_current_profile_name() == NIGHTLY
    more = {} if nightly else {"derandomize": True, "database": None}
    return hypothesis_settings(
        hypothesis_settings.get_profile(NIGHTLY) if nightly else None,
        max_examples=examples * (_MORE if nightly else 1),
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
        **more,  # type: ignore[arg-type]
    )


@cache
def _trial(
    of: Path | str | None, config: Path | str | None, rules: tuple[str, ...]
) -> Trial:
    return Trial.of(of, config=config, rules=rules)


fail_closed: Final = partial(law, "fail_closed")
monotone_classes: Final = partial(law, "monotone_classes")
monotone_lists: Final = partial(law, "monotone_lists")
monotone_time: Final = partial(law, "monotone_time")
irrelevant: Final = partial(law, "irrelevant")
order_independent: Final = partial(law, "order_independent")
same_instant: Final = partial(law, "same_instant")
boundary_exact: Final = partial(law, "boundary_exact")
deterministic: Final = partial(law, "deterministic")
allow_iff_nothing_objects: Final = partial(law, "allow_iff_nothing_objects")
reachable: Final = partial(law, "reachable")
no_dead_condition: Final = partial(law, "no_dead_condition")
ill_typed_never_allows: Final = partial(law, "ill_typed_never_allows")
no_shadowed_rule: Final = partial(law, "no_shadowed_rule")
no_uncovered: Final = partial(law, "no_uncovered")
