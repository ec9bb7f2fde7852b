"""Looks for new bundles while calls are made, and lets a good one take over.

Owner: one `Reloader` belongs to a `Core` and has one daemon thread. Everything that takes time happens in that thread or in a process of its
own. A crash loses nothing: what is in use is remembered before it is used.

INVARIANT: a bundle takes over only after it was accepted, validated, kept for replay,
remembered, and recorded in the trail. Whatever fails, the bundle in use stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from policyguard.audit.trail import Trail
from policyguard.bundle.revision import is_older
from policyguard.errors import (
    BundleError,
    BundleRefused,
    EngineError,
)
from policyguard.guard.events import log
from policyguard.guard.policy import Policy, PolicyInUse
from policyguard.identity import new_id, record_time, wall_clock
from policyguard.reload.acceptance import Accepted, Trust, accept
from policyguard.reload.memory import PolicyMemory, Remembered
from policyguard.reload.offer import Offer, Source
from policyguard.vocabulary.decision import BundleRef, CatalogRef, EngineRef
from policyguard.vocabulary.record import (
    PolicyLoadRecord,
    PolicyRejectRecord,
    PolicySource,
)

Build = Callable[[Accepted], Policy]


@dataclass(frozen=True, slots=True)
class Supply:
    """Is where bundles come from, why one is believed, and what it may do."""

    source: Source
    trust: Trust
    enforced: bool
    """Whether objections stop calls in this process, as each load's record says."""


class Reloader:
    """Asks a source for bundles, and lets those that may take over do so.

    Args:
        supply: Where bundles come from, and why one is believed.
        policies: What is in use, and is replaced.
        trail: Where each load and each refusal is recorded.
        build: Validates an accepted bundle, keeps it, and loads it into an engine.
        seconds: How long to wait between two looks, before jitter.
    """

    def __init__(
        self,
        *,
        supply: Supply,
        policies: PolicyInUse,
        trail: Trail,
        build: Build,
        seconds: float,
    ) -> None:
        # Whoever only imports the package looks for nothing.
        from policyguard.reload.looking import Looking

        self._enforced = supply.enforced
        self._source = supply.source
        self._trust = supply.trust
        self._policies = policies
        self._trail = trail
        self._build = build
        self._refused: tuple[str | None, str] | None = None
        self.looking = Looking(self._look, turn=policies.turn, seconds=seconds)
        """Looks, once it is started."""

    def _look(self) -> bool:
        try:
            offer = self._source.offer()
            return offer is not None and self._consider(offer)
        except BundleError as error:
            self.looking.failures += 1
            log.warning("policy.unreachable", reason=str(error))
            return False
        except BaseException:
            self._source.forget()
            raise

    def _try_again(self) -> None:
        """Have the same bundle offered again, but not too soon."""
        self.looking.failures += 1
        self._source.forget()

    def _consider(self, offer: Offer) -> bool:
        memory = PolicyMemory(self._trail.policy_memory)
        try:
            accepted = accept(
                offer, trust=self._trust, remembered=self._floor(memory.read())
            )
            if accepted.bundle.digest == self._policies.newest.bundle.digest:
                self.looking.failures = 0
                return False
            policy = self._built(accepted)
        except BundleRefused as refusal:
            self._reject(refusal, offer=offer)
            return False
        install(
            policy,
            accepted=accepted,
            before=self._policies.newest,
            trail=self._trail,
            enforced=self._enforced,
        )
        self._policies.replace(policy)
        self._refused, self.looking.failures = None, 0
        log.info("policy.loaded", revision=accepted.bundle.revision)
        return True

    def _floor(self, remembered: Remembered | None) -> Remembered:
        """Return what a revision has to be above, by this process's own use, too.

        Another process of the trail may have gone back on purpose: that was leave for
        itself.
        """
        bundle = self._policies.newest.bundle
        own = BundleRef(revision=bundle.revision, digest=bundle.digest)
        last = remembered.signed if remembered else None
        if remembered is None or last is None or is_older(last.revision, own.revision):
            return Remembered(bundle=own, signed=own)
        return remembered

    def _built(self, accepted: Accepted) -> Policy:
        try:
            return self._build(accepted)
        except EngineError as error:
            raise BundleRefused(
                f"the engine refuses the bundle: {error}",
                code="bundle.engine",
                offered=accepted.offered,
            ) from error

    def _reject(self, refusal: BundleRefused, *, offer: Offer) -> None:
        """Record a refusal, once for each thing that was offered."""
        if refusal.code == "bundle.engine":
            # A remote engine may not have the bundle yet.
            self._try_again()
        else:
            self.looking.failures = 0
        what = (refusal.offered, refusal.code)
        if what == self._refused:
            return
        log.error("policy.rejected", code=refusal.code, reason=str(refusal))
        kept = self._policies.newest.bundle
        record_refusal(
            refusal,
            offer=offer,
            kept=BundleRef(revision=kept.revision, digest=kept.digest),
            trail=self._trail,
        )
        self._refused = what


