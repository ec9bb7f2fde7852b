"""In which capacity a question is asked, and what is known beside the question."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Literal

from policyguard.guard.obligations import ANYTHING, Sending
from policyguard.guard.persons import NOBODY, Persons
from policyguard.vocabulary.found import Found
from policyguard.vocabulary.record import Layer, Trace


def current_trace() -> Trace | None:
    """Return the span of OpenTelemetry that the running code is in; `None`: in none.

    Nothing is loaded for it: where nobody has loaded the API, nobody has a span.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    try:
        span = api.get_current_span().get_span_context()
        if not span.is_valid:
            return None
        return Trace(trace_id=f"{span.trace_id:032x}", span_id=f"{span.span_id:016x}")
    except Exception:  # noqa: BLE001 -- tracing decides about no call
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Says in which capacity a question is asked."""

    call_id: str
    layer: Layer = "call"
    kind: Literal["decision", "check"] = "decision"
    attempt: int = 0
    prompt: bytes | None = field(default=None, repr=False)
    """What is sent, where it is to be kept."""
    persons: Persons = NOBODY
    """The people whom the call is about."""
    sending: Sending = ANYTHING
    """What is known of the body."""
    offers: bool = True
    """Whether a refusal looks for other hosts of the same model."""
    found: Found | None = None
    """What a search in the data found; `None`: nobody searched."""
    path: str = ""
    """Of the URL, as far as it is known."""
    why: str = ""
    """Why something that is sent could not be read, for a person."""
    tool: str | None = None
    """The tool whose call it is, where the application has named it."""
    offered: tuple[str, ...] = ()
    """The tools that the model may call, as they were typed."""
    trace: Trace | None = field(default_factory=current_trace)
    """Where the caller was when it asked; in no question to the rules."""
    begun: int = field(default_factory=perf_counter_ns)
    """When the question was put, for whoever measures."""
