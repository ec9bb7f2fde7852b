"""Has the interpreter answer, now and then, what compiled policy has just answered.

A load compares the two on what a bundle promises. A fault that shows on other questions
would go unnoticed, as a Python `TypeError` that is taken for a reference which leads
nowhere: so a few live questions are compared too, drawn at random.

Owner: an engine counts, and remembers which bundles differed; the process has one thread
that compares, with one interpreter in it for all callers. It is made with the first
comparison, and anew in a forked child. Nothing is on disk: a new process trusts compiled
policy again until it differs. Who can make this thread slow keeps comparisons from being
made, and changes no answer.

INVARIANT: where the two differ the interpreter's answer is given, if it is there in time,
and from then on compiled policy of that bundle answers nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from queue import SimpleQueue
from typing import Final, Protocol

from policyguard.canonical import Json, canonical_dump
from policyguard.engines.memo import taken
from policyguard.engines.native import without_frames
from policyguard.engines.protocol import Compared
from policyguard.errors import EngineLoadError, EvaluationError

ONE_IN: Final = 1_000
"""Of so many answers of compiled policy one is compared."""
WAIT_SECONDS: Final = 0.05
"""For how long an answer is held back for its comparison."""
_FAREWELL_SECONDS: Final = 1.0
"""For how long the end of a process waits for the thread that compares."""
_PAUSE_SECONDS: Final = 0.02
"""Between two slices of the interpreter that compares: others want the lock as well."""


class Asked(Protocol):
    """Is what was asked: a loaded policy."""

    @property
    def bundle_digest(self) -> str:
        """Say which bundle answers."""

    @property
    def catalog_digest(self) -> str:
        """Say which catalog answers."""

    @property
    def generation(self) -> int:
        """Give its number: no other one in this process has it."""

    def build_some(self) -> bool:
        """Build a part of the calling thread's interpreter; say whether it is ready."""

    def require_interpreter(self) -> None:
        """Make the calling thread's interpreter, or raise EngineLoadError."""

    def interpreted(self, text: str) -> Mapping[str, Json]:
        """Answer by the calling thread's interpreter."""

    def doubt(self) -> None:
        """Answer nothing by compiled policy any more."""


class Comparison:
    """Is one answer that is compared.

    Args:
        asked: What has answered.
        text: The question.
        found: The answer of compiled policy.
    """

    __slots__ = ("_asked", "_text", "answer", "done", "failure", "found", "same")

    def __init__(self, asked: Asked, text: str, found: Mapping[str, Json]) -> None:
        self._asked, self._text, self.found = asked, text, found
        self.answer: Mapping[str, Json] | None = None
        self.failure: EvaluationError | None = None
        self.same: bool | None = None
        """`None`: it is not known."""
        self.done = threading.Event()

    def make(self) -> None:
        """Ask the interpreter, in the thread that compares."""
        try:
            self.answer = self._asked.interpreted(self._text)
        except EvaluationError as error:
            self.failure = without_frames(error)
        answer = None if self.answer is None else canonical_dump(self.answer)
        self.same = answer == canonical_dump(self.found)


class Sampling:
    """Draws what is compared, and counts what comes of it; any thread may ask.

    Args:
        one_in: Of so many answers one is compared; 0: none is.
        told: Is called with the digests of bundle and catalog, in another thread than the
            caller's, when compiled policy has answered something else.
    """

    def __init__(
        self,
        *,
        one_in: int = ONE_IN,
        told: Callable[[str, str], None] | None = None,
    ) -> None:
        self._share = 1 / one_in if one_in > 0 else 0.0
        self._told = [] if told is None else [told]
        self._doubted: set[str] = set()
        # The first two are counted by one thread; taking the next number is one step.
        self._same = self._differing = 0
        self._left_out = itertools.count()

    @property
    def compared(self) -> Compared:
        """Say how often answers were compared."""
        return Compared(
            same=self._same,
            differing=self._differing,
            left_out=taken(self._left_out),
        )

    def trusts(self, bundle_digest: str) -> bool:
        """Say whether compiled policy of a bundle has not differed yet."""
        return bundle_digest not in self._doubted

    def recall(
        self, doubted: Iterable[str], *, keep: Callable[[str, str], None]
    ) -> None:
        """Trust no bundle of which compiled policy has differed before.

        Args:
            doubted: Their digests; what answers for them already is not changed.
            keep: Is told as `told` is, before it, to remember what differs from now on.
        """
        self._doubted.update(doubted)
        self._told.insert(0, keep)

    def draws(self) -> bool:
        """Say whether the next answer is to be compared."""
        return random.random() < self._share  # noqa: S311 -- no secret

    def compare(
        self, asked: Asked, text: str, found: Mapping[str, Json]
    ) -> Mapping[str, Json]:
        """Return the answer to give: the interpreter's, if it is another one.

        Args:
            asked: What has answered.
            text: The question, as the interpreter reads it.
            found: The answer of compiled policy.

        Raises:
            EvaluationError: the interpreter refuses the question.
        """
        comparison = Comparison(asked, text, found)
        ready = _WORKER.ready == asked.generation
        if not _WORKER.take(lambda: self._made(comparison, asked)):
            next(self._left_out)
            return found
        comparison.done.wait(WAIT_SECONDS if ready else 0)
        if comparison.same is not False:
            return found
        if comparison.answer is not None:
            return comparison.answer
        raise comparison.failure or EvaluationError("the interpreter has no answer")

    def _made(self, comparison: Comparison, asked: Asked) -> None:
        try:
            _WORKER.prepare(asked)
            comparison.make()
            if comparison.same:
                self._same += 1
                return
            # Before whoever waits goes on, so that nothing else is answered so.
            self._differing += 1
            self._doubted.add(asked.bundle_digest)
            asked.doubt()
        except EngineLoadError:
            next(self._left_out)
        finally:
            comparison.done.set()
        if comparison.same is False:
            for told in self._told:
                with contextlib.suppress(Exception):
                    told(asked.bundle_digest, asked.catalog_digest)


class _Worker:
    """Compares one answer at a time, in a thread of its own."""

    def __init__(self) -> None:
        self.renew()
        # The thread does not exist in a forked child.
        os.register_at_fork(after_in_child=self.renew)
        # The library refuses that another thread frees what this one has made.
        atexit.register(self.end)

    def renew(self) -> None:
        """Forget the thread."""
        self.ready: int | None = None
        """Of which policy the thread has an interpreter."""
        self._free = threading.Lock()
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ended = False

    def end(self) -> None:
        """Compare nothing any more, and have the thread free what it has made."""
        self._ended = True
        if self._thread is not None:
            self._work.put(None)
            self._thread.join(_FAREWELL_SECONDS)

    def take(self, work: Callable[[], None]) -> bool:
        """Have something done, if nothing else is being done; say whether."""
        if self._ended or not self._free.acquire(blocking=False):
            return False
        try:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="policyguard-compares", daemon=True
                )
                self._thread.start()
        except RuntimeError:
            # No thread can be made, as at the end of the process.
            self._thread = None
            self._free.release()
            return False
        self._work.put(work)
        return True

    def prepare(self, asked: Asked) -> None:
        """Make this thread's interpreter, in slices."""
        while not asked.build_some():
            if self._ended:
                raise EngineLoadError("the process ends")
            time.sleep(_PAUSE_SECONDS)
        asked.require_interpreter()
        self.ready = asked.generation

    def _run(self) -> None:
        work, free = self._work, self._free
        while (task := work.get()) is not None:
            # What could not be compared is no answer that differs.
            with contextlib.suppress(BaseException):
                task()
            del task
            free.release()


_WORKER: Final = _Worker()
