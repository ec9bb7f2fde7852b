"""Keeps of each dimension the values that a slice of a policy can tell apart.

Rules compare countries with texts, with one another, and by what the catalog says of
them; a country that neither a text that is read nor the catalog's part that is read
names is as good as any other, so that as many are kept as can meet in one call. An
instant counts by the boundaries that are read. Of a fact whose shape alone is read, one
value of each shape is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.testing.instants import WINDOW, boundaries_in
from policyguard.testing.slice_forms import ANY, SHAPE, THERE, Reads
from policyguard.testing.space import Dim, Space, concerned
from policyguard.testing.space_values import numbers_in

_COUNTRY: Final = re.compile(r'"([A-Z]{2})"')
_ROWS: Final = ("catalog", "views", "countries")
_ELSEWHERE: Final = ("catalog", "views", "elsewhere")
_BY_COUNTRY: Final = frozenset({_ROWS, _ELSEWHERE})
_COUNTRIES: Final = frozenset({"country", "countries"})
_ALWAYS: Final = frozenset({"UA", "US", "FR"})
"""Countries that a region of the space begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relevance:
    """Is what a slice tells apart; see the module."""

    reads: Reads = field(repr=False)
    """What is read below `input` of the question, below `data`, and compared with."""
    data: Mapping[str, Json] = field(repr=False)
    dims: tuple[Dim, ...] = field(repr=False)
    """The dimensions that matter."""

    def kept(self, dim: Dim) -> tuple[int, ...]:
        """Return which values of a dimension are kept, its default among them."""
        if self._shape_only(dim):
            found = _first_of(dim, _shape)
        elif dim.kind in _COUNTRIES:
            found = self._countries(dim)
        elif dim.kind == "at":
            found = self.alike(dim).values()
        elif dim.kind == "number":
            found = self._numbers(dim)
        elif dim.path == ("data", "classes"):
            found = set(_firsts(self._classes(dim)))
        else:
            found = range(len(dim.values))
        return tuple(sorted({*found}))

    def _shape_only(self, dim: Dim) -> bool:
        touching = [path for path in self.reads.facts if any(concerned((dim,), path))]
        return all(path == (*dim.path, SHAPE) for path in touching)

    def stand_ins(self, dim: Dim) -> list[int]:
        """Return for each value of a dimension one that no rule can tell from it.

        Of instants see `alike`. Countries stand in for one another where no other fact
        of the slice could be the same country; words of an enumeration where no text
        that is read, and no other fact, is that word.
        """
        own = list(range(len(dim.values)))
        if self._shape_only(dim):
            return _firsts(map(_shape, dim.values))
        countries = self._meeting()
        if dim.kind in _COUNTRIES and len(countries) == 1:
            return _firsts(self._classes_of_countries(dim))
        if dim.path == ("data", "classes"):
            return _firsts(self._classes(dim))
        if dim.kind == "enum":
            known = self.reads.texts | set(_texts([*self._read_data()]))
            known |= {part for other in self.dims for part in other.path}
            for other in self.dims:
                if other.path != dim.path:
                    known |= set(_texts(list(other.values)))
            free = [i for i in own if dim.values[i] and dim.values[i] not in known]
            return [free[0] if index in free else index for index in own]
        return own

    def keys(self, dim: Dim) -> list[Json]:
        """Return for each value of a dimension what tells it apart for the slice."""
        if self._shape_only(dim):
            return [_shape(value) for value in dim.values]
        if dim.kind in _COUNTRIES:
            return self._classes_of_countries(dim)
        if dim.path == ("data", "classes"):
            return self._classes(dim)
        return list(range(len(dim.values)))

    def _countries(self, dim: Dim) -> Iterable[int]:
        """Return of each class of countries as many as can meet in one call."""
        meeting = len(self._meeting())
        met: dict[Any, int] = {}
        found = []
        for index, key in enumerate(self._classes_of_countries(dim)):
            met[key] = met.get(key, 0) + 1
            if met[key] <= meeting:
                found.append(index)
        return found

    def _meeting(self) -> list[Dim]:
        """Return the dimensions whose countries may be compared with one another."""
        return [
            dim
            for dim in self.dims
            if dim.kind in _COUNTRIES and not self._shape_only(dim)
        ]

    def _classes_of_countries(self, dim: Dim) -> list[Any]:
        """Return for each value what tells it apart: its name, or what is said of it."""
        named = set(filter(is_country, self.reads.texts)) | _ALWAYS
        named |= set(_COUNTRY.findall(_text(self._read_data())))
        rests = sorted(path[3:] for path in self.reads.data if path[:3] == _ROWS)
        others = sorted(path[3:] for path in self.reads.data if path[:3] == _ELSEWHERE)
        rows: Any = next(_under(self.data, _ROWS), {})
        elsewhere = _text(
            [list(_under(self.data, (*_ELSEWHERE, *rest))) for rest in others]
        )
        found: list[Any] = []
        for value in dim.values:
            country = value[0] if isinstance(value, list) and value else value
            if not is_country(country) or country in named:
                found.append(_text(value))
            elif not rests:
                found.append(0)
            elif country in rows:
                row = rows[country]
                found.append(_text([list(_under(row, rest[1:])) for rest in rests]))
            else:
                found.append(elsewhere)
        return found

    def alike(self, dim: Dim) -> dict[int, int]:
        """Return for each instant of a dimension one that rules cannot tell from it.

        Of each interval its first stands for all but the last: a boundary that is off
        by one shows itself at the ends.
        """
        edges = self._edges()
        catalog: Any = self.data["catalog"]
        life = int(catalog["views"]["lives"]["assessment"])
        for other in self.dims:
            if other.kind == "instant":
                own = {_seconds(value) for value in other.values if value is not None}
                edges |= own | {second + life + 1 for second in own}
        by_interval: dict[int, list[tuple[int, int]]] = {}
        for index, value in enumerate(dim.values):
            at = _seconds(value)
            interval = sum(edge <= at for edge in edges)
            by_interval.setdefault(interval, []).append((at, index))
        found: dict[int, int] = {}
        for members in by_interval.values():
            first, last = min(members)[1], max(members)[1]
            found |= {index: first for _, index in members} | {last: last}
        return found

    def _edges(self) -> set[int]:
        """Return the instants at which what is read says something else."""
        found = set(boundaries_in(self._read_data()))
        for path in self.reads.data:
            # No view ends there: rules compare these with the instant themselves.
            if path and path[-1] in WINDOW:
                found |= {end for end in _under(self.data, path) if type(end) is int}
        below: dict[Path, list[Path]] = {}
        for path in self.reads.data:
            for place, part in enumerate(path):
                if part in {"boundaries", "intervals"}:
                    below.setdefault(path[:place], []).append(path[place:])
                    break
        for prefix, rests in below.items():
            parts = [rest[2:] for rest in rests if rest[0] == "intervals"]
            for dated in _under(self.data, prefix):
                if not isinstance(dated, dict) or not parts:
                    continue
                shown = [
                    orjson.dumps([list(_under(item, part)) for part in parts])
                    for item in dated.get("intervals", ())
                ]
                found |= {
                    edge
                    for edge, pair in zip(
                        dated.get("boundaries", ()), pairwise(shown), strict=False
                    )
                    if pair[0] != pair[1]
                }
        return found

    def _numbers(self, dim: Dim) -> Iterable[int]:
        known = {int(text) for text in self.reads.texts if text.isdigit()}
        known |= set(numbers_in(self._read_data()))
        near = {number + step for number in known for step in (-1, 0, 1)} | {0, 1}
        return (
            index
            for index, value in enumerate(dim.values)
            if value is None or value in near
        )

    def _classes(self, dim: Dim) -> list[Json]:
        """Return data classes as rules tell them apart."""
        # A class may also be looked up as the name of a fact.
        named = self.reads.texts | {part for other in self.dims for part in other.path}
        named |= set(_texts([*self._read_data()]))

        def shown(value: Json) -> Json:
            if not isinstance(value, list):
                return value
            return [item if item in named else "other" for item in value]

        return [shown(value) for value in dim.values]

    def _read_data(self) -> list[Json]:
        found: list[Json] = []
        for path in self.reads.data:
            if path[:3] not in _BY_COUNTRY:
                found += _under(self.data, path)
        return found


