"""Makes sets and built-ins that decide no more of an open value than they have to.

What is only shown is worked out when somebody looks at it: most texts of a policy say
what was found, and decide nothing.

INVARIANT: what a built-in refuses is refused before its answer is put off.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from policyguard.testing.open_values import OpenValue, decided, kind_of_open

_CLOSED: Final = frozenset({str, int, bool, dict, type(None)})
"""Kinds of values that have nothing in them that is to be decided."""
if TYPE_CHECKING:
    from policyguard.engines.compiled.values import Members as _Members
else:
    _Members = object


@dataclass(frozen=True, slots=True)
class _Later:
    """Answers what is asked of a value that is worked out when it is asked for."""

    made: Callable[[], Any]
    most: range = range(0)
    """Of a number: those that it may be."""

    def says(self, name: Hashable, function: Callable[[Any], Any]) -> Any:
        """Return what a function of it says, without working it out if it need not be."""
        del name
        possible = {function(number) for number in self.most}
        return possible.pop() if len(possible) == 1 else function(self.made())

    def with_other(
        self, other: Any, name: str, function: Callable[[Any, Any], Any]
    ) -> Any:
        """Return nothing: it is worked out first."""
        del other, name, function


class LaterArray(list[Any]):
    """Is an array of texts that is put in order when somebody looks at it.

    Args:
        sort: Puts them in order.
        source: The set that they are of.
    """

    def __init__(self, sort: Callable[[Any], list[Any]], source: Any) -> None:
        super().__init__()
        self.source, self._sort = source, sort

    def _made(self) -> list[Any]:
        return self._sort(self.source)

    def __iter__(self) -> Iterator[Any]:
        """Go through it."""
        return iter(self._made())

    def __len__(self) -> int:
        """Count it."""
        return len(self._made())

    def __getitem__(self, place: Any) -> Any:
        """Return one element."""
        return self._made()[place]

    def __contains__(self, item: object) -> bool:
        """Say whether something is in it."""
        return item in self._made()


def sorting(sort: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    """Return a function that puts open texts in order once somebody looks at them."""

    def open_sort(collection: Any) -> list[Any]:
        if _opened(collection) and _all_texts(collection):
            return LaterArray(sort, collection)
        return sort(decided(collection))

    return open_sort


def joining(concat: Callable[[Any, Any], str]) -> Callable[[Any, Any], Any]:
    """Return a function that joins open texts once somebody looks at the result."""

    def open_concat(between: Any, collection: Any) -> Any:
        source = getattr(collection, "source", collection)
        if type(between) is str and _has_open(source) and _all_texts(source):
            return OpenValue(
                str,
                _Later(lambda: concat(between, decided(list(_decided(collection))))),
            )
        return concat(decided(between), decided(collection))

    return open_concat


def filling(fill: Callable[..., str]) -> Callable[..., Any]:
    """Return a function that fills a text with open values once somebody looks at it."""

    def open_fill(form: Any, values: Any) -> Any:
        opened = [value for value in values if type(value) is OpenValue]
        if type(form) is not str or not opened:
            return fill(decided(form), values)
        # No number below zero is written, and each verb has to be one for its value.
        if any(value.kind is int and value < 0 for value in opened):
            return fill(form, decided(values))
        fill(form, type(values)(map(_any_of_kind, values)))
        return OpenValue(str, _Later(lambda: fill(form, decided(values))))

    return open_fill


def counting(count: Callable[[Any], int]) -> Callable[[Any], Any]:
    """Return a function that counts a set without telling equal members, if it can.

    Args:
        count: Counts members.
    """

    def open_count(value: Any) -> Any:
        opened = _opened(value)
        if not opened or len(opened) < len(value.others):
            return count(decided(value))
        least, most = max(1, len(value.texts)), len(value.texts) + len(opened)
        if least == most:
            return most
        return OpenValue(int, _Later(lambda: count(value), range(least, most + 1)))

    return open_count


class OpenMembers(_Members):
    """Is a set that takes open values, and decides them where it has to.

    They are kept with what is no text, of which equal ones are told when somebody looks.
    """

    __slots__ = ()

    def __init__(self, values: Any = ()) -> None:
        values = list(values)
        super().__init__([v for v in values if type(v) is not OpenValue])
        self.others += [v for v in values if type(v) is OpenValue]

    def add(self, member: Any) -> None:
        """Put a member in."""
        if type(member) is OpenValue:
            self.others.append(member)
            self._in_order = None
        else:
            super().add(member)

    def in_order(self) -> list[Any]:
        """Return each member once, in order: of several it is decided which they are."""
        if len(self.others) + len(self.texts) > 1:
            self.decide()
        return super().in_order()

    def has(self, value: Any) -> bool:
        """Say whether a value is a member."""
        if type(value) is OpenValue:
            return value.among(self.texts) or value in self.others
        return value in _opened(self) or super().has(value)

    def kept(self, other: Any, *, shared: bool) -> Any:
        """Return the members that another set has, or those that it has not."""
        self.decide()
        other.decide()
        return super().kept(other, shared=shared)

    def decide(self) -> None:
        """Decide all members."""
        opened = _opened(self)
        values = [item.whole() for item in opened]
        if opened:
            self.others = [o for o in self.others if type(o) is not OpenValue]
            self._in_order = None
        for value in values:
            super().add(value)


def open_members(members: type) -> Any:
    """Return sets of some kind that take open values.

    Args:
        members: The kind, as a program has it.
    """
    return type("Members", (OpenMembers, members), {"__slots__": ()})


def deciding(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is called with decided values only."""
    return partial(_called, function)


def _called(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    given = [a if type(a) in _CLOSED else decided(a) for a in arguments]
    return function(*given, **named)


def _any_of_kind(value: Any) -> Any:
    return value.kind() if type(value) is OpenValue else value


def _has_open(collection: Any) -> bool:
    items = collection if kind_of_open(collection) is list else _opened(collection)
    return any(type(item) is OpenValue for item in items)


def _opened(collection: Any) -> list[Any]:
    """Return the open values of a set."""
    others = getattr(collection, "others", ())
    return [item for item in others if type(item) is OpenValue]


def _all_texts(collection: Any) -> bool:
    items = getattr(collection, "others", collection)
    return all(kind_of_open(item) is str for item in items)


def _decided(collection: Any) -> Any:
    """Return what an array or a set has, the latter in order."""
    in_order = getattr(collection, "in_order", None)
    return collection if in_order is None else in_order()
