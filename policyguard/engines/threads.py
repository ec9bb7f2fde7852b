"""Keeps the interpreter's engines, each with the thread that made it.

The library's objects may neither be used nor freed by another thread: the memory would be
lost, and a warning written. So they are kept by thread and generation, and a thread drops
its own when no snapshot needs them any more. But whoever lets go of one cannot always
choose the thread, as a garbage collection runs in any: what another thread lets go of is
put aside for its own, which frees it when it next makes or copies an engine.

Owner: the process; each thread owns what it made. Nothing is on disk. A forked child has
the forking thread's engines. Those of threads that it does not have stay for good, as does
what is put aside for a thread that has ended.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from threading import get_ident
from typing import Any, Final

_ABANDONED: Final[list[object]] = []
_HELD_HERE: Final = 2
"""By a name, and by the argument of the function that counts."""


def _this_thread(
    process: Callable[[], int] = os.getpid, thread: Callable[[], int] = get_ident
) -> tuple[int, int]:
    # With the process: a thread of the child may get the number of one of its parent.
    # As arguments: at the end of the interpreter a module's names are gone.
    return process(), thread()


class _Maker:
    """Is the thread that made some engines, and what it has still to free."""

    __slots__ = ("put_aside", "thread")

    def __init__(self) -> None:
        self.thread = _this_thread()
        self.put_aside: list[Any] = []

    def __del__(
        self,
        this_thread: Callable[[], object] = _this_thread,
        abandoned: list[object] = _ABANDONED,
    ) -> None:
        """Keep what another thread made."""
        if self.put_aside and self.thread != this_thread():
            abandoned.append(self.put_aside)

    def free(self) -> None:
        """Free what other threads let go of; called by the thread itself."""
        for _ in range(len(self.put_aside)):
            engine = self.put_aside.pop(0)
            # With more, the thread that lets go of it has not come to the end, and would
            # be the one that frees it.
            if sys.getrefcount(engine) > _HELD_HERE:
                self.put_aside.append(engine)


class _Thread(threading.local):
    """Keeps the maker of one thread."""

    def __init__(self) -> None:
        self.maker = _Maker()


class NativeEngine:
    """Is as much of `regorus.Engine` as we use; one thread's own, but any may let it go."""

    __slots__ = ("_engine", "_maker")

    def __init__(self, engine: Any, *, maker: _Maker | None = None) -> None:
        """Own an engine that the calling thread has just made."""
        self._maker = _THREAD.maker if maker is None else maker
        self._engine = engine
        if self._maker.put_aside:
            self._maker.free()

    def __del__(self, this_thread: Callable[[], object] = _this_thread) -> None:
        """Put the engine aside where another thread made it."""
        maker = self._maker
        if maker.thread != this_thread():
            maker.put_aside.append(self._engine)

    def clone(self) -> NativeEngine:
        """Copy the engine; what is parsed is shared."""
        return NativeEngine(self._engine.clone(), maker=self._maker)

    def add_policy(self, path: str, rego: str) -> str:
        """Parse a module; the path is what errors name."""
        return str(self._engine.add_policy(path, rego))

    def add_data_json(self, data: str) -> None:
        """Merge a JSON object into `data`."""
        self._engine.add_data_json(data)

    def set_input_json(self, input: str) -> None:  # noqa: A002 -- the library's name
        """Replace `input`."""
        self._engine.set_input_json(input)

    def eval_rule_as_json(self, rule: str) -> str:
        """Evaluate a rule; undefined is a text like any other."""
        answer: str = self._engine.eval_rule_as_json(rule)
        return answer

    def get_ast_as_json(self) -> str:
        """Write the syntax trees of all modules."""
        return str(self._engine.get_ast_as_json())

    def take_prints(self) -> list[str]:
        """Return what `print` has written since, and forget it."""
        prints: list[str] = self._engine.take_prints()
        return prints

    def set_enable_coverage(self, enable: bool) -> None:  # noqa: FBT001 -- the library's
        """Keep count of the lines that are reached."""
        self._engine.set_enable_coverage(enable)

    def get_coverage_report_as_json(self) -> str:
        """Write which lines of each module were reached, and which were not."""
        return str(self._engine.get_coverage_report_as_json())


class _ThreadEngines(threading.local):
    """Keeps the engines of one thread by generation."""

    def __init__(self) -> None:
        self.owner = Owner()

    @property
    def by_generation(self) -> dict[int, NativeEngine]:
        return self.owner.engines


class Owner:
    """Has the engines of one thread, done and begun."""

    __slots__ = ("engines", "unfinished")

    def __init__(self) -> None:
        self.engines: dict[int, NativeEngine] = {}
        self.unfinished: dict[int, Iterator[NativeEngine | None]] = {}


def _still_this_thread() -> None:
    # The child's only thread goes on with the engines of the thread that forked.
    _THREAD.maker.thread = _this_thread()


class _Turn:
    """Is held for a slice: threads build their engines one after the other."""

    def __init__(self) -> None:
        self.renew()
        # The thread that holds it may not exist in a forked child.
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        self.lock = threading.Lock()


_THREAD: Final = _Thread()
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
