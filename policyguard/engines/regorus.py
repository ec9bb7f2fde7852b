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
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from policyguard.canonical import Json
from policyguard.engines.golden import require_known_semantics
from policyguard.engines.intake import MAX_INPUT_BYTES, read_input
from policyguard.engines.joined import Joined, join_modules
from policyguard.engines.library import installed_library
from policyguard.engines.lint.policy import require_defined
from policyguard.engines.lint.shapes import VIEW, shapes_of
from policyguard.engines.native import (
    compile_modules,
    evaluate_on,
    in_slices,
    syntax_tree,
    without_frames,
)
from policyguard.engines.overlap import require_no_overlap
from policyguard.engines.pieces import data_pieces, data_text
from policyguard.engines.protocol import Compared, EngineInfo, PolicySet
from policyguard.engines.syntax import require_parsable
from policyguard.engines.threads import (
    BUILDING,
    GENERATIONS,
    LIVE,
    THREAD,
    NativeEngine,
    drop_stale,
)
from policyguard.engines.tree import read_tree
from policyguard.engines.used_data import used_data
from policyguard.errors import ConfigurationError, EngineLoadError, EvaluationError

if TYPE_CHECKING:
    from policyguard.engines.compiled.program import Compiled, Running
    from policyguard.engines.compiled.translate import Translated
    from policyguard.engines.sampling import Sampling

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
        sampling: Draws which answers of compiled policy are compared with the
            interpreter's while it is in use.
        keeps: Whether a policy is loaded by the program that the package or the process
            keeps of it; otherwise from its text.

    Raises:
        ConfigurationError: the library is missing, is not one that we know, or
            another distribution brings the same import name.
    """

    def __init__(
        self,
        *,
        max_input_bytes: int = MAX_INPUT_BYTES,
        compared: int = _EXAMPLES,
        sampling: Sampling | None = None,
        keeps: bool = True,
    ) -> None:
        if max_input_bytes < 1:
            raise ConfigurationError(
                f"`{max_input_bytes}` bytes of input are too few: give at least 1"
            )
        library = installed_library()
        self._max_input_bytes = max_input_bytes
        self._compared = compared
        self._keeps = keeps
        if sampling is None:  # Whoever only imports the package compares nothing.
            from policyguard.engines.sampling import Sampling

            sampling = Sampling()
        self.sampling = sampling
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
        from policyguard.engines import kept
        from policyguard.engines.compiled import checked

        compiled = checked.compiled_or_not(translated)
        kept.remember(policy, translated, compiled)
        return self._snapshot(policy, compiled)

    def _snapshot(
        self,
        policy: PolicySet,
        compiled: Compiled | None,
        *,
        translated: Translated | None = None,
    ) -> RegorusSnapshot:
        if not self.sampling.trusts(policy.bundle_digest):
            compiled = None
        made = RegorusSnapshot(
            policy=policy,
            running=compiled.on(policy.data) if compiled else None,
            engine=self._info,
            sampling=self.sampling,
            max_input_bytes=self._max_input_bytes,
        )
        made.translated = None if compiled is None else translated
        if compiled is None:  # Not by the first caller's first slice.
            made.write_texts()
        return made

    def _load(self, policy: PolicySet) -> RegorusSnapshot:
        # Whoever only imports the package compiles nothing.
        from policyguard.engines import kept, promises
        from policyguard.engines.compiled import checked

        require_known_semantics()
        found = kept.require_kept(policy) if self._keeps else None
        if found is not None:
            return self._snapshot(policy, found.compiled, translated=found.translated)
        require_parsable(policy.modules)
        with promises.without_collections():
            document = syntax_tree(compile_modules(policy.modules))
        tree = read_tree(document)
        tree.require_shared_calls()
        require_no_overlap(data=policy.data, paths=tree.paths())
        data_text(policy.data, what="data")
        promises.require_same_rules(listed=policy.rule_ids, held=tree.finding_ids())
        translated = checked.translated_or_not(document, entrypoint=policy.entrypoint)
        if translated is not None:
            translated = replace(translated, paths=tuple(sorted(tree.paths())))
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
        promises.require_kept_promises(lambda: base, promising, own)
        if VIEW in tree.paths():
            calls = [vector.input for vector in promising.golden[:_EXAMPLES]]
            require_defined(
                tree,
                modules=policy.modules,
                data=policy.data,
                shapes=shapes_of(base, tree, calls),
            )
        if self._keeps:
            kept.remember(policy, translated, compiled)
        snapshot = self._snapshot(policy, compiled, translated=translated)
        snapshot.prepare()
        return snapshot


class RegorusSnapshot:
    """Is one loaded version of policy and data; any thread may evaluate it."""

    def __init__(
        self,
        *,
        policy: PolicySet,
        running: Running | None,
        engine: EngineInfo,
        sampling: Sampling,
        max_input_bytes: int,
    ) -> None:
        self._policy = policy
        self._running = running
        self._sampling = sampling
        self.translated: Translated | None = None
        """What was compiled and compared, for a process that takes this over."""
        self._engine = engine
        version = f"{engine.version}+{COMPILED}" if running else engine.version
        self._info = replace(engine, version=version)
        self._max_input_bytes = max_input_bytes
        self.generation = next(GENERATIONS)
        LIVE[self.generation] = self

    @property
    def info(self) -> EngineInfo:
        """Say which library answers, and whether compiled policy does."""
        return self._info

    @property
    def bundle_digest(self) -> str:
        """Say which bundle answers."""
        return self._policy.bundle_digest

    @property
    def catalog_digest(self) -> str:
        """Say which catalog answers."""
        return self._policy.catalog_digest

    @property
    def compared(self) -> Compared:
        """Say how often answers of compiled policy were compared in this process."""
        return self._sampling.compared

    def prepare(self) -> None:
        """Make the calling thread's engine, so that its first evaluation is fast.

        Raises:
            EngineLoadError: the engine refuses policy or data.
        """
        if self._running is None:
            self.require_interpreter()

    def prepare_some(self) -> bool:
        """Build a part of the calling thread's engine, for some milliseconds.

        One thread builds at a time, because a step holds the interpreter's lock.

        Returns:
            Whether the engine is ready.
        """
        return self._running is not None or self.build_some()

    def build_some(self) -> bool:
        """Do so for the interpreter, whoever answers; see `prepare_some`."""
        if self.generation in THREAD.by_generation:
            return True
        if not BUILDING.lock.acquire(blocking=False):
            return False
        try:
            return self._build_some()
        except EngineLoadError:
            # Evaluating will say so, and refuse.
            return True
        finally:
            BUILDING.lock.release()

    def evaluate(self, input_json: bytes) -> Mapping[str, Json]:
        """Evaluate the entrypoint on `input` and return the decision document.

        Args:
            input_json: UTF-8 JSON; canonical bytes are checked fastest.

        Raises:
            EvaluationError: code `engine.input` for input that is refused,
                `engine.undefined` or `engine.malformed` for an answer that is no
                object, `engine.panic` or `engine.evaluation` when the engine fails.
        """
        data, value = read_input(input_json, max_bytes=self._max_input_bytes)
        running = self._running
        found = None if running is None else running.answer(value)
        if found is not None and self._sampling.draws():
            return self._sampling.compare(self, data.decode(), found)
        # Another thread may have found out meanwhile that it answers wrongly.
        if found is not None and self._running is running:
            return found
        return self.interpreted(data.decode())

    def interpreted(self, text: str) -> Mapping[str, Json]:
        """Answer by the calling thread's interpreter; see `evaluate`.

        Args:
            text: The input, as `read_input` lets it through.
        """
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
            THREAD.by_generation.pop(self.generation, None)
        raise failure

    def require_interpreter(self) -> None:
        """Make the calling thread's interpreter.

        Raises:
            EngineLoadError: it refuses policy or data.
        """
        self._base()

    def doubt(self) -> None:
        """Answer nothing by compiled policy any more: it differed from the interpreter."""
        self._running, self._info = None, self._engine

    async def aevaluate(self, input_json: bytes) -> Mapping[str, Json]:
        """Do the same inline: 0.3 ms are less than a hand-over to a thread costs."""
        return self.evaluate(input_json)

    def _build_some(self) -> bool:
        owner = THREAD.owner
        steps = owner.unfinished.pop(self.generation, None)
        if steps is None:
            drop_stale(owner)
            steps = self._steps()
        until = time.perf_counter() + _SLICE_SECONDS
        for engine in steps:
            if engine is not None:
                owner.engines[self.generation] = engine
                return True
            if time.perf_counter() >= until:
                break
        owner.unfinished[self.generation] = steps
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
        engines = THREAD.by_generation
        base = engines.get(self.generation)
        if base is None:
            drop_stale(THREAD.owner)
            THREAD.owner.unfinished.pop(self.generation, None)
            for step in self._steps():
                base = step
            if base is None:
                raise EngineLoadError("the engine was not made")
            engines[self.generation] = base
        return base
