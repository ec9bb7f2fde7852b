"""Says which views a call can show a part of a rule, as a function of few facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import orjson

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.documents import merged
from policyguard.testing.evaluating import POINTWISE
from policyguard.testing.parts import Part
from policyguard.testing.path_values import PathValues, levels_of
from policyguard.testing.relevant import Relevance, is_country
from policyguard.testing.slice_forms import Reads
from policyguard.testing.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class PartViews:
    """Finds the views of the parts of one rule."""

    values: PathValues
    data: Mapping[str, Json]
    budget: int
    diagrams: Diagrams
    space: Space
    below: Mapping[Path, Reads]
    """By path of the view, what it depends on."""
    constants: dict[bytes, int]
    """What is looked up by country, with its place."""

    def of(self, part: Part) -> tuple[Root, list[tuple[int, Json] | None]]:
        """Return each view that a call can show a part, where there is one.

        What is looked up by country is put into the constants, and named by its place.
        """
        deep = Reads(data=part.reads.data, texts=part.reads.texts)
        for path in part.reads.facts:
            deep |= self.below[path]
        dims = tuple(self.space.dims[level] for level in levels_of(self.space, deep))
        relevance = Relevance(reads=deep, data=self.data, dims=dims)
        stand_ins = {dim.path: relevance.stand_ins(dim) for dim in dims}
        groups = _groups(self.space, part.reads.facts, self.below)
        functions = [
            self.values.diagram(self.diagrams, self.space, paths, reads, stand_ins)
            for paths, reads in groups
        ]
        roots = [function for function, _ in functions]
        values = [shown for _, shown in functions]
        own = [i for i, (paths, _) in enumerate(groups) if paths[0][0] not in POINTWISE]
        rest = [i for i in range(len(groups)) if i not in own]
        named = frozenset(filter(is_country, deep.texts))
        root, found = self.diagrams.tuples([roots[i] for i in own], most=self.budget)
        fixed, looked_up = self.diagrams.tuples(
            [roots[i] for i in rest], most=self.budget
        )
        parts = [_merged(values, own, numbers) for numbers in found]
        mentioned = [named | _countries_in(document) for document in parts]
        rows = [_merged(values, rest, numbers) for numbers in looked_up]
        places: dict[tuple[frozenset[str], int], int] = {}
        cases: dict[tuple[int, int], int] = {}

        def case(view: int, row: int) -> int:
            key = (mentioned[view], row)
            if key not in places:
                text = orjson.dumps(_of_countries(rows[row], key[0]))
                places[key] = self.constants.setdefault(text, len(self.constants))
            return cases.setdefault((view, places[key]), len(cases))

        whole = self.diagrams.joined(root, fixed, case)
        if len(cases) > self.budget:
            raise OverflowError(f"more than {self.budget:,} views")
        views: list[tuple[int, Json] | None] = [
            None if parts[view] is None else (place, parts[view])
            for view, place in cases
        ]
        return whole, views


def _merged(
    values: Sequence[Sequence[Json]], own: Sequence[int], numbers: Sequence[int]
) -> Json:
    """Return the view that some leaves together show; nothing where there is none."""
    seen = [values[place][number] for place, number in zip(own, numbers, strict=True)]
    return None if None in seen else merged(seen)


def _groups(
    space: Space, paths: Iterable[Path], below: Mapping[Path, Reads]
) -> list[tuple[tuple[Path, ...], Reads]]:
    """Return paths of one field that depend on the same facts together."""
    found: dict[tuple[tuple[int, ...], str], list[Path]] = {}
    for path in sorted(paths):
        key = (tuple(levels_of(space, below[path])), path[0])
        found.setdefault(key, []).append(path)
    groups = []
    for _, own in sorted(found.items()):
        reads = Reads()
        for path in own:
            reads |= below[path]
        groups.append((tuple(own), reads))
    return groups


def _countries_in(value: Any) -> frozenset[str]:
    """Return the countries that a document names."""
    if isinstance(value, str):
        return frozenset({value}) if is_country(value) else frozenset()
    inner = value.values() if isinstance(value, dict) else value
    found: set[str] = set()
    if isinstance(inner, Iterable):
        found.update(*map(_countries_in, inner))
    return frozenset(found)


def _of_countries(rows: Any, countries: AbstractSet[str]) -> Json:
    """Return of what is looked up by country what is said of some countries."""
    groups = rows.get("groups", {})
    return {
        "countries": {
            country: row
            for country, row in rows.get("countries", {}).items()
            if country in countries
        },
        "groups": {
            group: [country for country in members if country in countries]
            for group, members in groups.items()
        },
    }
