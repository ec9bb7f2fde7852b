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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.errors import EvaluationError, UndecidedError
from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.evaluating import POINTWISE
from policyguard.testing.open_views import OpenObject, Place
from policyguard.testing.slice_forms import ANY, SHAPE, THERE

Values: TypeAlias = Callable[[Path], tuple[Root, list[Json]]]
"""Gives a path of the view as a function of the facts, and what its leaves stand for."""
_ABSENT: Final = object()
_NO_VIEW: Final = object()
_GROUP: Final = 2
"""The length of a path to a group of countries."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Is what can be at a place of the view."""

    root: Root
    """Which of it is there, as a function of the facts."""
    values: Sequence[Any]
    opened: bool
    """Whether what is in it is looked for on its own."""


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
        value = known.values[self._leaf(known.root)]
        if value is _NO_VIEW:
            raise EvaluationError("there is no view")
        if known.opened and type(value) is dict:
            return OpenObject(place, self._look)
        if known.opened and type(value) is list:
            return [self._look((*place, index)) for index in range(len(value))]
        return value

    def _leaf(self, root: Root) -> int:
        """Return the leaf of a function that all calls that are left have."""
        while root >= 0:
            level, branches = self.diagrams.node(root)
            bits = self._left[level]
            live = [(child, own & bits) for child, own in branches if own & bits]
            if len(live) > 1:
                raise UndecidedError(level, [own for _, own in live])
            root = live[0][0]
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


def _is_none(value: Any) -> bool:
    return value is _ABSENT or value is _NO_VIEW
