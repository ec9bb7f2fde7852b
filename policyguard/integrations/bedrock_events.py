"""Reads what a Bedrock answer says of itself while its bytes pass, and keeps almost none.

Specification: AWS's event stream encoding, as botocore reads it; the event `metadata` of
ConverseStream; `chunk` of InvokeModelWithResponseStream, in which the model's own events
and Bedrock's `amazon-bedrock-invocationMetrics` are.

Reading never breaks an answer: what cannot be read says nothing.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from policyguard.guard.describe import Observed
from policyguard.integrations.wire_stream import observed_in

_LONGEST: Final = 1 << 20
"""Bytes of an answer that is no stream, or of one event."""
_METRICS: Final = "amazon-bedrock-invocationMetrics"


class Reading:
    """Takes the bytes of one answer, a part after the other."""

    def __init__(self, *, events: bool) -> None:
        """Begin.

        Args:
            events: Whether they are events, and not one document.
        """
        self._buffer = _buffer() if events else None
        self._events = events
        self._whole = bytearray()
        self._seen = Observed()

    def feed(self, part: bytes) -> None:
        """Take the next bytes; never raises."""
        try:
            if not self._events:
                if len(self._whole) <= _LONGEST:
                    self._whole += part
            elif self._buffer is not None:
                self._buffer.add_data(part)
                for message in self._buffer:
                    with contextlib.suppress(ValueError, RecursionError):
                        self._event(message)
        except Exception:  # noqa: BLE001 -- watching must never break the answer
            self._buffer = None

    def observed(self) -> Observed:
        """Return what was said."""
        if self._events or not self._whole or len(self._whole) > _LONGEST:
            return self._seen
        try:
            return said_in(json.loads(bytes(self._whole)))
        except (ValueError, RecursionError):
            return Observed()

    def _event(self, message: Any) -> None:
        if len(message.payload) > _LONGEST:
            return
        kind = message.headers.get(":event-type")
        if kind == "metadata":
            self._merge(said_in(json.loads(message.payload)))
        elif kind == "chunk":
            inner = json.loads(message.payload).get("bytes", "")
            self._merge(said_in(json.loads(base64.b64decode(inner))))

    def _merge(self, new: Observed) -> None:
        known = {
            name: getattr(new, name)
            for name in ("served_model", "input_tokens", "output_tokens", "tier")
            if getattr(new, name) is not None
        }
        self._seen = replace(self._seen, **known)


def said_in(document: object) -> Observed:
    """Return what a document of Bedrock's, or of the model behind it, says."""
    if not isinstance(document, Mapping):
        return Observed()
    metrics = document.get(_METRICS)
    if isinstance(metrics, Mapping):
        return Observed(
            input_tokens=count(metrics.get("inputTokenCount")),
            output_tokens=count(metrics.get("outputTokenCount")),
        )
    usage = document.get("usage")
    if isinstance(usage, Mapping) and "outputTokens" in usage:
        return Observed(
            input_tokens=count(usage.get("inputTokens")),
            output_tokens=count(usage.get("outputTokens")),
        )
    return observed_in(document)


def count(value: object) -> int | None:
    """Return a number of tokens, if it is one."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and value >= 0 else None  # type: ignore[operator,return-value]


def _buffer() -> Any:
    try:
        from botocore.eventstream import (  # type: ignore[import-untyped]
            EventStreamBuffer,
        )
    except ImportError:
        return None
    return EventStreamBuffer()
