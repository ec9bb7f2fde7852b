"""Builds a guard's parts from settings: the one place that knows every part."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from sqlite3 import sqlite_version_info
from typing import cast

from policyguard.assembly_authority import in_force, leave_of
from policyguard.audit.shared import counters_at
from policyguard.audit.stores.database import has_wal_reset_bug
from policyguard.audit.stores.place import Lock
from policyguard.audit.trail import Role, Trail
from policyguard.audit.versions import VersionStore
from policyguard.bundle.additions import has_additions, without_additions
from policyguard.bundle.archive import pack, unpack
from policyguard.bundle.served import with_own_digest
from policyguard.bundle.shipped import shipped_digests, shipped_directory
from policyguard.bundle.source import Bundle, load_files
from policyguard.canonical import Json, digest, parse_json
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.document import with_views
from policyguard.catalog.load import load_catalog
from policyguard.engines.protocol import Engine, Golden, PolicySet, Snapshot
from policyguard.engines.regorus import RegorusEngine
from policyguard.errors import (
    CatalogError,
    TamperedError,
)
from policyguard.guard.core import Core
from policyguard.guard.events import log
from policyguard.guard.facts import Facts
from policyguard.guard.notices import NoticeFile
from policyguard.guard.policy import Policy, PolicyInUse
from policyguard.guard.tally import Tally
from policyguard.identity import wall_clock
from policyguard.reload.acceptance import Accepted
from policyguard.settings import Settings, load_settings
from policyguard.signing.key_source import FileKeys, KeySource
from policyguard.signing.passphrase import passphrase_file
from policyguard.supply import (
    begin,
    first_accepted,
    searching_of,
    stopping,
    watch_all,
)

ENTRYPOINT = "data.policyguard.main.decision"


def build_core(
    *,
    settings: Settings | None = None,
    clock: Callable[[], datetime] | None = None,
    role: Role = "app",
) -> Core:
    """Build what a guard is made of.

    Args:
        settings: As `Guard` takes them; without them POLICYGUARD_CONFIG, or defaults.
        clock: Returns the legal instant; without it the wall clock.
        role: Whose logs of the trail are written: an application's, or the command
            line's own, which has some even when applications hold all of theirs.

    Raises:
        PolicyGuardError: a part that cannot be used, by its own kind of error.
    """
    from policyguard.assembly_engine import engine_of, recall

    known = settings if settings is not None else load_settings()
    # Who trusts by key has a memory of revisions, which is the trail's.
    trail = trail_of(known, role=role) if known.bundle.keys else None
    accepted = first_accepted(known.bundle, trail=trail)
    catalog = catalog_of(known)
    engine = engine_of(known)

    def deciding(bundle: Bundle) -> Bundle:
        return in_force(bundle, settings=known, now=wall_clock())

    snapshot = (
        None
        if trail
        else engine.load(policy_set(bundle=deciding(accepted.bundle), catalog=catalog))
    )
    opened = trail or trail_of(known, role=role)
    recall(engine, trail=opened, loaded=snapshot)

    def made(
        bundle: Bundle,
        catalog: Catalog,
        *,
        loaded: Snapshot | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> Policy:
        policy = policy_set(bundle=bundle, catalog=catalog)
        snapshot = loaded or _loaded(engine, policy)
        keep(opened.versions, bundle=bundle, catalog=catalog, files=files)
        return Policy(
            snapshot=snapshot,
            bundle=bundle,
            catalog=catalog,
            memo_entries=known.engine.memo_entries,
        )

    def build(accepted: Accepted, *, loaded: Snapshot | None = None) -> Policy:
        bundle = deciding(accepted.bundle)
        whole = accepted.signed_by is not None and bundle is accepted.bundle
        return made(
            bundle,
            policies.newest.catalog if policies else catalog,
            loaded=loaded,
            files=accepted.files if whole else None,
        )

    policies: PolicyInUse | None = None
    enforced = known.tenant.mode == "enforce"
    first = begin(
        accepted, build=partial(build, loaded=snapshot), trail=opened, enforced=enforced
    )
    policies = PolicyInUse(first)
    if not enforced:
        log.warning(
            "observes only: calls that rules object to are made and recorded",
            tenant=known.tenant.id,
        )
    from policyguard.reload.catalogs import Facts as NewFacts

    facts = NewFacts(
        files=known.catalog.overlays,
        load=partial(catalog_of, known),
        build=lambda catalog: made(policies.newest.bundle, catalog),
        enforced=enforced,
    )
    looking = (
        watch_all(known, policies=policies, trail=opened, build=build, facts=facts)
        if role == "app"
        else ()
    )
    return Core(
        policies=policies,
        trail=opened,
        tenant=known.tenant.tenant(),
        leave=leave_of(known, bundle=first.bundle, trail=opened),
        notices=NoticeFile(path=known.obligations.notify)
        if known.obligations.notify
        else None,
        tally=Tally(counters=counters_at(opened.place)),
        defaults=Facts(exporter=known.tenant.exporter(), context=known.tenant.context),
        clock=clock or wall_clock,
        simulated=clock is not None,
        keep_prompts=known.trail.keep_prompts,
        searching=searching_of(known.detection),
        stop=stopping(known.outside, opened, role=role, looking=looking),
        enforced=enforced,
    )


def core_as_known(core: Core, *, day: date) -> Core:
    """Return a core that knows each list as it was known on a day, for simulation.

    It shares the trail; what it answers is recorded as simulated, with a catalog that
    is kept for replay like any other. It evaluates in this process, whatever engine
    the settings name: a server holds what is known now.
    """
    bundle = core.policies.newest.bundle
    catalog = core.policies.newest.catalog.known_on(day)
    snapshot = RegorusEngine().load(policy_set(bundle=bundle, catalog=catalog))
    keep(core.trail.versions, bundle=bundle, catalog=catalog, files=None)
    policy = Policy(snapshot=snapshot, bundle=bundle, catalog=catalog)
    return replace(core, policies=PolicyInUse(policy), simulated=True, stop=None)


def _loaded(engine: Engine, policy: PolicySet) -> Snapshot:
    """Load a policy that a key vouches for, and that may hang a parser all the same."""
    from policyguard.engines.apart import validate_apart
    from policyguard.engines.kept import is_known

    # Of what is known, nothing is parsed.
    if isinstance(engine, RegorusEngine) and not is_known(policy):
        return engine.admit(policy, translated=validate_apart(policy))
    return engine.load(policy)


def bundle_of(settings: Settings) -> Bundle:
    """Return the bundle that the settings name, with what the tenant adds to it.

    Raises:
        BundleError: it cannot be read, or is not trusted; or the same of the tenant's
            rules.
        AuthorityError: an override does not count.
        ConfigurationError: the settings contradict themselves.
    """
    bundle = first_accepted(settings.bundle, trail=None).bundle
    return in_force(bundle, settings=settings, now=wall_clock())


def catalog_of(settings: Settings) -> Catalog:
    """Return the shipped catalog with the overlays that the settings name.

    Raises:
        CatalogError: a file that cannot be used, or a shipped one that was changed.
    """
    files = sorted((shipped_directory() / "catalog").glob("*.yaml"))
    shipped = load_catalog(files)
    trusted = shipped_digests().catalog
    if shipped.digest != trusted:
        raise CatalogError(
            f"the shipped catalog has digest `{shipped.digest}` and the package says"
            f" `{trusted}`: reinstall it, and put your own facts into an overlay"
        )
    if not settings.catalog.overlays:
        return shipped
    return load_catalog(files, overlays=settings.catalog.overlays)


def keep(
    versions: VersionStore,
    *,
    bundle: Bundle,
    catalog: Catalog,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Keep a bundle and a catalog for as long as the trail, before they decide.

    Args:
        versions: Where.
        bundle: What decides.
        catalog: What it decides from.
        files: Everything that came with the bundle, its signature too; without it
            what its digest covers.

    Raises:
        TrailError: they cannot be kept.
    """
    if not versions.has("bundle", bundle.digest):
        versions.keep("bundle", bundle.digest, pack(files or bundle.files))
    versions.keep("catalog", catalog.digest, catalog.document_json)


