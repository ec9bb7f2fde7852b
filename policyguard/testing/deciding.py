"""Decides a property of a rule for every call of a space at once.

Where a change of one fact silences a rule, another rule may object. Which one does is
asked of a whole call; that rule is then decided over the same facts, and the calls in
which it objects are taken out, until none is left or a call is found to which nobody
objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from policyguard.testing.claims import REACHABLE, Claim, Counterexample
from policyguard.testing.counterexamples import Change, change_of, smaller, translated
from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.properties import Property, opened
from policyguard.testing.rule_table import Table, objects
from policyguard.testing.space import Dim
from policyguard.testing.tables import Analyst

_MOST: Final = 8
"""Rules that are looked at together, of which each objects for another."""


@dataclass(slots=True, kw_only=True)
class _Lost:
    """Is a change of one fact that breaks a property of a rule in some calls."""

    dim: Dim
    to: int
    allowed: tuple[int, ...]
    count: int


@dataclass(slots=True, kw_only=True)
class _Settled:
    """Is what became of it once other rules were looked at too."""

    with_rules: tuple[str, ...] = ()
    counterexample: Counterexample | None = None
    open: bool = False
    """Whether neither is known."""


@dataclass(slots=True, kw_only=True)
class Guards:
    """Knows tables of rules over the facts of several; belongs to one thread."""

    most: int = 120_000
    """Evaluations for the tables of one rule with others; beyond it is not known."""
    spent: int = 0
    joint: dict[tuple[str, ...], tuple[Table, ...] | None] = field(default_factory=dict)

    def of(self, analyst: Analyst, rules: Sequence[str]) -> tuple[Table, ...] | None:
        """Return tables of rules over all the facts that they read; nothing if too much."""
        key = tuple(rules)
        if key not in self.joint:
            before = analyst.evaluations
            enough = self.spent >= self.most
            self.joint[key] = None if enough else analyst.joint(key)
            self.spent += analyst.evaluations - before
        return self.joint[key]


def decide(analyst: Analyst, table: Table, prop: Property, guards: Guards) -> Claim:
    """Decide a property of a rule.

    Args:
        analyst: Who evaluates whole calls.
        table: The rule for every call.
        prop: The property.
        guards: Tables of several rules.
    """
    cases = table.space.size
    if prop.name == REACHABLE:
        found = any(table.outcomes)
        return Claim(
            property=prop.name, rule=table.rule, tier="PROVED" if found else "VIOLATED",
            cases=cases, broken=0 if found else cases,
        )  # fmt: skip
    lost = _lost_by(table, prop)
    others: set[str] = set()
    silent: dict[str, int] = {}
    best: Counterexample | None = None
    for item in lost:
        settled = _settled(analyst, table, prop, item, guards)
        others |= set(settled.with_rules)
        best = smaller(best, settled.counterexample)
        if settled.open or settled.counterexample:
            silent[item.dim.name] = silent.get(item.dim.name, 0) + item.count
    facts = ", ".join(sorted(silent))
    if not silent:
        why = f"with {', '.join(sorted(others))}" if others else ""
        return Claim(
            property=prop.name, rule=table.rule, tier="PROVED", cases=cases, why=why
        )
    return Claim(
        property=prop.name, rule=table.rule, tier="VIOLATED" if best else "CHECKED",
        cases=cases, broken=sum(silent.values()), counterexample=best,
        why=f"it falls silent by {facts}"
        + ("" if best else "; another rule objects in each call tried"),
    )  # fmt: skip


def _lost_by(table: Table, prop: Property) -> list[_Lost]:
    """Return the changes of one fact that break a property, other rules aside."""
    found = []
    for level, dim in enumerate(table.space.dims):
        for to, allowed in prop.moves_of(dim):
            values = tuple(i for i in range(len(dim.values)) if allowed(i))
            root = _broken(table, prop, level, to, values)
            count = table.diagrams.counts(root).get(1, 0)
            if count:
                found.append(_Lost(dim=dim, to=to, allowed=values, count=count))
    return found


def _broken(
    table: Table, prop: Property, level: int, to: int, allowed: Sequence[int]
) -> Root:
    """Return where a change breaks a property, as a function that is 1 there."""
    diagrams, outcomes = table.diagrams, table.outcomes
    if not allowed:
        return diagrams.leaf(0)
    after = diagrams.at(table.root, level, to)
    if after == table.root:
        return diagrams.leaf(0)
    root = diagrams.joined(
        table.root,
        after,
        lambda one, other: int(prop.breaks(outcomes[one], outcomes[other])),
    )
    return diagrams.joined(
        root, diagrams.among(level, allowed), lambda one, other: one & other
    )


def _settled(
    analyst: Analyst, table: Table, prop: Property, lost: _Lost, guards: Guards
) -> _Settled:
    """Look for a call to which nobody objects, or for the rules that always do."""
    rules = [table.rule]
    tables: tuple[Table, ...] | None = (table,)
    change = change_of(analyst, table, lost.dim, lost.to)
    if prop.breaks is not opened:
        return _first(analyst, table, prop, lost, change)
    for _ in range(_MOST):
        if tables is None:
            return _Settled(open=True)
        rest = _left(tables, prop, lost)
        example = tables[0].diagrams.example(rest, 1)
        if example is None:
            return _Settled(with_rules=tuple(rules[1:]))
        own = tables[0]
        choice = translated(
            own,
            analyst,
            {d.path: example.get(i, 0) for i, d in enumerate(own.space.dims)},
        )
        shown = change.smallest(choice)
        if shown is not None:
            return _Settled(counterexample=shown)
        more = _objecting(analyst, change, choice, rules)
        if more is None:
            return _Settled(open=True)
        rules.append(more)
        tables = guards.of(analyst, rules)
    return _Settled(open=True)


def _first(
    analyst: Analyst, table: Table, prop: Property, lost: _Lost, change: Change
) -> _Settled:
    """Return a call on which the rule itself finds something else."""
    root = _left((table,), prop, lost)
    example = table.diagrams.example(root, 1) or {}
    choice = translated(
        table,
        analyst,
        {d.path: example.get(i, 0) for i, d in enumerate(table.space.dims)},
    )
    found = change.smallest(choice, breaks=prop.breaks)
    return _Settled(counterexample=found, open=found is None)


def _left(tables: Sequence[Table], prop: Property, lost: _Lost) -> Root:
    """Return where the first rule is lost, and none of the others objects."""
    own, *others = tables
    level = next(i for i, dim in enumerate(own.space.dims) if dim.path == lost.dim.path)
    dim = own.space.dims[level]
    to = dim.values.index(lost.dim.values[lost.to])
    allowed = next(a for t, a in prop.moves_of(dim) if t == to)
    values = [i for i in range(len(dim.values)) if allowed(i)]
    rest = _broken(own, prop, level, to, values)
    diagrams: Diagrams = own.diagrams
    for other in others:
        after = diagrams.at(other.objecting, level, to)
        rest = diagrams.joined(rest, after, lambda one, two: one & (1 - two))
    return rest


def _objecting(
    analyst: Analyst,
    change: Change,
    choice: dict[tuple[str, ...], int],
    known: list[str],
) -> str | None:
    """Return a rule that objects to a changed call, and of which a table can be made."""
    found = analyst.found(analyst.space.call({**choice, change.dim.path: change.to}))
    for rule in sorted(found or {}):
        if rule not in known and objects((found or {})[rule]):
            return rule
    return None
