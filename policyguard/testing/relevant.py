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
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.testing.slice_forms import ANY, SHAPE, Reads
from policyguard.testing.space import Dim, Space, concerned
from policyguard.testing.space_values import boundaries_in, numbers_in

_COUNTRY: Final = re.compile(r'"([A-Z]{2})"')
_BY_COUNTRY: Final = frozenset({("catalog", "views", "countries"), ("catalog", "views", "elsewhere")})  # fmt: skip
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
        elif dim.kind in {"country", "countries"}:
            found = self._countries(dim)
        elif dim.kind == "at":
            found = self._instants(dim)
        elif dim.kind == "number":
            found = self._numbers(dim)
        elif dim.path == ("data", "classes"):
            found = self._classes(dim)
        else:
            found = range(len(dim.values))
        return tuple(sorted({*found}))

    def _shape_only(self, dim: Dim) -> bool:
        touching = [path for path in self.reads.facts if any(concerned((dim,), path))]
        return all(path == (*dim.path, SHAPE) for path in touching)

    def _countries(self, dim: Dim) -> Iterable[int]:
        if any(path[:3] in _BY_COUNTRY for path in self.reads.data):
            return range(len(dim.values))
        named = set(filter(_is_country, self.reads.texts)) | _ALWAYS
        named |= set(_COUNTRY.findall(_text(self._read_data())))
        meeting = sum(other.kind in {"country", "countries"} for other in self.dims)
        others: list[str] = []
        found = []
        for index, value in enumerate(dim.values):
            country = value[0] if isinstance(value, list) and value else value
            if not _is_country(country) or country in named:
                found.append(index)
            elif len(others) < meeting:
                others.append(str(country))
                found.append(index)
        return found

    def _instants(self, dim: Dim) -> Iterable[int]:
        edges = set(boundaries_in(self._read_data()))
        catalog: Any = self.data["catalog"]
        life = int(catalog["views"]["lives"]["assessment"])
        for other in self.dims:
            if other.kind == "instant":
                own = {_seconds(value) for value in other.values if value is not None}
                edges |= own | {second + life + 1 for second in own}
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for index, value in enumerate(dim.values):
            at = _seconds(value)
            interval = sum(edge <= at for edge in edges)
            first.setdefault(interval, index)
            last[interval] = index
        # Both ends of each interval: a boundary that is off by one shows itself there.
        return {*first.values(), *last.values()}

    def _numbers(self, dim: Dim) -> Iterable[int]:
        known = {int(text) for text in self.reads.texts if text.isdigit()}
        known |= set(numbers_in(self._read_data()))
        near = {number + step for number in known for step in (-1, 0, 1)} | {0, 1}
        return (
            index
            for index, value in enumerate(dim.values)
            if value is None or value in near
        )

    def _classes(self, dim: Dim) -> Iterable[int]:
        # A class may also be looked up as the name of a fact.
        named = self.reads.texts | {part for other in self.dims for part in other.path}
        if any(path[-1] == ANY for path in self.reads.facts if path[:1] == ("data",)):
            named |= {"genomic", "omic", "biometric", "geolocation", "health"}
            named |= {"financial", "pii"}

        def shown(value: Json) -> Json:
            if not isinstance(value, list):
                return value
            return [item if item in named else "other" for item in value]

        return _first_of(dim, shown)

    def _read_data(self) -> list[Json]:
        found = []
        for path in self.reads.data:
            node: Any = self.data
            for part in path:
                if part in {ANY, SHAPE} or not isinstance(node, dict):
                    break
                node = node.get(part)
            if path[:3] not in _BY_COUNTRY:
                found.append(node)
        return found


def _is_country(value: Any) -> bool:
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
        last = path[-2:] if path[-1] == SHAPE else path[-1:]
        if path[:2] == ("tenant", "contracts") or "operators" in last + path[-2:]:
            yield ("route",)
        if "models" in path:
            yield ("model",)


def _first_of(dim: Dim, key: Any) -> Iterable[int]:
    found: dict[bytes, int] = {}
    for index, value in enumerate(dim.values):
        found.setdefault(orjson.dumps(key(value)), index)
    return found.values()


def _shape(value: Json) -> Json:
    if isinstance(value, list):
        return ["list", len(value)]
    return None if value is None else type(value).__name__


def _text(value: Any) -> str:
    return orjson.dumps(value).decode("utf-8")


def _seconds(value: Any) -> int:
    return int(datetime.fromisoformat(str(value)).timestamp())
