"""Talks to the regorus library: JSON text in, JSON text out, our errors only.

Owns no state but the imported library. Hazards closed here: a panic of the library is
a `BaseException`, an error that collects a backtrace costs 58 ms and 50 MB, messages
quote values, prints go to stderr, and undefined is the text `"<undefined>"`.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import orjson

from policyguard.canonical import Json
from policyguard.engines.library import IMPORT_NAME, installed_library
from policyguard.engines.syntax import MAX_COLUMNS, MAX_LINES, MAX_MODULE_BYTES
from policyguard.engines.threads import NativeEngine
from policyguard.errors import ConfigurationError, EngineLoadError, EvaluationError

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)

_PANIC: Final = "PanicException"
_PLACE: Final = re.compile(r"--> ([^\n]+?:[0-9]+:[0-9]+)")
_REASON: Final = re.compile(r"error: ([^\n]+)")
_BACKTRACE: Final = "Stack backtrace"
_UNDEFINED: Final = '"<undefined>"'
_REASONS: Final = (
    "could not find function",
    "rule conflicts with rule at",
    "complete rules should not produce multiple outputs",
    "functions must not produce multiple outputs",
    "rules must not produce multiple outputs",
    "recursion",
    "divide by zero",
    "could not parse string as number",
    "`some .. in collection` expects array/set/object",
)
"""Openings of messages that speak of the policy alone; no more of them is shown."""


@functools.cache
def _engine_class() -> Callable[[], Any]:
    # The library reads the variable at its first error and never again.
    os.environ["RUST_LIB_BACKTRACE"] = "0"
    installed_library()
    try:
        module = importlib.import_module(IMPORT_NAME)
    except ImportError as error:
        raise ConfigurationError(
            f"`{IMPORT_NAME}` cannot be loaded: {error}: this platform has no wheel of"
            " it that runs"
        ) from error
    return cast("Callable[[], Any]", module.Engine)


def new_engine() -> NativeEngine:
    """Return an empty engine for the calling thread.

    Raises:
        ConfigurationError: the library is missing or is not the one we know.
    """
    engine = _engine_class()()
    engine.set_gather_prints(True)
    engine.set_policy_length_config(
        max_col=MAX_COLUMNS, max_file_bytes=MAX_MODULE_BYTES, max_lines=MAX_LINES
    )
    return NativeEngine(engine)


def compile_modules(modules: Mapping[str, str]) -> NativeEngine:
    """Return an engine that has parsed some modules.

    Raises:
        EngineLoadError: a module does not parse; names module, line and column.
    """
    engine = new_engine()
    for path in sorted(modules):
        _loading(functools.partial(engine.add_policy, path, modules[path]), what=path)
    return engine


def in_slices(
    modules: Mapping[str, str], pieces: Sequence[str], *, entrypoint: str
) -> Iterator[NativeEngine | None]:
    """Make an engine in many short steps, in the thread that will use it.

    Args:
        modules: Module text by path.
        pieces: The data as JSON objects, which are merged.
        entrypoint: The rule that answers.

    Yields:
        None after each step, and the engine after the last.

    Raises:
        EngineLoadError: the engine refuses policy or data.
    """
    engine = new_engine()
    for path in sorted(modules):
        _loading(functools.partial(engine.add_policy, path, modules[path]), what=path)
        yield None
    for piece in pieces:
        _loading(functools.partial(engine.add_data_json, piece), what="data")
        yield None
    _prepare(engine, entrypoint)
    yield engine


def syntax_tree(engine: NativeEngine) -> Any:
    """Return the syntax tree of all modules as the engine writes it.

    Raises:
        EngineLoadError: the tree cannot be had, or is too deep to read.
    """
    return _loading(
        lambda: orjson.loads(engine.get_ast_as_json()), what="the syntax tree"
    )


def with_data(engine: NativeEngine, data: str, *, entrypoint: str) -> NativeEngine:
    """Return a copy of an engine with data, prepared so that its clones are cheap.

    Raises:
        EngineLoadError: the engine refuses the data or cannot prepare the entrypoint.
    """
    base = engine.clone()
    _loading(lambda: base.add_data_json(data), what="data")
    _prepare(base, entrypoint)
    return base


def _prepare(base: NativeEngine, entrypoint: str) -> None:
    # A clone of a base that never ran prepares itself at each evaluation. What the
    # base answers is of no interest, as rules may demand a real input.
    try:
        base.set_input_json("{}")
        base.eval_rule_as_json(entrypoint)
    except BaseException as error:
        if not _is_ours_to_catch(error):
            raise
        unknown = "not a valid rule path" in str(error)
    else:
        unknown = False
    if unknown:
        raise EngineLoadError(f"no module defines the entrypoint `{entrypoint}`")


def evaluate_on(
    base: NativeEngine,
    text: str,
    *,
    entrypoint: str,
    original: Callable[[str], str] = str,
) -> Mapping[str, Json]:
    """Evaluate one rule on one input, on a clone that is then dropped.

    Args:
        base: A prepared engine of this thread.
        text: The input as JSON.
        entrypoint: The rule that answers.
        original: Tells where a place that an error names is in the files.

    Raises:
        EvaluationError: the engine failed or panicked, or the answer is undefined or
            is no object. The message names module and line, never a value.
    """
    engine = base.clone()
    failure: EvaluationError | None = None
    try:
        engine.set_input_json(text)
        answer = engine.eval_rule_as_json(entrypoint)
    except BaseException as error:
        if not _is_ours_to_catch(error):
            raise
        failure = _evaluation_error(error, original=original)
    # Raised here and not above, so that no chained exception carries the values that
    # the engine's own message quotes.
    if failure is not None:
        try:
            raise failure
        finally:
            # Or the error and this frame would hold each other, with the engine, until
            # a garbage collection frees them in any thread, which the library refuses.
            failure = None
    if answer == _UNDEFINED:
        raise EvaluationError(
            f"`{entrypoint}` is undefined: give it a default", code="engine.undefined"
        )
    return _object(answer, entrypoint)


def _object(answer: str, entrypoint: str) -> Mapping[str, Json]:
    try:
        document = orjson.loads(answer)
    except ValueError:
        document = None
    if type(document) is not dict:
        raise EvaluationError(
            f"the answer of `{entrypoint}` is no object: let it build one",
            code="engine.malformed",
        )
    return cast("Mapping[str, Json]", document)


def without_frames(error: E) -> E:
    """Return an error without tracebacks, its own and those of its causes.

    Frames hold engines. An exception that travels to another thread would free them
    there, which the library refuses: the engine would leak.
    """
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


def _is_ours_to_catch(error: BaseException) -> bool:
    # The class cannot be imported: the binding creates it and does not export it.
    return isinstance(error, Exception) or type(error).__name__ == _PANIC


def _loading(action: Callable[[], T], *, what: str) -> T:
    try:
        return action()
    except BaseException as error:
        if not _is_ours_to_catch(error):
            raise
        message = _load_message(error, what)
    raise EngineLoadError(message)


def _load_message(error: BaseException, what: str) -> str:
    if type(error).__name__ == _PANIC:
        return f"{what}: the engine panicked: simplify the text"
    text = str(error).split(_BACKTRACE, 1)[0]
    place, reason = _PLACE.search(text), _REASON.search(text)
    cause = reason[1] if reason else " ".join(text.split())[:200]
    return f"{place[1] if place else what}: {cause}"


def _evaluation_error(
    error: BaseException, *, original: Callable[[str], str]
) -> EvaluationError:
    if type(error).__name__ == _PANIC:
        return EvaluationError("the engine panicked", code="engine.panic")
    text = str(error).split(_BACKTRACE, 1)[0]
    place, reason = _PLACE.search(text), _REASON.search(text)
    cause = next(
        (known for known in _REASONS if reason and reason[1].startswith(known)),
        "a built-in or an expression failed",
    )
    where = original(place[1]) if place else "the policy"
    return EvaluationError(f"evaluation failed at {where}: {cause}")
