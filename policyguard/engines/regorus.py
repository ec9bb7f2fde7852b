"""The embedded engine: `regorus.Engine`, the tree-walking interpreter, in process.

Policy that can be translated is compiled too (`engines/compiled`), and answers from there;
the interpreter is asked where the program has no answer, and made for a thread only then.

State: one prepared engine for each thread and loaded policy, made when a thread first
evaluates and kept in that thread alone, because the library's objects may neither be
used nor freed by another one. Nothing is on disk, so a crash leaves nothing. A forked
child has the forking thread's engines and makes its own for every other thread.
Whoever can write policy text decides what is allowed: texts come from a verified
bundle. The library's register machine (`Rvm`) answers wrongly and is never used.
"""

from __future__ import annotations

import functools
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from threading import get_ident
from typing import TYPE_CHECKING, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.golden import require_known_semantics
from policyguard.engines.intake import MAX_INPUT_BYTES, input_text
from policyguard.engines.joined import Joined, join_modules
from policyguard.engines.library import installed_library
from policyguard.engines.lint.policy import require_defined
from policyguard.engines.lint.shapes import VIEW, shapes_of
from policyguard.engines.native import (
    NativeEngine,
    compile_modules,
    evaluate_on,
    in_slices,
    syntax_tree,
    without_frames,
)
from policyguard.engines.overlap import require_no_overlap
from policyguard.engines.pieces import data_pieces, data_text
from policyguard.engines.protocol import EngineInfo, PolicySet
from policyguard.engines.syntax import require_parsable
from policyguard.engines.tree import read_tree
from policyguard.engines.used_data import used_data
from policyguard.errors import (
    ConfigurationError,
    EngineLoadError,
    EvaluationError,
)

if TYPE_CHECKING:
    from policyguard.engines.compiled.program import Compiled, Running
    from policyguard.engines.compiled.translate import Translated

_EXAMPLES: Final = 8
"""On how many golden vectors a load looks at what the view always has."""
COMPILED: Final = "compiled.1"
"""Of the engine's version where compiled policy answers."""
_SLICE_SECONDS: Final = 0.004
"""How long a caller may work towards its thread's next engine; a step may exceed it."""


