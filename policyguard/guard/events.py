"""The guard's log events: structlog's form, the standard library's delivery.

A library does not configure logging. Events go to the standard logger `policyguard`,
so that an application decides what becomes of them. An event is never evidence; the
trail is. No prompt, fact or caller ever is in an event.
"""

from __future__ import annotations

import logging
from typing import Final

import structlog

log: Final[structlog.stdlib.BoundLogger] = structlog.wrap_logger(
    logging.getLogger("policyguard"),
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.processors.KeyValueRenderer(key_order=["event"]),
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)
