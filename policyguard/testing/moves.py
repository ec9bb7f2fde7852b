"""Says which changes of one fact a property is about, and which values show it.

A space needs values that show a property: lists in another order, the same instant in
another offset, the seconds around each bound. `widened` adds them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Final, TypeAlias

from policyguard.canonical import Json
from policyguard.catalog.views import LIVES
from policyguard.testing.instants import instant
from policyguard.testing.space import Dim, Space

Move: TypeAlias = tuple[int, Callable[[int], bool]]
"""To which value a fact is changed, and from which others."""
_OFFSET: Final = timezone(timedelta(hours=9))
"""In which instants are written a second time: far enough to be another day."""
_SECOND: Final = timedelta(seconds=1)
_CLASSES: Final = ("data", "classes")
_AT: Final = ("at",)


def to_unknown(dim: Dim) -> Iterator[Move]:
    """Yield the change of a known fact to an unknown one."""
    if dim.unknown is not None:
        yield dim.unknown, partial(_other, dim.unknown)


def to_more_classes(dim: Dim) -> Iterator[Move]:
    """Yield each addition to the data classes."""
    if dim.path == _CLASSES:
        yield from _additions(dim)


def to_more_lists(dim: Dim) -> Iterator[Move]:
    """Yield each addition to the lists that a party is said to be on."""
    if dim.path[-1] == "listed":
        yield from _additions(dim)


def to_any(dim: Dim) -> Iterator[Move]:
    """Yield every change of a fact."""
    for to in range(len(dim.values)):
        yield to, partial(_other, to)


def to_another_order(dim: Dim) -> Iterator[Move]:
    """Yield each change that puts the elements of a list in another order."""
    for to, value in enumerate(dim.values):
        if isinstance(value, list) and len(value) > 1:
            yield to, partial(_reordered, dim, to)


def to_another_offset(dim: Dim) -> Iterator[Move]:
    """Yield each change that writes the same instant in another offset."""
    for to, value in enumerate(dim.values):
        if instant_of(value) is not None:
            yield to, partial(_same_instant, dim, to)


def to_later(dim: Dim) -> Iterator[Move]:
    """Yield each passing of time."""
    if dim.path != _AT:
        return
    for to, value in enumerate(dim.values):
        if instant_of(value) is not None:
            yield to, partial(_earlier, dim, to)


def within_interval(dim: Dim) -> Iterator[Move]:
    """Yield each passing of time in which nothing begins or ends.

    From each bound to the last second before the next: a rule that begins or ends a
    second late differs between the two.
    """
    if dim.path != _AT:
        return
    instants = [instant_of(value) for value in dim.values]
    known = {item for item in instants if item is not None}
    order = sorted(
        (item, index) for index, item in enumerate(instants) if item is not None
    )
    for (start, since), (end, until) in itertools.pairwise(order):
        bound = end - _SECOND in known and end - _SECOND != start
        if start != end and not bound and end - start > _SECOND:
            yield until, partial(_is, since)


def widened(space: Space, name: str) -> Space:
    """Return a space with the values that a property of the form `change` needs.

    Args:
        space: The calls that it is asked of.
        name: The property.
    """
    by_name: Mapping[str, Callable[[Dim], list[Json]]] = {
        "order_independent": _reversals,
        "same_instant": _offsets,
        "boundary_exact": partial(_bounds, space),
    }
    if name not in by_name:
        return space
    more = by_name[name]
    dims = tuple(
        replace(dim, values=(*dim.values, *new)) if (new := more(dim)) else dim
        for dim in space.dims
    )
    return replace(space, dims=dims)


def derived_instants(call: Json) -> Iterator[int]:
    """Yield the seconds at which a fact of a call itself begins or ends to hold.

    Args:
        call: An `input`; its own `at` is none of them.
    """
    for value in _texts(call):
        found = instant_of(value)
        if found is not None:
            begins = int(found.timestamp())
            yield begins
            # What holds for so long *inclusive* ends a second later.
            yield from (begins + life + 1 for life in LIVES.values())


def _reversals(dim: Dim) -> list[Json]:
    return [
        list(reversed(value))
        for value in dim.values
        if isinstance(value, list)
        and len(value) > 1
        and list(reversed(value)) not in dim.values
    ]


def _offsets(dim: Dim) -> list[Json]:
    found = ((value, instant_of(value)) for value in dim.values)
    return [
        at.astimezone(_OFFSET).isoformat()
        for value, at in found
        if at is not None and str(value).endswith("Z")
    ]


def _bounds(space: Space, dim: Dim) -> list[Json]:
    """Return the seconds before, at and around each bound that other facts bring."""
    if dim.path != _AT:
        return []
    others: list[Json] = [
        list(other.values) for other in space.dims if other.path != _AT
    ]
    near = {second + step for second in derived_instants(others) for step in (-1, 0)}
    return [text for text in map(instant, sorted(near)) if text not in dim.values]


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key != "at":
                yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _additions(dim: Dim) -> Iterator[Move]:
    for to, value in enumerate(dim.values):
        if isinstance(value, list) and value:
            yield to, partial(_within, dim, value)


def _within(dim: Dim, more: Sequence[Json], index: int) -> bool:
    own = dim.values[index]
    return (
        isinstance(own, list)
        and own != ["none"]
        and len(own) < len(more)
        and all(item in more for item in own)
    )


def _other(to: int, index: int) -> bool:
    return index != to


def _is(wanted: int, index: int) -> bool:
    return index == wanted


def _reordered(dim: Dim, to: int, index: int) -> bool:
    one, other = dim.values[index], dim.values[to]
    return (
        isinstance(one, list)
        and isinstance(other, list)
        and one != other
        and len(one) == len(other)
        and all(item in other for item in one)
    )


def _same_instant(dim: Dim, to: int, index: int) -> bool:
    return index != to and instant_of(dim.values[index]) == instant_of(dim.values[to])


def _earlier(dim: Dim, to: int, index: int) -> bool:
    one, other = instant_of(dim.values[index]), instant_of(dim.values[to])
    return one is not None and other is not None and one < other


def instant_of(value: Json) -> datetime | None:
    """Return the instant that a text names, in UTC; nothing if it names none."""
    if not isinstance(value, str) or "T" not in value or not value[:1].isdigit():
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else None
