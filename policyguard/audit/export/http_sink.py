"""Sends events to an HTTP collector in gzip batches, as OPA does.

A batch was taken when the collector says 2xx. A redirect is refused: it could lead
records elsewhere. What is not there, busy or broken is tried again a few times, with
growing pauses; everything else ends the sending. Nothing is kept for later: whoever
sends again begins behind the last event that was taken.
"""

from __future__ import annotations

import gzip
import http.client
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import orjson

from policyguard.errors import ConfigurationError, TrailError

MOST_EVENTS: Final = 500
MOST_BYTES: Final = 1 << 20
ATTEMPTS: Final = 5
_TIMEOUT_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 0.5
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_TRY_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
_TAKEN: Final = range(200, 300)
_ELSEWHERE: Final = range(300, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSink:
    """Is a collector of events."""

    url: str
    token: str | None = field(default=None, repr=False)
    pause: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        """Refuse an address to which records must not go."""
        parts = self._parts
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(
                f"`{self.url}` is no address of a collector: give `https://host/path`"
            )
        if parts.username is not None:
            raise ConfigurationError(
                "an address has no password in it: give a file with the token"
            )
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ConfigurationError(
                f"`{self.url}` is not encrypted: give an `https` address"
            )

    @property
    def _parts(self) -> SplitResult:
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError as error:
            raise ConfigurationError(f"`{self.url}` is no address: {error}") from error
        return parts

    def send(self, events: Iterable[dict[str, Any]]) -> Iterator[int]:
        """Send events in batches; give after each how many were taken so far.

        Raises:
            TrailError: the collector did not take a batch.
        """
        taken = 0
        for batch in _batches(events):
            self._deliver(gzip.compress(b"[" + b",".join(batch) + b"]", mtime=0))
            taken += len(batch)
            yield taken

    def _deliver(self, body: bytes) -> None:
        said = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self.pause(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            try:
                status = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                said = str(error) or type(error).__name__
                continue
            if status in _TAKEN:
                return
            said = f"it answers {status}"
            if status in _ELSEWHERE:
                raise TrailError(
                    f"the collector `{self.url}` sends elsewhere ({status}): records go"
                    " nowhere but to the address that was given"
                )
            if status not in _TRY_AGAIN:
                break
        raise TrailError(f"the collector `{self.url}` takes no events: {said}")

    def _post(self, body: bytes) -> int:
        parts = self._parts
        host = parts.hostname or ""
        connection = (
            http.client.HTTPSConnection(
                host,
                parts.port,
                timeout=_TIMEOUT_SECONDS,
                context=ssl.create_default_context(),
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_SECONDS)
        )
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request("POST", target, body=body, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()


def _batches(events: Iterable[dict[str, Any]]) -> Iterator[Sequence[bytes]]:
    """Divide events by number and by size; one that is too large alone goes alone."""
    batch: list[bytes] = []
    size = 0
    for event in events:
        data = orjson.dumps(event)
        if batch and (len(batch) == MOST_EVENTS or size + len(data) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(data)
        size += len(data)
    if batch:
        yield batch
