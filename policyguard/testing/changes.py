"""Makes the changes of one whole call that a property is about.

`moves` says the same of the values of one dimension. Here a call may have more in it
than a space has: several hops, contracts, countries or instants of its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any, Final, TypeAlias

import orjson

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.testing.instants import instant
from policyguard.testing.moves import derived_instants, instant_of
from policyguard.testing.properties import Property
from policyguard.testing.trial import Trial

_OFFSETS: Final = (
    timezone(timedelta(hours=9)),
    timezone(-timedelta(hours=5, minutes=30)),
)
_Maker: TypeAlias = Callable[[Property, Trial, Any], Iterator["Changed"]]
Place: TypeAlias = tuple[str | int, ...]
"""Where a fact stands in a call: names, and numbers of elements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Is a call with one fact changed."""

    fact: str
    value: Json
    """What it is changed to."""
    call: Json = field(repr=False)


def changed(prop: Property, trial: Trial, call: Json) -> Iterator[Changed]:
    """Yield each change of a call that a property of the form `change` counts.

    Args:
        prop: The property.
        trial: Of the policy, whose space says which facts there are.
        call: An `input`.
    """
    yield from _MAKERS[prop.name](prop, trial, call)


def named(place: Place) -> str:
    """Return a place in a call as a person writes the fact."""
    return ".".join(part for part in place if isinstance(part, str))


def set_in(call: Json, place: Place, value: Json) -> Json:
    """Return a call with another value in one place."""
    copied: Any = orjson.loads(orjson.dumps(call))
    node = copied
    for part in place[:-1]:
        node = node[part]
    node[place[-1]] = value
    made: Json = copied
    return made


def without(call: Json, place: Place) -> Json:
    """Return a call in which one place is missing."""
    copied: Any = orjson.loads(orjson.dumps(call))
    node = copied
    for part in place[:-1]:
        node = node[part]
    del node[place[-1]]
    made: Json = copied
    return made


def places(call: Json, path: Path) -> Iterator[tuple[Place, Any]]:
    """Yield each place of a call that a path with `*` names, and what stands there."""
    yield from _places(call, path, ())


def _places(node: Any, path: Path, above: Place) -> Iterator[tuple[Place, Any]]:
    if not path:
        yield above, node
    elif isinstance(node, list) and path[0] == "*":
        for index, item in enumerate(node):
            yield from _places(item, path[1:], (*above, index))
    elif isinstance(node, dict) and path[0] in node:
        yield from _places(node[path[0]], path[1:], (*above, path[0]))


def _unknown(prop: Property, trial: Trial, call: Any) -> Iterator[Changed]:
    for dim in trial.space.dims:
        if dim.unknown is None or not prop.about(dim):
            continue
        for place, value in places(call, dim.path):
            if value is not None:
                yield _made(call, place, None)


def _more(
    prop: Property, trial: Trial, call: Any, *, wanted: Callable[[Path], bool]
) -> Iterator[Changed]:
    for dim in trial.space.dims:
        if not wanted(dim.path) or not prop.about(dim):
            continue
        singles = [v[0] for v in dim.values if isinstance(v, list) and len(v) == 1]
        for place, value in places(call, dim.path):
            if not isinstance(value, list) or value == ["none"]:
                continue
            for item in singles:
                if item not in value and item != "none":
                    yield _made(call, place, [*value, item])


def _another(prop: Property, trial: Trial, call: Any) -> Iterator[Changed]:
    for dim in trial.space.dims:
        if not prop.facts or not prop.about(dim):
            continue
        for place, value in places(call, dim.path):
            for other in dim.values:
                if other != value:
                    yield _made(call, place, other)


def _reordered(prop: Property, trial: Trial, call: Any) -> Iterator[Changed]:
    del trial
    for place, value in _lists(call, ()):
        fact = named(place)
        if not value[1:] or fact in prop.but or (prop.facts and fact not in prop.facts):
            continue
        for other in (value[::-1], [*value[1:], value[0]]):
            if other != value:
                yield _made(call, place, other)


def _other_offsets(prop: Property, trial: Trial, call: Any) -> Iterator[Changed]:
    for dim in trial.space.dims:
        if dim.kind not in {"at", "instant"} or not prop.about(dim):
            continue
        for place, value in places(call, dim.path):
            found = instant_of(value)
            if found is not None:
                for offset in _OFFSETS:
                    yield _made(call, place, found.astimezone(offset).isoformat())


def _same_interval(prop: Property, trial: Trial, call: Any) -> Iterator[Changed]:
    """Yield the first and the last second in which nothing begins or ends."""
    del prop
    at = instant_of(call.get("at"))
    if at is None:
        return
    bounds = sorted({*trial.boundaries, *derived_instants(call)})
    after = bisect_right(bounds, int(at.timestamp()))
    edges = (
        *bounds[max(after - 1, 0) : after],
        *(b - 1 for b in bounds[after : after + 1]),
    )
    for second in edges:
        if datetime.fromtimestamp(second, UTC) != at:
            yield _made(call, ("at",), instant(second))


def _later(prop: Property, trial: Trial, call: Any) -> Iterator[Changed]:
    """Yield each later second at which something begins or ends."""
    at = instant_of(call.get("at"))
    if at is None or prop.facts - {"at"} or "at" in prop.but:
        return
    for second in sorted({*trial.boundaries, *derived_instants(call)}):
        if second > at.timestamp():
            yield _made(call, ("at",), instant(second))


def _lists(node: Any, above: Place) -> Iterator[tuple[Place, list[Any]]]:
    if isinstance(node, dict):
        for key, item in node.items():
            yield from _lists(item, (*above, key))
    elif isinstance(node, list):
        yield above, node
        for index, item in enumerate(node):
            yield from _lists(item, (*above, index))


def _made(call: Json, place: Place, value: Json) -> Changed:
    return Changed(fact=named(place), value=value, call=set_in(call, place, value))


def _is_classes(path: Path) -> bool:
    return path == ("data", "classes")


def _is_listed(path: Path) -> bool:
    return path[-1] == "listed"


_MAKERS: Final[Mapping[str, _Maker]] = {
    "fail_closed": _unknown,
    "monotone_classes": partial(_more, wanted=_is_classes),
    "monotone_lists": partial(_more, wanted=_is_listed),
    "monotone_time": _later,
    "irrelevant": _another,
    "order_independent": _reordered,
    "same_instant": _other_offsets,
    "boundary_exact": _same_interval,
}
