"""Says in words which values of a fact a row of a table is about.

A space keeps one value of those that a rule cannot tell apart. People are told of all of
them: a country that stands for others is named with them, by the group that they are in
where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.testing.choosing import UNKNOWN, label_of
from policyguard.testing.relevant import Relevance, is_country
from policyguard.testing.space import MODEL, OPERATOR, Dim, Space
from policyguard.testing.space_values import ELSEWHERE

_LEAST_OF_GROUP: Final = 3
_STANDING: Final[Mapping[str, str]] = {
    OPERATOR: "the operator of this call",
    MODEL: "the model of this call",
    "nobody": "others",
    "nothing": "others",
    "x": "given",
    "0" * 64: "given",
}
"""Values of a space that stand for others."""
_CLASSES: Final = ("data", "classes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Says sets of values in words, for one rule over one space."""

    whole: Space = field(repr=False)
    """The space of which the rule's own is a part."""
    relevance: Relevance = field(repr=False)
    groups: Mapping[str, AbstractSet[str]] = field(repr=False)
    """Groups of countries by their names."""

    def words(self, dim: Dim, bits: int) -> str:
        """Return a set of values in words.

        Args:
            dim: A dimension of the rule's own space.
            bits: Which of its values.
        """
        chosen = [value for i, value in enumerate(dim.values) if bits >> i & 1]
        if dim.kind in {"at", "instant", "number"}:
            return _ranges(dim, bits)
        whole = self.whole.dim(dim.name)
        meant = self._meant(whole, dim, chosen)
        if dim.kind in {"country", "countries"}:
            return self._countries(whole, meant)
        if dim.path == _CLASSES:
            return _classes(whole, meant)
        return _listed(whole.values, meant)

    def _meant(self, whole: Dim, dim: Dim, chosen: Sequence[Json]) -> list[Json]:
        """Return the values of the whole space that those of a slice stand for."""
        keys = [_text(key) for key in self.relevance.keys(whole)]
        places = {_text(value): i for i, value in enumerate(whole.values)}
        kept = {places[_text(value)] for value in dim.values}
        inside = {places[_text(value)] for value in chosen}
        of_key: dict[str, list[bool]] = {}
        for place in kept:
            of_key.setdefault(keys[place], []).append(place in inside)
        return [
            value
            for place, value in enumerate(whole.values)
            if (place in inside if place in kept else all(of_key[keys[place]]))
        ]

    def _countries(self, whole: Dim, meant: Sequence[Json]) -> str:
        def code(value: Json) -> str | None:
            one = value[0] if isinstance(value, list) and value else value
            return str(one) if is_country(one) else None

        every = {c for v in whole.values if (c := code(v))}
        inside = {c for v in meant if (c := code(v))}
        rest = [label_of(v) for v in meant if code(v) is None]
        others = [label_of(v) for v in whole.values if code(v) is None]
        if len(inside) * 2 <= len(every):
            return ", ".join([*rest, *self._grouped(inside)])
        outside = self._grouped(every - inside)
        outside += [label for label in others if label not in rest]
        return f"any but {', '.join(outside)}" if outside else "any"

    def _grouped(self, codes: AbstractSet[str]) -> list[str]:
        """Return countries by the largest groups that they make up, and the rest."""
        left, found = set(codes), list[str]()
        ordered = sorted(self.groups.items(), key=lambda item: (-len(item[1]), item[0]))
        for name, members in ordered:
            if members <= codes and len(members & left) >= _LEAST_OF_GROUP:
                found.append(name)
                left -= members
        if ELSEWHERE not in left or self._is_named(ELSEWHERE):
            return [*found, *sorted(left)]
        return [*found, *sorted(left - {ELSEWHERE}), "elsewhere"]

    def _is_named(self, code: str) -> bool:
        catalog: Any = self.relevance.data["catalog"]
        known: Mapping[str, Any] = catalog["views"]["countries"]
        return code in known or code in self.relevance.reads.texts


