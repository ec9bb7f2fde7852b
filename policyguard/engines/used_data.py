"""Keeps from an engine the data that no rule of its policy can read.

A catalog holds each entry as it was written, for resolving and for replay, and as rules
see it. Every thread has an engine of its own with data of its own, so that what rules
never read would be paid for once a thread, in memory and in time to load.

INVARIANT: only a member of `data` is left out of which no module mentions a path that is
the member's, lies above it or lies below it. A mention that is no plain path, as `data[x]`
or `data` alone, keeps everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from policyguard.canonical import Json
from policyguard.engines.syntax import names_after

ROOT: Final = "data"
_DEPTH: Final = 2
"""Members of members of `data` are kept or left out as they are."""


def used_data(
    data: Mapping[str, Json], *, modules: Mapping[str, str]
) -> Mapping[str, Json]:
    """Return the data that some modules can read.

    Args:
        data: All of it.
        modules: Module text by path.
    """
    mentioned = {path[:_DEPTH] for path in _mentions(modules.values())}
    if () in mentioned:
        return data
    kept: dict[str, Json] = {}
    for key, value in data.items():
        inner = {path[1] for path in mentioned if path[0] == key and len(path) > 1}
        if (key,) in mentioned:
            kept[key] = value
        elif inner and isinstance(value, Mapping):
            kept[key] = {name: value[name] for name in value if name in inner}
    return kept


def _mentions(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    for text in texts:
        yield from names_after(ROOT, text)
