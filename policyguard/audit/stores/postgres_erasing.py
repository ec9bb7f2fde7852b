"""Erases what a database keeps: rows first, and then what rows leave behind.

Owner: whoever erases, logged in with `policyguard_eraser` and as a member of the role
that owns the tables. A crash leaves rows or dead rows, which the next call ends. Not
reached are the server's own copies: its write-ahead log, archives of it, replicas and
backups, and blocks of the file system that it has freed. They keep for as long as the
server's administrator says: `NOT_REACHED` is what a report has to say of them. A prompt
that is in one of them opens only with its people's data keys, which are in the same
places, wrapped under a key that only the fleet's passphrase unlocks.

INVARIANT: rows of records are never touched; the role has no right to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, LiteralString

from policyguard.errors import TrailError

if TYPE_CHECKING:
    from policyguard.audit.stores.postgres_server import Server

NOT_REACHED: Final = (
    "the server's write-ahead log and its archives, replicas, backups, and blocks that"
    " the file system has not written anew"
)
_OF_RECORDS: Final[tuple[LiteralString, ...]] = (
    "DELETE FROM policyguard.prompt WHERE slot = %s AND record = ANY(%s)",
    "DELETE FROM policyguard.content WHERE slot = %s AND record = ANY(%s)",
    "DELETE FROM policyguard.about WHERE slot = %s AND record = ANY(%s)",
)
_PEOPLE: Final[LiteralString] = (
    "DELETE FROM policyguard.person WHERE pseudonym = ANY(%s)"
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
    "policyguard.prompt": "VACUUM (FULL) policyguard.prompt",
    "policyguard.about": "VACUUM (FULL) policyguard.about",
    "policyguard.person": "VACUUM (FULL) policyguard.person",
}


def erase_rows(
    server: Server,
    *,
    records: Mapping[str, Collection[str]],
    callers: Collection[str],
    people: Collection[str] = (),
) -> None:
    """Delete content, callers and people, and write their tables anew.

    Args:
        server: The trail's database, as somebody who may erase.
        records: Ids of records, by slot.
        callers: Pseudonyms.
        people: Pseudonyms; their data keys go.

    Raises:
        TrailError: it could not be done, or the deleted rows cannot be overwritten.
    """
    deletions: list[tuple[LiteralString, tuple[object, ...]]] = []
    tables: list[str] = []
    if people:
        deletions.append((_PEOPLE, (list(people),)))
        tables.append("policyguard.person")
    if records:
        deletions += [
            (statement, (slot, list(ids)))
            for slot, ids in records.items()
            for statement in _OF_RECORDS
        ]
        tables += [f"policyguard.{name}" for name in ("prompt", "content", "about")]
    if callers:
        deletions.append((_CALLERS, (list(callers),)))
        tables.append("policyguard.caller")
    if tables:
        _erase(server, deletions, tables=tables)


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
