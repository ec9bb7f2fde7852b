"""Combines the values of facts in few inputs, so that each pair of two facts' values is in one.

Faults that hide where two conditions meet are shown by pairs; three facts at once need
several times the rows. Rows are chosen one after the other, each for most of what no row
has yet: that there are no fewer is not claimed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Final, TypeAlias

import orjson

from policyguard.canonical import Json
from policyguard.testing.varied import PARTS, Asked, Fact, facts_of, set_fact

Row: TypeAlias = tuple[int, ...]
"""By place of a fact which of its values it has."""
Alike: TypeAlias = Callable[[Sequence[Asked]], bool]
_TRIES: Final = 12
"""Rows in which one combination is tried."""
_LOOKED_AT: Final = 40
"""Inputs on which it is tried which facts decide."""


def combinations(
    seen: Sequence[Asked], *, strength: int, alike: Alike
) -> Iterator[Asked]:
    """Yield inputs which combine the values of facts, unknown among them.

    Only facts of which another value changes an answer by itself are combined: a view has
    hundreds, and most decide nothing.

    Args:
        seen: Some inputs, one at least: their values are combined, and all other facts
            are those of the one with the most.
        strength: Of how many facts each combination of values is in an input.
        alike: Says whether inputs all have the same answer; one alone has not where it
            cannot be evaluated. Of such, as much as can be is in others.
    """
    facts = [_facts(one) for one in seen]
    base = max(range(len(seen)), key=lambda place: len(facts[place]))
    tried = list(zip(seen, facts, strict=True))[:_LOOKED_AT]
    values = {
        fact: known
        for fact, known in _values(facts[base], facts).items()
        if any(
            fact in own and not alike([_with(one, [(fact, new)]) for new in known])
            for one, own in tried
        )
    }

    def made(row: Row) -> Asked:
        new = (known[i] for known, i in zip(values.values(), row, strict=True))
        return _with(seen[base], zip(values, new, strict=True))

    sizes = [len(known) for known in values.values()]
    for row in covering(
        sizes, strength=strength, counts=lambda row: alike([made(row)])
    ):
        yield made(row)


def covering(
    sizes: Sequence[int],
    *,
    strength: int = 2,
    counts: Callable[[Row], bool] = lambda _: True,
) -> Iterator[Row]:
    """Yield few rows in which each combination of values of some facts is.

    Args:
        sizes: How many values each fact has, one at least.
        strength: Of how many facts.
        counts: Whether a row is one. A combination that is in none of some rows that
            count is given up.
    """
    strength = min(strength, len(sizes))
    together = list(itertools.combinations(range(len(sizes)), strength))
    missing = {
        (chosen, found)
        for chosen in together
        for found in itertools.product(*(range(sizes[fact]) for fact in chosen))
    }
    chooser = Random(0)  # noqa: S311 -- the same rows each time, no secret
    while missing and strength:
        first = min(missing)
        row = _row(sizes, missing, first=first)
        for _ in range(_TRIES):
            if counts(row):
                missing -= {(c, tuple(row[fact] for fact in c)) for c in together}
                yield row
                break
            row = _other(sizes, first, chooser)
        else:
            missing.discard(first)


def _other(sizes: Sequence[int], first: tuple[Row, Row], chooser: Random) -> Row:
    """Return any row with one combination."""
    fixed = dict(zip(*first, strict=True))
    return tuple(fixed.get(f, chooser.randrange(size)) for f, size in enumerate(sizes))


def _row(
    sizes: Sequence[int], missing: set[tuple[Row, Row]], *, first: tuple[Row, Row]
) -> Row:
    """Return a row with one combination, and with as much more of what is missing."""
    row = dict(zip(*first, strict=True))
    strength = len(row)
    rest = [fact for fact in range(len(sizes)) if fact not in row]
    for fact in sorted(rest, key=lambda item: (-sizes[item], item)):
        others = list(itertools.combinations(sorted(row), strength - 1))

        def new(value: int, fact: int = fact, others: Any = others) -> int:
            row[fact] = value
            wholes = (tuple(sorted((*other, fact))) for other in others)
            return sum((w, tuple(row[i] for i in w)) in missing for w in wholes)

        row[fact] = max(range(sizes[fact]), key=lambda value: (new(value), -value))
    return tuple(row[fact] for fact in range(len(sizes)))


def _values(
    base: Mapping[Fact, Json], others: Iterable[Mapping[Fact, Json]]
) -> dict[Fact, list[Json]]:
    """Return what the facts of an input are there and in others, and unknown."""
    found: dict[Fact, dict[bytes, Json]] = {
        fact: {orjson.dumps(value): value, b"null": None}
        for fact, value in base.items()
    }
    for other in others:
        for fact in other.keys() & found.keys():
            found[fact].setdefault(orjson.dumps(other[fact]), other[fact])
    return {fact: list(known.values()) for fact, known in found.items()}


def _facts(one: Asked) -> dict[Fact, Json]:
    """Return the facts in which no other stands, by their places."""
    return {
        fact: value
        for part in PARTS
        for fact, value in facts_of(getattr(one, part), part)
        if not _has_facts(value)
    }


def _has_facts(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) or (isinstance(value, dict) and bool(value))


def _with(one: Asked, facts: Iterable[tuple[Fact, Json]]) -> Asked:
    item = json.loads(json.dumps(one.document()))
    for fact, value in facts:
        set_fact(item, fact, value)
    return Asked(**item)
