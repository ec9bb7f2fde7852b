"""Threads that hand records over for event loops, which may not wait for a disk.

A pool of threads makes a future of each piece of work, tells it what became of the work,
and wakes its loop for that once more. Nobody asks for it here: who writes a record says so
itself.

Owner: the process, whose loops share two threads: while one of them writes, the other
takes what is brought, and the next commit takes all of it along. They begin with the first
piece of work, and end with the program; a forked child has none of its parent's. What is
not yet begun by then is lost: nobody was told that it is durable.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, TypeAlias

_Work: TypeAlias = Callable[[], None]
_THREADS: Final = 2


class _Hands:
    """Holds the threads of a process, and what they are to do."""

    __slots__ = ("_begun", "_lock", "_queue")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew, with none of a parent's threads."""
        self._queue: SimpleQueue[_Work] = SimpleQueue()
        self._lock = threading.Lock()
        self._begun = 0

    def take(self, work: _Work) -> None:
        """Have a piece of work done in a thread."""
        if self._begun < _THREADS:
            self._begin()
        self._queue.put(work)

    def _begin(self) -> None:
        with self._lock:
            while self._begun < _THREADS:
                threading.Thread(
                    target=_work_on,
                    args=(self._queue,),
                    name="policyguard",
                    daemon=True,
                ).start()
                self._begun += 1


def _work_on(queue: SimpleQueue[_Work]) -> None:
    while True:
        work = queue.get()
        # Whatever befalls one piece of work: others wait for this thread.
        with contextlib.suppress(BaseException):
            work()
        # A trail lives no longer than somebody has it.
        del work


_HANDS: Final = _Hands()
os.register_at_fork(after_in_child=_HANDS.renew)


def hand_over(work: _Work) -> None:
    """Have a piece of work done in a thread, one after the other; returns at once.

    Args:
        work: It says itself what became of it.

    Raises:
        RuntimeError: the process can begin no thread.
    """
    _HANDS.take(work)
