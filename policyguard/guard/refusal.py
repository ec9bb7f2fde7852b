"""Makes refusals of decisions, and of refusals the exception of their verdict."""

from __future__ import annotations

from typing import Final

from policyguard.errors import (
    ApprovalRequired,
    ModelUnavailable,
    NoDecision,
    NotAllowed,
    PolicyDenied,
    PolicyGuardError,
)
from policyguard.guard.messages import operator_view
from policyguard.vocabulary.decision import Decision

DECISION: Final = "policyguard.decision"
"""Names the decision among the extensions of an answer that a transport has made."""


def not_allowed(decision: Decision, *, message: str | None = None) -> NotAllowed:
    """Return the exception that says why a call is not allowed.

    Args:
        decision: The refusal.
        message: What it says; without it the operator's view.
    """
    message = operator_view(decision) if message is None else message
    if decision.code is not None:
        return NoDecision(message, decision=decision)
    if decision.verdict == "require_approval":
        return ApprovalRequired(message, decision=decision)
    if decision.verdict == "unavailable":
        return ModelUnavailable(message, decision=decision)
    return PolicyDenied(message, decision=decision)


def refused(decision: Decision, *, code: str, detail: str) -> Decision:
    """Return a decision as one that could not be had, or could not be obeyed."""
    return decision.model_copy(
        update={
            "verdict": "deny",
            "code": code,
            "detail": detail,
            "alternatives": (),
            "rejected": (),
        }
    )


def unrecorded(decision: Decision, error: Exception) -> Decision:
    """Return a decision as one that could not be made durable."""
    known = isinstance(error, PolicyGuardError)
    detail = str(error) if known else f"{type(error).__name__} while recording"
    return refused(decision, code="trail.not_durable", detail=detail)


def denial_of(error: BaseException) -> Decision | None:
    """Return the decision behind an error, however an SDK has wrapped it.

    Args:
        error: What `guard.call` raised, or a protected client's own error for the
            answer 403 that its transport gave.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        if isinstance(current, NotAllowed):
            return current.decision
        answer = getattr(current, "response", None)
        extensions = getattr(answer, "extensions", None)
        found = extensions.get(DECISION) if isinstance(extensions, dict) else None
        if isinstance(found, Decision):
            return found
        seen.add(id(current))
        current = current.__cause__ or current.__context__
    return None
