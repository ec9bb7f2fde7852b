"""Counts of people in PostgreSQL: one count for all writers of a fleet.

Owner: the database of the trail. Each work is one function call, so one transaction, in a
session of its own; nothing crosses a fork or a thread. The functions alone change rows:
`policyguard_writer` may call them, and has no right to update or delete. A session that is
lost while it reserves may leave the reservation, which then counts: too many people,
never too few. The key of the hashes is in a table that writers read and auditors do
not. Whoever has the rights of the tables' owner can lower a count.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, LiteralString

from policyguard.audit.counters import KEY_BYTES, Share
from policyguard.errors import TrailError

if TYPE_CHECKING:
    from policyguard.audit.stores.postgres_server import Server

_KEY: Final[LiteralString] = "SELECT key FROM policyguard.count_key"
_MAKE_KEY: Final[LiteralString] = "SELECT policyguard.count_under(%s::bytea)"
_RESERVE: Final[LiteralString] = (
    "SELECT policyguard.reserve(%s::text[], %s::text[], %s::bigint[], %s::bigint[],"
    " %s::integer[], %s::bytea[], %s::text, %s::text, %s::bigint, %s)"
)


class PostgresCounts:
    """Counts distinct people in the database of a trail."""

    __slots__ = ("_key", "_server")

    def __init__(self, server: Server) -> None:
        """Remember the server; a session begins with each work."""
        self._server = server
        self._key: bytes | None = None

    def key(self) -> bytes:
        """Return the bytes under which people are hashed; make them if need be."""
        if self._key is None:
            with self._server.speaking(), self._server.open(write=True) as session:
                row = session.execute(_KEY).fetchone()
                if row is None:
                    # Of writers at once the first one's counts.
                    session.execute(_MAKE_KEY, (secrets.token_bytes(KEY_BYTES),))
                    row = session.execute(_KEY).fetchone()
            if row is None or len(row[0]) != KEY_BYTES:
                raise TrailError(
                    f"the key under which people are counted in `{self._server.where}`"
                    " is damaged: restore `policyguard.count_key`"
                )
            self._key = bytes(row[0])
        return self._key

    def reserve(
        self,
        shares: Sequence[Share],
        *,
        reservation: str,
        call: str,
        at: int,
        keep: bool,
    ) -> Mapping[tuple[str, str], int]:
        """Return counts by scope and category, and add to them, in one transaction."""
        people = [
            (number, person)
            for number, share in enumerate(shares, start=1)
            for person in share.persons
        ]
        counts = self._call(
            _RESERVE,
            [share.scope for share in shares],
            [share.category for share in shares],
            [share.since for share in shares],
            [share.unnamed for share in shares],
            [number for number, _ in people],
            [person for _, person in people],
            reservation,
            call,
            at,
            keep,
        )
        return {
            (share.scope, share.category): int(count)
            for share, count in zip(shares, counts, strict=True)
        }

    def settle(self, reservation: str) -> None:
        """Let a reservation count for good."""
        self._call("SELECT policyguard.settle(%s::text)", reservation)

    def release(self, reservation: str) -> None:
        """Forget a reservation."""
        self._call("SELECT policyguard.release(%s::text)", reservation)

    def _call(self, query: LiteralString, *values: object) -> Any:
        with self._server.speaking(), self._server.open(write=True) as session:
            row = session.execute(query, values).fetchone()
        return row[0] if row is not None else None
