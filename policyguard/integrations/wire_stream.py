"""Watches an answer pass by, and records how it ended.

Owner: one `Watch` belongs to one answer. A crash loses it, and the decision stays
without an outcome, which an auditor sees. An answer that lies about its end or its
model is recorded as it says.

An SDK closes a stream after its last event, before the bytes are at their end: so the
last event counts as the end. Specification: WHATWG server-sent events, as far as
lines go; the last events of OpenAI's chat and responses, and of Anthropic's messages.
"""

from __future__ import annotations

import json
import sys
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from policyguard.guard.answers import Committing
from policyguard.guard.describe import Observed
from policyguard.guard.recording import OutcomeWord
from policyguard.integrations.wire_usage import (
    NOTHING,
    Expected,
    compared,
    has_output_in,
)

Decoders: TypeAlias = Mapping[str, Callable[[], Any]]
"""Makes what unpacks bytes, by the name of a content coding."""
Record: TypeAlias = Callable[[OutcomeWord, str | None, Callable[[], Observed]], None]

_LONGEST_LINE: Final = 64 << 10
_LONGEST_DOCUMENT: Final = 1 << 20
_MOST_KEPT: Final = 64 << 10
"""Bytes of an answer that are kept until its record is made."""
_MOST_AT_ONCE: Final = 1 << 20
_TOO_MUCH: Final = "the answer unpacks to more than is worth watching"
_LAST_TYPES: Final = frozenset(
    {"message_stop", "response.completed", "response.incomplete", "response.failed"}
)
_LAST_NAMES: Final = tuple(name.encode() for name in sorted(_LAST_TYPES))


def observed_in(document: object) -> Observed:
    """Read model and usage from an answer of OpenAI's or Anthropic's API."""
    if not isinstance(document, Mapping):
        return Observed()
    for inner in ("response", "message"):
        if isinstance(document.get(inner), Mapping) and "model" not in document:
            return observed_in(document[inner])
    usage = document.get("usage")
    counts = usage if isinstance(usage, Mapping) else {}
    return Observed(
        served_model=_text(document.get("model")),
        served_region=_text(counts.get("inference_geo")),
        input_tokens=_count(counts, "prompt_tokens", "input_tokens"),
        output_tokens=_count(counts, "completion_tokens", "output_tokens"),
        tier=_text(document.get("service_tier")) or _text(counts.get("service_tier")),
        has_output=has_output_in(document),
        file=_text(document.get("id")) if document.get("object") == "file" else None,
    )


def region_in(headers: Mapping[str, str]) -> str | None:
    """Return the region that an answer's headers name, as Azure's do."""
    return headers.get("x-ms-region") or None


class Watch:
    """Sees the bytes of one answer, keeps almost none, and records its end once."""

    def __init__(
        self,
        headers: Mapping[str, str],
        *,
        committing: Committing,
        record: Record,
        expected: Expected = NOTHING,
        decoders: Decoders | None = None,
    ) -> None:
        """Begin.

        Args:
            headers: Those of the answer.
            committing: Takes the bytes of the answer.
            record: Is called once, with the outcome, an error's name and what says, when
                it is called, what was seen.
            expected: What the answer has to keep to.
            decoders: Unpack it, where it is packed by another coding than gzip.
        """
        self._expected = expected
        self._record = record
        self._committing = committing
        self._once = threading.Lock()
        self._open = True
        self._ended = False
        self._headers = headers
        self._decode = _decoder(headers.get("content-encoding", ""), decoders or {})
        kind = headers.get("content-type", "").lower()
        self._reader: _Lines | _Document | None = None
        if kind.startswith("text/event-stream"):
            self._reader = _Lines()
        elif kind.startswith("application/json"):
            self._reader = _Document()

    def feed(self, chunk: bytes) -> None:
        """Look at bytes as they came from the network; never raises."""
        if not self._open:
            # What is recorded is what had passed by then.
            return
        self._committing.feed(chunk)
        if self._decode is None or self._reader is None:
            return
        try:
            self._reader.feed(self._decode(chunk))
        except Exception:  # noqa: BLE001 -- watching must never break the answer
            self._decode = None

    def exhausted(self) -> None:
        """Note that the answer came to the end of its bytes."""
        self._ended = True

    def failed(self, error: BaseException) -> None:
        """Record that the answer broke off, unless its last event was seen."""
        if self._reader is not None and self._reader.last_seen:
            self._finish("complete")
            return
        word: OutcomeWord = "error" if isinstance(error, Exception) else "cancelled"
        self._finish(word, type(error).__qualname__)

    def closed(self) -> None:
        """Record the end, if it is not recorded yet."""
        if self._ended or (self._reader is not None and self._reader.last_seen):
            self._finish("complete")
        elif self._decode is None:
            # Nobody could read the bytes: whether the end was among them is unknown.
            self._finish("delegated")
        else:
            self._finish("abandoned")

    @property
    def is_open(self) -> bool:
        """Say whether the end is still to be recorded."""
        return self._open

    def _finish(self, word: OutcomeWord, error: str | None = None) -> None:
        with self._once:
            if not self._open:
                return
            self._open = False
        if self._reader is not None and self._reader.size > _MOST_KEPT:
            seen = self._seen()
            self._record(word, error, lambda: seen)
            return
        self._record(word, error, self._seen)

    def _seen(self) -> Observed:
        answer = self._committing.commitment()
        seen = self._reader.observed() if self._reader is not None else Observed()
        region = seen.served_region or region_in(self._headers)
        seen = replace(seen, served_region=region, answer=answer)
        return compared(seen, self._expected)


