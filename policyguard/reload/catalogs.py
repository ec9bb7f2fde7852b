"""Looks for new facts while calls are made, and lets a good catalog take over.

The catalog is the shipped one with the overlays that the settings name, which are trusted
as that file is. It takes over together with the bundle in use, as one policy.

Owner: one `CatalogReloader` belongs to a `Core` and has one daemon thread. A crash loses
nothing: the next start reads the same files.

INVARIANT: a catalog takes over only after it was loaded whole, validated, kept for replay
and recorded in the trail. Whatever fails, the catalog in use stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from policyguard.audit.trail import Trail
from policyguard.catalog.catalog import Catalog
from policyguard.errors import CatalogError, EngineError, PolicyGuardError
from policyguard.guard.events import log
from policyguard.guard.policy import Policy, PolicyInUse
from policyguard.identity import new_id, record_time, wall_clock
from policyguard.reload.looking import Looking
from policyguard.reload.offer import stamp_of
from policyguard.reload.reloader import load_record
from policyguard.vocabulary.decision import BundleRef
from policyguard.vocabulary.record import PolicyRejectRecord, RejectCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Is where a catalog comes from, and how it becomes policy."""

    files: Sequence[Path]
    """The overlays."""
    load: Callable[[], Catalog]
    """Reads all files, or raises CatalogError."""
    build: Callable[[Catalog], Policy]
    """Validates a catalog under the bundle in use, keeps it, and loads it."""
    enforced: bool
    """Whether objections stop calls in this process, as each load's record says."""


class CatalogReloader:
    """Lets a catalog whose files have changed take over.

    Args:
        facts: Where catalogs come from.
        policies: What is in use, and is replaced.
        trail: Where each load and each refusal is recorded.
        seconds: How long to wait between two looks, before jitter.
    """

    def __init__(
        self,
        *,
        facts: Facts,
        policies: PolicyInUse,
        trail: Trail,
        seconds: float,
    ) -> None:
        self._facts = facts
        self._policies = policies
        self._trail = trail
        self._seen = stamp_of(*facts.files)
        self._refused: tuple[str, str] | None = None
        self.looking = Looking(self._look, turn=policies.turn, seconds=seconds)
        """Looks, once it is started."""

    def _look(self) -> bool:
        stamp = stamp_of(*self._facts.files)
        if stamp is not None and stamp == self._seen:
            return False
        try:
            changed = self._consider()
        except CatalogError as error:
            self._reject("catalog.malformed", error, offered=None)
            changed = False
        except EngineError as error:
            # An OPA server may not have the catalog yet: it is asked again.
            self.looking.failures += 1
            self._reject("catalog.engine", error, offered=self._offered)
            return False
        else:
            self.looking.failures = 0
        self._seen = stamp
        return changed

    _offered: str | None = None

    def _consider(self) -> bool:
        self._offered = None
        catalog = self._facts.load()
        newest = self._policies.newest
        if catalog.digest == newest.catalog.digest:
            return False
        self._offered = catalog.digest
        policy = self._facts.build(catalog)
        self._trail.append(
            load_record(
                policy,
                source="overlays",
                previous=_ref(newest),
                enforced=self._facts.enforced,
            )
        )
        self._policies.replace(policy)
        self._refused = None
        log.info("policy.loaded", revision=policy.bundle.revision)
        return True

    def _reject(
        self, code: RejectCode, error: PolicyGuardError, *, offered: str | None
    ) -> None:
        """Record a refusal, once for each thing that was refused."""
        what = (code, str(error))
        if what == self._refused:
            return
        log.error("policy.rejected", code=code, reason=str(error))
        self._trail.append(
            PolicyRejectRecord(
                id=new_id(),
                time=record_time(wall_clock()),
                source="overlays",
                code=code,
                offered=offered,
                kept=_ref(self._policies.newest),
            )
        )
        self._refused = what


def _ref(policy: Policy) -> BundleRef:
    return BundleRef(revision=policy.bundle.revision, digest=policy.bundle.digest)
