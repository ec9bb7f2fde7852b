"""Rego's values as Python has them: sets, equality, order, and the way back to JSON.

Scalars, arrays and objects are what JSON gives: `None`, `bool`, `int`, `str`, `list` and
`dict`. Two things differ from Python: `true` is no number, and sets hold any value.

INVARIANT: no value is changed after it was made, because documents of data are shared by
all threads and all evaluations; what leaves is a copy.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cmp_to_key
from itertools import chain
from typing import Any, Final

import orjson

from policyguard.errors import CannotSayError


class Undefined:
    """Stands for a rule without a value."""


UNDEFINED: Final = Undefined()
UNDEFINED_REFERENCE: Final = (KeyError, TypeError)
"""What a reference raises that leads nowhere, and nothing else may raise here."""
_LARGEST: Final = (1 << 53) - 1
_ORDER: Final[dict[type, int]] = {
    type(None): 0,
    bool: 1,
    int: 2,
    str: 3,
    list: 4,
    dict: 5,
}
_SETS: Final = 6


class Members:
    """Is a set. Text, of which most sets are, is kept apart from all else."""

    __slots__ = ("_in_order", "others", "texts")

    def __init__(self, members: Any = ()) -> None:
        self._in_order: list[Any] | None = None
        self.others: list[Any] = []
        """Those that are no text; what is equal among them is one when somebody looks."""
        self.texts: set[str]
        for member in members:
            if type(member) is not str:
                self.texts = {item for item in members if type(item) is str}
                self.others = [item for item in members if type(item) is not str]
                return
        self.texts = set(members)

    def add(self, member: Any) -> None:
        """Put a member in, before anybody else sees the set."""
        if type(member) is str:
            self.texts.add(member)
        else:
            self.others.append(member)
        self._in_order = None

    def in_order(self) -> list[Any]:
        """Return each member once, in Rego's order."""
        found = self._in_order
        if found is None:
            texts: list[Any] = sorted(self.texts)
            found = self._with_others(texts) if self.others else texts
            self._in_order = found
        return found

    def _with_others(self, texts: list[Any]) -> list[Any]:
        single = _single(self.others)
        low = [other for other in single if _order_of(other) < _ORDER[str]]
        return low + texts + single[len(low) :]

    def in_any_order(self) -> Iterable[Any]:
        """Return the members, some perhaps twice, for what does not depend on that."""
        return [*self.texts, *self.others] if self.others else self.texts

    def has(self, value: Any) -> bool:
        """Say whether a value is a member."""
        if type(value) is str:
            return value in self.texts
        return any(equal(value, other) for other in self.others)

    def __getitem__(self, value: Any) -> Any:
        """Return a member, as a reference into a set does."""
        if self.has(value):
            return value
        raise KeyError

    def __len__(self) -> int:
        """Count the members."""
        return len(self.in_order()) if self.others else len(self.texts)

    def joined(self, other: Members) -> Members:
        """Return the union."""
        made = Members()
        made.texts = self.texts | other.texts
        made.others = self.others + other.others
        return made

    def kept(self, other: Members, *, shared: bool) -> Members:
        """Return the members that another set has, or those that it has not."""
        made = Members()
        made.texts = self.texts & other.texts if shared else self.texts - other.texts
        made.others = [item for item in self.others if other.has(item) is shared]
        return made


def _single(values: list[Any]) -> list[Any]:
    """Return values in Rego's order, each once."""
    if len(values) == 1:
        return values
    return [values[same[0]] for same in _ordered(list(enumerate(values)))]


def _ordered(placed: list[tuple[int, Any]]) -> list[list[int]]:
    """Return the places of values in Rego's order, those of equal values together.

    Findings are large and differ early, so that nothing is compared twice: what comes
    first in them is, then what comes next in those that are the same so far.
    """
    if len(placed) == 1:
        return [[placed[0][0]]]
    kinds = {type(value) for _, value in placed}
    if kinds == {dict}:
        return _refined([(place, _in_turn(value)) for place, value in placed], 0)
    if kinds == {list}:
        return _refined(placed, 0)
    if kinds == {str}:
        placed = sorted(placed, key=_value_of)
    else:
        placed = sorted(placed, key=lambda pair: _comparable(pair[1]))
    found: list[list[int]] = []
    before: Any = UNDEFINED
    for place, value in placed:
        if found and equal(before, value):
            found[-1].append(place)
        else:
            found.append([place])
        before = value
    return found


def _refined(rows: list[tuple[int, list[Any]]], begin: int) -> list[list[int]]:
    """Do so with arrays that are the same up to a place."""
    by_place = dict(rows)
    # What policy wrote as a constant is one object in all of them.
    (_, shortest) = min(rows, key=_length_of)
    while begin < len(shortest) and all(
        row[begin] is shortest[begin] for _, row in rows
    ):
        begin += 1
    ended = [place for place, row in rows if len(row) == begin]
    found = [ended] if ended else []
    longer = [(place, row[begin]) for place, row in rows if len(row) > begin]
    for same in _ordered(longer) if longer else ():
        if len(same) == 1:
            found.append(same)
        else:
            found += _refined([(place, by_place[place]) for place in same], begin + 1)
    return found


def _in_turn(value: dict[Any, Any]) -> list[Any]:
    """Return keys and values of an object, one after the other, as they are compared."""
    try:
        # No two keys are the same, so that no value is compared.
        pairs = sorted(value.items())
    except TypeError:
        pairs = [(name, value[name]) for name in in_key_order(value)]
    return list(chain.from_iterable(pairs))


def _length_of(row: tuple[int, list[Any]]) -> int:
    return len(row[1])


def _value_of(placed: tuple[int, Any]) -> Any:
    return placed[1]


