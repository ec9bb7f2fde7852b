"""Cuts out of a document what some paths read, and puts such parts together again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.testing.slice_forms import ANY, SHAPE, THERE

_SOMETHING: Final = "there"
"""Stands for a value of which only that it is there is read."""
Trie: TypeAlias = Mapping[str, Any]


def trie_of(paths: Iterable[Path]) -> Trie:
    """Return paths as one tree; what is below `=` is read as a whole."""
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for part in path:
            node = node.setdefault(part, {})
        if path[-1] not in {SHAPE, THERE}:
            node["="] = {}
    return root


def picked(value: Any, trie: Trie) -> Any:
    """Return as much of a document as some paths read; of the rest the shape alone."""
    if "=" in trie:
        return value
    if set(trie) == {THERE}:
        return _SOMETHING
    if isinstance(value, dict):
        return {
            key: picked(item, _under(trie, key))
            for key, item in value.items()
            if key in trie or ANY in trie
        }
    if isinstance(value, list):
        return [picked(item, trie.get(ANY, {})) for item in value]
    if isinstance(value, str):
        return "shown"
    return value if value is None else type(value)(1)


def merged(parts: Sequence[Any]) -> Json:
    """Return parts of one document as one."""
    found: Any = {}
    for part in parts:
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
    if _SOMETHING in (one, other):
        return other if one == _SOMETHING else one
    # One of them is a shape alone.
    return other if one in ("shown", 1, True) else one


def _under(trie: Trie, key: str) -> Trie:
    exact, any_key = trie.get(key), trie.get(ANY)
    if exact is None or any_key is None:
        return exact or any_key or {}
    return {
        name: _under({"*": any_key.get(name), name: exact.get(name)}, name)
        for name in {**exact, **any_key}
    }
