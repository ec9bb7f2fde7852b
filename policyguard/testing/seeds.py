"""Looks for calls of which each rule finds something, to draw others near them.

Most rules find something in few of all calls. A property that speaks of what a rule
objects to would hold of nothing if such calls were not looked for first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from weakref import WeakKeyDictionary

from policyguard.canonical import Json
from policyguard.testing.changes import places, set_in
from policyguard.testing.rule_table import Found
from policyguard.testing.space import Dim
from policyguard.testing.trial import Trial

_MOST_TRIED: Final = 6_000
_EACH: Final = (60, 300)
"""How many calls are drawn for all rules, and for one: at least, at most."""
_KEPT: Final = 4
_ALIKE: Final = 2
"""How many calls are kept of one rule, and of those of which it finds the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """Is calls of which one rule finds something."""

    rule: str
    facts: tuple[dict[str, Json], ...] = field(repr=False)
    """The facts by which each differs from a call to which nobody objects."""


_KNOWN: Final[WeakKeyDictionary[Trial, tuple[Seeds, ...]]] = WeakKeyDictionary()


def seeds_of(trial: Trial) -> tuple[Seeds, ...]:
    """Return calls of each rule on trial; of some rules perhaps none was met.

    Args:
        trial: The policy; asked once, then remembered.
    """
    if trial not in _KNOWN:
        least, most = _EACH
        each = min(most, max(least, _MOST_TRIED // max(1, len(trial.rules))))
        _KNOWN[trial] = tuple(_seeds(trial, rule, tried=each) for rule in trial.rules)
    return _KNOWN[trial]


def call_of(trial: Trial, facts: Mapping[str, Json]) -> dict[str, Any]:
    """Return the `input` in which some facts have these values.

    Args:
        trial: The policy, whose space has the call to which nobody objects.
        facts: Values by the name of a dimension. What is in an object that is not there
            brings the object with it.
    """
    call: Any = trial.space.call({})
    for dim in trial.space.dims:
        if dim.name in facts:
            value = facts[dim.name]
        elif _holds_one_of(dim, facts) and not any(
            item for _, item in places(call, dim.path)
        ):
            value = dim.values[-1]
        else:
            continue
        for place, _ in list(places(call, dim.path)):
            call = set_in(call, place, value)
    return trial.space.completed(call)


def shrunk(
    trial: Trial, rule: str, facts: Mapping[str, Json], *, items: Found
) -> dict[str, Json]:
    """Return as few of some facts as still make a rule find the same."""
    kept = dict(facts)
    for name in sorted(facts, key=lambda name: (-name.count("."), name)):
        fewer = {key: value for key, value in kept.items() if key != name}
        if trial.found(call_of(trial, fewer)).get(rule) == items:
            kept = fewer
    return kept


def _seeds(trial: Trial, rule: str, *, tried: int) -> Seeds:
    chooser = Random(0)  # noqa: S311 -- the same calls each time, no secret
    dims = trial.dims_of(rule)
    met: Counter[Found] = Counter()
    found: list[dict[str, Json]] = []
    for _ in range(tried if dims else 0):
        facts = {dim.name: chooser.choice(dim.values) for dim in dims}
        items = trial.found(call_of(trial, facts)).get(rule)
        if items is None or met[items] >= _ALIKE:
            continue
        met[items] += 1
        small = shrunk(trial, rule, facts, items=items)
        if small not in found:
            found.append(small)
        if len(found) >= _KEPT:
            break
    return Seeds(rule=rule, facts=tuple(found))


def _holds_one_of(dim: Dim, facts: Mapping[str, Json]) -> bool:
    """Say whether a fact is an object, or a list of them, with a named fact in it."""
    last = dim.values[-1]
    whole = isinstance(last, dict) or (
        isinstance(last, list) and bool(last) and isinstance(last[0], dict)
    )
    return whole and any(name.startswith(f"{dim.name}.") for name in facts)
