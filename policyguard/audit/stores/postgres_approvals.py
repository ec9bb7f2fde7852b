"""Signed approvals in PostgreSQL, for all writers of a fleet.

Owner: the database of the trail. Each work is one statement, so one transaction, in a
session of its own. Uses and revocations are written by functions alone;
`policyguard_writer` may call them, and has no right to update or delete. A session that is
lost while it takes a use may have taken it: a use too few, never one too many. Nothing
here is verified: whoever reads a note verifies its signature.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, LiteralString

from policyguard.audit.stores.postgres_erasing import erase_approvals
from policyguard.audit.stores.protocol import ApprovalRow, ApprovalScope

if TYPE_CHECKING:
    from policyguard.audit.stores.postgres_server import Server

_COLUMNS: Final[LiteralString] = (
    "SELECT note, used, coalesce(revocation, '') FROM policyguard.approval"
)
_SCOPE: Final[LiteralString] = (
    " WHERE tenant = %s AND caller = %s AND bundle = %s AND revocation IS NULL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresApprovals:
    """Knows the table of one trail's approvals."""

    server: Server

    def add(self, name: str, *, scope: ApprovalScope, note: str) -> None:
        """Keep a signed approval that has served nobody yet."""
        with self.server.speaking(), self.server.open(write=True) as session:
            session.execute(
                "INSERT INTO policyguard.approval (id, tenant, caller, bundle, note)"
                " VALUES (%s, %s, %s, %s, %s)",
                (name, *scope, note),
            )

    def revoke(self, name: str, *, note: str) -> bool:
        """Keep a signed revocation; return `False` if there is nothing to take back."""
        return self._said("SELECT policyguard.revoke(%s::text, %s::text)", name, note)

    def take(self, uses: Sequence[tuple[str, int]]) -> bool:
        """Take one use of each of some approvals, durably; of all of them or of none."""
        names, most = [name for name, _ in uses], [number for _, number in uses]
        return self._said(
            "SELECT policyguard.take(%s::text[], %s::bigint[])", names, most
        )

    def rows(self) -> list[ApprovalRow]:
        """Return all that is kept, oldest first."""
        return self._select(f"{_COLUMNS} ORDER BY id")

    def rows_of_scope(self, scope: ApprovalScope) -> list[ApprovalRow]:
        """Return what is kept for one scope and was not taken back, oldest first."""
        return self._select(f"{_COLUMNS}{_SCOPE} ORDER BY id", *scope)

    def names(self) -> list[str]:
        """Return the ids of all that is kept."""
        with self.server.speaking(), self.server.open(write=False) as session:
            rows = session.execute("SELECT id FROM policyguard.approval").fetchall()
        return [str(name) for (name,) in rows]

    def erase(self, names: Collection[str]) -> None:
        """Forget approvals, with their table's bytes; takes `policyguard_eraser`."""
        erase_approvals(self.server, names=names)

    def _select(self, query: LiteralString, *values: object) -> list[ApprovalRow]:
        with self.server.speaking(), self.server.open(write=False) as session:
            rows = session.execute(query, values).fetchall()
        return [(str(note), int(used), str(taken)) for note, used, taken in rows]

    def _said(self, query: LiteralString, *values: object) -> bool:
        with self.server.speaking(), self.server.open(write=True) as session:
            row = session.execute(query, values).fetchone()
        return row == (True,)
