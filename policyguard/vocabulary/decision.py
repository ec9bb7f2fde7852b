"""The answer: a verdict, what each rule found, and what it was computed from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue

from policyguard.vocabulary.approval import Softened
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.found import Found
from policyguard.vocabulary.value import (
    Country,
    Digest,
    Id,
    Instant,
    RuleId,
    Value,
)

Verdict: TypeAlias = Literal["allow", "deny", "require_approval", "unavailable"]
Effect: TypeAlias = Literal[
    "deny", "unavailable", "require_approval", "oblige", "advise"
]
Status: TypeAlias = Literal[
    "in_force",
    "suspended",
    "proposed",
    "contested",
    "contractual",
    "customer_policy",
]


class Obligation(Value):
    """Must be discharged by the guard, or the call is not allowed."""

    id: RuleId
    type: str
    properties: Mapping[str, JsonValue] = Field(default_factory=dict)


class Advice(Value):
    """Is something that a reader may want to know; it changes no verdict."""

    id: RuleId
    msg: str


class Finding(Value):
    """Is one thing that one rule found."""

    id: RuleId
    effect: Effect
    """What it does to the verdict, after the status table and the tenant's profile."""
    status: Status
    verified: bool
    """Whether a person has verified the window of the rule in which `at` falls."""
    msg: str
    facts: Mapping[str, JsonValue] = Field(default_factory=dict)
    """The facts that decided it, by their names in the view."""
    missing: tuple[str, ...] = ()
    """The facts that were needed and unknown."""
    remedy: str = ""
    softened: tuple[Softened, ...] = ()
    """Whose signature took from its effect, in order."""
    title: str = ""
    citation: str = ""


class BundleRef(Value):
    """Names the bundle that answered."""

    revision: str
    digest: Digest


class CatalogRef(Value):
    """Names the catalog that answered."""

    version: str
    digest: Digest
    replaced: tuple[Id, ...] = ()
    """Shipped entries that the user's overlay replaces and this call refers to."""


class EngineRef(Value):
    """Names the engine that answered."""

    name: str
    version: str
    digest: str


class Alternative(Value):
    """Is a deployment that the same call would be allowed to use."""

    deployment: Id
    model: Id
    host: str | None
    name: str | None = None
    """What this endpoint calls the model."""
    countries: tuple[Country, ...] | None
    price: str | None = None
    """List price, for people to read; `None`: nobody has said."""
    microusd: Annotated[int, Field(ge=0)] | None = None
    """What a million tokens in and a million out cost, in millionths of a US dollar."""


class Rejected(Value):
    """Is a deployment that was considered, and may not be used."""

    deployment: Id
    model: Id
    verdict: Verdict
    code: str | None = None
    """Why there is no answer about it; `None` when the rules answered."""
    rules: tuple[RuleId, ...] = ()
    """Those that object."""


class Place(Value):
    """Is where a record stands in the trail."""

    origin: str
    index: Annotated[int, Field(ge=0)]


class Decision(Value):
    """Is the answer to one `ModelCall`."""

    id: str
    """A UUID, version 7."""
    call_id: str
    time: Instant
    """When it was decided, by the wall clock."""
    verdict: Verdict
    code: str | None = None
    """Why there is no answer, as `engine.undefined`; `None` when the rules answered."""
    detail: str = ""
    """What went wrong, when there is a `code`; or what of the call could not be read."""
    requests: tuple[int, ...] = ()
    """Of a batch: the requests, from 1, that this is about, or the first ones of those
    that are refused. Empty for what is no batch."""
    findings: tuple[Finding, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    advice: tuple[Advice, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    """Other hosts of the same model that the call may use, cheapest first."""
    rejected: tuple[Rejected, ...] = ()
    """Deployments that were considered for it, and that rules object to as well."""
    found: Found | None = None
    """What a search in the data found; `None`: nobody searched."""
    call: ModelCall
    bundle: BundleRef
    catalog: CatalogRef
    engine: EngineRef
    simulated: bool = False
    """Whether `at` came from somewhere else than the guard's own wall clock."""
    enforced: bool = True
    """Whether an objection stops the call; not, where the tenant only observes."""
    record: Place | None = None

    @property
    def allowed(self) -> bool:
        """Say whether the call may be made."""
        return self.verdict == "allow" and self.code is None

    @property
    def goes_ahead(self) -> bool:
        """Say whether the call is made: it is allowed, or the tenant only observes.

        INVARIANT: without an answer of the rules, or without a durable record, no call
        is made in any mode: then there is a `code`.
        """
        return self.allowed or (self.code is None and not self.enforced)


class Route(Value):
    """Is where a call may go, and the recorded decision that says so."""

    to: Alternative | None
    """The best deployment that is permitted; `None`: none is."""
    decision: Decision
    """About that deployment, or about the call as it was asked if none is permitted."""
