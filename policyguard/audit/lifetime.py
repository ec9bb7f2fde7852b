"""How long a trail lives: across forks, to the program's end, and not beyond its users.

Owner: the process. Trails are known here weakly: one that nobody has any more is closed,
which releases its log. A forked child lets go of its parent's logs as its first act.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from policyguard.audit.stores.protocol import LogWriter
from policyguard.errors import TrailError


class Living(Protocol):
    """Is a trail, as far as its life goes."""

    def rest(self) -> None:
        """Write what is left and release the log, until something is appended."""
        ...

    def forget_parent(self) -> None:
        """Let go of the parent's log after a fork."""
        ...

    def claim(self) -> LogWriter:
        """Claim a log for this process."""
        ...


def watch(trail: Living) -> None:
    """Tell a trail of forks, and of the program's end, for as long as it lives."""
    _TRAILS.add(trail)


def weakly(trail: Living) -> Callable[[], LogWriter]:
    """Return what claims a log for a trail, without keeping the trail alive."""
    known = weakref.ref(trail)

    def claim() -> LogWriter:
        found = known()
        if found is None:
            raise TrailError("the trail is gone: keep the guard while it calls")
        return found.claim()

    return claim


def let_go(close: Callable[[], None], *, midway: bool) -> None:
    """Close a trail that nobody has any more.

    Args:
        close: Closes it, after waiting for whoever writes.
        midway: Whether the running thread is writing: a collection can begin in the
            midst of a commit, and who holds the lock would wait for itself for ever.
    """
    if midway:
        threading.Thread(target=close, name="policyguard-close", daemon=True).start()
    else:
        close()


_TRAILS: weakref.WeakSet[Living] = weakref.WeakSet()


def _after_fork() -> None:
    for trail in list(_TRAILS):
        trail.forget_parent()


def _at_exit() -> None:
    for trail in list(_TRAILS):
        with contextlib.suppress(Exception):
            trail.rest()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
