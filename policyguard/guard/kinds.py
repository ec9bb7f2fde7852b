"""Runs the four kinds of functions between a decision and an outcome.

Each wrapper is of the kind of what it wraps, so that whoever asks `inspect` gets the
same answer. The state of the call is entered for each step and left after it: a
generator that kept it would hand it to whoever resumes it.

Specification: PEP 380 and PEP 525 for what is sent, thrown and closed.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any, Final, Literal, TypeAlias

from policyguard.guard import wire
from policyguard.guard.endings import Ends

Kind: TypeAlias = Literal["plain", "async", "generator", "async generator"]
Begin: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any]], wire.CallState]
Wrapper: TypeAlias = Callable[[Callable[..., Any], Begin, Ends], Callable[..., Any]]


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


def _async(fn: Callable[..., Any], begin: Begin, ends: Ends) -> Callable[..., Any]:
    @functools.wraps(fn)
    async def run(*args: Any, **kwargs: Any) -> Any:
        state = await _begun(begin, ends, args, kwargs)
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
    fn: Callable[..., Any], begin: Begin, ends: Ends
) -> Callable[..., Any]:
    @functools.wraps(fn)
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        state = await _begun(begin, ends, args, kwargs)
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


async def _begun(
    begin: Begin, ends: Ends, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> wire.CallState:
    """Ask without holding up the event loop.

    A task that is cancelled meanwhile cannot stop the thread that asks: what is decided
    there is then recorded as a call that was not made.
    """
    asked = asyncio.ensure_future(asyncio.to_thread(begin, args, kwargs))
    try:
        return await asyncio.shield(asked)
    except asyncio.CancelledError:
        asked.add_done_callback(functools.partial(_not_made, ends))
        raise


def _not_made(ends: Ends, asked: asyncio.Future[wire.CallState]) -> None:
    if not asked.cancelled() and asked.exception() is None:
        ends.failed(asked.result(), asyncio.CancelledError())


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
