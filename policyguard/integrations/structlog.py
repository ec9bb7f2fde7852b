"""Events with the decision's id, for applications that log with structlog.

    structlog.watch(guard)
    structlog.configure(processors=[policyguard.integrations.structlog.add_decision, …])

A library does not configure logging: events go to the standard logger `policyguard`,
or to the logger that is given, and `add_decision` is a processor for the application's
own chain.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final

from policyguard.guard import wire
from policyguard.guard.events import log
from policyguard.guard.signals import ATTRIBUTES
from policyguard.guard.watching import Decided, Ended

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

DECISION: Final = "policy.decision"
OUTCOME: Final = "policy.outcome"
FIELDS: Final = {
    name: name.removeprefix("policyguard.").replace(".", "_") for name in ATTRIBUTES
}
"""The field of `policy.decision` for each attribute of the span."""


def watch(guard: Guard, *, logger: Any = None) -> None:
    """Log an event for each decision and each outcome of a guard.

    Args:
        guard: What is watched, in place, with all guards bound from it.
        logger: A logger of structlog; without it the standard logger `policyguard`.

    Raises:
        ConfigurationError: it is watched already.
    """
    guard.core.watching.add(_Structlog(log if logger is None else logger))


def add_decision(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add the ids of the guarded call that the running code is in, if it is in one."""
    state = wire.current()
    if state is not None:
        event.setdefault("decision_id", state.decision.id)
        event.setdefault("call_id", state.call_id)
    return event


class _Structlog:
    name = "structlog"

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def decided(self, event: Decided) -> None:
        fields = {FIELDS[name]: value for name, value in event.attributes.items()}
        self._logger.info(DECISION, **fields, seconds=round(event.seconds, 6))

    def ended(self, event: Ended) -> None:
        self._logger.info(
            OUTCOME,
            decision_id=event.decision,
            call_id=event.call,
            outcome=event.outcome,
            error=event.error,
        )
