"""Identifiers and instants: what a decision is called and when it was made.

UUID version 7 of RFC 9562 (time first, so that ids sort by when they were made).
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime


def new_id() -> str:
    """Return a fresh UUID version 7 as text."""
    millis = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10))
    value = (millis & (1 << 48) - 1) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    # Not `str(UUID(int=value))`, which takes twice as long: each record has two.
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def wall_clock() -> datetime:
    """Return the present instant in UTC."""
    return datetime.now(UTC)


def record_time(instant: datetime) -> str:
    """Return an instant as RFC 3339 in UTC with exactly six decimals."""
    at = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    # Half of the work that `isoformat` is, which asks for the offset.
    return "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ" % (  # noqa: UP031 -- a third of `format`
        at.year,
        at.month,
        at.day,
        at.hour,
        at.minute,
        at.second,
        at.microsecond,
    )
