"""The question: may this caller send this data to this model, here, for this, now.

In the engine it is `input`. Unknown is explicit: a fact that nobody declared is
`None`, never absent; "no data class" is the class `none`, not an empty tuple.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints, field_validator

from policyguard.vocabulary.value import (
    Country,
    Id,
    Instant,
    Subdivision,
    Text,
    Value,
)

DataClass: TypeAlias = Literal[
    "none",
    "public",
    "confidential",
    "pii",
    "special_category",
    "health",
    "financial",
    "genomic",
    "biometric",
    "geolocation",
    "government_related",
    "source_code",
    "technical",
]
"""What kind of data is sent; a closed enumeration."""

PurposeKind: TypeAlias = Literal[
    "inference", "embed", "fine_tune", "train", "distil", "evaluate"
]
TransferTool: TypeAlias = Literal[
    "none", "scc", "bcr", "dpf", "idta", "addendum", "derogation"
]
"""The instrument of GDPR Art. 46 or 49 (or its UK twin) that is on file."""

EarClass = Annotated[
    str,
    StringConstraints(
        pattern=r"^(not_technology|published|EAR99|[0-9][A-E][0-9]{3}(\.[a-z0-9.]+)?)$"
    ),
]
"""`not_technology`, `published` (15 CFR 734.7), `EAR99` or an ECCN as `3E001`."""


class Purpose(Value):
    """Says what the call, and what comes back, is for."""

    kind: PurposeKind
    competes: bool | None = None
    """Whether the output serves a model that competes with this model's developer."""


class CallContext(Value):
    """Says under which contract or office the call is made."""

    dod_contract: bool | None = None
    gsa_schedule: bool | None = None
    state_body: Subdivision | Literal["none"] | None = None


class Owner(Value):
    """Is one owner of an organisation, with the share in hundredths of a percent."""

    name: Text
    country: Country | None = None
    share_bp: Annotated[int, Field(ge=0, le=10_000)] | None = None
    since: Instant | None = None
    until: Instant | None = None


class Organisation(Value):
    """Is the legal person that a caller acts for."""

    name: Text
    country: Country | None = None
    headquarters: Country | None = None
    owners: tuple[Owner, ...] | None = None
    annexes: tuple[Text, ...] | None = None
    """Annexes of official letters that name this organisation, as `bis-2026-06-26:A`."""


class Caller(Value):
    """Is who asks; `id` stays out of `input` and out of every leaf."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    person_status: Literal["us_citizen", "us_lpr", "us_protected", "foreign"] | None = (
        None
    )
    """Status by 15 CFR 772.1: only `foreign` is a foreign person."""
    citizenships: tuple[Country, ...] | None = None
    residence: Country | None = None
    location: Country | None = None
    subdivision: Subdivision | None = None
    organisation: Organisation | None = None


class Exporter(Value):
    """Is who decides that the data goes out, for GDPR chapter V."""

    establishment: Country | None = None
    """Country of the establishment in whose activities the data is processed."""
    article_3: Literal["establishment", "targeting", "none"] | None = None
    """Which limb of GDPR Art. 3 brings it into scope."""


class ExportControl(Value):
    """Classifies what is sent under the Export Administration Regulations."""

    classification: EarClass | None = None
    us_origin: bool | None = None
    evidence: Text | None = None
    """Where the publication can be seen, for `published`."""


class DataFacts(Value):
    """Says what is sent."""

    classes: Annotated[tuple[DataClass, ...], Field(min_length=1)] | None = None
    subjects: tuple[Country, ...] | None = None
    """Where the people are whom the data is about."""
    anonymous_evidence: Text | None = None
    ear: ExportControl = ExportControl()
    itar: bool | None = None

    @field_validator("classes", "subjects")
    @classmethod
    def _sorted_once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        # The order in which classes were declared is no fact: one form, one digest.
        return None if value is None else tuple(sorted(set(value)))


class Contract(Value):
    """Is what a tenant has signed with one operator; absent from the file means none."""

    operator: Id
    dpa: bool | None = None
    """Whether a processing agreement under GDPR Art. 28 is signed."""
    transfer_tool: TransferTool | None = None
    transfer_assessed: Instant | None = None
    """When the transfer was last assessed (Schrems II)."""
    supplementary_measures: bool | None = None
    training: bool | None = None
    """Whether the operator may train on what is sent."""
    retention_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    remote_access_countries: tuple[Country, ...] | None = None
    baa: bool | None = None
    source: Text | None = None
    """Where the signed text is filed."""


class Licence(Value):
    """Is an export licence that the tenant holds."""

    id: Text
    authority: Literal["BIS", "DDTC", "OFAC", "other"]
    operators: tuple[Id, ...] = ()
    models: tuple[Id, ...] = ()
    expires: Instant


class Product(Value):
    """Holds the figures on which threshold licences turn."""

    monthly_active_users: Annotated[int, Field(ge=0)] | None = None
    monthly_revenue_usd: Annotated[int, Field(ge=0)] | None = None
    attributions: tuple[Text, ...] | None = None


class Tenant(Value):
    """Is the organisation whose rules apply, with its profile and papers."""

    id: Id
    profile: Literal["balanced", "strict"] = "balanced"
    """What an unknown fact does: `require_approval`, or `deny`."""
    residency_allowed: tuple[Country, ...] | Literal["anywhere"] = "anywhere"
    zero_retention: bool = False
    contracts: tuple[Contract, ...] | None = None
    """One for each operator; `None`: nobody has said which contracts there are."""
    licences: tuple[Licence, ...] = ()
    product: Product = Product()

    @field_validator("contracts")
    @classmethod
    def _one_per_operator(
        cls, value: tuple[Contract, ...] | None
    ) -> tuple[Contract, ...] | None:
        operators = [contract.operator for contract in value or ()]
        twice = sorted({name for name in operators if operators.count(name) > 1})
        if twice:
            raise ValueError(f"two contracts with one operator: {', '.join(twice)}")
        return value


class Asked(Value):
    """Is what the client asked for, before the catalog was consulted."""

    model: Annotated[str, StringConstraints(max_length=256)] | None = None
    host: Annotated[str, StringConstraints(max_length=253)] | None = None
    """Lower-case host, with `:port` unless it is the scheme's own."""
    opaque: bool = False
    """Whether a body is sent that could not be read."""


class ModelCall(Value):
    """Is the question that the guard answers."""

    at: Instant
    """The legal instant. For a forwarded call it comes from the guard's clock alone."""
    purpose: Purpose | None = None
    context: CallContext = CallContext()
    caller: Caller | None = None
    exporter: Exporter = Exporter()
    tenant: Tenant
    data: DataFacts = DataFacts()
    asked: Asked = Asked()
    model: Id | None = None
    """The catalog's model, or `None`: unknown."""
    route: Annotated[tuple[Id | None, ...], Field(min_length=1)] = (None,)
    """The deployments that see the data, in order; `None`: unknown."""

    def engine_input(self) -> dict[str, object]:
        """Return `input`: every declared fact, a value or null, without the caller's id."""
        document = self.model_dump(mode="json")
        if document["caller"] is not None:
            del document["caller"]["id"]
        return document