def kept_policy(
    versions: VersionStore, *, bundle: str, catalog: str
) -> tuple[Bundle, PolicySet]:
    """Return what a recorded decision was made from, as an engine takes it.

    Args:
        versions: What the decision's trail keeps.
        bundle: The bundle's digest in the record.
        catalog: The catalog's digest in the record.

    Raises:
        TrailError: one of them is not kept.
        TamperedError: what is kept has another digest.
        BundleError: what is kept does not load.
    """
    found = load_files(
        unpack(versions.read("bundle", bundle), name=f"the kept bundle `{bundle}`"),
        name=bundle,
    )
    document = versions.read("catalog", catalog)
    for kind, wanted, has in (
        ("bundle", bundle, found.digest),
        ("catalog", catalog, digest(document)),
    ):
        if has != wanted:
            raise TamperedError(
                f"the kept {kind} `{wanted}` has the digest `{has}`: it was changed"
            )
    facts = cast("dict[str, Json]", parse_json(document, max_bytes=len(document)))
    return found, policy_set_of(found, facts=facts, catalog_digest=catalog)


def policy_set(*, bundle: Bundle, catalog: Catalog) -> PolicySet:
    """Return text and data as an engine takes them."""
    return policy_set_of(bundle, facts=catalog.document, catalog_digest=catalog.digest)


