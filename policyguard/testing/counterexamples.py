"""Looks for the smallest call on which a change of one fact leaves nobody objecting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from policyguard.engines.tree import Path
from policyguard.errors import EvaluationError
from policyguard.testing.claims import Counterexample
from policyguard.testing.properties import opened
from policyguard.testing.rule_table import Found, Sample, Table, objects
from policyguard.testing.space import Choice, Dim
from policyguard.testing.tables import Analyst

Breaks: TypeAlias = Callable[[Found, Found], bool]
_MOST: Final = 400
"""Evaluations for one call that is made smaller."""


@dataclass(frozen=True, slots=True)
class Change:
    """Is what a property asks of one rule: what if this fact were that."""

    analyst: Analyst
    rule: str
    dim: Dim
    to: int
    """Which value of the dimension, in the whole space."""
    kept: Found | None = None
    """What the rule has to find before; nothing: whatever breaks a property."""

    def breaks(
        self, choice: Choice, breaks: Breaks, *, shown: bool = False
    ) -> tuple[Found, Found] | None:
        """Return what is found before and after, if that breaks a property.

        Args:
            choice: A choice of the whole space.
            breaks: Says what is a breach.
            shown: Whether it is what is shown, and no more a search for it.
        """
        space = self.analyst.space
        asked = self.analyst.found if shown else self.analyst.searched
        after = asked(space.call({**choice, self.dim.path: self.to}))
        if after is None:
            return None
        other = after.get(self.rule, frozenset())
        if breaks is opened:
            # Another rule may object for it: then nothing that was found breaks it.
            other = frozenset(item for found in after.values() for item in found)
            if objects(other):
                return None
        before = asked(space.call(choice))
        if before is None:
            return None
        one = before.get(self.rule, frozenset())
        if self.kept not in {None, one}:
            return None
        return (one, other) if breaks(one, other) else None

    def smallest(
        self, start: Choice, *, breaks: Breaks = opened
    ) -> Counterexample | None:
        """Return the smallest call found around one that breaks the property.

        Args:
            start: A choice of the whole space.
            breaks: Says what is a breach.

        Raises:
            EvaluationError: what was searched with answers as what decides does not.
        """
        shown = self.breaks(start, breaks)
        if shown is None:
            return None
        choice = dict(start)
        paths = sorted(choice, key=lambda path: (len(path), path), reverse=True)
        for path in paths[:_MOST]:
            fewer = {key: value for key, value in choice.items() if key != path}
            if path != self.dim.path and (again := self.breaks(fewer, breaks)):
                choice, shown = fewer, again
        if self.breaks(choice, breaks, shown=True) != shown:
            raise EvaluationError(
                f"{self.rule}: compiled policy answers a call as the interpreter does not:"
                " nothing is claimed; report it with the policy"
            )
        space = self.analyst.space
        by_path = {dim.path: dim for dim in space.dims}
        return Counterexample(
            call=space.call(choice),
            facts={
                by_path[path].name: by_path[path].values[value]
                for path, value in choice.items()
            },
            changed=self.dim.name,
            value=self.dim.values[self.to],
            before=words_of(shown[0]),
            after=words_of(shown[1]),
        )


def change_of(
    analyst: Analyst,
    table: Table | Sample,
    dim: Dim,
    to: int,
    *,
    kept: Found | None = None,
) -> Change:
    """Return a change of a slice as one of the whole space.

    Args:
        analyst: Who evaluates whole calls.
        table: Of the rule, with its slice.
        dim: The slice's dimension.
        to: Which of its values.
        kept: What the rule has to find before.
    """
    whole = analyst.space.dim(dim.name)
    return Change(analyst, table.rule, whole, whole.values.index(dim.values[to]), kept)


def translated(
    table: Table | Sample, analyst: Analyst, choice: Choice
) -> dict[Path, int]:
    """Return a choice of a slice as one of the whole space."""
    whole = {dim.path: dim for dim in analyst.space.dims}
    return {
        dim.path: whole[dim.path].values.index(dim.values[choice[dim.path]])
        for dim in table.space.dims
        if dim.path in choice
    }


def smaller(
    one: Counterexample | None, other: Counterexample | None
) -> Counterexample | None:
    """Return the one with fewer facts."""
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda found: len(found.facts))


def words_of(found: Found) -> tuple[str, ...]:
    """Return what is found as a person reads it."""
    return tuple(sorted(f"{rule} {effect}" for rule, effect in found))
