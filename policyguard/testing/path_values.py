"""Evaluates parts of the view for every combination of the facts that they depend on.

What a rule sees of the view is a value for each path that it reads. Each path is a
function of few facts, held as a diagram: the engine is asked once for each combination
that can differ, whichever rule needs it first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

import orjson

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.documents import picked, trie_of
from policyguard.testing.relevant import Relevance, also_read
from policyguard.testing.slice_forms import Reads
from policyguard.testing.space import Dim, Space, concerned

MAX_COMBINATIONS: Final = 40_000
_VOID: Final = -1
"""Stands for the value of a fact in an object that is not there."""
_Key = tuple[int, ...]
_Paths = tuple[Path, ...]
_Asked = tuple[_Paths, tuple[int, ...], tuple[_Key, ...]]
"""Paths, the facts on which they depend, and of each which values are told apart."""
_Answer = tuple[Root, tuple[int, ...]]


@dataclass(slots=True, kw_only=True)
class _Documents:
    """Holds a part of the view by the facts that it depends on, equal ones once."""

    of_key: dict[_Key, int] = field(default_factory=dict)
    texts: dict[str | None, int] = field(default_factory=dict)


class PathValues:
    """Answers which values a path of the view has; belongs to one thread.

    Args:
        space: The whole space.
        data: The base documents.
        view: Evaluates one top field of the view for some calls, as text; nothing where
            there is no view.
    """

    def __init__(
        self,
        space: Space,
        data: Mapping[str, Json],
        view: Callable[[str, Sequence[Json]], Sequence[str | None]],
    ) -> None:
        self._space, self._data, self._view = space, data, view
        self._dims = {dim.path: dim for dim in space.dims}
        self._places = {
            dim.path: {orjson.dumps(v): i for i, v in enumerate(dim.values)}
            for dim in space.dims
        }
        self._documents: dict[tuple[str, tuple[Path, ...]], _Documents] = {}
        self._seen: dict[_Paths, dict[str, int]] = {}
        self._values: dict[_Paths, list[Json]] = {}
        self._classes: dict[tuple[_Paths, tuple[Path, ...]], dict[int, int]] = {}
        self._alike: dict[tuple[object, ...], dict[int, int]] = {}
        self._built: WeakKeyDictionary[Diagrams, dict[_Asked, _Answer]] = (
            WeakKeyDictionary()
        )

    def diagram(
        self,
        diagrams: Diagrams,
        space: Space,
        paths: tuple[Path, ...],
        reads: Reads,
        stand_ins: Mapping[Path, Sequence[int]],
    ) -> tuple[Root, list[Json]]:
        """Return which values some paths have, as a function of the facts of a slice.

        With it what its leaves stand for, in an order in which nothing counts that was
        evaluated for others before.

        Args:
            diagrams: Over the dimensions of the slice, in their order.
            space: The slice.
            paths: Paths of one field of the view that depend on the same facts.
            reads: What they depend on.
            stand_ins: By dimension, for each value one that is as good to the reader.

        Raises:
            OverflowError: they depend on too many combinations.
        """
        levels = levels_of(space, reads)
        chosen = [
            self._choices(space, level, levels, reads, stand_ins) for level in levels
        ]
        built = self._built.setdefault(diagrams, {})
        asked = paths, tuple(levels), tuple(map(tuple, chosen))
        if asked not in built:
            built[asked] = self._diagram(diagrams, space, paths, levels, chosen)
        root, numbers = built[asked]
        return root, [self._values[paths][number] for number in numbers]

    def _diagram(
        self,
        diagrams: Diagrams,
        space: Space,
        paths: _Paths,
        levels: Sequence[int],
        chosen: Sequence[Sequence[int]],
    ) -> _Answer:
        """Return the function, and the number of the value of each leaf."""
        top = paths[0][0]
        size = math.prod(len(set(column)) for column in chosen)
        dims = tuple(space.dims[level].path for level in levels)
        voids = _voids([self._dims[item] for item in dims])
        documents = self._documents.setdefault((top, dims), _Documents())
        if size > MAX_COMBINATIONS:
            counted = sum(1 for _ in _keys(chosen, voids, MAX_COMBINATIONS))
            if counted >= MAX_COMBINATIONS:
                raise OverflowError(f"`{'.'.join(paths[0])}` has {size:,} cases")
        self._evaluate(top, dims, documents, _keys(chosen, voids, None))
        numbers = self._numbers(paths, dims, documents)
        places: dict[int, int] = {}

        def build(depth: int, key: _Key) -> Root:
            if depth == len(levels):
                number = numbers[documents.of_key[key]]
                return diagrams.leaf(places.setdefault(number, len(places)))
            if any(key[place] in gone for place, gone in voids[depth]):
                return build(depth + 1, (*key, _VOID))
            by_value: dict[int, int] = {}
            for index, value in enumerate(chosen[depth]):
                by_value[value] = by_value.get(value, 0) | 1 << index
            return diagrams.choose(
                levels[depth],
                [
                    (build(depth + 1, (*key, value)), bits)
                    for value, bits in by_value.items()
                ],
            )

        return build(0, ()), tuple(places)

    def _choices(
        self,
        space: Space,
        level: int,
        levels: Sequence[int],
        reads: Reads,
        stand_ins: Mapping[Path, Sequence[int]],
    ) -> list[int]:
        """Return for each value of a slice's dimension one of the space that is alike."""
        dim = space.dims[level]
        places = self._places[dim.path]
        own = [places[orjson.dumps(value)] for value in dim.values]
        if dim.kind == "at":
            dims = tuple(space.dims[item] for item in levels)
            others = [other.values for other in dims if other.kind == "instant"]
            key = reads.data, dim.values, *others
            if key not in self._alike:
                relevance = Relevance(reads=reads, data=self._data, dims=dims)
                self._alike[key] = relevance.alike(dim)
            alike = self._alike[key]
            return [own[alike[index]] for index in range(len(own))]
        return [own[index] for index in stand_ins.get(dim.path, range(len(own)))]

    def _evaluate(
        self,
        top: str,
        dims: tuple[Path, ...],
        documents: _Documents,
        keys: Iterator[_Key],
    ) -> None:
        new = [key for key in keys if key not in documents.of_key]
        calls = [
            self._space.call(
                {d: v for d, v in zip(dims, key, strict=True) if v != _VOID}
            )
            for key in new
        ]
        for key, text in zip(new, self._view(top, calls), strict=True):
            number = documents.texts.setdefault(text, len(documents.texts))
            documents.of_key[key] = number

    def _numbers(
        self, paths: _Paths, dims: tuple[Path, ...], documents: _Documents
    ) -> dict[int, int]:
        """Return for each document which values the paths have in it."""
        known = self._classes.setdefault((paths, dims), {})
        seen = self._seen.setdefault(paths, {})
        values = self._values.setdefault(paths, [])
        trie = trie_of(paths)
        for text, number in documents.texts.items():
            if number in known:
                continue
            part = None
            if text is not None:
                part = picked({paths[0][0]: orjson.loads(text)}, trie)
            shown = orjson.dumps(part, option=orjson.OPT_SORT_KEYS).decode()
            if shown not in seen:
                seen[shown] = len(values)
                values.append(part)
            known[number] = seen[shown]
        return known


