"""A signed, dated softening of one rule of the bundle, for one tenant."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from policyguard.vocabulary.approval import KeyName, StatementId
from policyguard.vocabulary.value import Id, Instant, RuleId, Text, Value


class Override(Value):
    """Softens what a rule finds, from one instant to another.

    The rule is still evaluated, and what it finds is recorded with the override's id.
    """

    id: StatementId
    rule: RuleId
    tenant: Id
    to: Literal["require_approval", "advise"]
    """What stronger effects of the rule become."""
    since: Instant
    until: Instant
    """The first second at which it does not hold any more."""
    author: KeyName
    reason: Text

    @field_validator("since", "until")
    @classmethod
    def _whole_second(cls, value: Instant) -> Instant:
        # It becomes a boundary of the rulebook, which are whole seconds.
        if value.microsecond:
            raise ValueError("an override begins and ends at a whole second")
        return value
