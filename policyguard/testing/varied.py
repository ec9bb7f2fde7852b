"""Varies what rules were asked on: one fact at a time is unknown, missing, or another's."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from policyguard.canonical import Json
from policyguard.engines.tree import Node, literal_of, walk

_MOST_NUMBERS: Final = 60
_OWN: Final = frozenset({"policyguard", "policyguard_kit"})
"""Data of ours, which no input is about."""
PARTS: Final = ("input", "data")
Fact: TypeAlias = tuple[str, ...]
"""Where a fact stands: the part, names, and places in lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Is what a rule was asked on."""

    input: Json = field(repr=False)
    data: Mapping[str, Json] = field(default_factory=dict, repr=False)
    """Documents that stand in for those of the policy, by name, as `data.catalog`."""

    def document(self) -> dict[str, Any]:
        """Return it as JSON: `input`, and `data` where documents stand in for others."""
        return {"input": self.input} | ({"data": dict(self.data)} if self.data else {})


def literals_of(tree: Node, data: Mapping[str, Json]) -> dict[type, list[Json]]:
    """Return the texts and numbers that a module and its data name, and their neighbours."""
    texts: dict[Json, None] = {}
    numbers: dict[Json, None] = {}
    for node in walk(tree):
        text = literal_of(node) if node.keys() & {"String", "RawString"} else None
        if text is not None:
            texts[text] = None
        number = node.get("Number")
        if number is not None and isinstance(number["value"], int):
            numbers |= dict.fromkeys(number["value"] + step for step in (-1, 0, 1))
    for _, value in _leaves({k: v for k, v in data.items() if k not in _OWN}, ()):
        if type(value) is int and len(numbers) < _MOST_NUMBERS:
            numbers |= dict.fromkeys(value + step for step in (-1, 0, 1))
    return {str: list(texts), int: list(numbers), bool: [True, False]}


def varied(
    seen: Sequence[Asked], literals: Mapping[type, list[Json]], *, most: int
) -> list[Asked]:
    """Return what differs by a fact or two that is unknown, missing, or another's.

    Where there are documents, a fact is as often one of theirs as one of the input.

    Args:
        seen: What the tests asked on.
        literals: Values that a fact may have, whatever the others have, by their type.
        most: How many are returned at most; none twice.
    """
    chooser = random.Random(0)  # noqa: S311 -- the same inputs each time, no secret
    values: dict[Fact, list[Any]] = {}
    for one in seen:
        for part in PARTS:
            for path, value in facts_of(getattr(one, part), part):
                there = values.setdefault(path, [None])
                if value not in there:
                    there.append(value)
    found: dict[str, Asked] = {}
    for _ in range(most * 3):
        if len(found) >= most:
            break
        one = chooser.choice(seen)
        item = json.loads(json.dumps(one.document()))
        for _ in range(chooser.choice((1, 1, 2))):
            part = chooser.choice(PARTS) if one.data else "input"
            facts = list(facts_of(item[part], part))
            if not facts:
                continue
            path, value = chooser.choice(facts)
            known = values.get(path, [None]) + literals.get(type(value), [])
            others = [other for other in known if other != value]
            new = chooser.choice(others or [None])
            if isinstance(value, list) and isinstance(new, list):
                # Two elements are what a rule that looks at the first alone is seen by.
                new = chooser.choice((new, value + new, new + value, value[1:]))
            set_fact(item, path, new)
        found.setdefault(json.dumps(item, sort_keys=True), Asked(**item))
    return list(found.values())


def facts_of(value: Any, part: str) -> Iterator[tuple[Fact, Any]]:
    """Yield each fact of a part of what was asked on, with its path.

    Args:
        value: The part, of which facts stand in one another.
        part: Its name.
    """
    for path, fact in _leaves(value, ()):
        # All documents together are no fact.
        if path or part == "input":
            yield (part, *path), fact


def _leaves(value: Any, above: Fact) -> Iterator[tuple[Fact, Any]]:
    """Yield each fact with its path; places in lists count as one."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            if key not in {"status", "lists"} or above:
                yield from _leaves(item, (*above, key))
        if above:
            yield above, value
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, item in enumerate(value):
            yield from _leaves(item, (*above, str(index)))
        yield above, value
    else:
        yield above, value


def set_fact(value: Any, path: Fact, new: Any) -> None:
    """Put a fact in its place.

    Args:
        value: What was asked on, as JSON. It is changed.
        path: The place.
        new: The fact.
    """
    for part in path[:-1]:
        value = value[int(part)] if isinstance(value, list) else value[part]
    last = path[-1]
    if isinstance(value, list):
        value[int(last)] = new
    else:
        value[last] = new
