"""The question: may this caller send this data to this model, here, for this, now.

In the engine it is `input`. Unknown is explicit: a fact that nobody declared is `None`,
never absent; "no data class" is the class `none`, not an empty tuple.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints, field_validator

from policyguard.vocabulary.approval import Approval
from policyguard.vocabulary.rolling import Counts, Rolling
from policyguard.vocabulary.value import (
    ChinaExemption,
    Country,
    Digest,
    DspExemption,
    Id,
    Instant,
    OfacExemption,
    RuleId,
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
    "omic",
    "biometric",
    "geolocation",
    "government_related",
    "source_code",
    "technical",
]
"""What kind of data is sent; a closed enumeration. `omic` is human 'omic data but genomes."""

PurposeKind: TypeAlias = Literal[
    "inference", "embed", "fine_tune", "train", "distil", "evaluate"
]
TransferTool: TypeAlias = Literal[
    "none", "scc", "bcr", "dpf", "idta", "addendum", "derogation"
]
"""The instrument of GDPR Art. 46 or 49 (or its UK twin) that is on file."""

Sector: TypeAlias = Literal["financial_eu", "hipaa", "ciio_cn", "payments_in"]
"""A regulated sector: a financial entity under DORA, a covered entity or business
associate under HIPAA, an operator of critical infrastructure in China, a payment
system in India."""
EarClass = Annotated[
    str,
    StringConstraints(
        pattern=r"^(not_technology|published|EAR99|[0-9][A-E][0-9]{3}(\.[a-z0-9.]+)?)$"
    ),
]
"""`not_technology`, `published` (15 CFR 734.7), `EAR99` or an ECCN as `3E001`."""

EndUse: TypeAlias = Literal["civil", "military", "military_intelligence", "wmd"]
"""What the outcome is for, as far as 15 CFR part 744 asks."""
PersonStatus: TypeAlias = Literal["us_citizen", "us_lpr", "us_protected", "foreign"]
"""Status by 15 CFR 772.1: only `foreign` is a foreign person."""


class Purpose(Value):
    """Says what the call, and what comes back, is for."""

    kind: PurposeKind
    competes: bool | None = None
    """Whether the output serves a model that competes with this model's developer."""
    beneficiary_headquarters: Country | None = None
    """Where the ultimate parent of whom the work is for is headquartered."""
    end_use: EndUse | None = None
    compute_zettaops: Annotated[int, Field(ge=0)] | None = None
    """Operations of the whole training run in units of 10^21; 10^26 is 100000."""
    publishes: bool | None = None
    """Whether the weights that come out will be published (15 CFR 734.7)."""
    compute_share_bp: Annotated[int, Field(ge=0)] | None = None
    """Computing of a fine-tune, in hundredths of a percent of its model's training."""


class CallContext(Value):
    """Says under which contract or office the call is made."""

    dod_contract: bool | None = None
    """Whether it is in performance of a contract with the US Department of Defense."""
    dod_tier: Literal["direct", "indirect"] | None = None
    """Who buys from the model's operator: the department, or its contractor."""
    gsa_schedule: bool | None = None
    """Whether it is in performance of a GSA Multiple Award Schedule contract."""
    state_body: Subdivision | Literal["none"] | None = None
    """The state of which a body's staff, devices or networks are used."""
    eu_market: bool | None = None
    """Whether what comes out is placed on the market of the Union."""
    weights_evidence: Digest | None = None
    """Digest of the catalog's evidence on what a deployment of ours has loaded."""


class Owner(Value):
    """Is one owner, direct or indirect, with the share in hundredths of a percent."""

    name: Text
    country: Country | None = None
    """Where its ultimate parent is headquartered."""
    listed: tuple[Id, ...] | None = None
    """Lists of the catalog that name it; `None`: nobody has screened it."""
    share_bp: Annotated[int, Field(ge=0, le=10_000)] | None = None
    since: Instant | None = None
    until: Instant | None = None


class Organisation(Value):
    """Is the legal person that a caller acts for."""

    name: Text
    country: Country | None = None
    headquarters: Country | None = None
    owners: tuple[Owner, ...] | None = None
    """Who holds a share that matters, at any remove; empty: nobody does."""
    listed: tuple[Id, ...] | None = None
    """Lists of the catalog that name it; `None`: nobody has screened it."""
    annexes: tuple[Text, ...] | None = None
    """Annexes of official letters that name this organisation, as `bis-2026-06-26:A`."""


