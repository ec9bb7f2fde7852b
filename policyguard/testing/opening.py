"""Looks for the rest of a call on which nothing objects but the rule that was loosened.

A rule that objects to less opens access only where no other rule objects. What the rule
itself reads says nothing of that: the other facts of a call have to be found as well.
The search changes one fact at a time, among those that the rules read which still
object, and keeps what makes fewer of them object.

INVARIANT: what is found is shown by whole evaluations of both policies. That nothing is
found proves nothing: the rule is looser all the same, and is shown as that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from policyguard.engines.tree import Path
from policyguard.testing.relevant import slice_of
from policyguard.testing.rule_table import objects
from policyguard.testing.space import Choice, Dim
from policyguard.testing.tables import Analyst

Shows: TypeAlias = Callable[[Choice], bool]
"""Says whether the rule differs in a call in the way that is looked for."""
MOST_CALLS: Final = 800
"""So many calls are asked about for one that differs."""


def opened(start: Choice, *, analyst: Analyst, shows: Shows) -> Choice:
    """Return a call near one to which nobody objects, or else the one.

    Args:
        start: A call on which the rule differs.
        analyst: Who asks the rules of the new policy, and knows what they read.
        shows: Says whether the rule still differs in the same way.
    """
    choice, left = start, MOST_CALLS
    known: dict[str, tuple[Dim, ...]] = {}
    against = _objecting(analyst, start)
    while against:
        better = None
        for near in _near(choice, against, analyst, known):
            if not left:
                return start
            left -= 1
            there = _objecting(analyst, near)
            if there is not None and len(there) < len(against) and shows(near):
                better = near, there
                break
        if better is None:
            return start
        choice, against = better
    return choice


def _objecting(analyst: Analyst, choice: Choice) -> frozenset[str] | None:
    found = analyst.found(analyst.space.call(choice))
    if found is None:
        return None
    return frozenset(rule for rule, what in found.items() if objects(what))


def _near(
    choice: Choice,
    against: frozenset[str],
    analyst: Analyst,
    known: dict[str, tuple[Dim, ...]],
) -> Iterator[Choice]:
    seen: set[Path] = set()
    for rule in sorted(against):
        if rule not in known:
            known[rule] = _dimensions(analyst, rule)
        for dim in known[rule]:
            if dim.path in seen:
                continue
            seen.add(dim.path)
            now = choice.get(dim.path, 0)
            for value in range(len(dim.values)):
                if value != now:
                    yield {**choice, dim.path: value}


def _dimensions(analyst: Analyst, rule: str) -> tuple[Dim, ...]:
    """Return the facts that a rule reads, with their values in the whole space."""
    whole = {dim.path: dim for dim in analyst.space.dims}
    sliced = analyst.sliced(rule) if rule in analyst.rules else None
    if sliced is None:
        return analyst.space.dims
    read = slice_of(analyst.space, sliced.deep, analyst.policy.data)
    return tuple(whole[dim.path] for dim in read.dims)
