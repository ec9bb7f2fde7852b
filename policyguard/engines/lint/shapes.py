"""Says which facts are always there, from the inputs that a bundle itself promises on.

Rules read a view in which every declared fact exists. Which those are is learned from
the views of the golden vectors: a path is known if every one of them has it. That is
evidence of a declared fact, and misses none that is misspelled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policyguard.canonical import Json
from policyguard.engines.native import evaluate_on
from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import Path, PolicyTree
from policyguard.errors import EngineError

VIEW: Final = ("policyguard", "facts", "view")
_READS_VIEW: Final = frozenset({("policyguard", "rules"), ("policyguard", "tenant")})
"""Packages whose `input` is the view."""


@dataclass(slots=True)
class Shapes:
    """Is what views and calls look like, as far as examples show it."""

    views: tuple[Json, ...] = ()
    """What rules read as `input`."""
    calls: tuple[Json, ...] = ()
    """What the bundle is given as `input`."""
    _by_key: dict[str, list[Json]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Index every value by the key that it has somewhere."""
        for value in _objects(self.views):
            for key, inner in value.items():
                self._by_key.setdefault(key, []).append(inner)

    def input_has(self, package: Path, path: Path) -> bool:
        """Say whether a path below `input` exists in every example.

        Args:
            package: Of the module that reads it.
            path: Names below `input`.
        """
        roots = self.views if package in _READS_VIEW else self.calls
        return bool(roots) and _all_have(roots, path)

    def input_is_number(self, package: Path, path: Path) -> bool:
        """Say whether it is a number in every example."""
        roots = self.views if package in _READS_VIEW else self.calls
        return bool(roots) and _are_numbers(_reached(roots, path))

    def local_has(self, path: Path) -> bool:
        """Say whether each fact of the first name has what follows."""
        found = self._by_key.get(path[0], [])
        return bool(found) and _all_have(found, path[1:])

    def local_is_number(self, path: Path) -> bool:
        """Say whether each fact at this path is a number, or of no fact of the view."""
        # The first names may be a rule's own, as in `affiliate.party.held.bis.surely`.
        for start in range(max(1, len(path) - 1)):
            found = self._by_key.get(path[start], [])
            values = list(_reached(found, path[start + 1 :]))
            if values and _are_numbers(values):
                return True
        return path[0] not in self._by_key


def shapes_of(engine: NativeEngine, tree: PolicyTree, inputs: Iterable[Json]) -> Shapes:
    """Return what a policy makes of some inputs.

    Args:
        engine: Has the policy and the catalog on which the inputs are asked.
        tree: The same policy.
        inputs: Calls.
    """
    calls = tuple(inputs)
    if VIEW not in tree.paths():
        return Shapes(calls=calls)
    return Shapes(views=tuple(_views(engine, calls)), calls=calls)


def _views(engine: NativeEngine, calls: Iterable[Json]) -> Iterator[Json]:
    for call in calls:
        try:
            text = json.dumps(call)
            yield dict(evaluate_on(engine, text, entrypoint=f"data.{'.'.join(VIEW)}"))
        except EngineError:
            # What promises an answer is evaluated elsewhere, and says so there.
            continue


def _objects(values: Iterable[Json]) -> Iterator[Mapping[str, Json]]:
    stack: list[Any] = list(values)
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _all_have(values: Iterable[Json], path: Path) -> bool:
    return all(_has(value, path) for value in values)


def _has(value: Json, path: Path) -> bool:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


def _reached(values: Iterable[Json], path: Path) -> Iterator[Json]:
    for value in values:
        inner = value
        for name in path:
            inner = inner.get(name) if isinstance(inner, dict) else None
        yield inner


def _are_numbers(values: Iterable[Json]) -> bool:
    return all(type(value) is int for value in values)
