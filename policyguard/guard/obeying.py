"""Puts into a call's arguments what its obligations want in the body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from policyguard.guard.describe import Described, with_fields
from policyguard.guard.obligations import Sending, to_set
from policyguard.guard.refusal import not_allowed
from policyguard.vocabulary.decision import Decision


def sending_of(
    described: Described, fn: Callable[..., object], kwargs: dict[str, Any]
) -> Sending:
    """Return what is known of a body that is not made yet."""
    may_set = with_fields(fn, kwargs, {}) is not None
    return Sending(parameters=described.parameters, may_set=may_set)


def obeying(
    decision: Decision, fn: Callable[..., object], kwargs: dict[str, Any]
) -> Any:
    """Return a call's arguments with what its obligations put into the body.

    Raises:
        NoDecision: the body cannot be given it.
    """
    fields = to_set(decision.obligations)
    if not fields:
        return kwargs
    changed = with_fields(fn, kwargs, fields)
    if changed is None:
        said = f"the body cannot be given `{', '.join(fields)}`"
        known = {"verdict": "deny", "code": "obligation.undischarged", "detail": said}
        raise not_allowed(decision.model_copy(update=known))
    return changed