class _Lines:
    """Reads events, one line at a time."""

    size = 0
    """Bytes that are kept until the end."""

    def __init__(self) -> None:
        self.last_seen = False
        self._rest = b""
        self._skipping = False
        self._seen = Observed()

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if line and not self._skipping:
                self._line(line)
            self._skipping = False
        if len(self._rest) > _LONGEST_LINE:
            self._rest = b""
            self._skipping = True

    def observed(self) -> Observed:
        return self._seen

    def _line(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.strip()
        if name == b"event":
            self.last_seen |= value.decode("utf-8", "replace") in _LAST_TYPES
        elif name == b"data" and value.startswith(b"[DONE]"):
            self.last_seen = True
        elif name == b"data" and self._is_worth_reading(value):
            self._merge(value)

    def _is_worth_reading(self, value: bytes) -> bool:
        return (
            self._seen.served_model is None
            or b'"usage"' in value
            # Another model than so far: inside of a text its quotes are escaped.
            or (b'"model":' in value and self._seen.served_model.encode() not in value)
            or any(map(value.__contains__, _LAST_NAMES))
        )

    def _merge(self, value: bytes) -> None:
        try:
            document = json.loads(value)
        except (ValueError, RecursionError):
            return
        if isinstance(document, Mapping) and document.get("type") in _LAST_TYPES:
            self.last_seen = True
        new, old = observed_in(document), self._seen
        self._seen = Observed(
            served_model=new.served_model or old.served_model,
            served_region=new.served_region or old.served_region,
            input_tokens=_newest(new.input_tokens, old.input_tokens),
            output_tokens=_newest(new.output_tokens, old.output_tokens),
            tier=new.tier or old.tier,
        )


class _Document:
    """Reads one JSON answer, if it is short."""

    last_seen = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        if self.size <= _LONGEST_DOCUMENT:
            self._parts.append(data)
        else:
            self._parts.clear()

    def observed(self) -> Observed:
        try:
            return observed_in(json.loads(b"".join(self._parts)))
        except (ValueError, RecursionError):
            return Observed()


def decoders_of(module: object) -> Decoders:
    """Return what httpx or httpx2 unpacks an answer by, for each coding that it knows."""
    name = getattr(module, "__name__", "")
    known = getattr(sys.modules.get(f"{name}._decoders"), "SUPPORTED_DECODERS", None)
    return known if isinstance(known, Mapping) else {}


def _decoder(encoding: str, decoders: Decoders) -> Callable[[bytes], bytes] | None:
    """Return what turns bytes of the network into bytes of the answer, if known."""
    names = [part.strip().lower() for part in encoding.split(",")]
    coded = [name for name in names if name not in {"", "identity"}]
    if not coded:
        return lambda data: data
    if len(coded) > 1:
        return None
    if coded[0] == "gzip":
        return _gunzip()
    return _unpacking(decoders[coded[0]]()) if coded[0] in decoders else None


def _gunzip() -> Callable[[bytes], bytes]:
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def decode(data: bytes) -> bytes:
        text = inflate.decompress(data, _MOST_AT_ONCE)
        if inflate.unconsumed_tail:
            raise ValueError(_TOO_MUCH)
        return text

    return decode


def _unpacking(decoder: Any) -> Callable[[bytes], bytes]:
    def decode(data: bytes) -> bytes:
        found = decoder.decode(data)
        text = b""
        # One of the libraries returns bytes, and the other yields them.
        for part in [found] if isinstance(found, bytes) else found:
            text += part
            if len(text) > _MOST_AT_ONCE:
                raise ValueError(_TOO_MUCH)
        return text

    return decode


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(counts: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = counts.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _newest(new: int | None, old: int | None) -> int | None:
    return old if new is None else new