def policy_set_of(
    bundle: Bundle, *, facts: Mapping[str, Json], catalog_digest: str
) -> PolicySet:
    """Return text and data as an engine takes them, from a catalog's document."""
    return PolicySet(
        modules=bundle.modules,
        data={
            **with_own_digest(bundle.data, digest=bundle.digest),
            "catalog": facts,
        },
        entrypoint=ENTRYPOINT,
        rule_ids=frozenset(bundle.rule_ids),
        bundle_digest=bundle.digest,
        catalog_digest=catalog_digest,
        golden=tuple(
            Golden(
                name=vector.name,
                input=vector.input,
                verdict=vector.verdict,
                rules=vector.rules,
            )
            for vector in bundle.golden.vectors
        ),
        golden_catalog=with_views(bundle.golden.catalog),
        promising=_promising(bundle, facts=facts, catalog_digest=catalog_digest),
    )


def keys_of(settings: Settings) -> KeySource:
    """Return where the keys of the trail's logs come from."""
    signing = settings.signing
    file = signing.passphrase()
    asked = passphrase_file(file) if file else None
    if signing.uri is not None and signing.public_key is not None:
        from policyguard.signing.kms import KmsKeys

        public = str(signing.public_key)
        return KmsKeys(uri=signing.uri, public_key=public, passphrase=asked)
    return FileKeys(passphrase=asked)


@cache
def _warn_once(version: str) -> None:
    log.warning(
        "SQLite can lose commits when two connections checkpoint one WAL: open the"
        " trail's files with nothing else that writes, or use SQLite 3.51.3 or later",
        sqlite=version,
    )


def _warn_of_sqlite(settings: Settings) -> None:
    if settings.trail.url is not None or not has_wal_reset_bug(sqlite_version_info):
        return
    # For who has set up logging: it is no line for the terminal of everybody else, since
    # a trail itself never opens two such connections.
    if logging.getLogger("policyguard").hasHandlers():
        _warn_once(".".join(map(str, sqlite_version_info)))


def _promising(
    bundle: Bundle, *, facts: Mapping[str, Json], catalog_digest: str
) -> PolicySet | None:
    """Return the policy without a tenant's additions, if there are some."""
    if not has_additions(bundle.files):
        return None
    own = load_files(without_additions(bundle.files), name=bundle.revision)
    return policy_set_of(own, facts=facts, catalog_digest=catalog_digest)


def trail_of(settings: Settings, *, role: Role) -> Trail:
    """Open the trail that the settings name, or make the first one.

    Raises:
        TrailError: it cannot be opened, or is not what was last signed.
    """
    place = settings.trail.place()
    new = isinstance(place, Path) and not place.exists()
    trail = Trail.open_or_create(
        place,
        lock=Lock(place=settings.trail.remembered(), every=settings.trail.lock_every),
        name=settings.trail.name,
        role=role,
        keys=keys_of(settings),
    )
    _warn_of_sqlite(settings)
    if new and settings.trail.directory is None:
        # Nobody chose the place, so it is said once.
        log.warning(
            "made a trail and a signing key for the records of model calls",
            directory=str(place),
        )
    return trail
