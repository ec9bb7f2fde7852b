"""What the trail remembers: the leaf of one record, without personal data.

INVARIANT: nothing here identifies a person. The caller is a pseudonym, an HMAC under a
random salt that is kept apart and can be erased; the full `input` and the facts of the findings are in the
vault, bound to the leaf by an HMAC with a salt of their own; what a client typed
(model names, hosts) is in the vault too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias, get_args

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    TypeAdapter,
    model_serializer,
)

from policyguard.canonical import MAX_INTEGER
from policyguard.vocabulary.approval import Softened
from policyguard.vocabulary.call import DataClass, PurposeKind
from policyguard.vocabulary.decision import (
    BundleRef,
    CatalogRef,
    Effect,
    EngineRef,
    Status,
    Verdict,
)
from policyguard.vocabulary.value import AnyCountry, Digest, Id, RuleId, ToolName, Value

RecordTime = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"),
]
"""RFC 3339 in UTC with exactly six decimals: one instant, one text."""

Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]+$")]
Layer: TypeAlias = Literal["call", "http"]
Kind: TypeAlias = Literal[
    "genesis",
    "decision",
    "check",
    "outcome",
    "policy.load",
    "policy.reject",
    "key.rotate",
    "approval.grant",
    "approval.revoke",
    "erase",
    "evidence",
]
PolicySource: TypeAlias = Literal[
    "shipped", "directory", "archive", "http", "kept", "overlays"
]
"""Where policy came from; `kept`: a version that this trail remembers."""
RejectCode: TypeAlias = Literal[
    "bundle.unreadable",
    "bundle.signature",
    "bundle.malformed",
    "bundle.revision",
    "bundle.engine",
    "catalog.malformed",
    "catalog.engine",
]
_KeyId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
EraseReason: TypeAlias = Literal["request", "objection", "retention", "order"]
"""Why something is erased: who it is about asked for it or objects to it, it has been
kept long enough, or an authority has ordered it."""


Examined: TypeAlias = Literal["replay", "impact", "mutation", "proof", "comparison"]
"""What was done: recorded decisions were computed once more, other policy was asked about
recorded calls, faults were put into rules, properties were decided over a space, or two
policies were compared over one."""
Tier: TypeAlias = Literal["proved", "checked", "sampled", "violated"]
"""How far a result reaches: every case of a declared space; every case that there was;
some cases; or a case that contradicts."""


ABSENT: Final = frozenset({"tool", "trace"})
"""Fields that a leaf has not where they say nothing: none of them is ever `null`."""


def written(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a record that are in its leaf."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None or name not in ABSENT
    }


class Commitment(Value):
    """Binds a leaf to content in the vault without revealing it."""

    alg: Literal["HMAC-SHA256"] = "HMAC-SHA256"
    bytes: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    """How long the content is, in bytes."""
    value: Hex
    """HMAC of the content under the record's own 32-byte salt."""


class RuleAnswer(Value):
    """Is what one rule said, without the facts."""

    id: RuleId
    effect: Effect
    status: Status
    verified: bool
    missing: tuple[str, ...] = ()
    softened: tuple[Softened, ...] = ()
    """Whose signature took from its effect: approvals and overrides, by their ids."""


class Trace(Value):
    """Names the span that the caller was in when it asked (W3C Trace Context)."""

    trace_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    span_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class Predecessor(Value):
    """Names the log that another one continues, and where the old one ends for good."""

    origin: str
    size: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    """Records of the old log that count; what is signed beyond them does not."""
    root: Hex
    """The root of its tree at that size (RFC 6962)."""
    witnessed: Annotated[int, Field(ge=0, le=MAX_INTEGER)] = 0
    """Records of it that others had seen: a thief of the key cannot have changed them."""
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    """Why the old key counts no more, in the words of whoever declared it."""


class GenesisRecord(Value):
    """Opens a log: leaf 0, and only leaf 0."""

    v: Literal[1] = 1
    kind: Literal["genesis"] = "genesis"
    id: str
    time: RecordTime
    origin: str
    vkey: str
    """The log's public key as a C2SP verifier key."""
    durability: Literal["full"] = "full"
    predecessor: Predecessor | None = None
    """The log whose key was compromised, if this one takes its place."""
    version: str
    """Version of policyguard that created the log."""


