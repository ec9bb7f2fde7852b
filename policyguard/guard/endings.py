"""Records how runs of decorated functions end, and streams, also those that nobody ends.

A generator that nobody resumes, or a stream that nobody reads, ends when it is thrown away: mostly at once, sometimes
by Python's garbage collector. That one may run in the middle of anything, in code that
holds the trail's own lock too. So an end that it causes is laid aside, and recorded with
the next end, when the guard is closed, or when the program ends.

Owner: this process. What was laid aside and not recorded is lost in a crash; its
decision stays without an outcome, which an auditor sees.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import threading
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from policyguard.guard import running, wire
from policyguard.guard.core import Core
from policyguard.guard.outcomes import record_outcome
from policyguard.guard.recording import Ending, OutcomeWord
from policyguard.vocabulary.decision import Decision

_ASIDE: Final[deque[tuple[Core, Decision, Ending]]] = deque()


class _Collecting(threading.local):
    """Says whether the garbage collector runs in a thread."""

    now = False


_COLLECTING: Final = _Collecting()


def _notice(phase: Literal["start", "stop"], _: object) -> None:
    _COLLECTING.now = phase == "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Records the end of calls of one guard; never raises but a denial in its place."""

    core: Core

    def __post_init__(self) -> None:
        """Begin to notice when the garbage collector runs."""
        notice_collections()

    def returned(self, state: wire.CallState, result: object) -> None:
        """Record a function that has come to its end.

        What it returns may be a stream whose end nobody here sees.
        """
        streams = hasattr(result, "__next__") or hasattr(result, "__anext__")
        self._end(state, "delegated" if streams else "complete")

    def abandoned(self, state: wire.CallState) -> None:
        """Record a generator that was closed before its end."""
        self._end(state, "abandoned")

    def failed(self, state: wire.CallState, error: BaseException) -> None:
        """Record a function that raised; raise a transport's denial in its place."""
        if state.denied is None and _COLLECTING.now:
            word: OutcomeWord = "error" if isinstance(error, Exception) else "cancelled"
            self._end(state, word, error)
            return
        flush()
        running.failed(self.core, state, error)

    def _end(
        self,
        state: wire.CallState,
        word: OutcomeWord,
        error: BaseException | None = None,
    ) -> None:
        state.end()
        if state.outcome_taken:
            return
        # Its type alone: an exception would keep what it came from alive.
        name = type(error).__qualname__ if error is not None else None
        ended(self.core, state.decision, Ending(outcome=word, error=name))


def notice_collections() -> None:
    """Begin to notice when the garbage collector runs; more than once does nothing."""
    if _notice not in gc.callbacks:
        gc.callbacks.append(_notice)
        atexit.register(flush)


def ended(core: Core, decision: Decision, ending: Ending) -> None:
    """Record an end from wherever it is noticed, `__del__` too; never raises.

    Args:
        core: Records it.
        decision: Of the call that has ended.
        ending: How it has.
    """
    _ASIDE.append((core, decision, ending))
    flush()


def flush() -> None:
    """Record the ends that were laid aside, unless this is no time for it."""
    if _COLLECTING.now:
        return
    with contextlib.suppress(IndexError):
        while True:
            core, decision, ending = _ASIDE.popleft()
            record_outcome(core, decision, ending)
