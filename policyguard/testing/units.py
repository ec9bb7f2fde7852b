"""Enumerates what a rule can see: parts of the view, joined by the facts they share.

A unit is some paths of the view that depend on the same facts. Each is evaluated for
every combination of its own facts; what the rule sees of two combinations that look
alike is one class. Units that share facts are joined, and a fact is forgotten as soon
as no later unit needs it, so that what is kept is the different views alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.testing.slice_forms import ANY, SHAPE
from policyguard.testing.space import Choice, Dim, Space

MAX_UNIT: Final = 30_000
MAX_JOINED: Final = 120_000

Classes: TypeAlias = tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class Unit:
    """Holds the classes of one part of the view; belongs to one thread."""

    dims: tuple[Dim, ...]
    paths: frozenset[Path]
    of_choice: dict[tuple[int, ...], int] = field(default_factory=dict, repr=False)
    """Class by the values of its dimensions, in their order."""
    seen: list[Json] = field(default_factory=list, repr=False)
    """What the rule sees of each class; `None` where there is no view at all."""

    def enumerate(
        self, space: Space, view: Callable[[Sequence[Json]], Sequence[Json]]
    ) -> None:
        """Evaluate the view for every combination."""
        trie = _trie(self.paths)
        known: dict[bytes, int] = {}
        by_call: dict[bytes, list[tuple[int, ...]]] = {}
        for choice in space.choices(self.dims):
            call = orjson.dumps(space.call(choice))
            by_call.setdefault(call, []).append(
                tuple(choice[dim.path] for dim in self.dims)
            )
        calls = [orjson.loads(call) for call in by_call]
        for keys, document in zip(by_call.values(), view(calls), strict=True):
            part = None if document is None else _picked(document, trie)
            text = orjson.dumps(part, option=orjson.OPT_SORT_KEYS)
            if text not in known:
                known[text] = len(self.seen)
                self.seen.append(part)
            for key in keys:
                self.of_choice[key] = known[text]


@dataclass(frozen=True, slots=True)
class _Move:
    """Is a change of one fact to one value, from those that are allowed."""

    path: Path
    to: int
    allowed: Callable[[int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Is units that share facts, and which of their classes meet."""

    units: tuple[Unit, ...] = field(repr=False)
    dims: tuple[Dim, ...]
    met: Mapping[Classes, Choice] = field(repr=False)
    """A choice of each combination of classes that some call has."""
    index: Mapping[Classes, int] = field(repr=False)
    """The place of each combination."""

    def documents(self, of: Sequence[Unit] | None = None) -> list[Json]:
        """Return what a rule sees of each combination, in the order of `met`.

        Args:
            of: Units of its view, where the component has units of two policies.
        """
        counted = [of is None or any(unit is own for own in of) for unit in self.units]
        return [
            _merged(
                [
                    unit.seen[index]
                    for unit, index, counts in zip(
                        self.units, key, counted, strict=True
                    )
                    if counts
                ]
            )
            for key in self.met
        ]

    def pairs(
        self, dim: Dim, to: int, allowed: Callable[[int], bool]
    ) -> Mapping[tuple[Classes, Classes], Choice] | None:
        """Return which classes a change of one fact leads from and to, with a choice.

        Args:
            dim: The fact.
            to: The value that it is changed to.
            allowed: Says of a value whether the change from it counts.

        Returns:
            Nothing if there are too many.
        """
        found = _joined(self.units, _Move(dim.path, to, allowed))
        if found is None:
            return None
        half = len(self.units)
        return {(key[:half], key[half:]): choice for key, choice in found.items()}

    def classes(self, choice: Choice) -> Classes:
        """Return the classes of a choice."""
        return tuple(
            unit.of_choice[tuple(choice[dim.path] for dim in unit.dims)]
            for unit in self.units
        )


def units_of(dims_of: Mapping[Path, frozenset[Path]], space: Space) -> tuple[Unit, ...]:
    """Group paths of the view by the facts that they depend on.

    Args:
        dims_of: By path of the view, the paths of its dimensions.
        space: Where those dimensions are.
    """
    groups: list[tuple[set[Path], set[Path]]] = []
    for path, dims in sorted(dims_of.items(), key=lambda item: -len(item[1])):
        for own, paths in groups:
            if dims <= own:
                paths.add(path)
                break
        else:
            groups.append((set(dims), {path}))
    return tuple(
        Unit(
            dims=tuple(dim for dim in space.dims if dim.path in own),
            paths=frozenset(paths),
        )
        for own, paths in groups
    )


def components_of(units: Sequence[Unit]) -> list[Component] | None:
    """Join units that share facts; nothing if there are too many combinations."""
    groups: list[list[Unit]] = []
    for unit in units:
        own = {dim.path for dim in unit.dims}
        joined = [unit]
        for group in [
            group
            for group in groups
            if own & {dim.path for item in group for dim in item.dims}
        ]:
            groups.remove(group)
            joined = group + joined
        groups.append(joined)
    found = []
    for group in groups:
        ordered = _ordered(group)
        met = _joined(ordered, None)
        if met is None:
            return None
        dims = {dim.path: dim for unit in ordered for dim in unit.dims}
        found.append(
            Component(
                units=tuple(ordered),
                dims=tuple(dims.values()),
                met=met,
                index={key: number for number, key in enumerate(met)},
            )
        )
    return found


