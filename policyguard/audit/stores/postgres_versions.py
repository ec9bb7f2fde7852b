"""Every bundle and catalog that decided, in the database of the trail, by digest.

Owner: all writers of the trail; a version that is there is never written again. Nobody
has to trust the table: whoever reads a version computes its digest anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policyguard.errors import TrailError

if TYPE_CHECKING:
    from policyguard.audit.stores.postgres_server import Server
    from policyguard.audit.versions import VersionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresVersions:
    """Knows the table of one trail's versions."""

    server: Server

    def has(self, kind: VersionKind, digest: str) -> bool:
        """Say whether a version is kept."""
        query = "SELECT 1 FROM policyguard.version WHERE kind = %s AND digest = %s"
        with self.server.speaking(), self.server.open(write=False) as session:
            return session.execute(query, (kind, digest)).fetchone() is not None

    def keep(self, kind: VersionKind, digest: str, data: bytes) -> None:
        """Keep a version, durably, unless it is kept already.

        Raises:
            TrailError: it cannot be written.
        """
        if self.has(kind, digest):
            return
        with self.server.speaking(), self.server.open(write=True) as session:
            session.execute(
                "INSERT INTO policyguard.version (kind, digest, data)"
                " VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (kind, digest, data),
            )

    def read(self, kind: VersionKind, digest: str) -> bytes:
        """Return the bytes of a version; the caller compares the digest.

        Raises:
            TrailError: it is not kept here, or cannot be read.
        """
        query = "SELECT data FROM policyguard.version WHERE kind = %s AND digest = %s"
        with self.server.speaking(), self.server.open(write=False) as session:
            row = session.execute(query, (kind, digest)).fetchone()
        if row is None:
            raise TrailError(
                f"the {kind} `{digest[:80]}` is not kept in `{self.server.where}`:"
                " restore it from a backup of the trail"
            )
        return bytes(row[0])

    def digests(self, kind: VersionKind) -> tuple[str, ...]:
        """Return the digests of what is kept, oldest first."""
        query = "SELECT digest FROM policyguard.version WHERE kind = %s ORDER BY kept"
        with self.server.speaking(), self.server.open(write=False) as session:
            return tuple(str(name) for (name,) in session.execute(query, (kind,)))