class RegorusEngine:
    """Loads policy into the embedded interpreter.

    Args:
        max_input_bytes: The largest input that a snapshot evaluates, in bytes.
        compared: On how many golden vectors a load compares the compiled policy with the
            interpreter, whole documents.

    Raises:
        ConfigurationError: the library is missing, is not one that we know, or
            another distribution brings the same import name.
    """

    def __init__(
        self, *, max_input_bytes: int = MAX_INPUT_BYTES, compared: int = _EXAMPLES
    ) -> None:
        if max_input_bytes < 1:
            raise ConfigurationError(
                f"`{max_input_bytes}` bytes of input are too few: give at least 1"
            )
        library = installed_library()
        self._max_input_bytes = max_input_bytes
        self._compared = compared
        self._info = EngineInfo(
            name="regorus",
            version=library.version,
            distribution=library.distribution,
            digest=library.digest,
        )

    @property
    def info(self) -> EngineInfo:
        """Say which library answers: name, version, distribution and digest."""
        return self._info

    def load(self, policy: PolicySet) -> RegorusSnapshot:
        """Check policy and data, and return what evaluates them.

        Raises:
            EngineLoadError: the text would hurt the parser or does not parse, calls
                what engines do not share, negates what may be undefined, is shadowed
                by data, lists other rules than it holds, or breaks a golden vector.
        """
        try:
            return self._load(policy)
        except EngineLoadError as error:
            failure = without_frames(error)
        raise failure

    def admit(
        self, policy: PolicySet, *, translated: Translated | None = None
    ) -> RegorusSnapshot:
        """Return what evaluates a policy that `load` accepted in another process.

        Args:
            policy: What to evaluate.
            translated: The program that the other process has compared; without one the
                interpreter answers, for which each thread makes its engine, in slices or
                when it first evaluates.
        """
        from policyguard.engines.compiled import checked

        return self._snapshot(policy, checked.compiled_or_not(translated))

    def _snapshot(
        self, policy: PolicySet, compiled: Compiled | None
    ) -> RegorusSnapshot:
        version = self._info.version + (f"+{COMPILED}" if compiled else "")
        info = replace(self._info, version=version)
        made = RegorusSnapshot(
            policy=policy,
            running=compiled.on(policy.data) if compiled else None,
            info=info,
            max_input_bytes=self._max_input_bytes,
        )
        if compiled is None:  # Not by the first caller's first slice.
            made.write_texts()
        return made

    def _load(self, policy: PolicySet) -> RegorusSnapshot:
        # Whoever only imports the package compiles nothing.
        from policyguard.engines import promises
        from policyguard.engines.compiled import checked

        require_known_semantics()
        require_parsable(policy.modules)
        with promises.without_collections():
            document = syntax_tree(compile_modules(policy.modules))
        tree = read_tree(document)
        tree.require_shared_calls()
        require_no_overlap(data=policy.data, paths=tree.paths())
        data_text(policy.data, what="data")
        promises.require_same_rules(listed=policy.rule_ids, held=tree.finding_ids())
        translated = checked.translated_or_not(document, entrypoint=policy.entrypoint)
        del document
        compiled = checked.compiled_or_not(translated)
        promising = policy.promising or policy
        base = promises.on_golden(promising)
        if compiled is not None and not checked.agrees(
            compiled,
            data=promises.golden_data(policy),
            base=base if promising is policy else promises.on_golden(policy),
            entrypoint=policy.entrypoint,
            examples=policy.golden[: self._compared],
        ):
            compiled = None
        # What a tenant adds is compiled with the rest, and no promise is about it.
        own = compiled if promising is policy else None
        promises.require_kept_promises(base, promising, own)
        if VIEW in tree.paths():
            calls = [vector.input for vector in promising.golden[:_EXAMPLES]]
            require_defined(
                tree,
                modules=policy.modules,
                data=policy.data,
                shapes=shapes_of(base, tree, calls),
            )
        snapshot = self._snapshot(policy, compiled)
        snapshot.translated = None if compiled is None else translated
        snapshot.prepare()
        return snapshot


class _ThreadEngines(threading.local):
    """Keeps the engines of one thread by generation."""

    def __init__(self) -> None:
        self.owner = _Owner()

    @property
    def by_generation(self) -> dict[int, NativeEngine]:
        return self.owner.engines


def _this_thread(
    process: Callable[[], int] = os.getpid, thread: Callable[[], int] = get_ident
) -> tuple[int, int]:
    # With the process: a thread of the child may get the number of one of its parent.
    # As arguments: at the end of the interpreter a module's names are gone.
    return process(), thread()


class _Owner:
    """Owns the engines of one thread, and goes with it."""

    __slots__ = ("engines", "thread", "unfinished")

    def __init__(self) -> None:
        self.engines: dict[int, NativeEngine] = {}
        self.unfinished: dict[int, Iterator[NativeEngine | None]] = {}
        self.thread = _this_thread()

    def __del__(self, this_thread: Callable[[], object] = _this_thread) -> None:
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
_THREAD: Final = _ThreadEngines()
_GENERATIONS: Final = itertools.count()
_BUILDING: Final = _Turn()
_LIVE: Final[weakref.WeakValueDictionary[int, RegorusSnapshot]] = (
    weakref.WeakValueDictionary()
)


