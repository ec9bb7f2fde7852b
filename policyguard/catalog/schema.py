"""What the catalog holds: developers, models, weights, operators, deployments, lists.

Every entry has a `source` and an `as_of`. Every declared fact is a value or `None`
(unknown); an import that does not say leaves the fact unknown. Dated facts are
windows `[since, until)`; an open end is `None`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from policyguard.catalog.lists import List
from policyguard.catalog.sourced import Sourced, Window
from policyguard.vocabulary.call import EarClass, PersonStatus
from policyguard.vocabulary.value import (
    Country,
    Digest,
    Id,
    Instant,
    Text,
    Value,
)

Revision = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
"""A git commit, in full; a branch or tag is no pin."""
HostName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:[0-9]{1,5})?$")]
"""Lower-case host, with `:port` unless it is the scheme's own."""


class Restriction(Window):
    """Is a dated bar on access to a model, as an "is informed" letter."""

    letter: Id
    persons: Literal["foreign", "all"]
    relief: tuple[Text, ...] = ()
    """Annexes whose organisations are relieved."""
    relief_since: Instant | None = None


class DeploymentState(Window):
    """Is a span in which the vendor has a deployment switched off."""

    state: Literal["suspended"] = "suspended"
    reason: Text


class Share(Window):
    """Is one direct owner's share of a company, in hundredths of a percent."""

    owner: Text
    party: Id | None = None
    """The owner's own entry, a developer or an operator: the chain goes on there."""
    country: Country | None = None
    """Where the owner is organised."""
    listed: tuple[Id, ...] | None = None
    """Lists that name an owner without an entry; `None`: nobody has screened it."""
    share_bp: Annotated[int, Field(ge=0, le=10_000)] | None = None


class Reader(Value):
    """Is a kind of person who can read what a deployment is sent."""

    role: Literal["administrator", "support", "annotator", "user"]
    person_status: PersonStatus | None = None
    citizenships: tuple[Country, ...] | None = None
    latest_citizenship: Country | None = None
    """The most recent citizenship or permanent residency (15 CFR 734.13(b))."""


class Sealing(Value):
    """Is how what passes a hop is encrypted (15 CFR 734.18(a)(5), 22 CFR 120.54(a)(5)).

    Only for a hop that carries or keeps ciphertext; who runs a model must decrypt.
    """

    end_to_end: bool | None = None
    """Never in the clear between the originator and the recipient."""
    fips: bool | None = None
    """By modules of FIPS 140-2 or its successor, or means as effective."""
    strength_bits: Annotated[int, Field(ge=0, le=1024)] | None = None
    keys_withheld: bool | None = None
    """Whether no third party is given keys or other means of access."""
    enclave: bool = False
    """Whether it decrypts, inside an attested trusted execution environment."""


class Developer(Sourced):
    """Trained the weights."""

    name: Text
    legal_entities: tuple[Text, ...] = ()
    aliases: tuple[Text, ...] = ()
    country: Country | None = None
    parent_country: Country | None = None
    owners: tuple[Share, ...] | None = None
    advisories: tuple[Text, ...] = ()


class OutputTerms(Value):
    """Is what the developer's terms say about training on outputs."""

    competing_training: Literal["prohibited", "exceptions", "permitted"] | None = None
    source: Text | None = None


class AccessTerms(Value):
    """Is where and to whom a developer offers its models, by its own terms."""

    supported: Id | None = None
    """The list of countries where the service is offered."""
    unsupported: Id | None = None
    """The list of countries where it is not; in neither list: unknown."""
    since: Instant | None = None
    """When the limit on owners began."""
    resale: Literal["prohibited", "permitted"] | None = None
    """Whether others may be given the model itself; `None`: nobody has read it."""
    source: Text | None = None


class LicenceTerms(Value):
    """Is what a licence of weights asks above a threshold; `None`: it asks no such thing."""

    display_name: Text | None = None
    """What the user interface must display prominently above either threshold."""
    display_above_users: Annotated[int, Field(ge=0)] | None = None
    """More monthly users of the product than this."""
    display_above_revenue_usd: Annotated[int, Field(ge=0)] | None = None
    """More monthly revenue of the product than this, in US dollars."""
    ask_above_users: Annotated[int, Field(ge=0)] | None = None
    """More monthly users of all products than this, at the model's release."""
    eu_excluded: bool = False
    """Whether companies with their principal place of business in the EU get no rights."""
    source: Text | None = None


class ProviderDocuments(Value):
    """Is what the provider has published under Article 53 of the AI Act."""

    training_summary: bool | None = None
    copyright_policy: bool | None = None
    source: Text | None = None


class Model(Sourced):
    """Is a language model, whoever runs it."""

    name: Text
    family: Id | None = None
    version: Text | None = None
    developer: Id | None = None
    names: tuple[Text, ...] = ()
    """Names under which clients ask for it, besides its id."""
    base_models: tuple[Id, ...] | None = None
    """Empty: trained from scratch. `None`: nobody has said."""
    open_weights: bool | None = None
    published: bool | None = None
    """Whether the weights are published in the sense of 15 CFR 734.7."""
    weights_licence: Text | None = None
    code_licence: Text | None = None
    notices: tuple[Text, ...] = ()
    """What the licence asks its users to keep or show."""
    output_terms: OutputTerms = OutputTerms()
    access_terms: AccessTerms | None = None
    """`None`: the terms name no countries (published weights), or none were seen."""
    tuned_on: EarClass | None = None
    """The export class of what it was tuned on, besides its base models."""
    licence_terms: LicenceTerms | None = None
    documents: ProviderDocuments = ProviderDocuments()
    systemic_risk: bool | None = None
    """Whether it is a general-purpose model with systemic risk (AI Act Art. 51)."""
    restrictions: tuple[Restriction, ...] = ()