class DecisionRecord(Value):
    """Records an answer; `check` is one that no call follows."""

    v: Literal[1] = 1
    kind: Literal["decision", "check"]
    id: str
    call_id: str
    attempt: Annotated[int, Field(ge=0, le=MAX_INTEGER)] = 0
    layer: Layer
    time: RecordTime
    """Wall time of the writer: its claim, bounded by witnesses, not proved."""
    at: RecordTime
    """Legal instant of the call."""
    simulated: bool
    enforced: bool
    tenant: Id
    caller: Hex | None
    """Pseudonym; `None` when no caller was declared."""
    model: Id | None
    deployments: tuple[Id | None, ...]
    operators: tuple[Id | None, ...]
    countries: tuple[AnyCountry, ...] | None
    purpose: PurposeKind | None
    data_classes: tuple[DataClass, ...] | None
    verdict: Verdict
    code: str | None
    rules: tuple[RuleAnswer, ...]
    obligations: tuple[str, ...]
    bundle: BundleRef
    catalog: CatalogRef
    engine: EngineRef
    input: Commitment
    prompt: Commitment | None = None
    """Binds the prompt, where settings say that prompts are kept."""
    trace: Trace | None = None
    """The caller's span; absent where there was none."""
    tool: ToolName | None = None
    """The tool whose call it is, as the application names it; absent of other calls."""

    @model_serializer(mode="wrap")
    def _written(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        return written(dump(self))

    @property
    def goes_ahead(self) -> bool:
        """Say whether a call followed, of which an outcome is expected."""
        made = self.verdict == "allow" or not self.enforced
        return made and self.kind == "decision" and self.code is None


Deviation: TypeAlias = Literal[
    "model", "model.unknown", "region", "region.unknown", "usage", "tier"
]
"""What an answer says that is not what was approved, of its route, or asked for, of its
usage and tier; `unknown`: the catalog does not know what it says."""


class OutcomeRecord(Value):
    """Records what happened to an allowed call."""

    v: Literal[1] = 1
    kind: Literal["outcome"] = "outcome"
    id: str
    call_id: str
    decision: str
    """The id of the decision that this is the outcome of."""
    time: RecordTime
    outcome: Literal["complete", "abandoned", "error", "cancelled", "delegated"]
    """`delegated`: handed to a stream whose end only a guarded transport can see."""
    error: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_.]+$")] | None = None
    """The type of the exception, never its text."""
    status: Annotated[int, Field(ge=100, le=599)] | None = None
    """The HTTP status, where a transport saw it."""
    served_model: Id | None = None
    """The catalog's model that the answer named; `None`: not known or not said."""
    answer: Commitment | None = None
    """Binds the answer's bytes as they came, as far as they were read; `None`: no
    guarded transport saw them. The salt is in the content of the decision."""
    served_countries: tuple[AnyCountry, ...] | None = None
    """Where the answer says that it was made; `None`: not said, or not settled by it."""
    deviations: tuple[Deviation, ...] = ()
    """What the answer found after the call: somebody has to be told."""
    notified: bool | None = None
    """Whether somebody was told of the deviations; `None`: there are none."""
    input_tokens: Annotated[int, Field(ge=0, le=MAX_INTEGER)] | None = None
    output_tokens: Annotated[int, Field(ge=0, le=MAX_INTEGER)] | None = None


class PolicyLoadRecord(Value):
    """Records that from here on other policy decides, in the process that says so."""

    v: Literal[1] = 1
    kind: Literal["policy.load"] = "policy.load"
    id: str
    time: RecordTime
    source: PolicySource
    signed_by: _KeyId | None = None
    """The key that signed the bundle; `None`: it is trusted by its digest."""
    lowered: bool = False
    """Whether an older revision took over, by the settings' leave."""
    previous: BundleRef | None = None
    """The bundle that was in use before; `None`: not known."""
    bundle: BundleRef
    catalog: CatalogRef
    engine: EngineRef
    enforced: bool | None = None
    """`False`: the process only observes, objections stop no call; `None`: not said."""