def _ordered(group: Sequence[Unit]) -> list[Unit]:
    """Return units so that each shares as much as possible with those before it."""
    rest = sorted(group, key=lambda unit: -len(unit.of_choice))
    ordered = [rest.pop(0)]
    while rest:
        live = {dim.path for unit in ordered for dim in unit.dims}
        best = max(rest, key=lambda unit: len(live & {dim.path for dim in unit.dims}))
        rest.remove(best)
        ordered.append(best)
    return ordered


def _joined(
    units: Sequence[Unit],
    move: _Move | None,
) -> dict[Classes, Choice] | None:
    """Return each combination of classes that meet, with a choice that has it.

    With a move, each key has the classes before the change and then those after it.
    """
    live: list[Path] = []
    rows: dict[tuple[tuple[int, ...], Classes, Classes], dict[Path, int]] = {
        ((), (), ()): {}
    }
    for index, unit in enumerate(units):
        own = [dim.path for dim in unit.dims]
        later = {dim.path for item in units[index + 1 :] for dim in item.dims}
        new = [path for path in own if path not in live]
        keep = [path for path in (*live, *new) if path in later]
        extended: dict[tuple[tuple[int, ...], Classes, Classes], dict[Path, int]] = {}
        by_shared = _by_shared(unit, [path for path in own if path in live], keep, move)
        shared = [live.index(path) for path in own if path in live]
        for (values, before, after), choice in rows.items():
            for given, one, other in by_shared.get(
                tuple(values[i] for i in shared), ()
            ):
                known = dict(zip(live, values, strict=True)) | given
                key = (
                    tuple(known[path] for path in keep),
                    (*before, one),
                    (*after, other) if move else (),
                )
                if key not in extended:
                    extended[key] = choice | given
            if len(extended) > MAX_JOINED:
                return None
        rows, live = extended, keep
    return {(*before, *after): choice for (_, before, after), choice in rows.items()}


def _by_shared(
    unit: Unit,
    shared: Sequence[Path],
    keep: Sequence[Path],
    move: _Move | None,
) -> dict[tuple[int, ...], list[tuple[dict[Path, int], int, int]]]:
    """Return a unit's classes by the facts that units before it have.

    Of combinations that differ in facts alone that nobody asks for, one is kept.
    """
    own = [dim.path for dim in unit.dims]
    places = [own.index(path) for path in shared]
    place = own.index(move.path) if move is not None and move.path in own else None
    kept = [own.index(path) for path in keep if path in own]
    known: set[tuple[Any, ...]] = set()
    found: dict[tuple[int, ...], list[tuple[dict[Path, int], int, int]]] = {}
    for key, one in unit.of_choice.items():
        other = one
        if move is not None and place is not None:
            if not move.allowed(key[place]):
                continue
            other = unit.of_choice[(*key[:place], move.to, *key[place + 1 :])]
        shown = tuple(key[i] for i in places)
        mark = (shown, tuple(key[i] for i in kept), one, other)
        if mark not in known:
            known.add(mark)
            given = dict(zip(own, key, strict=True))
            found.setdefault(shown, []).append((given, one, other))
    return found


def _trie(paths: Iterable[Path]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for part in path:
            node = node.setdefault(part, {})
        if path[-1] != SHAPE:
            node["="] = {}
    return root


def _picked(value: Any, trie: Mapping[str, Any]) -> Any:
    """Return as much of a document as some paths read."""
    if "=" in trie:
        return value
    if isinstance(value, dict):
        return {
            key: _picked(item, _under(trie, key))
            for key, item in value.items()
            if key in trie or ANY in trie
        }
    if isinstance(value, list):
        return [_picked(item, trie.get(ANY, {})) for item in value]
    if isinstance(value, str):
        return "shown"
    return value if value is None else type(value)(1)


def _under(trie: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    exact, any_key = trie.get(key), trie.get(ANY)
    if exact is None or any_key is None:
        return exact or any_key or {}
    return {
        name: _under({"*": any_key.get(name), name: exact.get(name)}, name)
        for name in {**exact, **any_key}
    }


def _merged(parts: Sequence[Json]) -> Json:
    found: Any = {}
    for part in parts:
        if part is None:
            return None
        found = both(found, part)
    return dict(found)


def both(one: Any, other: Any) -> Any:
    """Return two parts of one document as one."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            key: both(one[key], other[key])
            if key in one and key in other
            else one.get(key, other.get(key))
            for key in {**one, **other}
        }
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [both(a, b) for a, b in zip(one, other, strict=True)]
    # One of them is a shape alone.
    return other if one in ("shown", 1, True) else one
