"""Records that no call follows, where a task leaves before its decision is durable.

A task that is cancelled, or whose loop ends, has nobody behind it in the loop: whoever
settles its decision's record then hands the outcome `cancelled` over itself.

Owner: one decision, whose task and whose writer meet here, in whatever order they come.
A process that ends in between leaves a decision without an outcome, which `policyguard
audit gaps` lists.

INVARIANT: the task gets the word, or who stands in for it does, once; never both, and
never neither while the process lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from policyguard.guard.handover import hand_over
from policyguard.vocabulary.decision import Place

T = TypeVar("T")
StandIn: TypeAlias = Callable[[T], None]


class Meeting(Generic[T]):
    """Is where what a thread brings meets the task that waits for it, or has left."""

    __slots__ = ("_brought", "_left", "_lock", "_stand_in")

    def __init__(self, stand_in: StandIn[T] | None = None) -> None:
        """Begin with a task that waits, and nothing brought.

        Args:
            stand_in: Told in the task's place, once it has left; in any thread.
        """
        self._stand_in = stand_in
        self._lock = threading.Lock()
        self._brought: list[T] = []
        self._left = False

    def have_stand_in(self, stand_in: StandIn[T]) -> None:
        """Say who is told in the task's place; before anything is brought."""
        self._stand_in = stand_in

    def bring(self, word: T) -> bool:
        """Bring the word; say whether the task is there to be told.

        Only the first word counts. A stand-in is told by the caller, with `tell`.
        """
        with self._lock:
            if self._brought:
                return False
            self._brought.append(word)
            return not self._left

    def tell(self) -> None:
        """Tell the stand-in, if the task has left and the word is here; once."""
        with self._lock:
            stand_in = self._stand_in if self._left and self._brought else None
            if stand_in is not None:
                self._stand_in = None
        if stand_in is not None:
            stand_in(self._brought[0])

    def leave(self) -> None:
        """Have the task wait no longer."""
        with self._lock:
            self._left = True

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        """Wait within a block; whoever leaves it by an exception has left."""
        try:
            yield
        except BaseException:
            self.leave()
            self.tell()
            raise


class Word:
    """Brings to a task what became of the record of its decision."""

    __slots__ = ("_arrived", "_loop", "_meeting")

    def __init__(self, stand_in: StandIn[Place | Exception] | None = None) -> None:
        """Begin in the loop of the task that waits.

        Args:
            stand_in: Told in the task's place, once it has left.
        """
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Future[Place | Exception] = self._loop.create_future()
        self._meeting: Meeting[Place | Exception] = Meeting(stand_in)

    def have_stand_in(self, stand_in: StandIn[Place | Exception]) -> None:
        """Say who is told in the task's place; before the record is handed over."""
        self._meeting.have_stand_in(stand_in)

    def settle(self, place: Place | Exception) -> None:
        """Say what became of the record; returns at once, in any thread."""
        if self._meeting.bring(place):
            try:
                self._loop.call_soon_threadsafe(self._resolve, place)
            except RuntimeError:
                # The loop is closed: its task waits for ever.
                self._meeting.leave()
            else:
                return
        # Whoever writes must not be held up, nor write in the middle of writing. A
        # process that can begin no thread has a gap.
        with contextlib.suppress(RuntimeError):
            hand_over(self._meeting.tell)

    def waited_for(self) -> contextlib.AbstractContextManager[None]:
        """Wait within a block; whoever leaves it by an exception has left."""
        return self._meeting.waited_for()

    async def come(self) -> Place | Exception:
        """Wait for the word, in a block of `waited_for`."""
        return await self._arrived

    def _resolve(self, place: Place | Exception) -> None:
        if not self._arrived.done():
            self._arrived.set_result(place)


async def in_thread(work: Callable[[], T], *, stand_in: StandIn[T]) -> T:
    """Do work in a thread of the loop; what it returns is never lost.

    Args:
        work: It goes on when the task is cancelled.
        stand_in: Told of what it returned, in the task's place.
    """
    meeting: Meeting[T] = Meeting(stand_in)
    with meeting.waited_for():
        return await asyncio.to_thread(partial(_brought, meeting, work))


def _brought(meeting: Meeting[T], work: Callable[[], T]) -> T:
    result = work()
    meeting.bring(result)
    meeting.tell()
    return result