def levels_of(space: Space, reads: Reads) -> list[int]:
    """Return the dimensions of a space on which reads depend, by their places."""
    paths = {
        dim.path
        for read in also_read(reads.facts)
        for dim in concerned(space.dims, read)
    }
    return [level for level, dim in enumerate(space.dims) if dim.path in paths]


def _voids(dims: Sequence[Dim]) -> list[list[tuple[int, AbstractSet[int]]]]:
    """Return for each dimension the objects that it is in, and when they are gone."""
    found: list[list[tuple[int, AbstractSet[int]]]] = []
    for dim in dims:
        own: list[tuple[int, AbstractSet[int]]] = []
        for place, other in enumerate(dims):
            if dim.path[: len(other.path)] == other.path != dim.path:
                gone = {i for i, value in enumerate(other.values) if not value}
                own.append((place, gone | {_VOID}))
        found.append(own)
    return found


def _keys(
    chosen: Sequence[Sequence[int]],
    voids: Sequence[Sequence[tuple[int, AbstractSet[int]]]],
    most: int | None,
) -> Iterator[_Key]:
    """Yield each combination, facts of objects that are not there as void."""
    columns = [sorted(set(column)) for column in chosen]
    stack: list[_Key] = [()]
    count = 0
    while stack and (most is None or count < most):
        key = stack.pop()
        depth = len(key)
        if depth == len(columns):
            count += 1
            yield key
        elif any(key[place] in gone for place, gone in voids[depth]):
            stack.append((*key, _VOID))
        else:
            stack += [(*key, value) for value in columns[depth]]
