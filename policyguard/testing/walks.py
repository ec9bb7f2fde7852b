"""Decides a part of a rule for every call, and looks at facts only where the part does.

A rule that finds nobody on a list looks at no licence. So a part is not asked on every
view: it runs on a view of which all facts are open. Where it looks at one, the calls are
split by what it can be there, and the part runs once for each; where it comes to its end,
it has looked at nothing that differs within the calls that are left.

INVARIANT: the calls of the runs that come to an end are all calls, each of them once.

See C. Boyapati, S. Khurshid and D. Marinov, "Korat: Automated Testing Based on Java
Predicates", ISSTA 2002, which leaves out in the same way what a predicate never looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.errors import EvaluationError, UndecidedError
from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.evaluating import POINTWISE
from policyguard.testing.open_values import OpenValue
from policyguard.testing.open_views import OpenObject, Place
from policyguard.testing.slice_forms import ANY, SHAPE, THERE

Values: TypeAlias = Callable[[Path], tuple[Root, list[Json]]]
"""Gives a path of the view as a function of the facts, and what its leaves stand for."""
_ABSENT: Final = object()
_NO_VIEW: Final = object()
_OPEN: Final = frozenset({str, int})
"""Kinds of values that are left open until it is asked which one they are."""
_MOST_TOGETHER: Final = 5_000
"""Pairs of what is at two places for which a function of both is worked out."""
_OPEN_STILL: Final = -(1 << 62)
"""No leaf of a function."""
_GROUP: Final = 2
"""The length of a path to a group of countries."""


@dataclass(slots=True, eq=False)
class _Known:
    """Is what can be at a place of the view."""

    root: Root
    """Which of it is there, as a function of the facts."""
    values: Sequence[Any]
    opened: bool
    """Whether what is in it is looked for on its own."""
    said: dict[Hashable, tuple[Root, Sequence[Any]]] = field(default_factory=dict)
    """By its name, a function of what is there: its root, and what its leaves stand for."""
    elements: dict[int, _Known] = field(default_factory=dict)
    """Of an array of scalars, what can be at each place."""
    together: dict[tuple[str, int], _Known] = field(default_factory=dict)
    """By its name and the other place, a function of what is at both."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Answers what is asked of a value that is open."""

    walk: Walk
    known: _Known

    def says(self, name: Hashable, function: Callable[[Any], Any]) -> Any:
        """Return what a function of it says in all calls that are left."""
        return self.walk.says(self.known, name, function)

    def with_other(
        self, other: Any, name: str, function: Callable[[Any, Any], Any]
    ) -> _Asked | None:
        """Return what answers for a function of this and another one."""
        if type(other) is not _Asked:
            # It is worked out when it is looked at, and then it is no more open.
            return None
        both = self.walk.together(self.known, other.known, name, function)
        return None if both is None else _Asked(self.walk, both)


