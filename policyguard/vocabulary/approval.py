"""A person's leave for one `require_approval` finding, as it enters `input`.

INVARIANT: an approval says for what it stands down to the words that the approver read:
rule, finding, tenant, caller, route, model, data classes, purpose, bundle, time. A call
that differs in one of them is another call.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from policyguard.vocabulary.value import Digest, Id, Instant, RuleId, Text, Value

Pseudonym = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""A caller's pseudonym, as leaves have it."""
StatementId = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
]
"""A UUID, version 7."""
KeyName = Annotated[str, StringConstraints(pattern=r"^[^\s+\x00-\x1f]{1,256}$")]
"""The name of a person's key, as `bob@acme.example`: no space and no `+`."""


class Approval(Value):
    """Is leave for one finding of one kind of call, until an instant."""

    id: StatementId
    decision: StatementId
    """The decision that the approver read."""
    rule: RuleId
    msg: str
    """What the rule found, word for word."""
    missing: tuple[str, ...]
    """The facts that it missed."""
    tenant: Id
    caller: Pseudonym
    asked_model: str | None
    asked_host: str | None
    """What the client named: a host that is unknown is approved by its name alone."""
    model: Id | None
    route: tuple[Id | None, ...]
    """The deployments that see the data."""
    data_classes: tuple[str, ...] | None
    purpose: str | None
    bundle: Digest
    """The policy that was in force: bundle, tenant rules and overrides."""
    since: Instant
    until: Instant
    """The first instant at which it does not hold any more."""
    uses: Annotated[int, Field(ge=1, le=1_000_000)]
    """How many calls it allows."""
    approver: KeyName
    reason: Text


class Revocation(Value):
    """Takes an approval back."""

    id: StatementId
    approval: StatementId
    at: Instant
    by: KeyName
    reason: Text


class Softened(Value):
    """Says what took a finding's own effect from it."""

    by: Literal["approval", "override"]
    id: str
    """The approval's id, or the override's."""
    effect: Literal["deny", "unavailable", "require_approval", "oblige"]
    """The effect that the finding had before."""
