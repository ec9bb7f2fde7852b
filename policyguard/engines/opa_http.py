"""Reads one answer of HTTP/1.1 from a connection, as RFC 9112 has it and no more loosely.

The standard library reads the head of an answer as it would a letter, which takes longer
than all else that asking a server costs here. What is read in its place is strict: no
folded lines, no length said twice or beside another framing, no body without an end of
its own.

INVARIANT: a connection is used again only if nothing was left of what came on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from policyguard.errors import EvaluationError

MOST_HEAD_BYTES: Final = 16_384
_HEAD: Final = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n\0]*)?"
    rb"((?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*)*)"
)
_LENGTH: Final = re.compile(rb"[0-9]{1,12}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n\0]*)?")
_CONTINUE: Final = 100
_WITHOUT_BODY: Final = frozenset({204, 304})
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Answer:
    """Is one whole answer."""

    status: int
    headers: dict[bytes, bytes]
    """By name in lower case; of those with one name the last."""
    body: bytes
    reusable: bool
    """Whether another question may be put on the connection."""


def no_http() -> EvaluationError:
    """Return the refusal of an answer in another form."""
    return EvaluationError("OPA's answer is no HTTP", code="engine.malformed")


def too_large(most: int) -> EvaluationError:
    """Return the refusal of an answer that is too large."""
    return EvaluationError(
        f"OPA's answer is larger than {most} bytes", code="engine.malformed"
    )


def read_answer(receive: Callable[[], bytes], *, most: int) -> Answer:
    """Read one answer to a question that has a body in its answer.

    Args:
        receive: Returns what has come; nothing at the end of the connection.
        most: The largest body that is read, in bytes.

    Raises:
        EvaluationError: code `engine.malformed`: it is no answer of HTTP/1.1, its end
            is not told, or its body is larger.
        ConnectionResetError: the connection has ended before it did.
    """
    incoming = _Incoming(receive)
    status, minor, headers = _head(incoming)
    while status == _CONTINUE:
        status, minor, headers = _head(incoming)
    if status < 200:  # noqa: PLR2004 -- nothing that we have asked for
        raise no_http()
    if status in _WITHOUT_BODY:
        body = b""
    elif b"transfer-encoding" in headers:
        body = _chunked(incoming, headers, most=most)
    else:
        body = incoming.exactly(_length(headers, most=most))
    kept = minor == b"1" and b"close" not in headers.get(b"connection", b"").lower()
    return Answer(status, headers, body, kept and incoming.is_empty)


class _Incoming:
    """Gives out what comes by its ends and lengths."""

    __slots__ = ("_held", "_receive")

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._held = b""

    @property
    def is_empty(self) -> bool:
        """Say whether all that came was given out."""
        return not self._held

    def until(self, end: bytes) -> bytes:
        """Return what comes before an end, which is left out."""
        held = self._held
        while (place := held.find(end)) < 0:
            if len(held) > MOST_HEAD_BYTES:
                raise no_http()
            held += self._more()
        self._held = held[place + len(end) :]
        return held[:place]

    def exactly(self, count: int) -> bytes:
        """Return so many bytes."""
        held = self._held
        if len(held) < count:
            parts, size = [held], len(held)
            while size < count:
                parts.append(self._more())
                size += len(parts[-1])
            held = b"".join(parts)
        self._held = held[count:]
        return held[:count]

    def _more(self) -> bytes:
        part = self._receive()
        if not part:
            raise ConnectionResetError
        return part


def _head(incoming: _Incoming) -> tuple[int, bytes, dict[bytes, bytes]]:
    found = _HEAD.fullmatch(incoming.until(b"\r\n\r\n"))
    if found is None:
        raise no_http()
    minor, status, lines = found.groups()
    headers: dict[bytes, bytes] = {}
    for line in lines.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in headers and name in _FRAMING:
            raise no_http()
        headers[name] = value.strip(b" \t")
    return int(status), minor, headers


def _length(headers: dict[bytes, bytes], *, most: int) -> int:
    told = headers.get(b"content-length")
    # Without it the end would be the connection's, whoever brought that about.
    if told is None or _LENGTH.fullmatch(told) is None:
        raise no_http()
    length = int(told)
    if length > most:
        raise too_large(most)
    return length


def _chunked(incoming: _Incoming, headers: dict[bytes, bytes], *, most: int) -> bytes:
    if (
        b"content-length" in headers
        or headers[b"transfer-encoding"].lower() != b"chunked"
    ):
        raise no_http()
    parts, size = [], 0
    while True:
        found = _CHUNK.fullmatch(incoming.until(b"\r\n"))
        if found is None:
            raise no_http()
        length = int(found[1], 16)
        if length == 0:
            break
        size += length
        if size > most:
            raise too_large(most)
        parts.append(incoming.exactly(length))
        if incoming.exactly(2) != b"\r\n":
            raise no_http()
    # Trailers say nothing here.
    while incoming.until(b"\r\n"):
        pass
    return b"".join(parts)