@dataclass(slots=True, kw_only=True)
class Walk:
    """Walks through one part of a rule; lives for one part, and belongs to one thread."""

    diagrams: Diagrams
    """Over the facts of the rule."""
    reads: frozenset[Path]
    """What the part reads of the view."""
    values: Values
    sets: Callable[[Any], Any]
    """Makes a set as the part has it."""
    most: int
    """How often the part may run."""
    runs: int = 0
    _left: list[int] = field(default_factory=list)
    """Of the calls that are left: by fact, which values it can have, as bits."""
    _known: dict[Place, _Known] = field(default_factory=dict)
    _seen: dict[Place, Any] = field(default_factory=dict)
    """What is at a place in all calls that are left."""
    _trail: list[Place] = field(default_factory=list)
    """In which order it was seen."""

    def decided(self, run: Callable[[OpenObject], int]) -> Root:
        """Return what a part finds, as a function of the facts.

        Args:
            run: Asks the part on a view, and returns the number of what it finds.

        Raises:
            OverflowError: it would have to run too often, or a place of the view depends
                on too many facts.
            NotTranslatedError: it looks at all of an object of which it reads a part.
        """
        self._left = [(1 << size) - 1 for size in self.diagrams.sizes]
        return self._walked(run)

    def _walked(self, run: Callable[[OpenObject], int]) -> Root:
        self.runs += 1
        if self.runs > self.most:
            raise OverflowError(f"more than {self.most:,} views")
        try:
            return self.diagrams.leaf(run(OpenObject((), self._look)))
        except UndecidedError as undecided:
            level, ways = undecided.level, undecided.ways
        before, since = self._left[level], len(self._trail)
        branches = []
        for bits in ways:
            self._left[level] = bits
            branches.append((self._walked(run), bits))
            self._forget(since)
        self._left[level] = before
        # Other calls are in other branches: any answer does for them here.
        others = ((1 << self.diagrams.sizes[level]) - 1) & ~before
        (first, bits), *rest = branches
        return self.diagrams.selected(level, [(first, bits | others), *rest])

    def _forget(self, since: int) -> None:
        while len(self._trail) > since:
            del self._seen[self._trail.pop()]

    def _look(self, place: Place) -> Any:
        """Return what is at a place.

        Raises:
            KeyError: nothing is.
            UndecidedError: that is not the same in all calls that are left.
        """
        value = self._seen.get(place, _NO_VIEW)
        if value is _NO_VIEW:
            value = self._seen[place] = self._found(place)
            self._trail.append(place)
        if value is _ABSENT:
            raise KeyError(place)
        return value

    def _found(self, place: Place) -> Any:
        if len(place) == 1 and place[0] in POINTWISE:
            # Each is an object in every view, and looked up by one name at a time.
            return OpenObject(place, self._look)
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = self._of(place)
        value = self._value(known)
        if value is _NO_VIEW:
            raise EvaluationError("there is no view")
        if known.opened and type(value) is dict:
            return OpenObject(place, self._look)
        if known.opened and type(value) is list:
            return [self._look((*place, index)) for index in range(len(value))]
        return value

    def _value(self, known: _Known) -> Any:
        """Return what is there, as far as it has to be decided."""
        kind = self.says(known, _kind_of, _kind_of)
        if kind is None or self._is_decided(known.root):
            return known.values[self._leaf(known.root)]
        if type(kind) is type:
            return OpenValue(kind, _Asked(self, known))
        return [self._value(self._element(known, index)) for index in range(kind)]

    def _element(self, known: _Known, index: int) -> _Known:
        """Return what can be at a place of an array of scalars."""
        if index not in known.elements:
            values = [_at(value, (index,)) for value in known.values]
            known.elements[index] = _Known(known.root, values, opened=False)
        return known.elements[index]

    def says(
        self, known: _Known, name: Hashable, function: Callable[[Any], Any]
    ) -> Any:
        """Return what a function of what is there says in all calls that are left."""
        if name not in known.said:
            places: dict[tuple[type, Any], int] = {}

            def leaf(number: int) -> int:
                said = function(known.values[number])
                return places.setdefault((type(said), said), len(places))

            mapped = self.diagrams.mapped(known.root, leaf)
            known.said[name] = mapped, [said for _, said in places]
        root, said = known.said[name]
        return said[self._leaf(root)]

    def together(
        self,
        one: _Known,
        other: _Known,
        name: str,
        function: Callable[[Any, Any], Any],
    ) -> _Known | None:
        """Return what a function of what is at two places may give; nothing: too much."""
        if len(one.values) * len(other.values) > _MOST_TOGETHER:
            return None
        key = name, id(other)
        if key not in one.together:
            places: dict[tuple[type, Any], int] = {}

            def leaf(left: int, right: int) -> int:
                said = function(one.values[left], other.values[right])
                return places.setdefault((type(said), said), len(places))

            root = self.diagrams.joined(one.root, other.root, leaf)
            one.together[key] = _Known(root, [v for _, v in places], opened=False)
        return one.together[key]

    def _is_decided(self, root: Root) -> bool:
        """Say whether all calls that are left have one leaf of a function."""
        while root >= 0:
            level, branches = self.diagrams.node(root)
            bits = self._left[level]
            root = next((c for c, own in branches if not bits & ~own), _OPEN_STILL)
        return root != _OPEN_STILL

    def _leaf(self, root: Root) -> int:
        """Return the leaf of a function that all calls that are left have."""
        node, left = self.diagrams.node, self._left
        while root >= 0:
            level, branches = node(root)
            bits = left[level]
            for child, own in branches:
                if bits & own:
                    if bits & ~own:
                        live = [own & bits for _, own in branches if own & bits]
                        raise UndecidedError(level, live)
                    root = child
                    break
        return ~root

    def _of(self, place: Place) -> _Known:
        """Return what can be at a place, as far as the part reads it."""
        path = tuple(ANY if isinstance(part, int) else part for part in place)
        whole, shape, opened = _read_of(path, self.reads)
        group = place[0] == "groups" and len(place) == _GROUP
        if group:
            # A set: which it has in it cannot be looked for one by one.
            whole, opened = True, False
        if not whole and shape is None:
            # Nothing depends on what is there, as on what is in a comprehension of which
            # only that there is one is read.
            return _Known(Diagrams.leaf(0), (_ABSENT,), opened=False)
        root, documents = self.values(path if whole else (*path, shape or SHAPE))
        places: dict[bytes, int] = {}
        values: list[Any] = []

        def leaf(number: int) -> int:
            value = _at(documents[number], place)
            text = repr(value).encode() if _is_none(value) else orjson.dumps(value)
            found = places.setdefault(text, len(values))
            if found == len(values):
                is_set = group and not _is_none(value)
                values.append(self.sets(value) if is_set else value)
            return found

        return _Known(self.diagrams.mapped(root, leaf), values, opened=opened)


def _read_of(path: Path, reads: frozenset[Path]) -> tuple[bool, str | None, bool]:
    """Return how a path is read.

    Args:
        path: The path.
        reads: What is read.

    Returns:
        Whether all of it is; if not, by which mark what is read of it; and whether what
        is in it is read on its own.
    """
    shapes = set()
    for read in reads:
        mark = read[-1] if read[-1] in {SHAPE, THERE} else None
        core = read if mark is None else read[:-1]
        if not _alike(core, path):
            continue
        if len(core) > len(path):
            shapes.add("")
        elif mark is None:
            return True, None, False
        elif len(core) == len(path):
            shapes.add(mark)
    if not shapes:
        return False, None, False
    return False, THERE if shapes == {THERE} else SHAPE, "" in shapes


def _alike(one: Path, other: Path) -> bool:
    return all(
        left == right or ANY in {left, right}
        for left, right in zip(one, other, strict=False)
    )


def _at(document: Any, place: Place) -> Any:
    if document is None:
        return _NO_VIEW
    for part in place:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return document


def _kind_of(value: Any) -> type | int | None:
    """Return what is decided of a value first; nothing: the value itself.

    Of a text and of a number that it is one, of an array of them how long it is.
    """
    if type(value) in _OPEN:
        return type(value)
    if type(value) is list and value and all(type(item) in _OPEN for item in value):
        return len(value)
    return None


def _is_none(value: Any) -> bool:
    return value is _ABSENT or value is _NO_VIEW
