"""Reads from a request where it goes and which models it names.

A body that two readers could understand differently is opaque: what `wire_document`,
`wire_form` or `wire_batch` find uncertain, two lengths (RFC 9112, section 6.3), another
encoding, or JSON that is not UTF-8. What is opaque names no model, and an unknown model
is not allowed.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from policyguard.catalog.endpoints import model_in_path
from policyguard.errors import UnclearError
from policyguard.guard.describe import Described
from policyguard.integrations.wire_batch import (
    contents_of,
    contents_of_form,
)
from policyguard.integrations.wire_document import parse_object
from policyguard.integrations.wire_envelope import Around, around_of, named_in_query
from policyguard.integrations.wire_form import form_in
from policyguard.integrations.wire_usage import NOTHING, Expected, expected_in

if TYPE_CHECKING:
    from httpx2 import Request

LONGEST_BODY: Final = 8 << 20
"""Bytes of a body that are read; a longer one is opaque."""
_IN_QUERY: Final = "its query names another model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Is what a request says about itself."""

    described: Described
    """Its host as `endpoint_of` writes it; `None`: not plain to see."""
    attempt: int
    text: bytes | None
    """A JSON document with all that is sent, to be searched; `None`: there is none."""
    expected: Expected = NOTHING
    """What the answer has to keep to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Is a body as far as it was read."""

    content: bytes | None
    """The whole body, or `None` when it was not read to its end."""


UNREAD: Final = Body(content=None)


def sent_by(request: Request, body: Body) -> Sent:
    """Say what a request sends where.

    Args:
        request: A request of httpx or httpx2.
        body: Its body, as `read_body` or `aread_body` returns it.
    """
    around = around_of(request)
    found, expected = _contents(request, body, around)
    model, named = found.model, named_in_query(request.url)
    if model is None and not (found.opaque or found.calls or found.upload):
        # Bedrock's and Vertex' bodies have none.
        model = model_in_path(around.path)
    if named - {model}:
        found, model = Described(opaque=found.opaque, why=_IN_QUERY), None
    return Sent(
        described=replace(found, host=around.host, path=around.path, model=model),
        attempt=around.attempt,
        text=_text_in(around, body, found),
        expected=expected,
    )


def read_body(request: Request) -> Body:
    """Read a body up to `LONGEST_BODY` bytes, and leave it whole for the transport.

    Raises whatever the caller's own iterator raises.
    """
    if not _readable(request):
        return UNREAD
    if type(request.stream) is _module(request).ByteStream:
        return _at_hand(request)
    chunks: list[bytes] = []
    size = 0
    source = iter(_sync(request))
    for chunk in source:
        chunks.append(chunk)
        size += len(chunk)
        if size > LONGEST_BODY:
            request.stream = _sync_stream(request, _joined(chunks, source))
            return UNREAD
    return _whole(request, chunks)


async def aread_body(request: Request) -> Body:
    """Do what `read_body` does for a body that is sent asynchronously."""
    if not _readable(request):
        return UNREAD
    if type(request.stream) is _module(request).ByteStream:
        return _at_hand(request)
    chunks: list[bytes] = []
    size = 0
    source = aiter(_async(request))
    async for chunk in source:
        chunks.append(chunk)
        size += len(chunk)
        if size > LONGEST_BODY:
            request.stream = _async_stream(request, _ajoined(chunks, source))
            return UNREAD
    return _whole(request, chunks)


def _contents(
    request: Request, body: Body, around: Around
) -> tuple[Described, Expected]:
    """Return what is asked for, as far as it can be read in one way alone."""
    why = around.hidden
    if body.content is None:
        why = f"its body has more than {LONGEST_BODY >> 20} MiB"
    elif not why and "target" in request.extensions:
        why = "it is sent to another path than the URL's"
    elif not why and body.content:
        why = around.unreadable
    if why:
        return Described(opaque=True, why=why), NOTHING
    if not body.content:
        return Described(), NOTHING
    endpoint = around.endpoint
    if around.form:
        try:
            form = form_in(body.content, content_type=around.form)
            return contents_of_form(form, endpoint=endpoint), NOTHING
        except UnclearError as unclear:
            return Described(opaque=True, why=str(unclear)), NOTHING
    document = parse_object(body.content)
    if document is None:
        why = "its body is no plain JSON object"
        return Described(opaque=True, why=why), NOTHING
    return contents_of(document, endpoint=endpoint), expected_in(document)


def _text_in(around: Around, body: Body, found: Described) -> bytes | None:
    """Return what is searched: files of calls are text, other files are not read."""
    if not around.form or body.content is None:
        return body.content
    if not found.calls:
        return None
    return orjson.dumps(body.content.decode("utf-8", "replace"))


def _readable(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    known = length.isascii() and length.isdigit()
    return not (known and int(length[:20]) > LONGEST_BODY)


def _at_hand(request: Request) -> Body:
    """Return a body that is in memory: it can be read any number of times."""
    content = b"".join(_sync(request))
    return UNREAD if len(content) > LONGEST_BODY else Body(content=content)


def _whole(request: Request, chunks: list[bytes]) -> Body:
    content = b"".join(chunks)
    request.stream = _module(request).ByteStream(content)
    return Body(content=content)


def _module(request: Request) -> Any:
    """Return httpx or httpx2, whichever the request belongs to."""
    kind: Any = type(request)
    return _module_of(kind)


@functools.cache
def _module_of(kind: type[Any]) -> Any:
    for base in kind.__mro__:
        module = sys.modules.get(base.__module__.partition(".")[0])
        if hasattr(module, "SyncByteStream"):
            return module
    raise TypeError(f"a `{kind.__qualname__}` is no request of httpx")


def _sync(request: Request) -> Iterator[bytes]:
    stream: Any = request.stream
    return iter(stream)


def _async(request: Request) -> AsyncIterator[bytes]:
    stream: Any = request.stream
    return aiter(stream)


def _sync_stream(request: Request, chunks: Iterator[bytes]) -> Any:
    module = _module(request)
    kind = type("LongBody", (_Once, module.SyncByteStream), {})
    return kind(chunks, module.StreamConsumed)


def _async_stream(request: Request, chunks: AsyncIterator[bytes]) -> Any:
    module = _module(request)
    kind = type("LongBody", (_Once, module.AsyncByteStream), {})
    return kind(chunks, module.StreamConsumed)


class _Once:
    """Gives the chunks of a body that is too long to keep, and only once."""

    def __init__(self, chunks: Any, consumed: type[Exception]) -> None:
        self._chunks = chunks
        self._consumed = consumed

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._take())

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._take())

    def _take(self) -> Any:
        if self._chunks is None:
            raise self._consumed
        chunks, self._chunks = self._chunks, None
        return chunks


def _joined(read: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from read
    yield from rest


async def _ajoined(
    read: list[bytes], rest: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    for chunk in read:
        yield chunk
    async for chunk in rest:
        yield chunk