def _under(document: Any, path: Path) -> Iterator[Any]:
    """Yield what a path reaches; of any element, each, and the keys that there are."""
    if not path:
        yield document
    elif path[0] in {SHAPE, THERE}:
        yield list(document) if isinstance(document, dict) else _shape(document)
    elif path[0] == ANY and isinstance(document, dict):
        yield list(document)
        for item in document.values():
            yield from _under(item, path[1:])
    elif path[0] == ANY and isinstance(document, list):
        for item in document:
            yield from _under(item, path[1:])
    elif isinstance(document, dict) and path[0] in document:
        yield from _under(document[path[0]], path[1:])
    elif isinstance(document, str | int):
        yield document


def is_country(value: Any) -> bool:
    """Say whether a value is the code of a country."""
    return isinstance(value, str) and re.fullmatch("[A-Z]{2}", value) is not None


def slice_of(space: Space, reads: Reads, data: Mapping[str, Json]) -> Space:
    """Return the part of a space that a slice can tell apart.

    Args:
        space: The space.
        reads: What the slice reads, down to the question.
        data: The base documents.
    """
    dims = tuple(
        dim
        for dim in space.dims
        if any(any(concerned((dim,), path)) for path in also_read(reads.facts))
    )
    relevance = Relevance(reads=reads, data=data, dims=dims)
    kept = []
    for dim in dims:
        values = tuple(dim.values[index] for index in relevance.kept(dim))
        if len(values) > 1:
            kept.append(Dim(path=dim.path, values=values, kind=dim.kind))
    return Space(dims=tuple(kept), base=space.base, recipients=space.recipients)


def also_read(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield reads, and those of what the space fills in from other facts."""
    for path in paths:
        yield path
        last = path[-2:] if path[-1] in {SHAPE, THERE} else path[-1:]
        if path[:2] == ("tenant", "contracts") or "operators" in last + path[-2:]:
            yield ("route",)
        if "models" in path:
            yield ("model",)


def _firsts(keys: Iterable[Json]) -> list[int]:
    """Return for each key the place of the first that is like it."""
    first: dict[bytes, int] = {}
    return [
        first.setdefault(orjson.dumps(key), index) for index, key in enumerate(keys)
    ]


def _first_of(dim: Dim, key: Any) -> Iterable[int]:
    found: dict[bytes, int] = {}
    for index, value in enumerate(dim.values):
        found.setdefault(orjson.dumps(key(value)), index)
    return found.values()


def _shape(value: Json) -> Json:
    if isinstance(value, list):
        return ["list", len(value)]
    return None if value is None else type(value).__name__


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _text(value: Any) -> str:
    return orjson.dumps(value).decode("utf-8")


def _seconds(value: Any) -> int:
    return int(datetime.fromisoformat(str(value)).timestamp())
