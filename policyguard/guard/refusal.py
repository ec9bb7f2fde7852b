"""Turns a decision that does not allow into the exception of its verdict."""

from __future__ import annotations

from policyguard.errors import (
    ApprovalRequired,
    ModelUnavailable,
    NoDecision,
    NotAllowed,
    PolicyDenied,
)
from policyguard.guard.messages import operator_view
from policyguard.vocabulary.decision import Decision


def not_allowed(decision: Decision) -> NotAllowed:
    """Return the exception that says why a call is not allowed."""
    message = operator_view(decision)
    if decision.code is not None:
        return NoDecision(message, decision=decision)
    if decision.verdict == "require_approval":
        return ApprovalRequired(message, decision=decision)
    if decision.verdict == "unavailable":
        return ModelUnavailable(message, decision=decision)
    return PolicyDenied(message, decision=decision)


def denial_of(error: BaseException) -> Decision | None:
    """Return the decision behind an error, however an SDK has wrapped it."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        if isinstance(current, NotAllowed):
            return current.decision
        seen.add(id(current))
        current = current.__cause__ or current.__context__
    return None
