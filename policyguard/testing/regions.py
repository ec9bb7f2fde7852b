"""Says which values of facts matter to some rule in some call, and which to none.

A rule that was decided for every call tells two values apart exactly where what it finds
is not the same function of the other facts. Of a rule that reads too much, calls are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from policyguard.canonical import Json
from policyguard.testing.claims import UNCOVERED, Claim, Counterexample, Effort
from policyguard.testing.counterexamples import translated
from policyguard.testing.holding import value_at
from policyguard.testing.properties import Property
from policyguard.testing.rule_table import Sample, Table, drawn
from policyguard.testing.space import Choice, Dim, Space
from policyguard.testing.tables import Analyst, relevance_of

_CLASSES: Final = "data.classes"
_CONFIDENCE: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Is which values of a fact one rule tells from the value of a calm call."""

    rule: str
    fact: str
    values: frozenset[int] = field(repr=False)
    """By their places in the space."""
    drawn: int = 0
    """In how many calls that was looked for, where not every call was decided."""


def told_apart(
    analyst: Analyst, table: Table | Sample, prop: Property, effort: Effort
) -> Iterator[Told]:
    """Yield which values of each fact a rule tells apart.

    Args:
        analyst: Who evaluates.
        table: The rule.
        prop: Whose facts count; without any the data classes.
        effort: How many calls are drawn of a rule that is not decided.
    """
    for dim in _dims(analyst.space, prop):
        if isinstance(table, Table):
            values, left = _in_table(analyst, table, dim)
        else:
            mine = any(own.path == dim.path for own in table.space.dims)
            values, left = set(), set(range(len(dim.values))) if mine else set()
        count = effort.samples if left else 0
        more = _in_draws(analyst, table, dim, left, count=count, seed=effort.seed)
        yield Told(
            rule=table.rule,
            fact=dim.name,
            values=frozenset(values | more),
            drawn=count if left - more else 0,
        )


def claims_of(
    space: Space, prop: Property, told: Iterable[Told], *, kinds: int
) -> Iterator[Claim]:
    """Yield of each fact whether every value of it matters to some rule.

    Args:
        space: The calls that are claimed for.
        prop: The property.
        told: What each rule tells apart.
        kinds: How many values are shown at most that matter to none.
    """
    told = list(told)
    for dim in _dims(space, prop):
        own = [item for item in told if item.fact == dim.name]
        calm = _calm(space, dim)
        known = frozenset[int]().union(*(item.values for item in own)) | {calm}
        asked = [index for index, value in enumerate(dim.values) if _counts(value)]
        rest = [index for index in asked if index not in known]
        open_ = sorted(item.rule for item in own if item.drawn and rest)
        shown = [
            Counterexample(
                call=space.call({dim.path: index}),
                facts={dim.name: dim.values[index]},
                changed=dim.name,
                value=dim.values[calm],
            )
            for index in ([] if open_ else rest[:kinds])
        ]
        yield Claim(
            property=UNCOVERED,
            rule=dim.name,
            tier="SAMPLED" if open_ else "VIOLATED" if rest else "PROVED",
            cases=len(set(asked) - {calm}),
            broken=len(rest),
            bound=_CONFIDENCE / min(i.drawn for i in own if i.drawn) if open_ else None,
            why=f"not decided of {', '.join(open_)}" if open_ else "",
            counterexample=shown[0] if shown else None,
            others=tuple(shown[1:]),
        )


def _dims(space: Space, prop: Property) -> list[Dim]:
    return [space.dim(name) for name in sorted(prop.facts or {_CLASSES})]


def _counts(value: Json) -> bool:
    """Say whether a value has to matter: unknown is none, and several are each asked."""
    return value is not None and not (isinstance(value, list) and len(value) > 1)


def _calm(space: Space, dim: Dim) -> int:
    """Return the value of a fact in a call to which nobody objects."""
    value = value_at(space.base, dim.path)
    return dim.values.index(value) if value in dim.values else dim.default


def _in_table(analyst: Analyst, table: Table, dim: Dim) -> tuple[set[int], set[int]]:
    """Return the values that are told apart, and those of which it is not known."""
    level = next((i for i, d in enumerate(table.space.dims) if d.path == dim.path), -1)
    if level < 0:
        return set(), set()
    places = _stand_ins(analyst, table, dim, table.space.dims[level])
    calm = places.get(_calm(analyst.space, dim))
    every = set(range(len(dim.values)))
    if calm is None:
        return set(), every
    diagrams = table.diagrams
    usual = diagrams.at(table.root, level, calm)
    apart = {
        index
        for index, place in places.items()
        if diagrams.at(table.root, level, place) != usual
    }
    return apart, every - places.keys()


def _stand_ins(analyst: Analyst, table: Table, dim: Dim, own: Dim) -> Mapping[int, int]:
    """Return for values of a fact which value of a slice stands for them."""
    relevance = relevance_of(analyst, table.rule)
    keys: Sequence[Json] = relevance.keys(dim)
    if dim.kind == "at":
        alike = relevance.alike(dim)
        keys = [alike[index] for index in range(len(dim.values))]
    kept = {orjson.dumps(value): place for place, value in enumerate(own.values)}
    by_key: dict[bytes, list[int]] = {}
    for index, value in enumerate(dim.values):
        place = kept.get(orjson.dumps(value))
        if place is not None:
            by_key.setdefault(orjson.dumps(keys[index]), []).append(place)
    calm = _calm(analyst.space, dim)
    alike_places = [by_key.get(orjson.dumps(key), []) for key in keys]
    usual = kept.get(orjson.dumps(dim.values[calm]), next(iter(alike_places[calm]), -1))
    found = {}
    for index, places in enumerate(alike_places):
        # Of two countries that are alike one may still be that of another fact.
        others = [place for place in places if place != usual] or places
        if places:
            found[index] = usual if index == calm else others[0]
    return found


def _in_draws(  # noqa: PLR0913 -- the words of one search
    analyst: Analyst,
    table: Table | Sample,
    dim: Dim,
    values: Iterable[int],
    *,
    count: int,
    seed: int,
) -> set[int]:
    """Return the values that a rule tells apart in some call that is drawn."""
    calm, left, found = _calm(analyst.space, dim), set(values), set[int]()
    left.discard(calm)
    for choice in drawn(table.space, count=count, seed=seed):
        start = translated(table, analyst, choice)
        usual = _finds(analyst, table.rule, {**start, dim.path: calm})
        more = {
            index
            for index in left
            if _finds(analyst, table.rule, {**start, dim.path: index}) != usual
        }
        found |= more
        left -= more
        if not left:
            break
    return found


def _finds(analyst: Analyst, rule: str, choice: Choice) -> object:
    found = analyst.found(analyst.space.call(choice))
    return None if found is None else found.get(rule, frozenset())
