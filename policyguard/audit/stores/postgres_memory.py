"""The lock database on a server: the newest head of each log, away from the logs.

Owner: the session of the process that writes the log. After a crash it may be behind the
log, never ahead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policyguard.audit.stores.postgres_server import Server, let_go
from policyguard.audit.stores.protocol import KnownHead

if TYPE_CHECKING:
    import psycopg


class RemoteMemory:
    """Remembers the head of one log on another server: the lock database."""

    __slots__ = ("_connection", "_origin", "_server")

    def __init__(self, server: Server, *, origin: str) -> None:
        """Open the memory of a log, and begin it if the log was never seen.

        Raises:
            TrailError: it cannot be opened.
        """
        self._server = server
        self._origin = origin
        self._connection = server.open(write=True)
        with server.speaking():
            self._connection.execute(
                "INSERT INTO policyguard_lock.head VALUES (%s, 0, '')"
                " ON CONFLICT (origin) DO NOTHING",
                (origin,),
            )

    def known(self) -> KnownHead:
        """Return the head that is remembered."""
        found = read_remembered(self._connection, server=self._server)
        return found.get(self._origin, KnownHead(size=0, note=""))

    def advance(self, *, before: int, size: int, note: str) -> None:
        """Replace the head of size `before`.

        Raises:
            TrailError: another head is remembered, or the server is gone.
        """
        with self._server.speaking():
            self._connection.execute(
                "SELECT policyguard_lock.advance(%s, %s, %s, %s)",
                (self._origin, before, size, note),
            )

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def leak(self) -> None:
        """Let go of the session in a forked child."""
        let_go(self._connection)


def read_remembered(
    connection: psycopg.Connection[Any], *, server: Server
) -> dict[str, KnownHead]:
    """Read what a lock database remembers, by origin.

    Raises:
        TrailError: it cannot be read.
    """
    with server.speaking():
        rows = connection.execute(
            "SELECT origin, size, note FROM policyguard_lock.head"
        ).fetchall()
    return {origin: KnownHead(size=size, note=note) for origin, size, note in rows}