def _order_of(value: Any) -> int:
    kind = _ORDER.get(type(value))
    if kind is not None:
        return kind
    if type(value) is Members:
        return _SETS
    raise CannotSayError


def equal(one: Any, other: Any) -> bool:
    """Say whether two values are the same to Rego."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is str or kind is int or kind is bool:
        return bool(one == other)
    return compare(one, other) == 0


def compare(one: Any, other: Any) -> int:
    """Return what is less as -1, what is equal as 0, and what is more as 1."""
    kind = type(one)
    if kind is type(other) and (kind is str or kind is int or kind is bool):
        return int(one > other) - int(one < other)
    first, second = _order_of(one), _order_of(other)
    if first != second:
        return -1 if first < second else 1
    if kind is list:
        return _compare_all(one, other)
    if kind is dict:
        return _compare_objects(one, other)
    if kind is Members:
        return _compare_all(one.in_order(), other.in_order())
    return 0


def _compare_objects(one: dict[Any, Any], other: dict[Any, Any]) -> int:
    keys, others = in_key_order(one), in_key_order(other)
    if keys == others:
        # As two findings have: only the values can differ.
        return _compare_all([one[key] for key in keys], [other[key] for key in keys])
    for first, second in zip(keys, others, strict=False):
        found = compare(first, second) or compare(one[first], other[second])
        if found:
            return found
    return (len(one) > len(other)) - (len(one) < len(other))


def _compare_all(one: list[Any], other: list[Any]) -> int:
    for first, second in zip(one, other, strict=False):
        found = 0 if first is second else compare(first, second)
        if found:
            return found
    return (len(one) > len(other)) - (len(one) < len(other))


_comparable: Final = cmp_to_key(compare)


def in_key_order(value: dict[Any, Any]) -> list[Any]:
    """Return the keys of an object in Rego's order."""
    try:
        return sorted(value)
    except TypeError:
        return sorted(value, key=cmp_to_key(compare))


def at(base: Any, key: Any) -> Any:
    """Follow a computed reference.

    Raises:
        KeyError: it leads nowhere.
    """
    kind = type(base)
    if kind is dict:
        if type(key) is str or type(key) is bool or key is None:
            return base[key]
    elif kind is list:
        if type(key) is int and 0 <= key < len(base):
            return base[key]
    elif kind is Members:
        return base[key]
    raise KeyError


def within(value: Any, collection: Any) -> bool:
    """Say whether a value is in an array, in a set, or among an object's values."""
    kind = type(collection)
    if kind is Members:
        return bool(collection.has(value))
    if kind is dict:
        collection = list(collection.values())
    elif kind is not list:
        return False
    if type(value) is str:
        return value in collection
    return any(equal(value, item) for item in collection)


def each(collection: Any) -> list[Any]:
    """Return what `some x in` goes through."""
    kind = type(collection)
    if kind is list:
        return collection  # type: ignore[no-any-return]
    if kind is Members:
        return collection.in_order()  # type: ignore[no-any-return]
    if kind is dict:
        return [collection[key] for key in in_key_order(collection)]
    raise CannotSayError


def each_pair(collection: Any) -> list[tuple[Any, Any]]:
    """Return what `some k, v in` goes through."""
    kind = type(collection)
    if kind is dict:
        return [(key, collection[key]) for key in in_key_order(collection)]
    if kind is list:
        return list(enumerate(collection))
    if kind is Members:
        return [(item, item) for item in collection.in_order()]
    raise CannotSayError


def each_indexed(collection: Any) -> list[Any]:
    """Return what `collection[_]` goes through."""
    return [] if collection is None else each(collection)


def any_each(collection: Any) -> Iterable[Any]:
    """Return what `some x in` goes through where neither order nor number is seen."""
    kind = type(collection)
    if kind is list:
        return collection  # type: ignore[no-any-return]
    if kind is Members:
        return collection.in_any_order()  # type: ignore[no-any-return]
    if kind is dict:
        return collection.values()  # type: ignore[no-any-return]
    raise CannotSayError


def any_each_pair(collection: Any) -> Iterable[tuple[Any, Any]]:
    """Return what `some k, v in` goes through where neither order nor number is seen."""
    kind = type(collection)
    if kind is dict:
        return collection.items()  # type: ignore[no-any-return]
    if kind is list:
        return enumerate(collection)
    if kind is Members:
        return [(item, item) for item in collection.in_any_order()]
    raise CannotSayError


def any_each_indexed(collection: Any) -> Iterable[Any]:
    """Return what `collection[_]` goes through where neither order nor number is seen."""
    return () if collection is None else any_each(collection)


def same(known: Any, value: Any) -> Any:
    """Return the value that a rule has by two of its bodies.

    Raises:
        CannotSayError: they differ, which is the interpreter's to refuse.
    """
    if known is UNDEFINED or equal(known, value):
        return value
    raise CannotSayError


def whole(number: Any) -> int:
    """Return a number as far as both engines have it exactly.

    Raises:
        CannotSayError: it is none, or too large.
    """
    if type(number) is int and -_LARGEST <= number <= _LARGEST:
        return number
    raise CannotSayError


def plain(value: Any) -> Any:
    """Return a value as JSON has it: sets as arrays, keys in order, nothing shared.

    Raises:
        TypeError: a value in it, or the key of an object, is none that JSON has.
    """
    return orjson.loads(
        orjson.dumps(value, default=_in_json, option=orjson.OPT_SORT_KEYS)
    )


def _in_json(value: Any) -> list[Any]:
    if type(value) is Members:
        return value.in_order()
    raise TypeError


def key(value: Any) -> Any:
    """Return what is to be the key of an object.

    Raises:
        CannotSayError: Python would take it for another value, or cannot look it up.
    """
    if type(value) is str or type(value) is bool or value is None:
        return value
    raise CannotSayError
