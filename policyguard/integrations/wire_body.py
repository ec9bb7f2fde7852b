"""Reads from a request where it goes and which models it names.

A body that two readers could understand differently is opaque: what `wire_document`,
`wire_form` or `wire_batch` find uncertain, two lengths (RFC 9112, section 6.3), another
encoding, or JSON that is not UTF-8. What is opaque names no model, and an unknown model
is not allowed.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from policyguard.catalog.endpoints import endpoint_of, model_in_path
from policyguard.errors import UnclearError
from policyguard.guard.describe import Described
from policyguard.integrations.wire_batch import (
    contents_of,
    contents_of_form,
    endpoint_in,
)
from policyguard.integrations.wire_document import parse_object
from policyguard.integrations.wire_form import form_in
from policyguard.integrations.wire_usage import NOTHING, Expected, expected_in

if TYPE_CHECKING:
    from httpx2 import URL, Request

LONGEST_BODY: Final = 8 << 20
"""Bytes of a body that are read; a longer one is opaque."""
_Headers: TypeAlias = Mapping[str, Sequence[str]]
"""All values of each header that is read, by its name in lower case."""
_TYPE: Final = "content-type"
_RETRIES: Final = "x-stainless-retry-count"
_READ: Final = {
    name.encode("ascii"): name
    for name in (
        "content-encoding",
        "content-length",
        _TYPE,
        "host",
        "transfer-encoding",
        "upgrade",
        _RETRIES,
    )
}
_MOST_ATTEMPTS: Final = 1_000_000
_IN_QUERY: Final = "its query names another model"
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([^\s;,\"']*)", re.IGNORECASE)


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
    path, headers = path_of(request.url), _headers_of(request)
    found, expected = _contents(request, body, path=path, headers=headers)
    model, named = found.model, named_in_query(request.url)
    if model is None and not (found.opaque or found.calls or found.upload):
        # Bedrock's and Vertex' bodies have none.
        model = model_in_path(path)
    if named - {model}:
        found, model = Described(opaque=found.opaque, why=_IN_QUERY), None
    return Sent(
        described=replace(
            found, host=_one_host(request, headers), path=path, model=model
        ),
        attempt=_attempt(",".join(headers.get(_RETRIES, ()))),
        text=_text_in(headers, body, found),
        expected=expected,
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
    return set(url.params.get_list("model")) if url.query else set()


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


def _headers_of(request: Request) -> _Headers:
    """Return what headers say; a look-up in a client's own goes through all of them."""
    found: dict[str, list[str]] = {}
    for raw, value in request.headers.raw:
        name = _READ.get(raw.lower())
        if name is not None:
            found.setdefault(name, []).append(value.decode("latin-1"))
    return found


def _contents(
    request: Request, body: Body, *, path: str, headers: _Headers
) -> tuple[Described, Expected]:
    """Return what is asked for, as far as it can be read in one way alone."""
    why = _hidden(request, body, headers)
    if why:
        return Described(opaque=True, why=why), NOTHING
    if not body.content:
        return Described(), NOTHING
    endpoint = endpoint_in(path)
    if _is_form(headers):
        kind = ", ".join(headers[_TYPE])
        try:
            form = form_in(body.content, content_type=kind)
            return contents_of_form(form, endpoint=endpoint), NOTHING
        except UnclearError as unclear:
            return Described(opaque=True, why=str(unclear)), NOTHING
    document = parse_object(body.content)
    if document is None:
        why = "its body is no plain JSON object"
        return Described(opaque=True, why=why), NOTHING
    return contents_of(document, endpoint=endpoint), expected_in(document)


def _hidden(request: Request, body: Body, headers: _Headers) -> str:
    """Say why nothing of a body is looked at; empty: it is."""
    if body.content is None:
        return f"its body has more than {LONGEST_BODY >> 20} MiB"
    if "upgrade" in headers:
        return "it asks for another protocol"
    if not _has_one_length(headers):
        return "its headers name two lengths of the body"
    if "target" in request.extensions:
        return "it is sent to another path than the URL's"
    return _unreadable(headers) if body.content else ""


def _unreadable(headers: _Headers) -> str:
    """Say why the bytes of a body cannot be read as JSON or a form; empty: they can."""
    if _is_coded(headers):
        return "its body is compressed"
    if not _is_utf_8(headers):
        return "its body is in another character set than UTF-8"
    return ""


def _text_in(headers: _Headers, body: Body, found: Described) -> bytes | None:
    """Return what is searched: files of calls are text, other files are not read."""
    if not _is_form(headers) or body.content is None:
        return body.content
    if not found.calls:
        return None
    return orjson.dumps(body.content.decode("utf-8", "replace"))


def _one_host(request: Request, headers: _Headers) -> str | None:
    """Return the host, unless URL, `Host` header and TLS name different ones."""
    host = host_of(request.url)
    named = headers.get("host", [])
    if "sni_hostname" in request.extensions:
        port = f":{request.url.port}" if request.url.port else ""
        named = [*named, f"{_text(request.extensions['sni_hostname'])}{port}"]
    others = {endpoint_of(f"{request.url.scheme}://{item}") for item in named}
    return host if others <= {host} else None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _has_one_length(headers: _Headers) -> bool:
    """Say whether all servers find the same end of the body."""
    lengths = headers.get("content-length", [])
    codings = headers.get("transfer-encoding", [])
    return len(lengths) + len(codings) <= 1 and all(
        item.strip().lower() == "chunked" for item in codings
    )


def _is_coded(headers: _Headers) -> bool:
    return any(
        item.lower() != "identity" for item in headers.get("content-encoding", ())
    )


def _is_utf_8(headers: _Headers) -> bool:
    charset = [name for it in headers.get(_TYPE, ()) for name in _CHARSET.findall(it)]
    return {item.lower() for item in charset} <= {"utf-8", "utf8", "us-ascii"}


def _attempt(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        return 0
    return min(int(text[:7]), _MOST_ATTEMPTS)


def _is_form(headers: _Headers) -> bool:
    return ", ".join(headers.get(_TYPE, ())).strip().lower().startswith("multipart/")


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