def install(
    policy: Policy,
    *,
    accepted: Accepted,
    before: Policy | None,
    trail: Trail,
    enforced: bool,
) -> None:
    """Record that a policy takes over, and remember it; then it may be used.

    Args:
        policy: What takes over.
        accepted: Where it came from, and why it is believed.
        before: What it replaces in this process, if anything.
        trail: Records and remembers it.
        enforced: Whether objections stop calls in this process.

    Raises:
        TrailError: it cannot be recorded or remembered; it must not be used.
    """
    memory = PolicyMemory(trail.policy_memory)
    remembered = memory.read()
    record_load(
        policy,
        accepted=accepted,
        previous=_previous(before, remembered),
        trail=trail,
        enforced=enforced,
    )
    signed = accepted.ref if accepted.signed_by else None
    kept = remembered.signed if remembered else None
    memory.write(Remembered(bundle=accepted.ref, signed=signed or kept))


def record_load(
    policy: Policy,
    *,
    accepted: Accepted,
    previous: BundleRef | None,
    trail: Trail,
    enforced: bool,
) -> None:
    """Record which policy decides from here on, and whether it stops calls.

    Raises:
        TrailError: it cannot be recorded.
    """
    record = load_record(
        policy, source=accepted.source, previous=previous, enforced=enforced
    )
    how = {"signed_by": accepted.signed_by, "lowered": accepted.lowered}
    trail.append(record.model_copy(update=how))


def load_record(
    policy: Policy,
    *,
    source: PolicySource,
    previous: BundleRef | None,
    enforced: bool,
) -> PolicyLoadRecord:
    """Return the record of a policy that takes over."""
    info = policy.snapshot.info
    return PolicyLoadRecord(
        id=new_id(),
        time=record_time(wall_clock()),
        source=source,
        previous=previous,
        bundle=BundleRef(revision=policy.bundle.revision, digest=policy.bundle.digest),
        catalog=CatalogRef(
            version=policy.catalog.version, digest=policy.catalog.digest
        ),
        engine=EngineRef(name=info.name, version=info.version, digest=info.digest),
        enforced=enforced,
    )


def record_refusal(
    refusal: BundleRefused, *, offer: Offer, kept: BundleRef | None, trail: Trail
) -> None:
    """Record that an offered bundle may not take over.

    Raises:
        TrailError: it cannot be recorded.
    """
    trail.append(
        PolicyRejectRecord(
            id=new_id(),
            time=record_time(wall_clock()),
            source=offer.source,
            code=refusal.code,
            offered=refusal.offered,
            kept=kept,
        )
    )


def _previous(before: Policy | None, remembered: Remembered | None) -> BundleRef | None:
    if before is not None:
        return BundleRef(
            revision=before.bundle.revision, digest=before.snapshot.bundle_digest
        )
    return remembered.bundle if remembered else None