def groups_of(
    space: Space, data: Mapping[str, Json], *, named: AbstractSet[str], at: int
) -> dict[str, set[str]]:
    """Return the groups of countries of a catalog at one instant, of a space's countries.

    Args:
        space: The whole space.
        data: The base documents.
        named: Texts that a rule reads: of other groups it does not speak.
        at: The instant, in seconds since 1970.
    """
    catalog: Any = data["catalog"]
    rows: Mapping[str, Any] = catalog["views"]["countries"]
    known = {
        value
        for dim in space.dims
        if dim.kind == "country"
        for value in dim.values
        if isinstance(value, str)
    }
    found: dict[str, set[str]] = {}
    for country in known & rows.keys():
        row = rows[country]
        past = sum(edge <= at for edge in row["boundaries"])
        now = row["intervals"][past]
        names = [name for name in now["groups"] if name in named and name != "eea"]
        for name in [*names, *(["the EEA"] if now["eea"] else [])]:
            found.setdefault(name, set()).add(country)
    return found


def _ranges(dim: Dim, bits: int) -> str:
    """Return ordered values as ranges: between two that are kept all are alike."""
    ordered = sorted(
        (value, index) for index, value in enumerate(dim.values) if value is not None
    )
    parts = []
    if dim.unknown is not None and bits >> dim.unknown & 1:
        parts.append(UNKNOWN)
    start: Any = None
    inside = [(value, bits >> index & 1) for value, index in ordered]
    for (value, there), (_, before) in zip(inside, [(None, 0), *inside], strict=False):
        if there and not before:
            start = value
        elif before and not there:
            parts.append(_range(dim, start, value, first=inside[0][0]))
    if inside and inside[-1][1]:
        first = start == inside[0][0]
        parts.append("any known" if first else f"from {_day(start)}")
    return ", ".join(parts)


def _range(dim: Dim, start: Any, end: Any, *, first: Any) -> str:
    if dim.kind == "number":
        if start == first:
            return f"below {end}"
        return str(start) if end == start + 1 else f"{start} to {end - 1}"
    if start == first:
        return f"before {_day(end)}"
    return f"from {_day(start)} until before {_day(end)}"


def _day(value: Any) -> str:
    return str(value).removesuffix("T00:00:00Z")


def _classes(whole: Dim, meant: Sequence[Json]) -> str:
    """Return sets of data classes by the classes that decide, where some do."""
    inside = {_text(value) for value in meant}
    lists = [value for value in whole.values if isinstance(value, list)]
    single = [str(value[0]) for value in lists if len(value) == 1]
    has = [name for name in single if _text([name]) in inside]
    not_any = [name for name in single if name not in has]
    unknown = [UNKNOWN] if "null" in inside else []
    found = {_text(value) for value in lists} & inside
    if not not_any:
        return ", ".join([*unknown, "any known"]) if unknown else "any that is known"
    if found == {_text(v) for v in lists if set(v) & set(has)}:
        return ", ".join([*unknown, f"has {_or(has)}"] if has else unknown)
    if found == {_text(v) for v in lists if not set(v) & set(not_any)}:
        return ", ".join([*unknown, f"has none of {', '.join(not_any)}"])
    never = {n for n in single if not any(n in v for v in lists if _text(v) in found)}
    if found == {_text(v) for v in lists if set(v) & set(has) and not set(v) & never}:
        without = ", ".join(name for name in single if name in never)
        return ", ".join([*unknown, f"has {_or(has)}, and none of {without}"])
    return _listed(whole.values, meant)


def _or(names: Sequence[str]) -> str:
    return " or ".join(names) if len(names) < _LEAST_OF_GROUP else ", ".join(names)


def _listed(every: Sequence[Json], meant: Sequence[Json]) -> str:
    inside = list(dict.fromkeys(map(_label, meant)))
    outside = [name for name in dict.fromkeys(map(_label, every)) if name not in inside]
    if outside == [UNKNOWN]:
        return "known"
    if len(outside) < len(inside) and outside:
        return f"any but {', '.join(outside)}"
    return ", ".join(inside) if outside else "any"


def _label(value: Json) -> str:
    """Return a value in words: what stands for another fact, or for any text, too."""
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(one, str) and one in _STANDING:
        return _STANDING[one]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return label_of(value)


def _text(value: Any) -> str:
    return orjson.dumps(value).decode("utf-8")
