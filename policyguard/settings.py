"""One frozen `Settings` from one file that reads like prose, `policyguard.toml`.

The file is found by an explicit path or by POLICYGUARD_CONFIG, never in the working
directory: whoever can choose that could swap the policy. Environment variables set
paths alone; trust and enforcement are the file's.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from policyguard.errors import ConfigurationError
from policyguard.trail_settings import OutsideSettings, SigningSettings, under
from policyguard.vocabulary import value as forms
from policyguard.vocabulary.call import (
    CallContext,
    Contract,
    DataSecurity,
    Exporter,
    Licence,
    Organisation,
    Product,
    Sector,
    Tenant,
)
from policyguard.vocabulary.value import Country, Digest, Id, RuleId, Text, Value

CONFIG_VARIABLE: Final = "POLICYGUARD_CONFIG"
TRAIL_VARIABLE: Final = "POLICYGUARD_TRAIL"


Url = Annotated[str, StringConstraints(pattern=r"^postgres(ql)?://[^\s]+$")]
"""A libpq connection URI."""


class BundleKey(Value):
    """Is a key whose signature makes a bundle trusted."""

    id: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
    """What signatures call it (`kid`, or `keyid`)."""
    algorithm: Annotated[
        str, StringConstraints(pattern=r"^(EdDSA|(ES|RS|PS|HS)(256|384|512))$")
    ] = "EdDSA"
    """The one algorithm that it is used with."""
    file: Path
    """PEM of the public key or certificate; of HS… the secret, readable by its owner."""


class BundleSettings(Value):
    """Says which policy bundle decides, and why it is believed."""

    path: Path | None = None
    """A directory or an archive; without it and `url` the shipped bundle."""
    url: str | None = None
    """Of an archive on a server; needs `keys`."""
    digest: Digest | None = None
    """The digest that a bundle of your own must have, if no key signs it."""
    keys: tuple[BundleKey, ...] = ()
    """Those of which one must have signed it."""
    scope: str = ""
    """What the signature must be for."""
    lower_to: str | None = None
    """The one older revision that may take over: to go back on purpose."""
    poll_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """How often to look for a new bundle; without it only at start. Needs `keys`."""
    ca_file: Path | None = None
    """PEM of the authorities that may vouch for the server; else the system's."""
    token_file: Path | None = None
    """A file with the bearer token for the server."""
    tenant: Path | None = None
    """A directory with rules of your own, which are added to the bundle's."""
    tenant_digest: Digest | None = None
    """The digest that your own rules must have: the reason to trust them."""


class CatalogSettings(Value):
    """Says which facts are known besides the shipped ones."""

    overlays: tuple[Path, ...] = ()
    poll_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """How often to look whether the overlays have changed; without it only at start."""


class RetentionSettings(Value):
    """Says how long what is kept of some records has to be kept, beside the law."""

    rules: Annotated[str, StringConstraints(pattern=r"^([A-Z][A-Z0-9_]*|\*)$")]
    """Beginning of the ids of the rules that found something, as `GDPR`; `*`: any."""
    years: Annotated[int, Field(ge=1, le=100)]
    source: Text
    """What demands it."""


class HoldSettings(Value):
    """Keeps records as they are, whatever else allows to erase them.

    A record is held if it fits every criterion that is given; without any, all are.
    """

    name: Id
    until: date | None = None
    """The day on which it ends; without it until this entry is removed."""
    callers: tuple[Text, ...] = ()
    tenants: tuple[Id, ...] = ()
    rules: tuple[
        Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")], ...
    ] = ()
    """Beginnings of rule ids."""
    records: tuple[Text, ...] = ()


class TrailSettings(Value):
    """Says where the trail is, what it keeps, and who may erase."""

    directory: Path | None = None
    lock: Path | None = None
    """Directory of the lock database: on another volume than the trail, if you can."""
    url: Url | None = None
    """Instead of a directory, for fleets: `postgresql://user@host:5432/database`."""
    lock_url: Url | None = None
    """With `url`, the lock database: on another server, so that no backup has both."""
    lock_every: Annotated[int, Field(ge=1, le=10_000)] = 1
    """The lock database is told of one commit in so many. With more than 1 records are
    faster, and a log that was put back by fewer commits after a kill is not noticed."""
    name: (
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9./-]*$")] | None
    ) = None
    """First part of the origin of each log, as `acme.example/policyguard`."""
    keep_prompts: bool = False
    """Whether prompts are kept, sealed in the vault under keys that can be erased."""
    erasers: tuple[
        Annotated[str, StringConstraints(pattern=r"^[^+\s]+\+[0-9a-f]{8}\+")], ...
    ] = ()
    """Verifier keys of those who may order an erasure."""
    retention: tuple[RetentionSettings, ...] = ()
    holds: tuple[HoldSettings, ...] = ()

    @model_validator(mode="after")
    def _require_one_place(self) -> Self:
        if self.url is not None and (self.directory or self.lock):
            raise ValueError("a trail has a url or a directory: leave one away")
        if self.lock_url is not None and self.url is None:
            raise ValueError("lock_url goes with url: give it, or use lock")
        return self

    def place(self) -> str | Path:
        """Return where the trail is: as set, or as the environment says."""
        return self.url or self.directory or default_trail()

    def remembered(self) -> str | Path | None:
        """Return where the lock database is; `None`: in its usual place, or nowhere."""
        return self.lock_url or self.lock