class Caller(Value):
    """Is who asks; `id` stays out of `input` and out of every leaf."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    person_status: PersonStatus | None = None
    citizenships: tuple[Country, ...] | None = None
    """All of them; what is deemed an export under the ITAR goes to each."""
    latest_citizenship: Country | None = None
    """The most recent citizenship or permanent residency (15 CFR 734.13(b))."""
    residence: Country | None = None
    location: Country | None = None
    subdivision: Subdivision | None = None
    """Country and subdivision are where the person is during the call."""
    organisation: Organisation | None = None
    """Whom the caller acts for; `None`: the tenant's own organisation, if it is known."""


class Exporter(Value):
    """Is who decides that the data goes out, for GDPR chapter V."""

    establishment: Country | None = None
    """Country of the establishment in whose activities the data is processed."""
    article_3: Literal["establishment", "targeting", "none"] | None = None
    """Which limb of GDPR Art. 3 brings it into scope."""
    uk_article_3: Literal["establishment", "targeting", "none"] | None = None
    """Which limb of Article 3 of the UK GDPR does."""
    swiss_effect: bool | None = None
    """Whether the processing has an effect in Switzerland (FADP Art. 3)."""


class ExportControl(Value):
    """Classifies what is sent under the Export Administration Regulations."""

    classification: EarClass | None = None
    us_origin: bool | None = None
    evidence: Text | None = None
    """Where the publication can be seen, for `published`."""
    exception: Text | None = None
    """The licence exception that is claimed, as `TSR` (15 CFR part 740)."""
    no_licence_countries: tuple[Country, ...] | None = None
    """Countries for which your classification found that no licence is needed."""


PersonId = Annotated[str, StringConstraints(min_length=1, max_length=256)]
"""Whatever tells a person apart in the application, as `patient-17`."""


class DataFacts(Value):
    """Says what is sent."""

    classes: Annotated[tuple[DataClass, ...], Field(min_length=1)] | None = None
    undeclared: tuple[DataClass, ...] | None = None
    """The classes of `classes` that a search found and nobody declared; `None`: nobody
    searched, or not all of it could be."""
    subjects: tuple[Country, ...] | None = None
    """Where the people are whom the data is about."""
    people: tuple[PersonId, ...] | None = None
    """Ids of those people, for erasure; kept out of `input` and out of every leaf."""
    anonymous_evidence: Text | None = None
    counts: Counts = Counts()
    """US persons in this one call."""
    brokerage: bool | None = None
    """Whether the data is sold or licensed to who receives it (28 CFR 202.214)."""
    dsp_exemption: DspExemption | None = None
    """The exemption of 28 CFR part 202 that is claimed."""
    ofac_exemption: OfacExemption | None = None
    """The exemption from embargoes that is claimed (50 USC 1702(b), 4305(b)(4))."""
    citizenships: tuple[Country, ...] | None = None
    """Citizenships of the people whom the data is about."""
    persons: Annotated[int, Field(ge=0)] | None = None
    """How many people the data is about, in this one call."""
    employment: bool | None = None
    """Whether it is about people in their employment (HR data)."""
    collection_at_source: bool | None = None
    """Whether what people have just given is first recorded by this call."""
    direct_from_subject: bool = False
    """Whether people send data on themselves, of their own, to who answers them."""
    important_data: bool | None = None
    """Whether it holds important data by Chinese law."""
    china_exemption: ChinaExemption | None = None
    """The exemption of the CAC's Provisions that is claimed."""
    ear: ExportControl = ExportControl()
    itar: bool | None = None
    """Whether it holds technical data (22 CFR 120.33)."""

    @field_validator("classes", "undeclared", "subjects", "people", "citizenships")
    @classmethod
    def _sorted_once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        # The order in which classes were declared is no fact: one form, one digest.
        return None if value is None else tuple(sorted(set(value)))


class Certification(Value):
    """Is a recipient's entry in the list of the Data Privacy Framework, as read."""

    active: bool
    hr_data: bool | None = None
    """Whether it covers HR data."""
    uk_extension: bool | None = None
    swiss: bool | None = None
    as_of: Instant | None = None
    """When the list was looked at."""


class LocalTools(Value):
    """Holds the instruments for transfers under laws other than the GDPR."""

    uk: Literal["none", "idta", "addendum", "bcr", "derogation"] | None = None
    swiss: Literal["none", "scc", "bcr", "derogation"] | None = None
    """`scc`: with the changes that the FDPIC asks for."""
    china: (
        Literal["none", "standard_contract", "certification", "security_assessment"]
        | None
    ) = None
    saudi: Literal["none", "scc", "bcr"] | None = None


