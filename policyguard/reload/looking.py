"""Looks for something again and again, in a thread of its own.

Owner: one `Looking` belongs to what looks, and has one daemon thread; a forked child starts
its own. A crash loses nothing: nothing is kept here.
"""

from __future__ import annotations

import os
import random
import threading
import weakref
from collections.abc import Callable
from typing import Final, Literal

from policyguard.errors import PolicyGuardError
from policyguard.guard.events import log
from policyguard.guard.policy import Turn

_JITTER: Final = 0.2
"""A fleet that started together does not ask together for long."""
_LONGEST_PAUSE: Final = 600.0
_LEAST_PAUSE: Final = 0.5


class Looking:
    """Calls a function from time to time.

    Args:
        look: Looks once, and says whether another policy took over.
        turn: Is held while it looks: policies take over one after the other.
        seconds: How long to wait between two looks, before jitter.
    """

    def __init__(self, look: Callable[[], bool], *, turn: Turn, seconds: float) -> None:
        self.failures = 0
        """How many looks in a row have failed; after failures it looks less often."""
        self.turn = turn
        self._look = look
        self._seconds = seconds
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._stopped, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="policyguard-policy", daemon=True
        )
        self._thread.start()
        _RUNNING.add(self)

    def once(self) -> bool:
        """Look once; never raises. What is in use stays if that fails.

        Returns:
            Whether another policy took over.
        """
        with self.turn.lock:
            try:
                return self._look()
            except Exception as error:  # noqa: BLE001 -- what is in use stays
                return self._failed(error)

    def wake(self) -> None:
        """Look now, without waiting for the answer."""
        self._woken.set()

    def close(self) -> None:
        """Stop looking; a look that is under way is waited for."""
        _RUNNING.discard(self)
        self._stopped.set()
        self._woken.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.wait(self._pause())
            self._woken.clear()
            if not self._stopped.is_set():
                try:
                    self.once()
                except BaseException as error:  # noqa: BLE001 -- nothing ends the looks
                    self._failed(error)
                # Whoever wakes us with every call must not storm the source.
                self._stopped.wait(_LEAST_PAUSE)

    def _failed(self, error: BaseException) -> Literal[False]:
        self.failures += 1
        known = isinstance(error, PolicyGuardError)
        reason = str(error) if known else type(error).__name__
        log.error("policy.not_loaded", reason=reason)
        return False

    def _pause(self) -> float:
        # After failures less often, so that a server that is down is not stormed.
        pause = min(self._seconds * 2 ** min(self.failures, 6), _LONGEST_PAUSE)
        spread = random.uniform(-_JITTER, _JITTER)  # noqa: S311 -- no secret
        return float(max(pause, self._seconds) * (1 + spread))


_RUNNING: Final[weakref.WeakSet[Looking]] = weakref.WeakSet()


def _after_fork() -> None:
    # Threads do not survive a fork, and a child must not keep old policy for good.
    running = list(_RUNNING)
    for looking in running:
        looking.turn.renew()
    for looking in running:
        looking.start()


os.register_at_fork(after_in_child=_after_fork)
