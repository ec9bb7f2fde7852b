"""Decides a property of a rule for every call of a space at once.

Where a change of one fact silences a rule, another rule may object. Which one does is
asked of a whole call; that rule is then decided over the same facts, and the calls in
which it objects are taken out, until none is left or a call is found to which nobody
objects. Where such a rule reads too much to be decided, calls are drawn from those that are
left: what a search finds is never claimed with a weaker word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from random import Random
from typing import Final

from policyguard.testing.claims import REACHABLE, Claim, Counterexample
from policyguard.testing.counterexamples import (
    Change,
    change_of,
    smaller,
    translated,
    words_of,
)
from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.holding import value_at
from policyguard.testing.properties import Property, opened
from policyguard.testing.rule_table import Found, Sample, Table, objects
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
    before: Found | None = None
    """What the rule finds before; nothing: whatever it finds."""


@dataclass(slots=True, kw_only=True)
class _Left:
    """Is where a change breaks a property, and none of the rules looked at objects."""

    change: Change
    prop: Property
    table: Table
    root: Root
    """A function that is 1 there, and at some call it is."""


@dataclass(slots=True, kw_only=True)
class _Settled:
    """Is what became of it once other rules were looked at too."""

    with_rules: tuple[str, ...] = ()
    counterexample: Counterexample | None = None
    left: _Left | None = None
    """Where neither is known, or where only a search has found one."""

    @property
    def is_open(self) -> bool:
        """Say whether it is not known that others always object."""
        return self.left is not None or self.counterexample is not None


@dataclass(slots=True, kw_only=True)
class Guards:
    """Knows tables of rules over the facts of several; belongs to one thread."""

    most: int = 120_000
    """Evaluations for the tables of one rule with others; beyond it is not known."""
    samples: int = 400
    """How many calls are drawn for one claim from those in which the rule is lost."""
    seed: int = 0
    """What the draws depend on."""
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


def decide(
    analyst: Analyst, table: Table, prop: Property, guards: Guards, *, kinds: int = 1
) -> Claim:
    """Decide a property of a rule.

    Args:
        analyst: Who evaluates whole calls.
        table: The rule for every call.
        prop: The property.
        guards: Tables of several rules.
        kinds: How many kinds of counterexample are looked for at most.
    """
    cases = table.space.size
    if prop.name == REACHABLE:
        reached = any(table.outcomes)
        return Claim(
            property=prop.name, rule=table.rule, tier="PROVED" if reached else "VIOLATED",
            cases=cases, broken=0 if reached else cases,
        )  # fmt: skip
    lost = _lost_by(table, prop)
    search = _Search(
        analyst=analyst, table=table, prop=prop, guards=guards,
        draws=-(-guards.samples // max(1, len(lost))),
    )  # fmt: skip
    settled = [search.settled(item) for item in lost]
    silent = [item for item, found in zip(lost, settled, strict=True) if found.is_open]
    if not silent:
        others = {rule for found in settled for rule in found.with_rules}
        why = f"with {', '.join(sorted(others))}" if others else ""
        return Claim(
            property=prop.name, rule=table.rule, tier="PROVED", cases=cases, why=why
        )
    shown = search.kinds(silent, [found.counterexample for found in settled], kinds)
    facts = ", ".join(sorted({item.dim.name for item in silent}))
    return Claim(
        property=prop.name, rule=table.rule, tier="VIOLATED" if shown else "CHECKED",
        cases=cases, broken=sum(item.count for item in silent),
        counterexample=shown[0] if shown else None, others=tuple(shown[1:]),
        why=f"{_breaking(prop)} {facts}"
        + ("" if shown else "; another rule objects in each call tried"),
    )  # fmt: skip


def _breaking(prop: Property) -> str:
    return "it falls silent by" if prop.breaks_only_objections else "it changes by"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """Looks for calls that break one property of one rule."""

    analyst: Analyst
    table: Table
    prop: Property
    guards: Guards
    draws: int

    def settled(self, lost: _Lost) -> _Settled:
        """Return what becomes of a change once other rules are looked at."""
        found = _settled(self.analyst, self.table, self.prop, lost, self.guards)
        if found.left is not None:
            found.counterexample = _searched(
                found.left, count=self.draws, seed=self.guards.seed
            )
        return found

    def kinds(
        self,
        silent: Sequence[_Lost],
        found: Sequence[Counterexample | None],
        most: int,
    ) -> list[Counterexample]:
        """Return the smallest call of each kind, of all the smallest first.

        A fact that was not shown yet goes before another finding of one that was.
        """
        by_fact: dict[str, Counterexample] = {}
        for one in found:
            if one is not None and one.changed is not None:
                best = smaller(by_fact.get(one.changed), one)
                by_fact[one.changed] = best or one
        shown = sorted(by_fact.values(), key=_size)[:most]
        counts = [_by_finding(self.table, self.prop, item) for item in silent]
        for item, own in zip(silent, counts, strict=True):
            for before in sorted(own, key=words_of):
                known = {(one.changed, one.before) for one in shown}
                if (item.dim.name, words_of(before)) in known:
                    continue
                if item.dim.name not in by_fact or len(shown) >= most:
                    break
                more = self.settled(replace(item, before=before)).counterexample
                shown += [more] if more is not None else []
        return [
            replace(one, cases=_cases(one, silent, counts))
            for one in sorted(shown, key=_size)
        ]


def _size(shown: Counterexample) -> int:
    return len(shown.facts)


def _cases(
    shown: Counterexample,
    silent: Sequence[_Lost],
    counts: Sequence[Mapping[Found, int]],
) -> int:
    """Return how many cases are of the kind of one."""
    return sum(
        number
        for item, own in zip(silent, counts, strict=True)
        for before, number in own.items()
        if (item.dim.name, words_of(before)) == (shown.changed, shown.before)
    )


def _by_finding(table: Table, prop: Property, lost: _Lost) -> dict[Found, int]:
    """Return by what the rule finds before how often a change breaks a property."""
    level = table.space.dims.index(lost.dim)
    broken = _broken(table, prop, level, lost.to, lost.allowed)
    root = table.diagrams.joined(
        table.root, broken, lambda place, here: place + 1 if here else 0
    )
    counts = table.diagrams.counts(root)
    return {table.outcomes[leaf - 1]: n for leaf, n in counts.items() if leaf}


def loses_nothing(table: Sample, prop: Property) -> bool:
    """Say whether a change breaks a property nowhere, whatever comes of loose parts.

    Args:
        table: A rule of which some parts are not decided.
        prop: A property of the form `change`.
    """
    moved = {d.path for d in table.space.dims for _ in prop.moves_of(d)}
    if not moved:
        return True
    return (
        table.rest is not None
        and not moved & table.loose
        and not _lost_by(table.rest, prop)
    )


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


def _broken(  # noqa: PLR0913, PLR0917 -- the words of one change
    table: Table,
    prop: Property,
    level: int,
    to: int,
    allowed: Sequence[int],
    found: Found | None = None,
) -> Root:
    """Return where a change breaks a property, as a function that is 1 there."""
    diagrams, outcomes = table.diagrams, table.outcomes
    if not allowed:
        return diagrams.leaf(0)
    if prop.breaks is opened and found is None:
        # Whether it objects is all that counts, and tells far fewer calls apart.
        before = table.objecting
        after = diagrams.at(before, level, to)
        root = diagrams.joined(before, after, lambda one, other: one & (1 - other))
        return diagrams.joined(
            root, diagrams.among(level, allowed), lambda one, other: one & other
        )
    after = diagrams.at(table.root, level, to)
    if after == table.root:
        return diagrams.leaf(0)
    root = diagrams.joined(
        table.root,
        after,
        lambda one, other: int(
            found in {None, outcomes[one]}
            and prop.breaks(outcomes[one], outcomes[other])
        ),
    )
    return diagrams.joined(
        root, diagrams.among(level, allowed), lambda one, other: one & other
    )


def _settled(
    analyst: Analyst, table: Table, prop: Property, lost: _Lost, guards: Guards
) -> _Settled:
    """Look for a call to which nobody objects, or for the rules that always do."""
    rules = [table.rule]
    tables: tuple[Table, ...] = (table,)
    change = change_of(analyst, table, lost.dim, lost.to, kept=lost.before)
    for _ in range(_MOST):
        own = tables[0]
        rest = _left(tables, prop, lost)
        example = own.diagrams.example(rest, 1)
        if example is None:
            return _Settled(with_rules=tuple(rules[1:]))
        choice = translated(
            own,
            analyst,
            {d.path: example.get(i, 0) for i, d in enumerate(own.space.dims)},
        )
        shown = change.smallest(choice, breaks=prop.breaks)
        if shown is not None:
            return _Settled(counterexample=shown)
        if prop.breaks is not opened:
            break
        more = _objecting(analyst, change, choice, rules)
        joint = None if more is None else guards.of(analyst, [*rules, more])
        if more is None or joint is None:
            break
        rules.append(more)
        tables = joint
    return _Settled(left=_Left(change=change, prop=prop, table=own, root=rest))


def _searched(left: _Left, *, count: int, seed: int) -> Counterexample | None:
    """Draw calls that are left until one breaks the property.

    Facts that make no difference are as in a call of which nothing is said, and so are
    others where they may be: a silence is heard where nothing else objects.
    """
    space, diagrams = left.table.space, left.table.diagrams
    usual = {
        level: dim.values.index(value)
        for level, dim in enumerate(space.dims)
        if (value := value_at(space.base, dim.path)) in dim.values
    }
    chooser = Random(seed)  # noqa: S311 -- the same calls each time, no secret
    for drawn in islice(diagrams.drawn(left.root, 1, chooser, usual=usual), count):
        choice = {space.dims[level].path: value for level, value in drawn.items()}
        start = translated(left.table, left.change.analyst, choice)
        found = left.change.smallest(start, breaks=left.prop.breaks)
        if found is not None:
            return found
    return None


def _left(tables: Sequence[Table], prop: Property, lost: _Lost) -> Root:
    """Return where the first rule is lost, and none of the others objects."""
    own, *others = tables
    level = next(i for i, dim in enumerate(own.space.dims) if dim.path == lost.dim.path)
    dim = own.space.dims[level]
    to = dim.values.index(lost.dim.values[lost.to])
    allowed = next(a for t, a in prop.moves_of(dim) if t == to)
    values = [i for i in range(len(dim.values)) if allowed(i)]
    rest = _broken(own, prop, level, to, values, lost.before)
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
    found = analyst.searched(analyst.space.call({**choice, change.dim.path: change.to}))
    for rule in sorted(found or {}):
        if rule not in known and objects((found or {})[rule]):
            return rule
    return None
