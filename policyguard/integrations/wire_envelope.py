"""Reads from a request what it says around its body, which call after call says alike.

Where URL, headers and TLS could lead two readers to different hosts or ends of a body, the
host is unknown or nothing of the body is looked at: two lengths (RFC 9112, section 6.3),
another encoding, or another character set than UTF-8.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from policyguard.catalog.endpoints import MOST_ADDRESSES, endpoint_of, unclear
from policyguard.integrations.wire_batch import endpoint_in

if TYPE_CHECKING:
    from httpx2 import URL, Request

_Headers: TypeAlias = Mapping[str, Sequence[str]]
"""All values of each header that is read, by its name in lower case."""
_Raw: TypeAlias = tuple[tuple[str, bytes], ...]
"""The headers that are read, as they are sent."""
_LENGTH: Final = "content-length"
_TYPE: Final = "content-type"
_RETRIES: Final = "x-stainless-retry-count"
_READ: Final = {
    name.encode("ascii"): name
    for name in (
        "content-encoding",
        _LENGTH,
        _TYPE,
        "host",
        "transfer-encoding",
        "upgrade",
        _RETRIES,
    )
}
_LONGEST: Final = 1_024
"""Characters of an address, and of the headers that are read, that are remembered."""
_LONGEST_AUTHORITY: Final = 300
"""No host with a port is longer."""
_MOST_ATTEMPTS: Final = 1_000_000
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([^\s;,\"']*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Is what a request says around its body: the same thing in call after call."""

    host: str | None
    path: str
    endpoint: str
    attempt: int
    form: str
    """The type of a form of several parts; empty: it is none."""
    hidden: str
    """Why nothing of the body is looked at; empty: it is."""
    unreadable: str
    """Why its bytes cannot be read as JSON or a form; empty: they can."""


def around_of(request: Request) -> Around:
    """Return what a request of httpx or httpx2 says around its body."""
    url = request.url
    path, raw, told_to_tls = path_of(url), _headers_of(request), _told_to_tls(request)
    long = len(url.netloc) + len(path) + len(told_to_tls or "") > _LONGEST
    long = long or sum([len(value) for _, value in raw]) > _LONGEST
    # Whoever sends it chooses the words: what is longer than usual is read anew.
    read = _around.__wrapped__ if long else _around
    return read(url.scheme, url.netloc, path, raw, told_to_tls)


def host_of(url: URL) -> str | None:
    """Return the host that a client connects to for a URL, as `endpoint_of` does.

    User information is left out: the URL is read already, and it is not the host.
    """
    return _endpoint(url.scheme, url.netloc.decode("ascii"))


def path_of(url: URL) -> str:
    """Return the path of a URL as it is sent, without the query."""
    return url.raw_path.decode("ascii").partition("?")[0]


def named_in_query(url: URL) -> set[str]:
    """Return the models that the query of a URL names."""
    return set(url.params.get_list("model")) if url.query else set()


def _headers_of(request: Request) -> _Raw:
    """Return what headers say; a look-up in a client's own goes through all of them."""
    said = [
        # How long a body is, its bytes say: that there is one length is what is read.
        (name, b"" if name == _LENGTH else value)
        for raw, value in request.headers.raw
        if (name := _READ.get(raw.lower())) is not None
    ]
    return tuple(said)


def _told_to_tls(request: Request) -> str | None:
    """Return the host that TLS names, if it is another than the URL's."""
    if "sni_hostname" not in request.extensions:
        return None
    port = f":{request.url.port}" if request.url.port else ""
    return f"{_text(request.extensions['sni_hostname'])}{port}"


@functools.lru_cache(maxsize=MOST_ADDRESSES)
def _around(
    scheme: str, netloc: bytes, path: str, raw: _Raw, told_to_tls: str | None
) -> Around:
    headers: dict[str, list[str]] = {}
    for name, value in raw:
        headers.setdefault(name, []).append(value.decode("latin-1"))
    kind = ", ".join(headers.get(_TYPE, ()))
    host = _endpoint(scheme, netloc.decode("ascii"))
    named = [*headers.get("host", ()), *([] if told_to_tls is None else [told_to_tls])]
    # `None`, where URL, `Host` header and TLS name different ones.
    one = {_endpoint(scheme, item) for item in named} <= {host}
    return Around(
        host=host if one else None,
        path=path,
        endpoint=endpoint_in(path),
        attempt=_attempt(",".join(headers.get(_RETRIES, ()))),
        form=kind if kind.strip().lower().startswith("multipart/") else "",
        hidden=_hidden(headers) or unclear(path),
        unreadable=_unreadable(headers),
    )


def _endpoint(scheme: str, authority: str) -> str | None:
    """Return the host that an authority names, as `endpoint_of`, which remembers it."""
    if len(authority) > _LONGEST_AUTHORITY:
        return None
    return endpoint_of(f"{scheme}://{authority}")


def _hidden(headers: _Headers) -> str:
    if "upgrade" in headers:
        return "it asks for another protocol"
    if not _has_one_length(headers):
        return "its headers name two lengths of the body"
    return ""


def _unreadable(headers: _Headers) -> str:
    if _is_coded(headers):
        return "its body is compressed"
    if not _is_utf_8(headers):
        return "its body is in another character set than UTF-8"
    return ""


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
