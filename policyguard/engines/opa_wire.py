"""Carries questions to an OPA server: pooled connections, one deadline, no surprises.

Stands in for the session of `requests` in OPA's client, which follows redirects, reads
`~/.netrc` and proxy variables, and lets a server that sends one byte at a time take
as long as it likes. Here nothing is followed, nothing is read from the environment,
and the deadline is for the whole exchange.

Owner: one `Wire` belongs to one engine, and any thread may use it. A connection has one
user at a time, and is dropped after any trouble and in a forked child: two that read
from one connection could get each other's decisions.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from policyguard.engines.opa_http import read_answer
from policyguard.engines.opa_server import Address
from policyguard.errors import EvaluationError

_OK: Final = 200
_CHUNK: Final = 1 << 16
"""Of what is received at a time, in bytes."""


@dataclass(frozen=True, slots=True)
class RawInput:
    """Is JSON text that stands for itself where a client would encode a value."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """Is a whole answer, with as much of a response's face as OPA's client uses."""

    status_code: int
    body: bytes
    etag: str | None = None

    def raise_for_status(self) -> None:
        """Refuse every status but 200.

        Raises:
            EvaluationError: code `engine.evaluation` for a failure of the evaluation,
                `engine.refused` for anything else.
        """
        require_ok(self.status_code, self.body)

    def json(self) -> Any:
        """Return the parsed body.

        Raises:
            EvaluationError: code `engine.malformed`: it is no JSON.
        """
        return parsed(self.body)


def require_ok(status: int, body: bytes) -> None:
    """Refuse every status but 200; see `Reply.raise_for_status`."""
    if status == _OK:
        return
    try:
        code = orjson.loads(body).get("code")
    except (ValueError, AttributeError):
        code = None
    if status == 500 and code == "internal_error":  # noqa: PLR2004 -- OPA's own
        raise EvaluationError("the evaluation failed in OPA")
    raise EvaluationError(
        f"OPA answered with status {status}: check its address, its token and its"
        " authorization policy",
        code="engine.refused",
    )


def parsed(body: bytes) -> Any:
    """Return a parsed body; see `Reply.json`."""
    try:
        return orjson.loads(body)
    except ValueError:
        raise EvaluationError(
            "OPA's answer is no JSON", code="engine.malformed"
        ) from None


def encoded(value: Mapping[str, Any]) -> bytes:
    """Return the body of a question; raw input goes in as it is."""
    raw = value.get("input")
    if not isinstance(raw, RawInput):
        return orjson.dumps(value)
    rest = {key: item for key, item in value.items() if key != "input"}
    head = orjson.dumps(rest)[:-1] + b"," if rest else b"{"
    return head + b'"input":' + raw.text + b"}"


def late() -> EvaluationError:
    """Return the refusal of an answer that did not come in time."""
    return EvaluationError(
        "OPA did not answer within the deadline: look at the server, or raise"
        " `deadline_ms` under [engine]",
        code="engine.timeout",
    )


def unreachable(error: BaseException) -> EvaluationError:
    """Return the refusal of a question that could not be put."""
    return EvaluationError(
        f"OPA cannot be reached: {type(error).__name__}: start it, or correct its"
        " address under [engine]",
        code="engine.unreachable",
    )


class Wire:
    """Sends and receives over a pool of connections."""

    def __init__(self, address: Address, *, most_bytes: int, connections: int) -> None:
        """Connect nowhere yet.

        Args:
            address: Whom to ask.
            most_bytes: The largest answer that is read.
            connections: How many idle connections are kept.
        """
        self._address = address
        self._most_bytes = most_bytes
        self._idle: deque[_Connection] = deque()
        self._connections = connections
        self._lock = threading.Lock()
        self._pid = os.getpid()
        host = f"[{address.host}]" if ":" in address.host else address.host
        self._base = f"{'https' if address.tls else 'http'}://{address.host}:"
        head = f"Host: {host}:{address.port}\r\nAccept: application/json\r\n"
        if address.token is not None:
            head += f"Authorization: Bearer {address.token}\r\n"
        self._head = head.encode("ascii")

    def post(self, url: str, *, json: Mapping[str, Any], timeout: float) -> Reply:
        """Send a question, and return the answer.

        Args:
            url: An address of this server.
            json: The body.
            timeout: Seconds for the whole exchange.

        Raises:
            EvaluationError: code `engine.unreachable`, `engine.timeout` or
                `engine.malformed`.
        """
        body = encoded(json)
        head = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        return self._exchange(b"POST", url, head=head, body=body, timeout=timeout)

    def get(
        self, url: str, *, timeout: float, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Fetch a document; see `post`."""
        lines = [f"{name}: {value}\r\n" for name, value in (headers or {}).items()]
        head = "".join(lines).encode("ascii")
        return self._exchange(b"GET", url, head=head, body=b"", timeout=timeout)

    def close(self) -> None:
        """Close what is idle; a later question connects anew."""
        with self._lock:
            idle, self._idle = self._idle, deque()
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        """Close what is idle, when the last guard that asked here has gone."""
        with contextlib.suppress(Exception):
            self.close()

    def _exchange(
        self, method: bytes, url: str, *, head: bytes, body: bytes, timeout: float
    ) -> Reply:
        until = time.monotonic() + timeout
        path = "/" + url.removeprefix(self._base).partition("/")[2]
        message = b"%s %s HTTP/1.1\r\n%s%s\r\n%s" % (
            method,
            path.encode("ascii"),
            self._head,
            head,
            body,
        )
        try:
            try:
                return self._once(message, until=until)
            except ConnectionError:
                # An idle connection that the server has closed meanwhile: asking is
                # harmless, so it is done once more, on a fresh one.
                self.close()
                return self._once(message, until=until)
        except TimeoutError:
            raise late() from None
        except (OSError, UnicodeError) as error:
            raise unreachable(error) from None

    def _once(self, message: bytes, *, until: float) -> Reply:
        connection = self._take() or _Connection(self._address, until=until)
        kept = False
        try:
            connection.until = until
            connection.send(message)
            answer = read_answer(connection.receive, most=self._most_bytes)
            if answer.reusable:
                self._give_back(connection)
                kept = True
            return Reply(
                answer.status, answer.body, _plain(answer.headers.get(b"etag"))
            )
        finally:
            if not kept:
                connection.close()

    def _take(self) -> _Connection | None:
        with self._lock:
            if self._pid != os.getpid():
                # The parent's: closing our copies of the descriptors ends nothing
                # of its, and TLS must not say farewell in its name.
                for connection in self._idle:
                    connection.abandon()
                self._idle.clear()
                self._pid = os.getpid()
            while self._idle:
                connection = self._idle.pop()
                if connection.is_quiet():
                    return connection
                connection.close()
        return None

    def _give_back(self, connection: _Connection) -> None:
        with self._lock:
            if len(self._idle) < self._connections and self._pid == os.getpid():
                self._idle.append(connection)
                return
        connection.close()


def _plain(tag: bytes | None) -> str | None:
    """Return a tag that can be sent back in a header; nothing if it cannot."""
    text = tag.decode("latin-1") if tag else ""
    return text if text and text.isascii() and text.isprintable() else None


class _Connection:
    """Is one connection, each read and write of which ends with the deadline."""

    def __init__(self, address: Address, *, until: float) -> None:
        self.until = until
        plain = socket.create_connection(
            (address.host, address.port), timeout=self._left()
        )
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = plain
            if address.tls is not None:
                plain.settimeout(self._left())
                self._socket = address.tls.wrap_socket(
                    plain, server_hostname=address.host
                )
        except BaseException:
            plain.close()
            raise

    def send(self, data: bytes) -> None:
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def receive(self) -> bytes:
        self._socket.settimeout(self._left())
        return self._socket.recv(_CHUNK)

    def is_quiet(self) -> bool:
        """Say whether nothing has come since the last answer, not even the end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self._socket.close()

    def abandon(self) -> None:
        descriptor = self._socket.detach()
        if descriptor >= 0:
            os.close(descriptor)

    def _left(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
