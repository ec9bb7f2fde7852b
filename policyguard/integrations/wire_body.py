"""Reads from a request where it goes and which model it names.

A body that two readers could understand differently is opaque: what `wire_document`
finds uncertain, two lengths (RFC 9112, section 6.3), another encoding, or anything that
is not UTF-8. What is opaque names no model, and an unknown model is not allowed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from policyguard.catalog.endpoints import endpoint_of, model_in_path
from policyguard.integrations.wire_document import (
    model_in,
    parameters_in,
    parse_object,
)

if TYPE_CHECKING:
    from httpx2 import URL, Headers, Request

LONGEST_BODY: Final = 8 << 20
"""Bytes of a body that are read; a longer one is opaque."""
_RETRIES: Final = "x-stainless-retry-count"
_MOST_ATTEMPTS: Final = 1_000_000
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([^\s;,\"']*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Is what a request says about itself."""

    host: str
    """As `endpoint_of` writes it; empty: not plain to see."""
    path: str
    model: str | None
    opaque: bool
    attempt: int
    parameters: Mapping[str, Any]
    """Fields of the body that obligations ask about, as far as it has them."""


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
    path = path_of(request.url)
    document = _document_in(request, body)
    model, uncertain = (None, True) if document is None else model_in(document)
    opaque = document is None or uncertain
    if model is None and not opaque:
        # Bedrock's and Vertex' bodies have none.
        model = model_in_path(path)
    if named_in_query(request.url) - {model}:
        model = None
    return Sent(
        host=_one_host(request),
        path=path,
        model=model,
        opaque=opaque,
        attempt=_attempt(request.headers.get(_RETRIES)),
        parameters={} if document is None or opaque else parameters_in(document),
    )


def host_of(url: URL) -> str | None:
    """Return the host that a client connects to for a URL, as `endpoint_of` does.

    User information is left out: the URL is read already, and it is not the host.
    """
    return endpoint_of(f"{url.scheme}://{url.netloc.decode('ascii')}")


def path_of(url: URL) -> str:
    """Return the path of a URL as it is sent, without the query."""
    return url.raw_path.decode("ascii").partition("?")[0]


def named_in_query(url: URL) -> set[str]:
    """Return the models that the query of a URL names."""
    return set(url.params.get_list("model"))


def read_body(request: Request) -> Body:
    """Read a body up to `LONGEST_BODY` bytes, and leave it whole for the transport.

    Raises whatever the caller's own iterator raises.
    """
    if not _readable(request):
        return UNREAD
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


def _document_in(request: Request, body: Body) -> Mapping[str, Any] | None:
    """Return the object that is sent, an empty one for no body; `None`: it is hidden."""
    headers = request.headers
    if body.content is None or "upgrade" in headers or not _has_one_length(headers):
        return None
    if "target" in request.extensions:
        # Sends another path than the URL's.
        return None
    if not body.content:
        return {}
    if headers.get("content-encoding", "identity").lower() != "identity":
        return None
    if not _is_utf_8(headers.get("content-type", "")):
        return None
    return parse_object(body.content)


def _one_host(request: Request) -> str:
    """Return the host, unless URL, `Host` header and TLS name different ones."""
    host = host_of(request.url)
    named = request.headers.get_list("host")
    if "sni_hostname" in request.extensions:
        port = f":{request.url.port}" if request.url.port else ""
        named = [*named, f"{_text(request.extensions['sni_hostname'])}{port}"]
    others = {endpoint_of(f"{request.url.scheme}://{item}") for item in named}
    return host if host is not None and others <= {host} else ""


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _has_one_length(headers: Headers) -> bool:
    """Say whether all servers find the same end of the body."""
    lengths = headers.get_list("content-length")
    codings = headers.get_list("transfer-encoding")
    return len(lengths) + len(codings) <= 1 and all(
        item.strip().lower() == "chunked" for item in codings
    )


def _is_utf_8(content_type: str) -> bool:
    charset = _CHARSET.findall(content_type)
    return {item.lower() for item in charset} <= {"utf-8", "utf8", "us-ascii"}


def _attempt(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit()):
        return 0
    return min(int(text[:7]), _MOST_ATTEMPTS)


def _readable(request: Request) -> bool:
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        return False
    length = request.headers.get("content-length", "")
    known = length.isascii() and length.isdigit()
    return not (known and int(length[:20]) > LONGEST_BODY)


def _whole(request: Request, chunks: list[bytes]) -> Body:
    content = b"".join(chunks)
    request.stream = _module(request).ByteStream(content)
    return Body(content=content)


def _module(request: Request) -> Any:
    """Return httpx or httpx2, whichever the request belongs to."""
    for kind in type(request).__mro__:
        module = sys.modules.get(kind.__module__.partition(".")[0])
        if hasattr(module, "SyncByteStream"):
            return module
    raise TypeError(f"a `{type(request).__qualname__}` is no request of httpx")


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
