"""Decides a property of a rule from its table, for every call of a space at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.testing.claims import FAIL_CLOSED, MONOTONE, REACHABLE, Claim
from policyguard.testing.counterexamples import change_of, smaller, translated
from policyguard.testing.rule_table import Table, objects
from policyguard.testing.space import Choice, Dim
from policyguard.testing.tables import Analyst

_TRIED: Final = 3
"""Cases of one fact for which a call is looked for that nobody objects to."""


@dataclass(slots=True, kw_only=True)
class Lost:
    """Counts the cases in which a change of one fact silences a rule; keeps some."""

    dim: Dim
    count: int = 0
    tried: list[tuple[Choice, int]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Guards:
    """Knows which rules object to every call in which a fact is unknown."""

    tables: Sequence[Table]
    known: dict[Path, str | None] = field(default_factory=dict)

    def of(self, dim: Dim) -> str | None:
        """Return a rule that objects wherever the fact is unknown, if one does."""
        if dim.path not in self.known:
            found = (table.rule for table in self.tables if _guards(table, dim))
            self.known[dim.path] = next(found, None)
        return self.known[dim.path]


def decide(analyst: Analyst, table: Table, name: str, guards: Guards) -> Claim | None:
    """Decide a property; nothing if one change meets too many facts.

    Args:
        analyst: Who evaluates whole calls.
        table: The rule for every view.
        name: The property.
        guards: Rules that object for others.
    """
    cases = len(table.outcomes)
    if name == REACHABLE:
        found = any(table.outcomes)
        return Claim(
            property=name, rule=table.rule, tier="PROVED" if found else "VIOLATED",
            cases=cases, broken=0 if found else cases,
        )  # fmt: skip
    lost = lost_by(table, name)
    if lost is None:
        return None
    by = {
        item.dim.name: guards.of(item.dim) if name == FAIL_CLOSED else None
        for item in lost
    }
    unguarded = [item for item in lost if by[item.dim.name] is None]
    if not unguarded:
        others = sorted({rule for rule in by.values() if rule})
        return Claim(
            property=name, rule=table.rule, tier="PROVED", cases=cases,
            why=f"with {', '.join(others)}" if others else "",
        )  # fmt: skip
    best = None
    for item in unguarded:
        for choice, to in item.tried:
            change = change_of(analyst, table, item.dim, to)
            best = smaller(best, change.smallest(translated(table, analyst, choice)))
    facts = ", ".join(sorted(item.dim.name for item in unguarded))
    return Claim(
        property=name, rule=table.rule, tier="VIOLATED" if best else "CHECKED",
        cases=cases, broken=sum(item.count for item in unguarded), counterexample=best,
        why=f"it falls silent by {facts}"
        + ("" if best else "; another rule objects in each call tried"),
    )  # fmt: skip


def lost_by(table: Table, name: str) -> list[Lost] | None:
    """Return by fact the cases in which a change silences a rule."""
    found: dict[str, Lost] = {}
    for place, component in enumerate(table.components):
        rows = _rows(table, place)
        for dim in component.dims:
            for to, allowed in moves(name, dim):
                pairs = component.pairs(dim, to, allowed)
                if pairs is None:
                    return None
                for (one, other), choice in pairs.items():
                    bits = rows[component.index[one]] & ~rows[component.index[other]]
                    if not bits:
                        continue
                    item = found.setdefault(dim.name, Lost(dim=dim))
                    item.count += bits.bit_count()
                    if len(item.tried) < _TRIED:
                        rest = _rest(table, place, (bits & -bits).bit_length() - 1)
                        item.tried.append(({**rest, **choice}, to))
    return list(found.values())


def moves(name: str, dim: Dim) -> Iterator[tuple[int, Callable[[int], bool]]]:
    """Yield to which value a property changes a fact, and from which others."""
    if name == FAIL_CLOSED and dim.unknown is not None:
        unknown = dim.unknown
        yield unknown, lambda index: index != unknown
    if name == MONOTONE and dim.path == ("data", "classes"):
        for to, value in enumerate(dim.values):
            if isinstance(value, list) and len(value) > 1:
                yield to, partial(_within, dim, set(value))


def _within(dim: Dim, classes: set[Json], index: int) -> bool:
    own = dim.values[index]
    return isinstance(own, list) and own != ["none"] and set(own) < classes


def _guards(table: Table, dim: Dim) -> bool:
    for place, component in enumerate(table.components):
        own = next((item for item in component.dims if item.path == dim.path), None)
        if own is None or own.unknown is None:
            continue
        pairs = component.pairs(own, own.unknown, lambda _: True)
        if pairs is None:
            continue
        rows = _rows(table, place)
        every = (1 << (len(table.outcomes) // len(component.met))) - 1
        if all(rows[component.index[other]] == every for _, other in pairs):
            return True
    return False


def _rows(table: Table, place: int) -> list[int]:
    """Return for each class of one component in which rests the rule objects, as bits."""
    shape = table.shape
    inner = 1
    for size in shape[place + 1 :]:
        inner *= size
    size = shape[place]
    rows = [0] * size
    for index, outcome in enumerate(table.outcomes):
        if objects(outcome):
            before, rest = divmod(index, size * inner)
            own, after = divmod(rest, inner)
            rows[own] |= 1 << (before * inner + after)
    return rows


def _rest(table: Table, place: int, rest: int) -> Choice:
    found: dict[Path, int] = {}
    parts = [
        component for index, component in enumerate(table.components) if index != place
    ]
    for component in reversed(parts):
        rest, own = divmod(rest, len(component.met))
        found |= list(component.met.values())[own]
    return found