class AuthoritySettings(Value):
    """Says whose signatures count, and what they have signed."""

    people: Path | None = None
    """The file of people: keys of those who may approve calls or soften rules."""
    overrides: tuple[Path, ...] = ()
    """Signed overrides of rules, each a file."""


class ObligationSettings(Value):
    """Says how what rules oblige to is done."""

    notify: Path | None = None
    """A file of JSON lines, to which each notice that a rule obliges to is appended."""


class DetectionSettings(Value):
    """Says whether data is searched for what is not declared of it."""

    undeclared: Literal["off", "join", "refuse"] = "off"
    """`join`: what is found joins what is declared; `refuse`: there is no decision."""
    presidio: bool = False
    """Whether Presidio searches too, for national ids and telephone numbers."""


class EngineSettings(Value):
    """Says which engine evaluates, and where it is when it is not in this process."""

    name: Literal["regorus", "opa"] = "regorus"
    url: str | None = None
    """Of an OPA server: scheme, host and port, as `https://opa.example:8181`."""
    ca_file: Path | None = None
    """PEM of the authorities that may vouch for the server; else the system's."""
    client_cert: Path | None = None
    client_key: Path | None = None
    """For mutual TLS."""
    token_file: Path | None = None
    """A file with the bearer token."""
    plaintext: bool = False
    """Whether plain HTTP may leave this machine, as behind a service mesh."""
    deadline_ms: Annotated[int, Field(ge=1, le=60_000)] = 500
    """Milliseconds for one decision, with connecting and one retry."""
    memo_entries: Annotated[int, Field(ge=0, le=1_000_000)] = 4_096
    """How many questions are remembered with their answers, at some KiB each; 0: none.
    What an OPA server answers is never remembered."""
    compare_one_in: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000
    """Of so many answers of compiled policy one is compared with the interpreter's;
    0: none is."""


class TenantSettings(Value):
    """Says whose rules apply, with which profile and papers."""

    id: Id = "default"
    profile: Literal["balanced", "strict"] = "balanced"
    mode: Literal["enforce", "observe"] = "enforce"
    """`observe`: calls that a rule objects to are made and recorded all the same."""
    establishment: Country | None = None
    """Where data is processed for GDPR chapter V, unless a call says otherwise."""
    article_3: Literal["establishment", "targeting", "none"] | None = None
    residency_allowed: (
        Annotated[tuple[Country, ...], Field(min_length=1)] | Literal["anywhere"]
    ) = "anywhere"
    zero_retention: bool = False
    retention_max_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    sectors: tuple[Sector, ...] | None = None
    assumed: tuple[RuleId, ...] = ()
    context: CallContext | None = None
    """The contracts and offices under which calls are made, unless one says otherwise."""
    uk_article_3: Literal["establishment", "targeting", "none"] | None = None
    swiss_effect: bool | None = None
    contracts: tuple[Contract, ...] | None = None
    licences: tuple[Licence, ...] = ()
    product: Product = Product()
    organisation: Organisation | None = None
    """The tenant itself, its owners and the lists that it was screened against."""
    data_security: DataSecurity = DataSecurity()

    def tenant(self) -> Tenant:
        """Return the tenant as calls carry it."""
        names = Tenant.model_fields.keys() & type(self).model_fields.keys()
        return Tenant(**{name: getattr(self, name) for name in names})

    def exporter(self) -> Exporter:
        """Return who exports, unless a call says otherwise."""
        names = Exporter.model_fields.keys() & type(self).model_fields.keys()
        return Exporter(**{name: getattr(self, name) for name in names})


