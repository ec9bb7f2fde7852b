"""Stands between a client and its network: asks before it sends, watches the answer.

The real host, path and body are known only here. httpx and httpx2 have the same
interface and different classes, so the classes are made for each of them.

Owner: a transport belongs to one client and holds the client's own transport. It
keeps nothing between calls. Whoever controls the process can take it out again.

INVARIANT: nothing is sent but behind an allowing decision. Trouble in this module is
an answer 403, never a pass and never a status that clients retry.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from policyguard.guard import awaiting, running, wire
from policyguard.guard.answers import Committing
from policyguard.guard.describe import Observed
from policyguard.guard.events import log
from policyguard.guard.outcomes import may_block
from policyguard.guard.recording import OutcomeWord
from policyguard.integrations.wire_body import (
    Body,
    Sent,
    aread_body,
    read_body,
    sent_by,
)
from policyguard.integrations.wire_denial import denial, unavailable
from policyguard.integrations.wire_stream import Watch, decoders_of
from policyguard.integrations.wire_usage import Expected

if TYPE_CHECKING:
    from httpx2 import Request, Response

    from policyguard.guard.guard import Guard


_FIRST_REFUSAL: Final = 400
_SHORT_BODY: Final = 32 << 10
"""Bytes that are read in an event loop; to read more takes longer than a hand-over."""


class Guarded:
    """Is what the synchronous and the asynchronous transport share; marks both."""

    module: Any
    """httpx or httpx2."""
    stream_kind: type[Any]

    def __init__(self, inner: Any, guard: Guard) -> None:
        """Stand before a transport.

        Args:
            inner: The client's own transport.
            guard: Is asked before each request.
        """
        self.inner = inner
        self.guard = guard

    def ask(
        self, request: Request, body: Body
    ) -> tuple[wire.Wire, Expected] | Response:
        """Return the guard's leave with what is asked of the answer, or a denial."""
        try:
            sent = sent_by(request, body)
            leave = self.guard.check_wire(
                sent.described, attempt=sent.attempt, body=body.content, text=sent.text
            )
            return self._told(request, leave, expected=sent.expected)
        except Exception as error:  # noqa: BLE001 -- what cannot be checked is not sent
            return self._unchecked(request, error)

    async def ask_soon(
        self, request: Request, body: Body
    ) -> tuple[wire.Wire, Expected] | Response:
        """Do what `ask` does, and hold no thread while the record is written."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            # Another kind of loop, as trio's: holding it up is better than not asking.
            return self.ask(request, body)

        core = self.guard.core
        read: list[Sent] = []

        def put() -> wire.Wire | running.Open:
            sent = read[0] if read else sent_by(request, body)
            read[:] = [sent]
            return running.put_at_wire(
                core,
                sent.described,
                own=self.guard.facts,
                attempt=sent.attempt,
                body=body.content,
                text=sent.text,
            )

        try:
            leave = None
            if len(body.content or b"") <= _SHORT_BODY:
                read.append(sent_by(request, body))
                leave = running.kept_at_wire(core, read[0].described)
            leave = leave or await awaiting.at_wire(core, put)
            return self._told(request, leave, expected=read[0].expected)
        except Exception as error:  # noqa: BLE001 -- what cannot be checked is not sent
            return self._unchecked(request, error)

    def _told(
        self, request: Request, leave: wire.Wire, *, expected: Expected
    ) -> tuple[wire.Wire, Expected] | Response:
        if leave.decision.goes_ahead:
            return leave, expected
        wire.denied(leave.decision)
        return denial(request, leave.decision, module=self.module)

    def _unchecked(self, request: Request, error: Exception) -> Response:
        log.error("transport.not_checked", reason=type(error).__name__)
        return unavailable(request, module=self.module)

    def broken(self, leave: wire.Wire, error: BaseException) -> None:
        """Record that a forwarded request got no answer."""
        leave.take_outcome()
        word: OutcomeWord = "error" if isinstance(error, Exception) else "cancelled"
        self._record(leave, word, type(error).__qualname__, Observed, None)

    def watched(
        self, leave: wire.Wire, response: Response, expected: Expected
    ) -> Response:
        """Return the answer with its stream replaced by one that is watched."""
        leave.take_outcome()
        status = response.status_code
        watch = Watch(
            response.headers,
            committing=Committing(leave.decision.id),
            expected=expected,
            decoders=decoders_of(self.module),
            record=lambda word, error, seen: self._record(
                leave,
                # A refusal is one, whether the client reads it to its end or not.
                "error" if status >= _FIRST_REFUSAL else word,
                error,
                seen,
                status,
            ),
        )
        if response.is_closed:
            # It was made in memory, and nobody will read or close it.
            watch.feed(response.content)
            watch.exhausted()
            watch.closed()
        else:
            response.stream = self.stream_kind(
                response.stream,
                watch,
                lambda: may_block(self.guard.core, leave.decision),
            )
        return response

    def _record(
        self,
        leave: wire.Wire,
        word: OutcomeWord,
        error: str | None,
        seen: Callable[[], Observed],
        status: int | None,
    ) -> None:
        try:
            self.guard.record_outcome(
                leave.decision,
                outcome=word,
                error=error,
                status=status,
                observed=seen,
            )
        except Exception as failure:  # noqa: BLE001 -- the answer is the client's
            log.error("outcome.not_recorded", reason=type(failure).__name__)


class _SyncTransport(Guarded):
    def handle_request(self, request: Request) -> Response:
        asked = self.ask(request, read_body(request))
        if not isinstance(asked, tuple):
            return asked
        leave, expected = asked
        try:
            response: Response = self.inner.handle_request(request)
        except BaseException as error:
            self.broken(leave, error)
            raise
        return self.watched(leave, response, expected)

    def close(self) -> None:
        self.inner.close()

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.inner.__exit__(kind, error, trace)


class _AsyncTransport(Guarded):
    async def handle_async_request(self, request: Request) -> Response:
        body = await aread_body(request)
        asked = await self.ask_soon(request, body)
        if not isinstance(asked, tuple):
            return asked
        leave, expected = asked
        try:
            response: Response = await self.inner.handle_async_request(request)
        except BaseException as error:
            self.broken(leave, error)
            raise
        return self.watched(leave, response, expected)

    async def aclose(self) -> None:
        await self.inner.aclose()

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.inner.__aexit__(kind, error, trace)


class _SyncStream:
    def __init__(self, inner: Any, watch: Watch, _: Callable[[], bool]) -> None:
        self._inner = inner
        self._watch = watch

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._inner:
                self._watch.feed(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            self._watch.failed(error)
            raise
        self._watch.exhausted()

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            self._watch.closed()


class _AsyncStream:
    def __init__(self, inner: Any, watch: Watch, may_block: Callable[[], bool]) -> None:
        self._inner = inner
        self._watch = watch
        self._may_block = may_block

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._inner:
                self._watch.feed(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            # Without `await`: a task that is being cancelled may not get another turn.
            self._watch.failed(error)
            raise
        self._watch.exhausted()

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
            if self._watch.is_open and self._may_block():
                await _in_thread(self._watch.closed)
        finally:
            # Does nothing when it is recorded; a cancelled task records here.
            self._watch.closed()


@functools.cache
def transports_for(module: ModuleType) -> tuple[type[Any], type[Any]]:
    """Return the synchronous and the asynchronous transport for httpx or httpx2.

    Both are made with `(inner, guard)`.

    Args:
        module: `httpx`, `httpx2`, or another with the same classes.
    """
    known: Any = module
    stream = type("GuardedStream", (_SyncStream, known.SyncByteStream), {})
    astream = type("GuardedAsyncStream", (_AsyncStream, known.AsyncByteStream), {})
    return (
        type(
            "GuardedTransport",
            (_SyncTransport, known.BaseTransport),
            {"module": known, "stream_kind": stream},
        ),
        type(
            "GuardedAsyncTransport",
            (_AsyncTransport, known.AsyncBaseTransport),
            {"module": known, "stream_kind": astream},
        ),
    )


async def _in_thread(work: Any, *args: Any) -> Any:
    """Run what waits for a disk without holding up the event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        # Another kind of loop, as trio's: holding it up is better than not asking.
        return work(*args)
    return await asyncio.to_thread(work, *args)
