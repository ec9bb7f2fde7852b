"""One bounded HTTP request: no redirects, no proxies, a deadline, a limit to the answer.

For witnesses, time-stamping authorities and sinks. What they answer is verified by
signatures; what is left to bound here is time and memory. Names are resolved by the
operating system, whose own limits apply to that.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from policyguard.errors import OutsideError
from policyguard.signing.text import excerpt

DEADLINE_SECONDS: Final = 10.0
_BLOCK: Final = 16_384
_OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Is what a server said."""

    status: int
    content_type: str
    body: bytes

    @property
    def is_ok(self) -> bool:
        """Whether the status is a success."""
        return self.status in _OK


def post(
    url: str,
    body: bytes,
    *,
    content_type: str,
    limit: int,
    deadline: float = DEADLINE_SECONDS,
) -> Answer:
    """Send a body, and return the whole answer, whatever its status.

    Args:
        url: `https://…` or `http://…`, without user, password and fragment.
        body: What is sent.
        content_type: Its media type.
        limit: Bytes of the answer that are read at most; more is an error.
        deadline: Seconds from connecting to the last byte.

    Raises:
        OutsideError: the URL is none of these; the server does not answer in time, in
            full, or in so few bytes; its certificate does not verify.
    """
    parts = split(url)
    connection = _connection(parts, deadline=deadline)
    late = threading.Event()
    timer = threading.Timer(deadline, _cut, [connection, late])
    timer.daemon = True
    try:
        connection.connect()
        # The socket's own timeout begins anew with each byte that trickles in.
        timer.start()
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        headers: Mapping[str, str] = {
            "Content-Type": content_type,
            "User-Agent": "policyguard",
            "Connection": "close",
        }
        connection.request("POST", target, body=body, headers=headers)
        response = connection.getresponse()
        data = _read(response, limit=limit)
        _require_whole(response, data=data, limit=limit, late=late.is_set())
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(error) or type(error).__name__
        if late.is_set() or isinstance(error, TimeoutError):
            reason = f"no answer within {deadline:g} seconds"
        raise OutsideError(
            f"`{excerpt(url)}` cannot be reached: {reason}: try again later, or correct"
            " the URL"
        ) from error
    finally:
        timer.cancel()
        connection.close()
    if len(data) > limit:
        raise OutsideError(
            f"`{excerpt(url)}` answered with more than {limit:,} bytes: correct the URL"
        )
    return Answer(
        status=response.status,
        content_type=response.headers.get_content_type(),
        body=data,
    )


def split(url: str) -> SplitResult:
    """Return the parts of a URL that requests may be sent to.

    Raises:
        OutsideError: it is no URL of that kind.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise OutsideError(f"`{excerpt(url)}` is not a URL: {error}") from error
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.username is not None
        or parts.fragment
        or port == 0
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise OutsideError(
            f"`{excerpt(url)}` is not a URL that can be used: give `https://host/path`,"
            " without user, spaces or fragment"
        )
    return parts


def _connection(parts: SplitResult, *, deadline: float) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(
            host,
            parts.port,
            timeout=deadline,
            context=ssl.create_default_context(),
        )
    return http.client.HTTPConnection(host, parts.port, timeout=deadline)


def _read(response: http.client.HTTPResponse, *, limit: int) -> bytes:
    data = b""
    while len(data) <= limit and (block := response.read(_BLOCK)):
        data += block
    return data


def _require_whole(
    response: http.client.HTTPResponse, *, data: bytes, limit: int, late: bool
) -> None:
    """Refuse an answer that ends early: http.client returns what there was of it."""
    if late:
        raise TimeoutError
    if response.length and len(data) <= limit:
        raise http.client.IncompleteRead(data, response.length)


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    """End a request that takes too long, from another thread."""
    late.set()
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
