"""JSON objects and arrays that cannot be changed, and are equal to those that can.

What a frozen value holds must be frozen too, or who reads a decision could change what
is remembered of it. Copies of them are plain.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from pydantic import JsonValue

_UNCHANGING: Final = frozenset({type(None), bool, int, float, str})


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError("this is part of a frozen value: change a copy of it")


class FrozenDict(dict[str, JsonValue]):
    """Is a JSON object that refuses to be changed."""

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as a plain object."""
        return dict, (dict(self),)


class FrozenList(list[JsonValue]):
    """Is a JSON array that refuses to be changed."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = pop = remove = clear = _refuse
    sort = reverse = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as a plain array."""
        return list, (list(self),)


def frozen(value: JsonValue) -> Any:
    """Return a JSON value in which nothing can be changed."""
    if isinstance(value, dict):
        return FrozenDict(
            {
                key: item if type(item) in _UNCHANGING else frozen(item)
                for key, item in value.items()
            }
        )
    if isinstance(value, list):
        return FrozenList(
            [item if type(item) in _UNCHANGING else frozen(item) for item in value]
        )
    return value