class PolicyRejectRecord(Value):
    """Records that a bundle or a catalog was refused, and that what is in use stays."""

    v: Literal[1] = 1
    kind: Literal["policy.reject"] = "policy.reject"
    id: str
    time: RecordTime
    source: PolicySource
    code: RejectCode
    offered: Digest | None = None
    """SHA-256 of the archive, or the catalog, that was offered; `None`: none could be read."""
    kept: BundleRef | None = None
    """The bundle that stays in use; `None`: there is none, nothing was started."""


class EraseRecord(Value):
    """Records an order to erase, before it is carried out: who, when, what; no content."""

    v: Literal[1] = 1
    kind: Literal["erase"] = "erase"
    id: str
    time: RecordTime
    trail: str
    """The name of the trail: an order for another one counts for nothing here."""
    reason: EraseReason
    records: tuple[str, ...]
    """Ids of the records of which nothing is kept from now on."""
    callers: tuple[Hex, ...]
    """Pseudonyms that lead to nobody from now on."""
    people: tuple[Hex, ...]
    """Pseudonyms of people whose data keys are destroyed."""
    kept: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    """How many records were meant too, and have to be kept by law or by order."""
    by: str
    """The key that ordered it, as a C2SP verifier key."""
    signature: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
    """Ed25519 over the other fields in RFC 8785 form, after a prefix of its own."""


class KeyRotateRecord(Value):
    """Hands a log over to its next key; the last record that the old key signs."""

    v: Literal[1] = 1
    kind: Literal["key.rotate"] = "key.rotate"
    id: str
    time: RecordTime
    origin: str
    old: str
    """The key that has signed so far, as a C2SP verifier key."""
    new: str
    """The key that signs from the next checkpoint on; this record's bears both."""


class ApprovalRecord(Value):
    """Records that a person gave an approval, or took one back."""

    v: Literal[1] = 1
    kind: Literal["approval.grant", "approval.revoke"]
    id: str
    time: RecordTime
    approval: str
    """The approval's id, which the decisions name that rest on it."""
    decision: str
    """The decision that the approver read."""
    rule: RuleId
    tenant: Id
    caller: Hex
    """For whose calls, by pseudonym."""
    by: Hex
    """Who signed, by pseudonym."""
    until: RecordTime
    uses: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    bundle: Hex
    """The digest of the policy that it is bound to."""
    input: Commitment
    """Binds the signed statement, which is in the vault."""


class EvidenceRecord(Value):
    """Records a result about policy, and of which policy, by which tool."""

    v: Literal[1] = 1
    kind: Literal["evidence"] = "evidence"
    id: str
    time: RecordTime
    examined: Examined
    tier: Tier
    counts: Mapping[
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,31}$")],
        Annotated[int, Field(ge=0, le=MAX_INTEGER)],
    ]
    """What was counted, as the document says."""
    bundle: BundleRef | None
    """The bundle that was examined; `None`: those that the records name."""
    catalog: CatalogRef | None
    """The catalog that facts came from; `None`: those that the records name, or none."""
    version: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """Version of policyguard that examined it."""
    document: Digest
    """SHA-256 of the document that `--json` prints, keys sorted and blanks left out."""


AnyRecord: TypeAlias = (
    GenesisRecord
    | DecisionRecord
    | OutcomeRecord
    | PolicyLoadRecord
    | PolicyRejectRecord
    | EraseRecord
    | KeyRotateRecord
    | ApprovalRecord
    | EvidenceRecord
)
AuditRecord: TypeAlias = Annotated[AnyRecord, Field(discriminator="kind")]

KINDS: Final = frozenset(
    kind
    for form in get_args(AnyRecord)
    for kind in get_args(form.model_fields["kind"].annotation)
)
"""The kinds of records that this version knows."""
AUDIT_RECORD: TypeAdapter[AnyRecord] = TypeAdapter(AuditRecord)
"""Validates a record of any kind."""


def is_newer(document: object) -> bool:
    """Say whether a record that has none of our forms says that it has a later one."""
    if not isinstance(document, dict):
        return False
    version, kind = document.get("v"), document.get("kind")
    unknown = isinstance(kind, str) and kind not in KINDS
    return type(version) is int and (version > 1 or (version == 1 and unknown))
