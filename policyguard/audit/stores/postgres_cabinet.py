"""A cabinet in PostgreSQL: what others have said of a log, beside its records.

Owner: whoever has its gate, an advisory lock of a session. Rows are added by
`policyguard.shelve` and never changed, except the state of the last attempts. So whoever
may write here takes nothing away: the versions of a checkpoint are read together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, LiteralString

from policyguard.audit.stores.postgres import number_of
from policyguard.audit.stores.postgres_keys import LOCKS
from policyguard.audit.stores.postgres_server import Server

_GATES: Final = 2_000_000
"""The second key of the advisory locks of gates begins here."""
_READ: Final[LiteralString] = (
    "SELECT data FROM policyguard.shelf WHERE slot = %s AND name = %s ORDER BY version"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresCabinet:
    """Keeps small named things of one log in a table."""

    server: Server
    slot: str

    def where(self, name: str) -> str:
        """Return the place of a thing, for messages."""
        return f"{self.server.where} (policyguard.shelf, {self.slot}, {name})"

    def names(self) -> list[str]:
        """Return the names of all that is kept."""
        query: LiteralString = (
            "SELECT DISTINCT name FROM policyguard.shelf WHERE slot = %s"
        )
        with self.server.speaking(), self.server.open(write=False) as session:
            return [str(name) for (name,) in session.execute(query, (self.slot,))]

    def read(self, name: str) -> list[bytes]:
        """Return all versions of a thing, oldest first."""
        with self.server.speaking(), self.server.open(write=False) as session:
            rows = session.execute(_READ, (self.slot, name)).fetchall()
        return [bytes(data) for (data,) in rows]

    def write(self, name: str, data: bytes) -> None:
        """Keep a version of a thing, durably."""
        with self.server.speaking(), self.server.open(write=True) as session:
            session.execute(
                "SELECT policyguard.shelve(%s, %s, %s)", (self.slot, name, data)
            )

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Wait until nobody else writes here, and hold that for a block.

        Raises:
            TrailError: another run holds it for longer than 15 seconds.
        """
        number = _GATES + number_of(self.slot)
        session = self.server.open(write=True)
        try:
            with self.server.speaking():
                # Waits for lock_timeout at most: another run is on its way.
                session.execute("SELECT pg_advisory_lock(%s, %s)", (LOCKS, number))
            yield
        finally:
            session.close()
