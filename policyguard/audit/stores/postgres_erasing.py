"""Erases what a database keeps: rows first, and then what rows leave behind.

Owner: whoever erases, logged in with `policyguard_eraser` and as a member of the role
that owns the tables. A crash leaves rows or dead rows, which the next call ends. Not
reached are the server's own copies: its write-ahead log, archives of it, replicas and
backups. They keep for as long as the server's administrator says.

INVARIANT: rows of records are never touched; the role has no right to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, LiteralString

from policyguard.errors import TrailError

if TYPE_CHECKING:
    from policyguard.audit.stores.postgres_server import Server

_CONTENT: Final[LiteralString] = (
    "DELETE FROM policyguard.content WHERE slot = %s AND record = ANY(%s)"
)
_CALLERS: Final[LiteralString] = (
    "DELETE FROM policyguard.caller WHERE pseudonym = ANY(%s)"
)
_APPROVALS: Final[LiteralString] = "DELETE FROM policyguard.approval WHERE id = ANY(%s)"
_OWNED: Final[LiteralString] = (
    "SELECT bool_and(pg_has_role(current_user, relowner, 'USAGE')) FROM pg_class"
    " WHERE oid = ANY(%s::regclass[])"
)
# A plain VACUUM marks space as free, and leaves the bytes where they were.
_REWRITES: Final[Mapping[str, LiteralString]] = {
    "policyguard.content": "VACUUM (FULL) policyguard.content",
    "policyguard.caller": "VACUUM (FULL) policyguard.caller",
    "policyguard.approval": "VACUUM (FULL) policyguard.approval",
}


def erase_rows(
    server: Server,
    *,
    records: Mapping[str, Collection[str]],
    callers: Collection[str],
) -> None:
    """Delete content and callers, and write their tables anew.

    Args:
        server: The trail's database, as somebody who may erase.
        records: Ids of records, by slot.
        callers: Pseudonyms.

    Raises:
        TrailError: it could not be done, or the deleted rows cannot be overwritten.
    """
    deletions: list[tuple[LiteralString, tuple[object, ...]]] = [
        (_CONTENT, (slot, list(ids))) for slot, ids in records.items()
    ]
    if callers:
        deletions.append((_CALLERS, (list(callers),)))
    _erase(server, deletions, tables=("policyguard.content", "policyguard.caller"))


def erase_approvals(server: Server, *, names: Collection[str]) -> None:
    """Delete approvals, and write their table anew.

    Raises:
        TrailError: as `erase_rows` says.
    """
    _erase(server, [(_APPROVALS, (list(names),))], tables=("policyguard.approval",))


def _erase(
    server: Server,
    deletions: Sequence[tuple[LiteralString, tuple[object, ...]]],
    *,
    tables: Sequence[str],
) -> None:
    session = server.open(write=True)
    try:
        with server.speaking():
            with session.transaction():
                for statement, values in deletions:
                    session.execute(statement, values)
            owned = session.execute(_OWNED, (list(tables),)).fetchone()
            if owned is None or not owned[0]:
                raise TrailError(
                    f"rows are deleted in `{server.where}`, and their bytes stay until"
                    f" the owner of the tables runs `VACUUM (FULL) {', '.join(tables)}`"
                )
            session.execute("SET statement_timeout = 0")
            for table in tables:
                session.execute(_REWRITES[table])
    finally:
        session.close()
