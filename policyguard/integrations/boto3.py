"""Guards clients of Amazon Bedrock's runtime, made by boto3 or botocore.

    guard.protect(boto3.client("bedrock-runtime"))
    guard.call(client.converse, modelId=…, messages=…)

botocore's own events are the way in: `before-send` sees each attempt with its URL and body
as they were signed, and what it raises comes out as it is. The guard is asked first there,
before whoever might send or answer in botocore's place, and looks once more at the end:
what somebody has changed in between is a new question. Other services' clients are
refused: they call models in ways that are not known here, or none.

Owner: what runs between an attempt and its end is kept for each client and thread. A
crash leaves a decision without an outcome, which an auditor sees.

INVARIANT: nothing is sent but behind an allowing decision; trouble here raises.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from policyguard.catalog.endpoints import endpoint_of, model_in_path
from policyguard.errors import CannotProtect
from policyguard.guard import endings, wire
from policyguard.guard.describe import Described, Observed
from policyguard.guard.recording import Ending, OutcomeWord
from policyguard.guard.refusal import not_allowed
from policyguard.integrations.bedrock_events import Reading, said_in
from policyguard.integrations.wire_body import LONGEST_BODY
from policyguard.integrations.wire_document import model_in, parse_object
from policyguard.integrations.wire_tools import offered_in
from policyguard.integrations.wire_usage import (
    NOTHING,
    Expected,
    compared,
    expected_in,
)

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

_SERVICE: Final = "bedrock-runtime"
_EVENTS: Final = ("before-call", "before-send", "after-call", "after-call-error")
_MARK: Final = "policyguard"
_FIRST_REFUSAL: Final = 300


def describe(
    fn: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Described | None:
    """Say what a method of a client would send where; `None`: it is no such method.

    Args:
        fn: A method, as `client.converse`.
        args: Its positional arguments, of which botocore takes none.
        kwargs: Its keyword arguments.
    """
    client = getattr(fn, "__self__", None)
    if args or not is_runtime(client):
        return None
    known: Any = client
    name = known.meta.method_to_api_mapping.get(getattr(fn, "__name__", ""))
    model = kwargs.get("modelId")
    if name is None or not isinstance(model, str):
        return Described(host=endpoint_of(known.meta.endpoint_url), opaque=True)
    pattern = known.meta.service_model.operation_model(name).http["requestUri"]
    path = pattern.partition("?")[0].replace("{modelId}", quote(model, safe=""))
    return Described(
        model=model_in_path(path),
        host=endpoint_of(known.meta.endpoint_url),
        path=path,
        offered=offered_in(_body_in(kwargs)),
    )


def observe(result: object) -> Observed:
    """Say what an answer tells; a stream's end is seen by a protected client alone."""
    if not isinstance(result, Mapping) or "stream" in result or "body" in result:
        return Observed(stream=True)
    return said_in(result)


def protect(client: object, guard: Guard) -> None:
    """Guard a client of Bedrock's runtime, in place; a second time does nothing.

    Raises:
        CannotProtect: it is another service's client, an asynchronous one or another
            guard's.
    """
    if not is_runtime(client):
        name = getattr(getattr(client, "meta", None), "service_model", None)
        raise CannotProtect(
            f"a client of `{getattr(name, 'service_name', type(client).__qualname__)}`"
            f" cannot be guarded, only one of `{_SERVICE}`: put"
            " `@guard.guarded(model=…, host=…)` over a function that calls it, or do"
            " without it"
        )
    if inspect.iscoroutinefunction(getattr(type(client), "_make_api_call", None)):
        # Its calls take turns on one thread: which answer is whose, no event says.
        raise CannotProtect(
            "an asynchronous client of botocore's cannot be guarded: wrap its calls with"
            " `guard.acall`, or protect one of boto3 and call it in threads"
        )
    known: Any = client
    held = getattr(known, "_policyguard", None)
    if held is not None and held.guard is not guard:
        raise CannotProtect(
            "another guard protects this client already: declare what differs between"
            " calls with `policyguard.context(…)`"
        )
    if held is None:
        watcher = _Events(guard)
        for event in _EVENTS:
            known.meta.events.register_first(
                f"{event}.{_SERVICE}",
                getattr(watcher, event.replace("-", "_")),
                unique_id=f"{_MARK}.{event}",
            )
        # Handlers of a longer name run before those of a shorter one.
        known.meta.events.register_last(
            "before-send", watcher.sending, unique_id=f"{_MARK}.sending"
        )
        known._policyguard = watcher  # noqa: SLF001 -- marks it


