"""Keeps the interpreter's engines, each with the thread that made it.

The library's objects may neither be used nor freed by another thread. So they are kept by
thread and generation, and a thread drops its own when no snapshot needs them any more.

Owner: the process; each thread owns what it made. Nothing is on disk. A forked child has
the forking thread's engines; those of threads that it does not have stay for good.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from threading import get_ident
from typing import Any, Final

from policyguard.engines.native import NativeEngine


class _ThreadEngines(threading.local):
    """Keeps the engines of one thread by generation."""

    def __init__(self) -> None:
        self.owner = Owner()

    @property
    def by_generation(self) -> dict[int, NativeEngine]:
        return self.owner.engines


def _this_thread(
    process: Callable[[], int] = os.getpid, thread: Callable[[], int] = get_ident
) -> tuple[int, int]:
    # With the process: a thread of the child may get the number of one of its parent.
    # As arguments: at the end of the interpreter a module's names are gone.
    return process(), thread()


class Owner:
    """Owns the engines of one thread, and goes with it."""

    __slots__ = ("engines", "thread", "unfinished")

    def __init__(self) -> None:
        self.engines: dict[int, NativeEngine] = {}
        self.unfinished: dict[int, Iterator[NativeEngine | None]] = {}
        self.thread = _this_thread()

    def __del__(self, this_thread: Callable[[], object] = _this_thread) -> None:
        """Keep what another thread made."""
        # In a forked child some thread clears up after threads that the child does
        # not have. It may not free their engines, so they stay for good.
        if self.thread != this_thread():
            _ABANDONED.append((self.engines, self.unfinished))


class _Turn:
    """Is held for a slice: threads build their engines one after the other."""

    def __init__(self) -> None:
        self.renew()
        # The thread that holds it may not exist in a forked child.
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        self.lock = threading.Lock()


_ABANDONED: Final[list[object]] = []
THREAD: Final = _ThreadEngines()
GENERATIONS: Final = itertools.count()
BUILDING: Final = _Turn()
LIVE: Final[weakref.WeakValueDictionary[int, Any]] = weakref.WeakValueDictionary()
"""The snapshots that somebody holds, by generation."""


def drop_stale(owner: Owner) -> None:
    """Drop what no snapshot needs any more; called by the thread that owns it."""
    for kept in (owner.engines, owner.unfinished):
        for stale in [old for old in kept if old not in LIVE]:
            del kept[stale]
