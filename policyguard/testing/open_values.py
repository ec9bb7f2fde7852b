"""Stands for a text or a number of which it is not decided which one it is.

A policy asks little of most facts: whether a country is one of a few, whether a count is
large enough. So what stands for a fact answers what is asked of it, and calls are split by
the answer alone. Where the value itself is needed it is decided first, as for any built-in
that is not known to ask less.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Protocol


class Asked(Protocol):
    """Answers what is asked of a fact, or of several together."""

    def says(self, name: Hashable, function: Callable[[Any], Any]) -> Any:
        """Return what a function of the value says in all calls that are left.

        Args:
            name: Names the function.
            function: The function.

        Raises:
            UndecidedError: that is not the same in all of them.
        """

    def with_other(
        self, other: Any, name: str, function: Callable[[Any, Any], Any]
    ) -> Any:
        """Return what answers for a function of this and another one; too many: nothing.

        Args:
            other: What answers for the other.
            name: Names the function.
            function: The function.
        """


class OpenValue:
    """Is a text, or a whole number; each operation decides as much as it needs.

    Args:
        kind: `str` or `int`.
        asked: Answers what is asked of it.
    """

    __slots__ = ("asked", "kind")

    def __init__(self, kind: type, asked: Asked) -> None:
        self.kind, self.asked = kind, asked

    def whole(self) -> Any:
        """Return the value itself."""
        return self.asked.says("", self._own)

    def _own(self, value: Any) -> Any:
        # What has another kind is of no call that is left.
        return value if type(value) is self.kind else None

    def among(self, values: Iterable[Any]) -> bool:
        """Say whether it is one of some values."""
        known = frozenset(v for v in values if type(v) is self.kind)
        return bool(
            self.asked.says(("in", known), lambda value: self._own(value) in known)
        )

    def _compared(self, other: Any, name: str) -> bool:
        compares = getattr(operator, name)
        kind = kind_of_open(other)
        if kind is not self.kind:
            return bool(compares(self.whole(), decided(other)))

        def said(one: Any, two: Any) -> bool:
            return type(one) is kind is type(two) and bool(compares(one, two))

        if type(other) is not OpenValue:
            return bool(self.asked.says((name, other), lambda v: said(v, other)))
        both = self.asked.with_other(other.asked, name, said)
        if both is None:
            return bool(compares(self.whole(), other.whole()))
        return bool(both.says("", bool))

    def __eq__(self, other: object) -> bool:
        """Say whether it is another value."""
        return other is self or self._compared(other, "eq")

    def __ne__(self, other: object) -> bool:
        """Say whether it is none."""
        return not self == other

    def __lt__(self, other: Any) -> bool:
        """Say whether it is less."""
        return self._compared(other, "lt")

    def __le__(self, other: Any) -> bool:
        """Say whether it is no more."""
        return self._compared(other, "le")

    def __gt__(self, other: Any) -> bool:
        """Say whether it is more."""
        return self._compared(other, "gt")

    def __ge__(self, other: Any) -> bool:
        """Say whether it is no less."""
        return self._compared(other, "ge")

    def __hash__(self) -> int:
        """Return what finds the value in a dictionary."""
        return hash(self.whole())

    def __str__(self) -> str:
        """Return the value as text."""
        return str(self.whole())

    def __index__(self) -> int:
        """Return the number, as a place in an array."""
        return int(self.whole())

    def __len__(self) -> int:
        """Count the characters."""
        return len(self.whole())

    def __add__(self, other: Any) -> Any:
        """Add a number, which may be open as well."""
        if type(other) is OpenValue and self.kind is other.kind is int:
            both = self.asked.with_other(other.asked, "add", _sum)
            if both is not None:
                return OpenValue(int, both)
        return self.whole() + decided(other)

    def __radd__(self, other: Any) -> Any:
        """Add it to a number; a sum begins with none."""
        return self if type(other) is int and other == 0 else other + self.whole()

    def __sub__(self, other: Any) -> Any:
        """Subtract."""
        return self.whole() - decided(other)

    def __rsub__(self, other: Any) -> Any:
        """Subtract it from a number."""
        return other - self.whole()

    def __mul__(self, other: Any) -> Any:
        """Multiply."""
        return self.whole() * decided(other)

    __rmul__ = __mul__


class OpenSet(frozenset[Any]):
    """Is a set of which it is asked whether an open value is in it."""

    def __contains__(self, item: object) -> bool:
        """Say whether a value is a member."""
        if type(item) is OpenValue:
            return item.among(self)
        return super().__contains__(item)


def kind_of_open(value: Any) -> type:
    """Return the type of a value, or of what it stands for."""
    return value.kind if type(value) is OpenValue else type(value)


def decided(value: Any) -> Any:
    """Return a value of which nothing is open, with what is in an array or a tuple."""
    if type(value) is OpenValue:
        return value.whole()
    if type(value) is list:
        return [decided(item) for item in value]
    if type(value) is tuple:
        return tuple(decided(item) for item in value)
    return value


def _sum(one: Any, other: Any) -> int | None:
    return one + other if type(one) is int is type(other) else None
