"""The built-ins that translated policy calls; where one would fail, nothing is said.

Each is as strict as the interpreter, which refuses the whole evaluation on an error of a
built-in: it is asked then. The same holds where the two might differ, as in how a float or
an object is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cmp_to_key
from typing import Any, Final

from policyguard.engines.compiled.values import Members, at, compare, each, whole
from policyguard.errors import CannotSayError

_VERB: Final = re.compile(r"%(?:0([1-9]))?(.?)", re.DOTALL)
_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-]\d\d):(\d\d))",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS: Final = 1_000_000_000
_INEXACT: Final = Fraction(3, 1 << 53)
"""Of a number: by how much two roundings of a float may raise it."""
_MOST_WRITTEN: Final = 1 << 16
_SIMPLE_PATTERN: Final = re.compile(
    r"\^?(?:(?:[A-Za-z0-9]|\[(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9])+\])"
    r"(?:\{[1-9][0-9]?\})?)*\$?",
    re.ASCII,
)
"""Letters, digits and classes of them, which every library of patterns reads alike."""


def _require(holds: object) -> None:
    if not holds:
        raise CannotSayError


def _texts(collection: Any) -> list[str]:
    items = each(collection)
    _require(type(collection) is not dict and all(type(item) is str for item in items))
    return items


def count(value: Any) -> int:
    """Count members; text only where a character is a byte."""
    kind = type(value)
    if kind is Members and not value.others:
        return len(value.texts)
    if kind is not list and kind is not Members and kind is not dict:
        _require(kind is str and value.isascii())
    return len(value)


def sprintf(form: Any, values: Any) -> str:
    """Write scalars into a text."""
    _require(type(form) is str and type(values) is list)
    left = iter(values)

    def written(found: re.Match[str]) -> str:
        width, verb = found.groups()
        if verb == "%" and width is None:
            return "%"
        _require(verb)
        return _written(next(left, left), verb=verb, width=width)

    text = _VERB.sub(written, form)
    _require(next(left, left) is left and len(text) < _MOST_WRITTEN)
    return text


def _written(value: Any, *, verb: str, width: str | None) -> str:
    kind = type(value)
    if kind is str:
        _require(verb in "sv" and width is None)
        return str(value)
    if kind is int:
        _require(verb == "d" or width is None)
        _require(verb in "sdv" and value >= 0)
        return f"{value:0{width or 1}d}"
    _require(verb in "sv" and width is None and (value is None or kind is bool))
    return {None: "null", True: "true", False: "false"}[value]


def filled(form: str, values: tuple[Any, ...]) -> str:
    """Write scalars into a text whose verbs are all `%s`, as many as there are values."""
    text = form % tuple(
        [item if type(item) is str else _plain(item) for item in values]
    )
    _require(len(text) < _MOST_WRITTEN)
    return text


def _plain(value: Any) -> str:
    return _written(value, verb="v", width=None)


def concat(between: Any, collection: Any) -> str:
    """Join texts of an array or a set."""
    _require(type(between) is str)
    return str(between.join(_texts(collection)))


def sort(collection: Any) -> list[Any]:
    """Return the members of an array or a set in order."""
    if type(collection) is Members:
        return list(collection.in_order())
    _require(type(collection) is list)
    return sorted(collection, key=cmp_to_key(compare))


def _numbers(collection: Any) -> list[int]:
    _require(type(collection) in {list, Members})
    return [whole(item) for item in each(collection)]


def total(collection: Any) -> int:
    """Add whole numbers up."""
    return whole(sum(_numbers(collection)))


def largest(collection: Any) -> int:
    """Return the largest of some whole numbers."""
    numbers = _numbers(collection)
    _require(numbers)
    return max(numbers)


def smallest(collection: Any) -> int:
    """Return the smallest of some whole numbers."""
    numbers = _numbers(collection)
    _require(numbers)
    return min(numbers)


def object_union(one: Any, other: Any) -> dict[Any, Any]:
    """Join two objects, deeply; the second one wins."""
    if type(one) is not dict or type(other) is not dict:
        raise CannotSayError
    made = {**one, **other}
    for key, value in other.items():
        if type(value) is dict and key in one and type(one[key]) is dict:
            made[key] = object_union(one[key], value)
    return made


def object_get(value: Any, key: Any, default: Any) -> Any:
    """Return what is at a key, or at a path of keys."""
    _require(type(value) is dict)
    for step in key if type(key) is list else (key,):
        if type(value) is dict and type(step) is str:
            if step not in value:
                return default
            value = value[step]
            continue
        try:
            value = at(value, step)
        except KeyError:
            return default
    return value


def object_keys(value: Any) -> Members:
    """Return the keys of an object."""
    _require(type(value) is dict)
    return Members(value)


def object_remove(value: Any, keys: Any) -> dict[Any, Any]:
    """Return an object without some keys."""
    _require(type(value) is dict)
    left = dict(value)
    for key in _texts(keys):
        left.pop(key, None)
    return left


def array_concat(one: Any, other: Any) -> list[Any]:
    """Put one array after another."""
    _require(type(one) is list and type(other) is list)
    return [*one, *other]


def starts_with(text: Any, beginning: Any) -> bool:
    """Say whether a text begins so."""
    _require(type(text) is str and type(beginning) is str)
    return bool(text.startswith(beginning))


def substring(text: Any, start: Any, length: Any) -> str:
    """Return a part of a text in which a character is a byte."""
    _require(type(text) is str and text.isascii())
    _require(type(start) is int and type(length) is int and min(start, length) >= 0)
    return str(text[start : start + length])


def regex_match(pattern: Any, text: Any) -> bool:
    """Say whether a simple pattern, which every library reads alike, is in a text."""
    _require(type(pattern) is str and _SIMPLE_PATTERN.fullmatch(pattern))
    _require(type(text) is str and text.isascii() and "\n" not in text)
    return re.search(pattern, text) is not None


def parse_rfc3339_ns(text: Any) -> int:
    """Return the nanoseconds since 1970 of an instant."""
    _require(type(text) is str)
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise CannotSayError
    day, clock, part, hours, minutes = found.groups()
    try:
        read = datetime.fromisoformat(f"{day}T{clock}+00:00")
    except ValueError:
        raise CannotSayError from None
    away = int(minutes or 0) * (-1 if (hours or "").startswith("-") else 1)
    _require(abs(away) < 60 and abs(int(hours or 0)) < 24)  # noqa: PLR2004 -- a clock's
    whole_seconds = (
        read - _EPOCH - timedelta(hours=int(hours or 0), minutes=away)
    ) // timedelta(seconds=1)
    # Before, and long after, the interpreter's integers end.
    _require(0 <= whole_seconds < 1 << 33)
    return whole_seconds * _NANOSECONDS + int((part or "0").ljust(9, "0"))


def divide(one: Any, other: Any) -> int | Fraction:
    """Divide whole numbers."""
    _require(type(one) is int and type(other) is int and other > 0)
    return one // other if one % other == 0 else Fraction(one, other)


def floor(number: Any) -> int:
    """Return the whole number that is not above."""
    if type(number) is Fraction:
        below = number.numerator // number.denominator
        _require(number + number * _INEXACT < below + 1)
        return below
    return whole(number)


def add(one: Any, other: Any) -> int:
    """Add."""
    return whole(whole(one) + whole(other))


def subtract(one: Any, other: Any) -> Any:
    """Subtract a number from another, or a set."""
    if type(one) is Members and type(other) is Members:
        return one.kept(other, shared=False)
    return whole(whole(one) - whole(other))


def multiply(one: Any, other: Any) -> int:
    """Multiply."""
    return whole(whole(one) * whole(other))


def remainder(one: Any, other: Any) -> int:
    """Return what a division of whole numbers leaves."""
    _require(type(one) is int and type(other) is int and one >= 0 and other > 0)
    return int(one % other)


def union(one: Any, other: Any) -> Members:
    """Join two sets."""
    if type(one) is Members and type(other) is Members:
        return one.joined(other) if other.texts or other.others else one
    raise CannotSayError


def intersection(one: Any, other: Any) -> Members:
    """Return what two sets share."""
    if type(one) is Members and type(other) is Members:
        return one.kept(other, shared=True)
    raise CannotSayError


def is_number(value: Any) -> bool:
    """Say whether it is one."""
    return type(value) is int or type(value) is Fraction


BUILTINS: Final[Mapping[str, tuple[Callable[..., Any], int]]] = {
    "array.concat": (array_concat, 2),
    "concat": (concat, 2),
    "count": (count, 1),
    "floor": (floor, 1),
    "is_number": (is_number, 1),
    "max": (largest, 1),
    "min": (smallest, 1),
    "object.get": (object_get, 3),
    "object.keys": (object_keys, 1),
    "object.remove": (object_remove, 2),
    "object.union": (object_union, 2),
    "regex.match": (regex_match, 2),
    "sort": (sort, 1),
    "sprintf": (sprintf, 2),
    "startswith": (starts_with, 2),
    "substring": (substring, 3),
    "sum": (total, 1),
    "time.parse_rfc3339_ns": (parse_rfc3339_ns, 1),
}
"""By Rego's name: the function, and how many arguments it takes."""
KINDS: Final[Mapping[str, str]] = {
    "is_array": "list",
    "is_boolean": "bool",
    "is_null": "type(None)",
    "is_object": "dict",
    "is_string": "str",
}
"""By Rego's name of a built-in that asks for it: what Python calls a kind of value."""
TYPES: Final[Mapping[str, str]] = {
    "array": "type({0}) is list",
    "boolean": "type({0}) is bool",
    "null": "{0} is None",
    "number": "(type({0}) is int or b_is_number({0}))",
    "object": "type({0}) is dict",
    "set": "type({0}) is Members",
    "string": "type({0}) is str",
}
"""By what `type_name` says of a value: how Python asks for it."""
ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "Add": add,
    "Div": divide,
    "Mod": remainder,
    "Mul": multiply,
    "Sub": subtract,
}
OF_SETS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "Intersection": intersection,
    "Union": union,
}
