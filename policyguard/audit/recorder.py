"""Group commit: who finds nobody writing writes, and takes along whoever waits.

Owner: one process; a forked child makes its own and must `leak` this one. Alone, a
caller pays no hand-over to another thread; together, callers share one sync of the
disk. One thread leads at a time: it waits a moment for those who were answered last,
writes, wakes the first of those whose records it wrote, who wakes the next, and makes
the first who came since the next leader. Beside
those who wait there are records that nobody waits for: they go with the next commit, or
a thread of the recorder's own writes them.

INVARIANT: a place is given out only after the commit and after the lock database. After
any failure the writer is given up, and the next record opens the log anew, which
compares it with its checkpoint and its memory.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from _thread import LockType
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from policyguard.audit.entry import Waiting, tell_settled
from policyguard.audit.stores.protocol import LogWriter
from policyguard.errors import NotDurableError
from policyguard.vocabulary.decision import Place

T = TypeVar("T")
MOST_PER_COMMIT: Final = 1_000
MOST_WAITING: Final = 1_000
"""With more that nobody waits for, whoever brings one writes first: back-pressure."""
_INTERRUPTS: Final = (KeyboardInterrupt, SystemExit)
"""Are meant for the thread that writes: they say nothing of a record."""
_IDLE_SECONDS: Final = 5.0
_LINGER_SECONDS: Final = 0.005
"""So long at most a commit is put off for others who may come."""


class Recorder:
    """Writes the records of one process to its log."""

    __slots__ = (
        "_answered",
        "_arrived",
        "_brought",
        "_flusher",
        "_flusher_lock",
        "_hurry",
        "_led",
        "_lock",
        "_missing",
        "_mutex",
        "_open",
        "_took",
        "_waiting",
        "_writer",
        "_written",
    )

    def __init__(self, open_writer: Callable[[], LogWriter]) -> None:
        """Make a recorder that opens its writer when it needs one.

        Args:
            open_writer: Claims a log; called again after a failure.
        """
        self._open = open_writer
        self._writer: LogWriter | None = None
        # Who holds the lock writes; the mutex guards queue and leadership, for moments.
        self._lock = threading.Lock()
        self._mutex = threading.Lock()
        self._led = False
        self._hurry = False
        self._written = 0
        # How many the last commit answered, how long it took, and how many of them the
        # next leader waits for; `_arrived` is released when the last one is here.
        self._answered = 0
        self._took = 0.0
        self._missing = 0
        self._arrived = threading.Lock()
        self._arrived.acquire()
        self._waiting: deque[Waiting] = deque()
        self._brought = threading.Event()
        self._flusher: threading.Thread | None = None
        self._flusher_lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Say how many records are in the queue, those being written not among them."""
        return len(self._waiting)

    @property
    def origin(self) -> str | None:
        """Name the log that is claimed now; `None`: none is."""
        writer = self._writer
        return None if writer is None else writer.origin

    def ready(self) -> None:
        """Claim a log now, so that trouble shows before the first record.

        Raises:
            TrailError: no log can be claimed.
        """
        with self._lock:
            self._writer = self._writer or self._open()

    def append(self, item: Waiting) -> Place:
        """Make a record durable, and return where it is.

        Raises:
            NotDurableError: it could not be made durable.
        """
        with self._mutex:
            self._waiting.append(item)
            if self._led:
                item.wake = threading.Lock()
                item.wake.acquire()
                self._tell_leader()
            else:
                self._led = item.leads = True
        if item.wake is not None:
            self._wait(item)
        if item.leads:
            self._lead(item)
        place = item.place
        if place is None:
            raise NotDurableError(
                f"the record could not be made durable: {item.error}"
            ) from item.error
        return place

    def append_soon(self, item: Waiting) -> None:
        """Hand over a record whose `done` says when it is settled.

        Who finds nobody writing writes, as in `append`; otherwise returns at once.
        """
        with self._mutex:
            self._waiting.append(item)
            if self._led:
                self._tell_leader()
            else:
                self._led = item.leads = True
        if item.leads:
            self._lead(item)
        elif len(self._waiting) > MOST_WAITING:
            self.flush()

    def append_all(self, items: Sequence[Waiting]) -> None:
        """Settle many records, with as few commits as their number allows.

        Each of them has a place or an error afterwards.
        """
        if not items:
            return
        # The queue is in order: when the last is settled, those before it are, too.
        with self._mutex:
            self._waiting.extend(items[:-1])
        with contextlib.suppress(NotDurableError):
            self.append(items[-1])

    def append_later(self, item: Waiting) -> None:
        """Hand over a record without waiting until it is durable."""
        with self._mutex:
            self._waiting.append(item)
        if len(self._waiting) > MOST_WAITING:
            self.flush()
            return
        self._tell_flusher()

    def _tell_flusher(self) -> None:
        if self._brought.is_set():
            # The flusher has been told, and has not begun yet.
            return
        with self._flusher_lock:
            self._brought.set()
            if self._flusher is None:
                self._flusher = threading.Thread(
                    target=self._flush_until_idle, name="policyguard-trail", daemon=True
                )
                self._flusher.start()

    def flush(self) -> None:
        """Write all that waits; whoever brought it is told what became of it."""
        with self._lock:
            while self._waiting:
                self._commit()

    def use_alone(self, work: Callable[[LogWriter], T]) -> T:
        """Do something with the writer while nobody commits; what waits goes first.

        Raises:
            NotDurableError: the database failed: the writer is given up.
            PolicyGuardError: what `work` raised; the writer is given up, too.
        """
        with self._lock:
            while self._waiting:
                self._commit()
            try:
                self._writer = self._writer or self._open()
                return work(self._writer)
            except BaseException as error:
                self._give_up()
                if isinstance(error, sqlite3.Error):
                    raise NotDurableError(
                        f"the record could not be made durable: {error}"
                    ) from error
                raise

    def close(self) -> None:
        """Write what is left, and release the log."""
        self.flush()
        with self._lock:
            self._give_up()

    def is_writing_here(self) -> bool:
        """Say whether the running thread writes what nobody waits for."""
        return threading.current_thread() is self._flusher

    def leak(self) -> None:
        """Let go of the parent's log in a forked child, without touching its files."""
        if self._writer is not None:
            self._writer.leak()

    def _wait(self, item: Waiting) -> None:
        """Wait until a record is settled, or until its bringer is to lead."""
        wake = item.wake
        if wake is None:
            return
        try:
            wake.acquire()
        except BaseException:
            with self._mutex:
                item.gone = True
            if item.leads:
                self._hand_over()
            raise
        finally:
            if item.follows is not None:
                item.follows.release()

    def _lead(self, item: Waiting) -> None:
        try:
            self._gather()
            with self._lock:
                while not item.settled:
                    self._commit()
        finally:
            self._hand_over()

    def _gather(self) -> None:
        """Wait for those who were answered last, no longer than that commit took.

        Most of them come again, and what a commit costs is then shared by all. On a fast
        disk they would find each commit begun without them, one after the other.
        """
        if self._answered <= 1:
            return
        with self._mutex:
            here = sum(item.is_waited_for for item in self._waiting)
            self._missing = max(0, self._answered - here)
        if self._missing:
            try:
                self._arrived.acquire(timeout=min(self._took, _LINGER_SECONDS))
            finally:
                with self._mutex:
                    self._missing = 0
                    self._arrived.acquire(blocking=False)

    def _tell_leader(self) -> None:
        """Tell a leader who waits for others that one has come; the mutex is held."""
        if self._missing:
            self._missing -= 1
            if not self._missing:
                self._arrived.release()

    def _hand_over(self) -> None:
        """Make the first who waits the next leader; the flusher, if none has a thread."""
        with self._mutex:
            for item in self._waiting:
                if item.wake is not None and not item.gone:
                    wake, item.wake, item.leads = item.wake, None, True
                    wake.release()
                    return
            self._led = False
            self._hurry = any(item.done is not None for item in self._waiting)
        if self._hurry:
            self._tell_flusher()

    def _settle(self, batch: list[Waiting]) -> None:
        following: LockType | None = None
        answered = 0
        with self._mutex:
            # From the last: each wakes the next, and the first is woken here. Woken all
            # at once they would stand in line for the interpreter's lock, and so would
            # whoever writes now.
            for item in reversed(batch):
                answered += item.is_waited_for
                if item.wake is not None and not item.gone:
                    item.follows, following, item.wake = following, item.wake, None
            # Of what nobody waited for nobody was answered.
            self._answered = answered or self._answered
        if following is not None:
            following.release()
        tell_settled(batch)

    def _commit(self) -> None:
        """Write for all who wait; the lock is held."""
        with self._mutex:
            count = min(len(self._waiting), MOST_PER_COMMIT)
            batch = [self._waiting.popleft() for _ in range(count)]
        began = time.monotonic()
        try:
            made = [item for item in batch if item.make is None or _is_made(item)]
            if made:
                self._write(made)
        except BaseException as error:
            for item in batch:
                if not item.settled:
                    item.fail(error)
            raise
        finally:
            self._written += 1
            self._took = time.monotonic() - began
            self._settle(batch)

    def _write(self, batch: list[Waiting]) -> None:
        try:
            self._writer = self._writer or self._open()
            first = self._writer.append(
                [item.body for item in batch],
                sealed=[item.sealed for item in batch if item.sealed is not None],
            )
        except BaseException as error:
            # No second try on the same handles: what they believe may be wrong.
            self._give_up()
            for item in batch:
                item.fail(error)
            if isinstance(error, _INTERRUPTS):
                raise
            return
        origin = self._writer.origin
        for index, item in enumerate(batch, start=first):
            item.origin = origin
            item.index = index

    def _give_up(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(Exception):
                writer.close()

    def _flush_until_idle(self) -> None:
        while True:
            self._brought.wait(_IDLE_SECONDS)
            with self._flusher_lock:
                if not self._brought.is_set():
                    self._flusher = None
                    return
            # What comes now goes along, and most often with a commit that somebody
            # waits for.
            self._linger()
            self._brought.clear()
            try:
                self.flush()
            except BaseException:  # noqa: BLE001 -- who brought it was told, and others come
                self._brought.set()

    def _linger(self) -> None:
        """Wait for a commit that somebody waits for, which takes along what is here."""
        written = -1
        # After one, what is here came since.
        while written != self._written and not self._hurry:
            written = self._written
            time.sleep(_LINGER_SECONDS)


def _is_made(item: Waiting) -> bool:
    """Make the body of a record; what cannot be made is none, and its bringer is told."""
    try:
        item.body = item.make() if item.make is not None else item.body
    except BaseException as error:
        # The records beside it are written.
        item.fail(error)
        if isinstance(error, _INTERRUPTS):
            raise
        return False
    return True