class RegorusSnapshot:
    """Is one loaded version of policy and data; any thread may evaluate it."""

    def __init__(
        self,
        *,
        policy: PolicySet,
        running: Running | None,
        info: EngineInfo,
        max_input_bytes: int,
    ) -> None:
        self._policy = policy
        self._running = running
        self.translated: Translated | None = None
        """What was compiled and compared, for a process that takes this over."""
        self._info = info
        self._max_input_bytes = max_input_bytes
        self._generation = next(_GENERATIONS)
        _LIVE[self._generation] = self

    @property
    def info(self) -> EngineInfo:
        """Say which library answers."""
        return self._info

    @property
    def bundle_digest(self) -> str:
        """Say which bundle answers."""
        return self._policy.bundle_digest

    @property
    def catalog_digest(self) -> str:
        """Say which catalog answers."""
        return self._policy.catalog_digest

    def prepare(self) -> None:
        """Make the calling thread's engine, so that its first evaluation is fast.

        Raises:
            EngineLoadError: the engine refuses policy or data.
        """
        if self._running is None:
            self._base()

    def prepare_some(self) -> bool:
        """Build a part of the calling thread's engine, for some milliseconds.

        One thread builds at a time, because a step holds the interpreter's lock.

        Returns:
            Whether the engine is ready.
        """
        if self._running is not None or self._generation in _THREAD.by_generation:
            return True
        if not _BUILDING.lock.acquire(blocking=False):
            return False
        try:
            return self._build_some()
        except EngineLoadError:
            # Evaluating will say so, and refuse.
            return True
        finally:
            _BUILDING.lock.release()

    def evaluate(self, input_json: bytes) -> Mapping[str, Json]:
        """Evaluate the entrypoint on `input` and return the decision document.

        Args:
            input_json: UTF-8 JSON; canonical bytes are checked fastest.

        Raises:
            EvaluationError: code `engine.input` for input that is refused,
                `engine.undefined` or `engine.malformed` for an answer that is no
                object, `engine.panic` or `engine.evaluation` when the engine fails.
        """
        text = input_text(input_json, max_bytes=self._max_input_bytes)
        if self._running is not None:
            found = self._running.answer(orjson.loads(text))
            if found is not None:
                return found
        try:
            return evaluate_on(
                self._base(),
                text,
                entrypoint=self._policy.entrypoint,
                original=self._joined.original,
            )
        except EvaluationError as error:
            failure = without_frames(error)
        except EngineLoadError as error:
            failure = EvaluationError(f"no engine for this thread: {error}")
        if failure.code == "engine.panic":
            # A panic may leave what clones share half-changed.
            _THREAD.by_generation.pop(self._generation, None)
        raise failure

    async def aevaluate(self, input_json: bytes) -> Mapping[str, Json]:
        """Do the same inline: 0.3 ms are less than a hand-over to a thread costs."""
        return self.evaluate(input_json)

    def _build_some(self) -> bool:
        owner = _THREAD.owner
        steps = owner.unfinished.pop(self._generation, None)
        if steps is None:
            _drop_stale(owner)
            steps = self._steps()
        until = time.perf_counter() + _SLICE_SECONDS
        for engine in steps:
            if engine is not None:
                owner.engines[self._generation] = engine
                return True
            if time.perf_counter() >= until:
                break
        owner.unfinished[self._generation] = steps
        return False

    @functools.cached_property
    def _joined(self) -> Joined:
        return join_modules(self._policy.modules)

    @functools.cached_property
    def _pieces(self) -> tuple[str, ...]:
        policy = self._policy
        return data_pieces(used_data(policy.data, modules=policy.modules))

    def write_texts(self) -> None:
        """Write what each thread's interpreter reads; once is enough."""
        _ = self._joined, self._pieces

    def _steps(self) -> Iterator[NativeEngine | None]:
        return in_slices(
            self._joined.modules, self._pieces, entrypoint=self._policy.entrypoint
        )

    def _base(self) -> NativeEngine:
        engines = _THREAD.by_generation
        base = engines.get(self._generation)
        if base is None:
            _drop_stale(_THREAD.owner)
            _THREAD.owner.unfinished.pop(self._generation, None)
            for step in self._steps():
                base = step
            if base is None:
                raise EngineLoadError("the engine was not made")
            engines[self._generation] = base
        return base


def _drop_stale(owner: _Owner) -> None:
    """Drop what no snapshot needs any more; called by the thread that owns it."""
    for kept in (owner.engines, owner.unfinished):
        for stale in [old for old in kept if old not in _LIVE]:
            del kept[stale]
