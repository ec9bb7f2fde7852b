"""Runs the four kinds of functions between a decision and an outcome.

Each wrapper is of the kind of what it wraps, so that whoever asks `inspect` gets the
same answer. The state of the call is entered for each step and left after it: a
generator that kept it would hand it to whoever resumes it.

Specification: PEP 380 and PEP 525 for what is sent, thrown and closed.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from typing import Any, Final, Literal, TypeAlias

from policyguard.guard import wire
from policyguard.guard.endings import Ends

Kind: TypeAlias = Literal["plain", "async", "generator", "async generator"]
Begin: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any]], wire.CallState]
BeginSoon: TypeAlias = Callable[
    [tuple[Any, ...], Mapping[str, Any]], Awaitable[wire.CallState]
]
Wrapper: TypeAlias = Callable[[Callable[..., Any], Any, Ends], Callable[..., Any]]


def kind_of(fn: object) -> Kind | None:
    """Say of which kind a function is; `None`: it is no function."""
    if inspect.isasyncgenfunction(fn):
        return "async generator"
    if inspect.iscoroutinefunction(fn):
        return "async"
    if inspect.isgeneratorfunction(fn):
        return "generator"
    return "plain" if inspect.isroutine(fn) else None


def _plain(fn: Callable[..., Any], begin: Begin, ends: Ends) -> Callable[..., Any]:
    @functools.wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        state = begin(args, kwargs)
        token = wire.enter(state)
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            ends.failed(state, error)
            raise
        finally:
            wire.leave(token)
        if _has_not_run(result):
            _discard(result)
            ends.abandoned(state)
            raise TypeError(
                f"`{fn.__qualname__}` returned a {type(result).__name__}, of which"
                " nothing has run: make it an `async` or a generator function"
            )
        ends.returned(state, result)
        return result

    return run


def _async(fn: Callable[..., Any], begin: BeginSoon, ends: Ends) -> Callable[..., Any]:
    @functools.wraps(fn)
    async def run(*args: Any, **kwargs: Any) -> Any:
        state = await begin(args, kwargs)
        token = wire.enter(state)
        try:
            result = await fn(*args, **kwargs)
        except BaseException as error:
            ends.failed(state, error)
            raise
        finally:
            wire.leave(token)
        ends.returned(state, result)
        return result

    return run


def _generator(fn: Callable[..., Any], begin: Begin, ends: Ends) -> Callable[..., Any]:
    @functools.wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        state = begin(args, kwargs)
        inner = fn(*args, **kwargs)
        step: Callable[[], Any] = functools.partial(next, inner)
        while True:
            token = wire.enter(state)
            try:
                item = step()
            except StopIteration as stop:
                ends.returned(state, stop.value)
                return stop.value
            except BaseException as error:
                ends.failed(state, error)
                raise
            finally:
                wire.leave(token)
            try:
                sent = yield item
            except GeneratorExit:
                _close(inner, state, ends)
                raise
            except BaseException as thrown:  # noqa: BLE001 -- it is the function's
                step = functools.partial(inner.throw, thrown)
            else:
                step = functools.partial(inner.send, sent)

    return run


def _close(inner: Any, state: wire.CallState, ends: Ends) -> None:
    token = wire.enter(state)
    try:
        inner.close()
    except BaseException as error:
        ends.failed(state, error)
        raise
    finally:
        wire.leave(token)
    ends.abandoned(state)


def _async_generator(
    fn: Callable[..., Any], begin: BeginSoon, ends: Ends
) -> Callable[..., Any]:
    @functools.wraps(fn)
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        state = await begin(args, kwargs)
        inner = fn(*args, **kwargs)
        step: Callable[[], Any] = functools.partial(_first, inner)
        while True:
            token = wire.enter(state)
            try:
                item = await step()
            except StopAsyncIteration:
                ends.returned(state, None)
                return
            except BaseException as error:
                ends.failed(state, error)
                raise
            finally:
                wire.leave(token)
            try:
                sent = yield item
            except GeneratorExit:
                await _aclose(inner, state, ends)
                raise
            except BaseException as thrown:  # noqa: BLE001 -- it is the function's
                step = functools.partial(inner.athrow, thrown)
            else:
                step = functools.partial(inner.asend, sent)

    return run


def _first(inner: Any) -> Any:
    """Begin a generator that only its wrapper ends.

    An event loop ends all generators that it has seen begin, in no order: it would end
    this one while the wrapper, which it ends too, is about to.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=None)
    try:
        return inner.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)


async def _aclose(inner: Any, state: wire.CallState, ends: Ends) -> None:
    token = wire.enter(state)
    try:
        await inner.aclose()
    except BaseException as error:
        ends.failed(state, error)
        raise
    finally:
        wire.leave(token)
    ends.abandoned(state)


def _has_not_run(result: object) -> bool:
    return (
        inspect.iscoroutine(result)
        or inspect.isgenerator(result)
        or inspect.isasyncgen(result)
    )


def _discard(result: Any) -> None:
    if not inspect.isasyncgen(result):
        result.close()


WRAPPERS: Final[Mapping[Kind, Wrapper]] = {
    "plain": _plain,
    "async": _async,
    "generator": _generator,
    "async generator": _async_generator,
}
"""How each kind of function is wrapped."""
AWAITED: Final = frozenset({"async", "async generator"})
"""The kinds whose wrappers await what begins a call."""