class WeightsFile(Value):
    """Is one file of a set of weights."""

    path: Text
    sha256: Digest


class Weights(Sourced):
    """Is one published set of weights: the manifest that a deployment is held to."""

    model: Id
    repository: Text
    revision: Revision | None = None
    format: Literal["safetensors", "gguf", "pickle"] | None = None
    remote_code: bool | None = None
    """Whether loading them runs code from the repository."""
    files: tuple[WeightsFile, ...] | None = None
    digest: Digest | None = None
    """SHA-256 over the canonical list of files; `None`: not known."""


class InstalledWeights(Value):
    """Is what a deployment of ours loads, as measured where it runs."""

    weights: Id | None = None
    revision: Text | None = None
    """What the loader was told: only 40 hexadecimal digits are a pin."""
    digest: Digest | None = None
    format: Literal["safetensors", "gguf", "pickle"] | None = None
    remote_code: bool | None = None


class WeightsSignature(Value):
    """Is a signature over weights that was verified (OpenSSF Model Signing 1.0)."""

    method: Literal["key", "certificate", "sigstore"]
    signer: Text
    """SHA-256 of the public key or of the chain, or the identity at its issuer."""
    bundle: Digest
    """SHA-256 of the signature file."""


class WeightsEvidence(Sourced):
    """Is what was measured of weights where they are loaded.

    Its key in the catalog is its digest, by which a `ModelCall` refers to it. A
    signature says who signed these bytes, never how they were trained.
    """

    weights: Id
    """The manifest that they were held to."""
    revision: Revision | None = None
    digest: Digest
    """SHA-256 over the canonical list of files."""
    format: Literal["safetensors", "gguf", "pickle"] | None = None
    remote_code: bool
    """Whether loading them runs code that came with them."""
    parameters: Annotated[int, Field(ge=0)] | None = None
    signature: WeightsSignature | None = None
    lineage: Digest | None = None
    """SHA-256 of the CycloneDX BOM that states where they come from."""


class Operator(Sourced):
    """Runs endpoints."""

    name: Text
    legal_name: Text | None = None
    country: Country | None = None
    control_country: Country | None = None
    """Whose law can compel it: the country of its ultimate parent."""
    parent: Id | None = None
    """Its ultimate parent, if that has an entry: under it, counts add up."""
    owners: tuple[Share, ...] | None = None
    """Direct owners whose share matters; empty: no share does."""


class DataPolicy(Value):
    """Is what an operator does with what it is sent, by its public terms."""

    training: bool | None = None
    retention_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    zero_retention: bool | None = None
    safety_retention_days: Annotated[int, Field(ge=0, le=36_500)] | None = None


class Price(Value):
    """Is the list price per million tokens, in millionths of a US dollar."""

    input_microusd: Annotated[int, Field(ge=0)]
    output_microusd: Annotated[int, Field(ge=0)]


class Deployment(Sourced):
    """Is one way to reach a model."""

    model: Id
    mode: Literal["self_hosted", "vendor_api", "cloud_managed", "gateway"] | None
    """Who stands between the caller and the weights; `None`: nobody has said."""
    operator: Id | None = None
    host_cloud: Id | None = None
    hosts: tuple[HostName, ...] = ()
    """Hosts of its endpoints."""
    names: tuple[Text, ...] = ()
    """Model names under which these endpoints know it."""
    inference_profile: Text | None = None
    processing_scope: Literal["fixed", "global"] | None = None
    """`global`: may run anywhere the vendor is; `None`: nobody has said."""
    processing_countries: tuple[Country, ...] | None = None
    storage_countries: tuple[Country, ...] | None = None
    remote_access_countries: tuple[Country, ...] | None = None
    accelerator: Id | None = None
    """The chip that it runs on, as `nvidia-h200` or `ascend-910b`."""
    readers: tuple[Reader, ...] | None = None
    """Who else can read what is sent; empty: nobody; `None`: nobody has said."""
    sealing: Sealing | None = None
    """`None`: it reads what it is sent."""
    data_policy: DataPolicy = DataPolicy()
    states: tuple[DeploymentState, ...] = ()
    installed: InstalledWeights | None = None
    """Only where we host the weights."""
    price: Price | None = None


class CatalogFile(Value):
    """Is one YAML file of a catalog; each section maps ids to entries."""

    version: Text | None = None
    developers: dict[Id, Developer] = Field(default_factory=dict)
    models: dict[Id, Model] = Field(default_factory=dict)
    weights: dict[Id, Weights] = Field(default_factory=dict)
    evidence: dict[Digest, WeightsEvidence] = Field(default_factory=dict)
    operators: dict[Id, Operator] = Field(default_factory=dict)
    deployments: dict[Id, Deployment] = Field(default_factory=dict)
    lists: dict[Id, List] = Field(default_factory=dict)