def guard_of(client: object) -> Guard | None:
    """Return the guard that stands before a client's network; `None`: none does."""
    watcher = getattr(client, "_policyguard", None)
    return None if watcher is None else watcher.guard


def is_runtime(client: object) -> bool:
    """Say whether a thing is a client of Bedrock's runtime."""
    meta: Any = getattr(client, "meta", None)
    model = getattr(meta, "service_model", None)
    return getattr(model, "service_name", None) == _SERVICE and hasattr(meta, "events")


class _Thread(threading.local):
    """Remembers the attempt that a thread is making."""

    leave: wire.Wire | None = None
    attempt: int = 0
    asked: _Form | None = None
    """What was asked about, until it is sent."""
    expected: Expected = NOTHING


class _Events:
    """Hears of each attempt and each answer of one client."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._thread = _Thread()
        endings.notice_collections()

    def before_call(self, **_: Any) -> None:
        """Begin to count attempts."""
        self._thread.attempt = 0

    def before_send(self, request: Any, **_: Any) -> None:
        """Let an attempt go on, or raise.

        Raises:
            NotAllowed: it may not.
        """
        self._settle("error", "RetriedError")
        self._ask(request, attempt=self._thread.attempt)
        self._thread.attempt += 1

    def sending(self, request: Any, **_: Any) -> None:
        """Ask again about an attempt that somebody has changed since it was asked about.

        Raises:
            NotAllowed: it may not go out as it is now.
        """
        asked, self._thread.asked = self._thread.asked, None
        if asked != _form_of(request):
            self._settle("error", "ChangedError")
            self._ask(request, attempt=max(0, self._thread.attempt - 1))

    def _ask(self, request: Any, *, attempt: int) -> None:
        form = _form_of(request)
        described, content = _sent(form)
        document = parse_object(content or b"") or {}
        self._thread.expected = expected_in(document)
        leave = self.guard.check_wire(
            replace(described, offered=offered_in(document)),
            attempt=attempt,
            body=content,
            text=content,
        )
        if not leave.decision.goes_ahead:
            wire.denied(leave.decision)
            raise not_allowed(leave.decision)
        leave.take_outcome()
        self._thread.leave, self._thread.asked = leave, form

    def after_call(self, http_response: Any, parsed: Any, **_: Any) -> None:
        """Record the end of a call, or have that of its stream recorded."""
        status = getattr(http_response, "status_code", None)
        if status is not None and status >= _FIRST_REFUSAL:
            self._settle("error", "ClientError", status=status)
            return
        stream = parsed.get("stream") or parsed.get("body")
        expected = self._thread.expected
        if not hasattr(stream, "_raw_stream"):
            seen = compared(observe(parsed), expected)
            self._settle("complete", status=status, observed=seen)
            return
        leave, self._thread.leave = self._thread.leave, None
        if leave is not None:
            stream._raw_stream = _Raw(  # noqa: SLF001 -- the one place to see its end
                stream._raw_stream,  # noqa: SLF001 -- the same
                lambda word, error, seen: self._record(
                    leave,
                    word,
                    error,
                    status=status,
                    observed=compared(seen, expected),
                ),
                reading=Reading(events="stream" in parsed or _is_stream(stream)),
            )

    def after_call_error(self, exception: BaseException, **_: Any) -> None:
        """Record that a call got no answer."""
        self._settle("error", type(exception).__qualname__)

    def _settle(self, word: OutcomeWord, error: str | None = None, **more: Any) -> None:
        leave, self._thread.leave = self._thread.leave, None
        if leave is not None:
            self._record(leave, word, error, **more)

    def _record(
        self, leave: wire.Wire, word: OutcomeWord, error: str | None, **more: Any
    ) -> None:
        # A stream that nobody reads may be collected while the trail's lock is held.
        ending = Ending(outcome=word, error=error, **more)
        endings.ended(self.guard.core, leave.decision, ending)


class _Raw:
    """Is the bytes of an answer, of which the end is noticed."""

    def __init__(
        self,
        inner: Any,
        record: Callable[[OutcomeWord, str | None, Observed], None],
        *,
        reading: Reading,
    ) -> None:
        self._inner = inner
        self._record = record
        self._reading = reading
        self._open = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, *args: Any, **kwargs: Any) -> Any:
        """Read, and note the end."""
        found = self._watched(lambda: self._inner.read(*args, **kwargs))
        self._reading.feed(found or b"")
        asked = args[0] if args else kwargs.get("amt")
        if asked is None or (asked and not found):
            self._end("complete")
        return found

    def readinto(self, buffer: Any) -> Any:
        """Read into a buffer, and note the end."""
        found = self._watched(lambda: self._inner.readinto(buffer))
        self._reading.feed(bytes(memoryview(buffer)[: found or 0]))
        if not found and len(buffer):
            self._end("complete")
        return found

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        """Yield what comes, and note the end."""
        source = self._inner.stream(*args, **kwargs)
        while True:
            chunk = self._watched(lambda: next(source, None))
            if chunk is None:
                self._end("complete")
                return
            self._reading.feed(chunk)
            yield chunk

    def close(self) -> None:
        """Close, and note that the end was not waited for."""
        try:
            self._inner.close()
        finally:
            self._end("abandoned")

    def __del__(self) -> None:
        """Note that nobody is left who could read to the end."""
        self._end("abandoned")

    def _watched(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except BaseException as error:
            stopped = not isinstance(error, Exception)
            self._end("cancelled" if stopped else "error", type(error).__qualname__)
            raise

    def _end(self, word: OutcomeWord, error: str | None = None) -> None:
        if self._open.acquire(blocking=False):
            self._record(word, error, self._reading.observed())


@dataclass(frozen=True, slots=True)
class _Form:
    """Is what a prepared request says, as far as it decides where what goes."""

    url: str
    named: str | None
    """The host that its headers name."""
    coded: str | None
    body: Any


def _form_of(request: Any) -> _Form:
    headers = request.headers
    named, coded = headers.get("Host"), headers.get("Content-Encoding")
    body = request.body
    # Bytes that nobody can change: they are compared with what is sent.
    return _Form(
        str(request.url),
        None if named is None else _text(named),
        None if coded is None else _text(coded),
        bytes(body) if isinstance(body, bytearray) else body,
    )


def _sent(form: _Form) -> tuple[Described, bytes | None]:
    """Return what is sent where, and the body; `None`: nothing of it is plain to see."""
    host = endpoint_of(form.url)
    if form.named is not None and endpoint_of(f"https://{form.named}") != host:
        host = None
    path = urlsplit(form.url).path
    body = form.body
    content = body.encode() if isinstance(body, str) else body
    if content is None:
        return Described(host=host, path=path, model=model_in_path(path)), b""
    hidden = Described(host=host, path=path, opaque=True)
    if not isinstance(content, bytes) or len(content) > LONGEST_BODY:
        return hidden, None
    document = None if form.coded is not None else parse_object(content)
    if document is None or model_in(document)[1]:
        return hidden, None
    return Described(host=host, path=path, model=model_in_path(path)), content


def _body_in(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what arguments say of the body, where that takes nothing away from it."""
    body = kwargs.get("body")
    content = body.encode() if isinstance(body, str) else body
    if not isinstance(content, (bytes, bytearray)) or len(content) > LONGEST_BODY:
        return kwargs
    return parse_object(bytes(content)) or {}


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _is_stream(body: object) -> bool:
    """Say whether a body is one of events: botocore parses those."""
    return type(body).__name__ == "EventStream"
