"""Where a trail in PostgreSQL is written: the server, and its lock database.

Light: the driver is imported when the first session begins.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

from policyguard.audit.layout import Layout, make_folder
from policyguard.audit.stores.place import Lock, is_url
from policyguard.audit.stores.postgres_server import Server, server_of

if TYPE_CHECKING:
    from policyguard.audit.stores.postgres import PostgresWriter
    from policyguard.audit.stores.postgres_approvals import PostgresApprovals
    from policyguard.audit.stores.postgres_callers import PostgresCallers
    from policyguard.audit.stores.postgres_counts import PostgresCounts
    from policyguard.audit.stores.postgres_people import PostgresPeople
    from policyguard.audit.stores.postgres_versions import PostgresVersions
    from policyguard.signing.key_source import KeySource
    from policyguard.vocabulary.record import Predecessor


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Knows the servers of one trail."""

    server: Server
    lock: Server | None
    lock_every: int = 1
    """The lock database is told of one head in so many."""

    @classmethod
    def of(cls, place: str, lock: Lock) -> Self:
        """Return the servers of two connection URIs.

        Raises:
            ConfigurationError: the lock database is in files.
        """
        return cls(
            server=server_of(place),
            lock=server_of(lock.place),
            lock_every=lock.every,
        )

    @property
    def policy(self) -> Path:
        """The file of this host that remembers which bundle was in use last.

        Among the user's state (XDG base directories): a host that is new has none.
        """
        base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        name = sha256(self.server.where.encode()).hexdigest()[:16]
        folder = Path(base) / "policyguard" / "fleet" / name
        make_folder(folder)
        return folder / "policy.json"

    def create(self, *, name: str | None) -> None:
        """Make the tables of a trail in a database that has none.

        Raises:
            TrailError: there is a trail, or the server does not permit it.
        """
        from policyguard.audit.stores.postgres_schema import prepare_database

        prepare_database(self.server, lock=self.lock, name=name)

    def claim(self, *, name: str | None, role: str, keys: KeySource) -> PostgresWriter:
        """Claim a log for this process; raises as `claim_log` does."""
        from policyguard.audit.stores.postgres_claim import Wanted, claim_log

        return claim_log(self, Wanted(role=role), name=name, keys=keys)

    def claim_one(self, slot: str, *, keys: KeySource) -> PostgresWriter:
        """Claim one log that there is; raises as `claim_log` does."""
        from policyguard.audit.stores.postgres_claim import Wanted, claim_log

        wanted = Wanted(role=slot.partition("-")[0], slot=slot)
        return claim_log(self, wanted, name=None, keys=keys)

    def continue_log(
        self, predecessor: Predecessor, *, role: str, keys: KeySource
    ) -> PostgresWriter:
        """Begin the log that continues another; raises as `claim_log` does."""
        from policyguard.audit.stores.postgres_claim import Wanted, claim_log

        wanted = Wanted(role=role, predecessor=predecessor)
        return claim_log(self, wanted, name=None, keys=keys)

    def closing(self, slot: str) -> AbstractContextManager[Callable[[str], None]]:
        """Hold a log that nobody writes; the block closes it for good.

        Raises:
            SlotError: a process writes it.
            TrailError: the server cannot be reached.
        """
        from policyguard.audit.stores.postgres_closing import closing

        return closing(self.server, slot=slot)

    def versions(self) -> PostgresVersions:
        """Return what keeps the bundles and catalogs that decided."""
        from policyguard.audit.stores.postgres_versions import PostgresVersions

        return PostgresVersions(server=self.server)

    def approvals(self) -> PostgresApprovals:
        """Return what keeps signed approvals."""
        from policyguard.audit.stores.postgres_approvals import PostgresApprovals

        return PostgresApprovals(server=self.server)

    def counts(self) -> PostgresCounts:
        """Return what keeps counts of people."""
        from policyguard.audit.stores.postgres_counts import PostgresCounts

        return PostgresCounts(self.server)

    def callers(self) -> PostgresCallers:
        """Open the callers; raises `TrailError` if the server cannot be reached."""
        from policyguard.audit.stores.postgres_callers import PostgresCallers

        return PostgresCallers(self.server)

    def people(self, keys: KeySource) -> PostgresPeople:
        """Open the people whom records are about.

        Raises:
            ConfigurationError: there is no passphrase, or it is not the fleet's.
            TrailError: the server cannot be reached.
        """
        from policyguard.audit.stores.postgres_keys import passphrase_of
        from policyguard.audit.stores.postgres_people import PostgresPeople

        return PostgresPeople(self.server, passphrase=passphrase_of(keys))


def place_of(
    place: str | os.PathLike[str], lock: str | Path | Lock | None
) -> Layout | Fleet:
    """Return where a trail is written: the paths of its files, or its servers.

    Raises:
        ConfigurationError: the trail is on a server and its lock database is not.
    """
    known = lock if isinstance(lock, Lock) else Lock(place=lock)
    if is_url(place):
        return Fleet.of(place, known)
    path = Path(known.place) if known.place is not None else None
    return replace(Layout.of(place, path), lock_every=known.every)
