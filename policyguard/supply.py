"""Where the policy of a guard comes from, by its settings, and who looks for more.

Trust is in the settings' file: a digest, or keys. The shipped bundle is trusted by the
digest in the package. Nothing of that can come from the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from policyguard.audit.trail import Trail
from policyguard.bundle.archive import unpack
from policyguard.bundle.shipped import shipped_digests, shipped_directory
from policyguard.canonical import digest
from policyguard.engines.opa_server import OpaServer
from policyguard.errors import (
    BundleError,
    BundleRefused,
    ConfigurationError,
    EngineError,
)
from policyguard.guard.events import log
from policyguard.guard.policy import Policy, PolicyInUse
from policyguard.reload.acceptance import Accepted, Trust, accept
from policyguard.reload.memory import PolicyMemory, Remembered
from policyguard.reload.offer import (
    FileSource,
    HttpSource,
    Offer,
    Source,
    split_address,
)
from policyguard.reload.reloader import (
    Reloader,
    Supply,
    install,
    record_load,
    record_refusal,
)
from policyguard.settings import (
    BundleKey,
    BundleSettings,
    CatalogSettings,
    DetectionSettings,
    Settings,
)
from policyguard.signing.jws import JwsKey
from policyguard.signing.key_file import read_key_file, read_public_file
from policyguard.trail_settings import OutsideSettings

if TYPE_CHECKING:
    from policyguard.guard.detecting import Searching
    from policyguard.reload.catalogs import Facts
    from policyguard.reload.looking import Looking

Build = Callable[[Accepted], Policy]

_SHIPPED: Final = "the shipped bundle"


def first_accepted(settings: BundleSettings, *, trail: Trail | None) -> Accepted:
    """Return the bundle that a guard starts with.

    Args:
        settings: What `[bundle]` says.
        trail: Remembers revisions, records refusals, and has the last good bundle when
            a server is down; without it the bundle is only looked at.

    Raises:
        BundleError: there is none that may decide.
        ConfigurationError: the settings contradict themselves, or name a file that
            cannot be used.
    """
    trust, source = trust_of(settings), source_of(settings)
    memory = None if trail is None else PolicyMemory(trail.policy_memory)
    remembered = memory.read() if memory else None
    offer = _first_offer(source, trail=trail, remembered=remembered)
    try:
        return accept(offer, trust=trust, remembered=remembered)
    except BundleRefused as refusal:
        if trail is not None and trust.keys:
            record_refusal(refusal, offer=offer, kept=None, trail=trail)
        raise


def begin(accepted: Accepted, *, build: Build, trail: Trail, enforced: bool) -> Policy:
    """Load the first bundle; record and remember it if it is not the last one's.

    Where objections stop no call, that is recorded at each start, before any call.

    Raises:
        EngineLoadError: the engine refuses it; recorded if a key signed it.
        TrailError: it cannot be kept, remembered or recorded.
    """
    remembered = PolicyMemory(trail.policy_memory).read()
    try:
        policy = build(accepted)
    except EngineError as error:
        if accepted.signed_by is not None:
            refusal = BundleRefused(
                str(error), code="bundle.engine", offered=accepted.offered
            )
            offer = Offer(
                source=accepted.source, name="", digest=accepted.offered, files=None
            )
            record_refusal(refusal, offer=offer, kept=None, trail=trail)
        raise
    fresh = remembered is None and accepted.source == "shipped"
    same = remembered is not None and remembered.bundle == accepted.ref
    if not fresh and not same:
        install(policy, accepted=accepted, before=None, trail=trail, enforced=enforced)
    elif not enforced:
        record_load(
            policy,
            accepted=accepted,
            previous=remembered.bundle if remembered else None,
            trail=trail,
            enforced=False,
        )
    return policy


def watch(
    settings: BundleSettings,
    *,
    policies: PolicyInUse,
    trail: Trail,
    build: Build,
    enforced: bool,
) -> Looking | None:
    """Look for new bundles from now on, if the settings say so."""
    if settings.poll_seconds is None:
        return None
    reloader = Reloader(
        supply=Supply(source_of(settings), trust_of(settings), enforced),
        policies=policies,
        trail=trail,
        build=build,
        seconds=settings.poll_seconds,
    )
    return _started(reloader.looking)


def watch_catalog(
    settings: CatalogSettings,
    *,
    policies: PolicyInUse,
    trail: Trail,
    facts: Facts,
) -> Looking | None:
    """Look for new facts from now on, if the settings say so.

    Raises:
        ConfigurationError: there is nothing that could change.
    """
    if settings.poll_seconds is None:
        return None
    if not settings.overlays:
        raise ConfigurationError(
            "`poll_seconds` under [catalog] has nothing to look at: the shipped catalog"
            " changes with the package; name `overlays`, or remove it"
        )
    from policyguard.reload.catalogs import CatalogReloader

    reloader = CatalogReloader(
        facts=facts,
        policies=policies,
        trail=trail,
        seconds=settings.poll_seconds,
    )
    return _started(reloader.looking)


def watch_all(
    settings: Settings,
    *,
    policies: PolicyInUse,
    trail: Trail,
    build: Build,
    facts: Facts,
) -> tuple[Looking, ...]:
    """Look for new bundles and new facts from now on, as far as the settings say so.

    Args:
        settings: Say whether, and how often.
        policies: What is in use, and is replaced.
        trail: Where each load and each refusal is recorded.
        build: Validates an accepted bundle, keeps it, and loads it into an engine.
        facts: Where catalogs come from.
    """
    found = (
        watch(
            settings.bundle,
            policies=policies,
            trail=trail,
            build=build,
            enforced=facts.enforced,
        ),
        watch_catalog(settings.catalog, policies=policies, trail=trail, facts=facts),
    )
    looking = tuple(item for item in found if item is not None)

    def wake() -> None:
        for item in looking:
            item.wake()

    if looking:
        policies.when_outdated = wake
    return looking


def _started(looking: Looking) -> Looking:
    looking.start()
    return looking


def stopping(
    outside: OutsideSettings,
    trail: Trail,
    *,
    role: str,
    looking: Sequence[Looking],
) -> Callable[[], None] | None:
    """Start what runs beside an application's guard, and return what ends it.

    Args:
        outside: Whom checkpoints are taken to, and how often.
        trail: The guard's.
        role: The command line takes nothing outside by itself.
        looking: Ended as well.

    Raises:
        ConfigurationError: the settings of `outside` cannot be used.
    """

    def close_all() -> None:
        for item in looking:
            item.close()

    if outside.every_seconds is None or role != "app":
        return close_all if looking else None
    # Only for those who want it: a guard starts with few modules.
    from policyguard.assembly_outside import hook_of

    hook = hook_of(outside, trail=trail)

    def stop() -> None:
        close_all()
        trail.flush()
        if hook is not None:
            hook.close()

    return stop


def trust_of(settings: BundleSettings) -> Trust:
    """Return why a bundle is believed, with the keys read.

    Raises:
        ConfigurationError: reasons that contradict each other, or a key that cannot be
            read.
    """
    if settings.path is None and settings.url is None:
        if settings.keys or settings.digest or settings.poll_seconds:
            raise ConfigurationError(
                "the shipped bundle is trusted by the package: for a bundle of your own"
                " set `path` or `url` under [bundle]"
            )
        return Trust(digest=shipped_digests().bundle)
    if settings.path is not None and settings.url is not None:
        raise ConfigurationError("`path` and `url` under [bundle] are two: keep one")
    if settings.keys and settings.digest is not None:
        raise ConfigurationError(
            "`digest` and `keys` under [bundle] are two reasons: keep one"
        )
    if not settings.keys and (settings.url or settings.poll_seconds):
        raise ConfigurationError(
            "a bundle from a server, or one that may be replaced, is trusted by the key"
            " that signs it: name it under [[bundle.keys]]"
        )
    named = [key.id for key in settings.keys]
    if len(set(named)) != len(named):
        raise ConfigurationError(
            "two keys under [[bundle.keys]] have one `id`: keep one"
        )
    return Trust(
        keys=tuple(map(_read_key, settings.keys)),
        scope=settings.scope,
        digest=settings.digest,
        lower_to=settings.lower_to,
    )


def source_of(settings: BundleSettings) -> Source:
    """Return where bundles come from.

    Raises:
        ConfigurationError: an address that cannot be used.
    """
    if settings.url is None:
        path = settings.path
        return _Shipped() if path is None else FileSource(path)
    origin, path_there = split_address(settings.url)
    server = OpaServer(
        url=origin,
        ca_file=settings.ca_file,
        token_file=settings.token_file,
        # The signature protects the content; a token has to be protected, too.
        plaintext=settings.token_file is None,
    )
    return HttpSource(server, path=path_there)


class _Shipped:
    """Offers the shipped bundle."""

    def offer(self) -> Offer | None:
        found = FileSource(shipped_directory()).offer()
        if found is None or found.files is None:
            raise BundleError("the shipped bundle cannot be read: reinstall it")
        return Offer(
            source="shipped", name=_SHIPPED, digest=found.digest, files=found.files
        )

    def forget(self) -> None:
        pass


def _first_offer(
    source: Source, *, trail: Trail | None, remembered: Remembered | None
) -> Offer:
    try:
        offer = source.offer()
    except BundleError as error:
        if trail is None or remembered is None or not isinstance(source, HttpSource):
            raise
        log.warning("policy.unreachable", reason=str(error))
        return _kept_offer(trail, remembered)
    if offer is None:
        raise BundleError("there is no bundle")
    return offer


def _kept_offer(trail: Trail, remembered: Remembered) -> Offer:
    """Offer the last good bundle; its signature is verified like any other."""
    data = trail.versions.read("bundle", remembered.bundle.digest)
    return Offer(
        source="kept",
        name=f"the kept bundle {remembered.bundle.revision}",
        digest=digest(data),
        files=unpack(data, name="the kept bundle"),
    )


def _read_key(key: BundleKey) -> JwsKey:
    read = read_key_file if key.algorithm.startswith("HS") else read_public_file
    return JwsKey(id=key.id, algorithm=key.algorithm, material=read(key.file))


def searching_of(settings: DetectionSettings) -> Searching | None:
    """Return how data is searched, or `None` where settings do not ask for it.

    Raises:
        ConfigurationError: Presidio is asked for, and is not installed.
    """
    if settings.undeclared == "off":
        return None
    # Here: most guards search for nothing.
    from policyguard.detection.presidio import presidio_detectors
    from policyguard.guard.detecting import Searching

    detectors = presidio_detectors() if settings.presidio else {}
    return Searching(undeclared=settings.undeclared, detectors=detectors)
