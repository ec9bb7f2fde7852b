"""The callers behind pseudonyms in PostgreSQL: one table for all writers of a trail.

Owner: the process that made it. A caller is durable before the record that names its
pseudonym. Whoever reads the table knows who asked.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any, Final, LiteralString

from policyguard.audit.stores.postgres_server import Server, is_lost, let_go
from policyguard.audit.vault import SALT_BYTES, pseudonym_of
from policyguard.errors import TrailError

if TYPE_CHECKING:
    import psycopg

_REMEMBERED: Final = 10_000
_INSERT: Final[LiteralString] = (
    "INSERT INTO policyguard.caller (pseudonym, salt, id) VALUES (%s, %s, %s)"
    " ON CONFLICT (id) DO NOTHING"
)
_FIND: Final[LiteralString] = "SELECT pseudonym FROM policyguard.caller WHERE id = %s"


class PostgresCallers:
    """Gives each caller of a trail one pseudonym, whichever host asks."""

    __slots__ = ("_connection", "_known", "_server")

    def __init__(self, server: Server) -> None:
        """Begin a session.

        Raises:
            TrailError: the server cannot be reached.
        """
        self._server = server
        self._known: dict[str, str] = {}
        self._connection: psycopg.Connection[Any] = server.open(write=True)

    def pseudonym(self, caller: str) -> str:
        """Return the pseudonym of a caller, and make it durable if it is new.

        Raises:
            TrailError: it could not be read or written.
        """
        known = self._known.get(caller)
        if known is not None:
            return known
        with self._server.speaking():
            try:
                found = self._found(caller)
            except Exception as error:
                if not is_lost(error):
                    raise
                # Twice is as good as once: a caller has one pseudonym.
                with contextlib.suppress(Exception):
                    self._connection.close()
                self._connection = self._server.open(write=True)
                found = self._found(caller)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[caller] = found
        return found

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def leak(self) -> None:
        """Let go of the session in a forked child."""
        let_go(self._connection)

    def _found(self, caller: str) -> str:
        row = self._connection.execute(_FIND, (caller,)).fetchone()
        if row is None:
            salt = secrets.token_bytes(SALT_BYTES)
            fresh = pseudonym_of(caller, salt=salt)
            self._connection.execute(_INSERT, (fresh, salt, caller))
            row = self._connection.execute(_FIND, (caller,)).fetchone()
        if row is None:
            raise TrailError("the caller was erased at this moment: try again")
        return str(row[0])
