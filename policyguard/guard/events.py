"""The guard's log events: structlog's form, the standard library's delivery.

A library does not configure logging. Events go to the standard logger `policyguard`,
so that an application decides what becomes of them. An event is never evidence; the
trail is. No prompt, fact or caller ever is in an event.
"""

from __future__ import annotations

import functools
import importlib
import logging
from typing import Any, Final

_STANDARD: Final = logging.getLogger("policyguard")


class Events:
    """Tells the standard logger of events.

    structlog, a third of the time that a start takes, is imported with the first event
    that somebody wants to hear of.
    """

    def info(self, event: str, **values: object) -> None:
        """Tell of what an operator may want to know."""
        self._tell(logging.INFO, event, values)

    def warning(self, event: str, **values: object) -> None:
        """Tell of what an operator should look at."""
        self._tell(logging.WARNING, event, values)

    def error(self, event: str, **values: object) -> None:
        """Tell of what did not work."""
        self._tell(logging.ERROR, event, values)

    def _tell(self, level: int, event: str, values: dict[str, object]) -> None:
        if _STANDARD.isEnabledFor(level):
            _logger().log(level, event, **values)


@functools.cache
def _logger() -> Any:
    structlog = importlib.import_module("structlog")
    return structlog.wrap_logger(
        _STANDARD,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


log: Final = Events()