class Settings(Value):
    """Is all that a guard is built from."""

    bundle: BundleSettings = BundleSettings()
    catalog: CatalogSettings = CatalogSettings()
    trail: TrailSettings = TrailSettings()
    signing: SigningSettings = SigningSettings()
    outside: OutsideSettings = OutsideSettings()
    authority: AuthoritySettings = AuthoritySettings()
    obligations: ObligationSettings = ObligationSettings()
    detection: DetectionSettings = DetectionSettings()
    engine: EngineSettings = EngineSettings()
    tenant: TenantSettings = TenantSettings()


def load_settings(path: str | os.PathLike[str] | None = None) -> Settings:
    """Read settings from a file, and nothing but defaults when there is none.

    Args:
        path: A `policyguard.toml`; without it the file that POLICYGUARD_CONFIG names.
            Paths in the file are relative to the file.

    Raises:
        ConfigurationError: the file is missing or wrong; names the line and the key.
    """
    named = path if path is not None else os.environ.get(CONFIG_VARIABLE)
    if named is None:
        return Settings()
    file = Path(named)
    try:
        text = file.read_text("utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read `{file}`: {error.strerror}: give the path of a policyguard.toml"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"`{file}` is not TOML: {error}") from error
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError(_located(error, text=text, file=file)) from error
    return _anchored(settings, base=file.parent.absolute())


def default_trail() -> str | Path:
    """Return where the trail is when no settings say so: the user's data directory.

    Follows POLICYGUARD_TRAIL, a directory or a connection URI, then the XDG base
    directory specification.
    """
    named = os.environ.get(TRAIL_VARIABLE)
    if named:
        return named if "://" in named else Path(named)
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "policyguard" / "trail"


def _anchored(settings: Settings, *, base: Path) -> Settings:
    """Return the settings with each path made relative to the file that holds it."""
    bundle, catalog, trail = settings.bundle, settings.catalog, settings.trail
    engine, signing = settings.engine, settings.signing
    authority = settings.authority
    return settings.model_copy(
        update={
            "bundle": bundle.model_copy(
                update={
                    "path": under(base, bundle.path),
                    "keys": tuple(
                        key.model_copy(update={"file": base / key.file.expanduser()})
                        for key in bundle.keys
                    ),
                    "ca_file": under(base, bundle.ca_file),
                    "token_file": under(base, bundle.token_file),
                    "tenant": under(base, bundle.tenant),
                }
            ),
            "catalog": catalog.model_copy(
                update={"overlays": tuple(base / item for item in catalog.overlays)}
            ),
            "obligations": settings.obligations.model_copy(
                update={"notify": under(base, settings.obligations.notify)}
            ),
            "authority": authority.model_copy(
                update={
                    "people": under(base, authority.people),
                    "overrides": tuple(base / item for item in authority.overrides),
                }
            ),
            "trail": trail.model_copy(
                update={
                    "directory": under(base, trail.directory),
                    "lock": under(base, trail.lock),
                }
            ),
            "engine": engine.model_copy(
                update={
                    name: under(base, getattr(engine, name))
                    for name in ("ca_file", "client_cert", "client_key", "token_file")
                }
            ),
            "outside": settings.outside.under(base),
            "signing": signing.model_copy(
                update={
                    "passphrase_file": under(base, signing.passphrase_file),
                    "public_key": under(base, signing.public_key),
                }
            ),
        }
    )


def _located(error: ValidationError, *, text: str, file: Path) -> str:
    """Say the first fault with its line and key."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = forms.place_of(first)
    keys = [str(part) for part in place if not isinstance(part, int)]
    key = ".".join(map(str, place))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = f"there is no such key: {_known(keys)}"
    line = _line_of(text, keys=keys)
    return f"`{file}` line {line}, key `{key}`: {message[:1].lower()}{message[1:]}"


def _known(keys: list[str]) -> str:
    fields: Mapping[str, object] = Settings.model_fields
    section = Settings.model_fields.get(keys[0]) if len(keys) > 1 else None
    if section is not None and isinstance(section.annotation, type):
        fields = getattr(section.annotation, "model_fields", fields)
    return f"known are {', '.join(sorted(fields))}"


def _line_of(text: str, *, keys: list[str]) -> int:
    """Find the line that most likely sets a key; TOML parsers do not tell."""
    best = 1
    wanted = list(keys)
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([A-Za-z0-9_.-]+)\s*\]+", line)
        setting = re.match(r"\s*([A-Za-z0-9_-]+)\s*=", line)
        if header and header.group(1).split(".")[0] == keys[0]:
            best = number
            wanted = keys[len(header.group(1).split(".")) :]
        elif setting and wanted and setting.group(1) == wanted[0]:
            return number
    return best
