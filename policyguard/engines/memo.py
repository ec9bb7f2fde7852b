"""Remembers what was answered, exactly: a memo changes the cost of a decision, nothing else.

A decision is a pure function of bundle, catalog and input, and rules see of the time
only between which instants it lies. A memo is of one bundle and one catalog, so the input
without `at`, and the interval in which `at` falls, determine the answer. The instants are
all those in bundle and catalog, and those in the input, with the ones that the policy
derives from them.

Owner: one loaded policy, whose threads share the memo. No lock is taken, so a fork at
any moment is harmless: a thread that loses a race evaluates once more. Nothing is on
disk. Who can change the process's memory can change an answer here as anywhere in it.

INVARIANT: nothing is remembered of an input with more instants, or larger, than the
limits, of an instant before `EARLIEST`, or of an answer that failed.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MOST_ENTRIES: Final = 4_096
MOST_BYTES: Final = 16 * 1024
"""The largest input of which the answer is remembered."""
MOST_INSTANTS: Final = 512
"""In one input."""
MOST_INTERVALS: Final = 4
"""Of one input; time goes forward, so that older ones are of no use."""
EARLIEST: Final = 100_000_000
"""Smaller whole numbers, before March 1973, are not taken for instants."""

_SECOND: Final = timedelta(seconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WHOLE_NUMBER: Final = re.compile(rb"(?<=[:\[,])[0-9]{9,12}(?=[,\]}])")
_DATE_OR_INSTANT: Final = re.compile(
    rb'"(\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d))?)"'
)


def instants_in(data: bytes, *, lives: Iterable[int] = ()) -> tuple[int, ...]:
    """Return the seconds at which anything that canonical JSON says can begin or end.

    Whole numbers that may be seconds since 1970, RFC 3339 instants and days count. Too
    many are harmless, as each only divides an interval; one too few would not be.

    Args:
        data: Canonical JSON.
        lives: Seconds for which something that is dated there counts as fresh.
    """
    found = {int(match[0]) for match in _WHOLE_NUMBER.finditer(data)}
    found.update(_texts(data))
    # What holds for so long *inclusive* ends a second later.
    ends = (edge + life for edge in tuple(found) for life in (0, *lives))
    return tuple(sorted({edge + more for edge in ends for more in (0, 1)}))


def _texts(data: bytes) -> Iterator[int]:
    for match in _DATE_OR_INSTANT.finditer(data):
        text = match[1].decode("ascii").upper().replace(" ", "T")
        # What no calendar has is no instant to the policy either.
        with contextlib.suppress(ValueError, OverflowError):
            if len(text) == len("2026-01-01"):
                day = date.fromisoformat(text)
                yield seconds_of(datetime(day.year, day.month, day.day, tzinfo=UTC))
            else:
                yield seconds_of(datetime.fromisoformat(_six_decimals(text)))


def _six_decimals(text: str) -> str:
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


def seconds_of(instant: datetime) -> int:
    """Return the whole seconds since 1970 that have passed at an instant, as rules do."""
    return (instant - _EPOCH) // _SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoUse:
    """Says how much a memo is of use."""

    hits: int
    misses: int
    entries: int

    @property
    def hit_rate(self) -> float:
        """Return the share of questions that were answered from memory, 0 to 1."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


@dataclass(slots=True)
class _Entry(Generic[T]):
    """Is what is remembered of one input: its instants, and an answer by interval."""

    instants: tuple[int, ...]
    answers: dict[tuple[int, int], T] = field(default_factory=dict)


class Memo(Generic[T]):
    """Remembers answers of one bundle and one catalog.

    Args:
        instants: Those of bundle and catalog, ascending; as `instants_in` finds them.
        lives: Seconds that the policy adds to instants of an input.
        entries: How many inputs are remembered; the oldest is forgotten first.
    """

    __slots__ = (
        "_entries",
        "_hits",
        "_instants",
        "_lives",
        "_misses",
        "_most",
    )

    def __init__(
        self,
        *,
        instants: Iterable[int],
        lives: Iterable[int] = (),
        entries: int = MOST_ENTRIES,
    ) -> None:
        self._instants = tuple(sorted(instants))
        self._lives = tuple(lives)
        self._most = entries
        self._entries: dict[bytes, _Entry[T]] = {}
        # Counted without a lock: taking the next number is one step.
        self._hits = itertools.count()
        self._misses = itertools.count()

    def emptied(self) -> Memo[T]:
        """Return a memo for the same policy, that remembers nothing."""
        return Memo(
            instants=self._instants,
            lives=self._lives,
            entries=self._most,
        )

    @property
    def use(self) -> MemoUse:
        """Say how often it answered."""
        return MemoUse(
            hits=taken(self._hits),
            misses=taken(self._misses),
            entries=len(self._entries),
        )

    def find(self, question: bytes, *, at: int) -> T | None:
        """Return the answer that is remembered, or `None`.

        Args:
            question: The canonical input without `at`.
            at: The legal instant, in whole seconds since 1970.
        """
        answer = self.peek(question, at=at)
        next(self._misses if answer is None else self._hits)
        return answer

    def peek(self, question: bytes, *, at: int) -> T | None:
        """Return what `find` would, without counting it as a use."""
        entry = self._entries.get(question) if at >= EARLIEST else None
        return None if entry is None else entry.answers.get(self._interval(entry, at))

    def keep(self, question: bytes, *, at: int, answer: T) -> None:
        """Remember an answer, if that is safe; whoever reads it may not change it."""
        if len(question) > MOST_BYTES or at < EARLIEST or self._most < 1:
            return
        entry = self._entries.get(question)
        if entry is None:
            instants = instants_in(question, lives=self._lives)
            if len(instants) > MOST_INSTANTS:
                return
            entry = self._entries[question] = _Entry(instants)
            self._forget(self._entries, most=self._most)
        entry.answers[self._interval(entry, at)] = answer
        self._forget(entry.answers, most=MOST_INTERVALS)

    def _interval(self, entry: _Entry[T], at: int) -> tuple[int, int]:
        return bisect_right(self._instants, at), bisect_right(entry.instants, at)

    @staticmethod
    def _forget(
        known: dict[bytes, _Entry[T]] | dict[tuple[int, int], T], *, most: int
    ) -> None:
        while len(known) > most:
            # Another thread may have changed it meanwhile, and forgets in its turn.
            with contextlib.suppress(RuntimeError, StopIteration, KeyError):
                del known[next(iter(known))]  # type: ignore[arg-type]


def taken(counter: itertools.count[int]) -> int:
    """Return how many numbers were taken from a counter, without taking one."""
    return int(repr(counter).removeprefix("count(").removesuffix(")"))
