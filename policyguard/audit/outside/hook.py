"""Takes a process's own log outside again and again, in a thread, while it is written.

Owner: one `Hook` belongs to a guard and has one daemon thread; a forked child starts
its own, for the log that it claims. Nothing here is on the way of a record: the thread
reads what is committed. What fails is counted, told and on the shelf, and tried again
in the next round. A crash loses a round, which `policyguard audit anchor` or the next
process that claims the log makes up for.

INVARIANT: no record waits for this thread, and none is lost by it. A process has one
round at a time, and each place has a deadline.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Final, Protocol

from policyguard.audit.layout import Layout
from policyguard.audit.outside.anchor import Outside, Taken, take_log
from policyguard.audit.reader import TrailReader
from policyguard.audit.stores.fleet import Fleet
from policyguard.audit.trail import Trail
from policyguard.identity import wall_clock
from policyguard.signing.trust_file import TrustFile


class Tell(Protocol):
    """Is told what did not work."""

    def __call__(self, event: str, **values: object) -> None:
        """Take one event with its values, which name no person."""
        ...


class Hook:
    """Takes the newest checkpoint of a trail's own log outside, at a cadence."""

    __slots__ = (
        "__weakref__",
        "_done",
        "_every",
        "_outside",
        "_patience",
        "_stopped",
        "_tell",
        "_thread",
        "_trail",
        "failures",
        "rounds",
    )

    def __init__(
        self,
        trail: Trail,
        *,
        outside: Callable[[TrustFile], Outside],
        every: float,
        patience: float,
        tell: Tell,
    ) -> None:
        """Make a hook; `start` begins its rounds.

        Args:
            trail: Kept alive by its guard alone.
            outside: Whom checkpoints are taken to, given the trail's trust file.
            every: Seconds between two rounds.
            patience: Seconds that closing waits for the last round.
            tell: Told of each failure.
        """
        self._trail = weakref.ref(trail)
        self._outside = outside
        self._every = every
        self._patience = patience
        self._tell = tell
        self.rounds = 0
        """Checkpoints that everybody has taken, in this process."""
        self.failures = 0
        """Attempts that failed, in this process."""
        self._done = -1
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        _RUNNING.add(self)

    def start(self) -> None:
        """Begin the rounds, the first after one time between two."""
        self._thread = threading.Thread(
            target=self._run, name="policyguard-outside", daemon=True
        )
        self._thread.start()

    def restart(self) -> None:
        """Begin anew in a forked child, which has no thread and another log."""
        stopped = self._stopped.is_set()
        self._stopped, self._done = threading.Event(), -1
        self.rounds = self.failures = 0
        if not stopped and self._thread is not None:
            self.start()

    def close(self) -> None:
        """Take what is committed by now outside, and wait for that only so long."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(self._patience)
            if self._thread.is_alive():
                self._tell("outside.not_finished", seconds=self._patience)

    def _run(self) -> None:
        # The last round is the one of `close`.
        stopped = self._stopped
        last = False
        while not last:
            last = stopped.wait(self._every)
            trail = self._trail()
            if trail is None:
                return
            self._round(trail)
            del trail

    def _round(self, trail: Trail) -> None:
        try:
            taken = self._take(trail)
        except BaseException as error:  # noqa: BLE001 -- the next round tries again
            self.failures += 1
            self._tell("outside.failed", reason=str(error))
            return
        if taken is None:
            return
        for place, failure in taken.places:
            if failure is not None:
                self.failures += 1
                event = "outside.contradicted" if taken.tampered else "outside.failed"
                self._tell(event, place=place, reason=failure)
        if taken.is_whole:
            self.rounds += 1
            self._done = taken.checkpoint.size

    def _take(self, trail: Trail) -> Taken | None:
        origin = trail.origin
        if origin is None:
            # Nothing was written here yet.
            return None
        reader = _reader(trail.place)
        log = reader.log(origin)
        if log.head().size == self._done:
            return None
        return take_log(log, outside=self._outside(reader.trust), now=wall_clock)


def _reader(place: Layout | Fleet) -> TrailReader:
    if isinstance(place, Layout):
        return TrailReader.open(place.directory)
    return TrailReader.open(place.server.url)


_RUNNING: Final[weakref.WeakSet[Hook]] = weakref.WeakSet()


def _after_fork() -> None:
    for hook in list(_RUNNING):
        hook.restart()


os.register_at_fork(after_in_child=_after_fork)