class Contract(Value):
    """Is what a tenant has signed with one operator; absent from the file means none."""

    operator: Id
    dpa: bool | None = None
    """Whether a processing agreement under GDPR Art. 28 is signed."""
    transfer_tool: TransferTool | None = None
    transfer_assessed: Instant | None = None
    """When the transfer was last assessed (Schrems II); for every tool."""
    dpf: Certification | None = None
    """`None`: nobody has looked whether the operator is certified."""
    local_tools: LocalTools = LocalTools()
    supplementary_measures: bool | None = None
    training: bool | None = None
    """Whether the operator may train on what is sent."""
    retention_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    remote_access_countries: tuple[Country, ...] | None = None
    sub_processors: bool | None = None
    """Whether all sub-processors are named, and none is objected to."""
    baa: bool | None = None
    """Whether a business associate agreement is signed (45 CFR 164.504(e))."""
    us_persons_only: bool | None = None
    """Whether only US persons, in the United States, can read what is sent."""
    onward_transfer_ban: bool | None = None
    """Whether it forbids onward transfer to countries of concern (28 CFR 202.302)."""
    dora_clause: bool | None = None
    """Whether it says where the service is given and data kept (DORA Art. 30(2)(b))."""
    source: Text | None = None
    """Where the signed text is filed."""


class Licence(Value):
    """Is a licence, waiver or exception that the tenant holds from an authority."""

    id: Text
    authority: Literal["BIS", "DDTC", "OFAC", "DoD", "state", "other"]
    operators: tuple[Id, ...] = ()
    models: tuple[Id, ...] = ()
    classifications: tuple[EarClass, ...] = ()
    """What it covers; empty: it does not say."""
    countries: tuple[Country, ...] = ()
    """Where what is sent may go, or be served; empty: it does not say."""
    persons: tuple[Country, ...] = ()
    """Of which countries the foreign persons are to whom it may be released."""
    expires: Instant


class DataSecurity(Value):
    """Is what stands of the programme for restricted transactions (28 CFR 202)."""

    requirements: bool | None = None
    """Whether CISA's security requirements are met (28 CFR 202.248, 202.401)."""
    certified: Instant | None = None
    """When an officer last certified the compliance programme (28 CFR 202.1001)."""
    audited: Instant | None = None
    """When the last independent audit ended (28 CFR 202.1002)."""


class Product(Value):
    """Holds the figures on which threshold licences turn."""

    monthly_active_users: Annotated[int, Field(ge=0)] | None = None
    monthly_revenue_usd: Annotated[int, Field(ge=0)] | None = None
    attributions: tuple[Text, ...] | None = None
    """Names that its user interface displays."""
    users_at_release: Annotated[int, Field(ge=0)] | None = None
    """Monthly users of all your products in the month before the model's release."""
    resells: bool | None = None
    """Whether others get the model itself through you, not a product that uses it."""


class Tenant(Value):
    """Is the organisation whose rules apply, with its profile and papers."""

    id: Id
    profile: Literal["balanced", "strict"] = "balanced"
    """What an unknown fact does: `require_approval`, or `deny`."""
    residency_allowed: tuple[Country, ...] | Literal["anywhere"] = "anywhere"
    zero_retention: bool = False
    retention_max_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    """The longest that an operator may keep what is sent; `None`: no such demand."""
    sectors: tuple[Sector, ...] | None = None
    """Regulated sectors that the tenant is in; empty: none of them."""
    assumed: tuple[RuleId, ...] = ()
    """Proposed rules that decide as if they were in force: what if they were?"""
    contracts: tuple[Contract, ...] | None = None
    """One for each operator; `None`: nobody has said which contracts there are."""
    licences: tuple[Licence, ...] = ()
    product: Product = Product()
    organisation: Organisation | None = None
    """The tenant itself: for whom a caller acts that names no other organisation."""
    data_security: DataSecurity = DataSecurity()

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
    rolling: Rolling = Rolling()
    """Filled by the guard's own counters; a caller's code cannot declare it."""
    approvals: tuple[Approval, ...] = ()
    """Put in by the guard, which has verified them; what a caller puts here is dropped."""
    asked: Asked = Asked()
    model: Id | None = None
    route: Annotated[tuple[Id | None, ...], Field(min_length=1)] = (None,)
    """The deployments that see the data, in order. `None` is unknown, as in `model`."""

    def engine_input(self) -> dict[str, object]:
        """Return `input`: every declared fact, a value or null, without ids of people."""
        from policyguard.vocabulary.names import with_name_keys

        document = self.model_dump(mode="json")
        del document["data"]["people"]
        (document["caller"] or {}).pop("id", None)
        return with_name_keys(document)
