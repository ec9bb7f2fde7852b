"""Sees that obligations are kept: refuses what cannot be, and puts the rest into bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from policyguard.catalog.catalog import Catalog
from policyguard.guard.describe import Described, with_fields
from policyguard.guard.obligations import (
    Sending,
    Situation,
    is_known,
    to_set,
    undischarged,
)
from policyguard.guard.refusal import not_allowed, refused
from policyguard.vocabulary.decision import Decision


def sending_of(
    described: Described, fn: Callable[..., object], kwargs: dict[str, Any]
) -> Sending:
    """Return what is known of a body that is not made yet."""
    return Sending(
        parameters=described.parameters,
        may_set=lambda: with_fields(fn, kwargs, {}) is not None,
    )


def obeyed(
    decision: Decision, *, catalog: Catalog, sending: Sending, may_notify: bool
) -> Decision:
    """Return a decision, or its refusal if an obligation cannot be discharged.

    Args:
        decision: It allows.
        catalog: Says what is known of its route.
        sending: What is known of the body.
        may_notify: Whether somebody can be told, or was.
    """
    if not decision.obligations:
        return decision
    situation = Situation(
        call=decision.call, catalog=catalog, sending=sending, may_notify=may_notify
    )
    left = undischarged(decision.obligations, situation=situation)
    if not left:
        return decision
    named = ", ".join(f"`{item.type}` of {item.id}" for item in left)
    known = all(is_known(item.type) for item in left)
    return refused(
        decision,
        code="obligation.undischarged" if known else "obligation.unknown",
        detail=f"this guard cannot discharge {named}",
    )


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
