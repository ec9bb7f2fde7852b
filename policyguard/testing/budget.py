"""Counts the seconds that laws and gates may take, and stops them when those are used up.

`pytest --policy-budget SECONDS` sets them. What is stopped is skipped with how far it came,
and shown at the end of the run: it has not failed, and nobody may think that it holds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Final, TypeAlias

import pytest

NOT_LOOKED_AT: Final = "not looked at to the end"
"""Begins the reason of each test that was stopped."""
Look: TypeAlias = Callable[[str], None]
"""Is called between two steps with how far it is; ends the test if the time is used up."""


class Budget:
    """Holds how much time is left; belongs to one process of pytest.

    Args:
        seconds: How many there are for all laws and gates together.
        clock: Tells the seconds.
    """

    def __init__(
        self, seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._used = 0.0

    @contextlib.contextmanager
    def spending(self) -> Iterator[Look]:
        """Count the time of one law or gate."""
        began = self._clock()

        def look(done: str) -> None:
            if self._used + self._clock() - began >= self._seconds:
                pytest.skip(
                    f"{NOT_LOOKED_AT}: the budget of {self._seconds:g} s for laws and"
                    f" gates is used up, {done}"
                )

        try:
            look("before it began")
            yield look
        finally:
            self._used += self._clock() - began


_BUDGET: ContextVar[Budget | None] = ContextVar("policyguard_budget", default=None)


def set_budget(budget: Budget | None) -> None:
    """Begin to count anew.

    Args:
        budget: What there is; `None`: as much time as it takes.
    """
    _BUDGET.set(budget)


@contextlib.contextmanager
def spending() -> Iterator[Look]:
    """Spend of the budget that is set, if there is one."""
    budget = _BUDGET.get()
    if budget is None:
        yield lambda _: None
        return
    with budget.spending() as look:
        yield look
