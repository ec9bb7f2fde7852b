"""A trail in PostgreSQL, as it is read: sessions that may not write.

Each reading has a session of its own and sees one state of its table. Rows come in
batches, so that memory does not grow with a log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, LiteralString

from policyguard.audit.people import person_of
from policyguard.audit.stores.postgres import read_head
from policyguard.audit.stores.postgres_cabinet import PostgresCabinet
from policyguard.audit.stores.postgres_keys import read_trust
from policyguard.audit.stores.postgres_memory import read_remembered
from policyguard.audit.stores.postgres_people import PEOPLE, read_vault_key
from policyguard.audit.stores.postgres_schema import VERSION, read_name
from policyguard.audit.stores.postgres_server import Server, outgrown
from policyguard.audit.stores.postgres_versions import PostgresVersions
from policyguard.audit.stores.protocol import Head, KnownHead, Leaf, Row
from policyguard.audit.vault import Sealed, SealedPrompt
from policyguard.errors import TrailError
from policyguard.signing.trust_file import TrustFile

if TYPE_CHECKING:
    import psycopg

    from policyguard.audit.people import Person
    from policyguard.signing.passphrase import Passphrase

_BATCH: Final = 4_096
_ROWS: Final[LiteralString] = (
    "SELECT idx, body, leaf FROM policyguard.entry WHERE slot = %s"
)
_LEAVES: Final[LiteralString] = (
    "SELECT idx, leaf FROM policyguard.entry WHERE slot = %s"
)
_SEALED: Final[LiteralString] = (
    "SELECT record, salt, body FROM policyguard.content WHERE slot = %s"
)
_PROMPTS: Final[LiteralString] = (
    "SELECT record, body, key FROM policyguard.prompt"
    " WHERE slot = %s AND record = ANY(%s)"
)
_PEOPLE_OF: Final[LiteralString] = (
    'SELECT record, array_agg(person ORDER BY person COLLATE "C")'
    " FROM policyguard.about WHERE slot = %s AND record = ANY(%s) GROUP BY record"
)
_KEPT: Final[LiteralString] = (
    "SELECT record FROM policyguard.content WHERE slot = %s"
    " UNION SELECT record FROM policyguard.prompt WHERE slot = %s"
    " UNION SELECT record FROM policyguard.about WHERE slot = %s"
)
# A computed column whose expression was replaced would hide a record from whoever
# looks it up.
_UNSOUND: Final[LiteralString] = (
    "SELECT idx FROM policyguard.entry WHERE slot = %s"
    " AND id IS DISTINCT FROM (convert_from(body, 'UTF8')::json ->> 'id') LIMIT 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresLog:
    """Reads one log of a trail in PostgreSQL."""

    server: Server
    lock: Server | None
    slot: str

    @property
    def where(self) -> str:
        """The database, and the log in it."""
        return f"{self.server.where} ({self.slot})"

    def exists(self) -> bool:
        """Say whether anything of the log is there."""
        query: LiteralString = (
            "SELECT 1 FROM policyguard.entry WHERE slot = %s UNION ALL"
            " SELECT 1 FROM policyguard.head WHERE slot = %s LIMIT 1"
        )
        with _reading(self.server) as session:
            return bool(session.execute(query, (self.slot, self.slot)).fetchone())

    def head(self) -> Head | None:
        """Return the newest head; `None`: nothing was written."""
        with _reading(self.server) as session:
            return read_head(session, slot=self.slot, where=self.server.where)

    def rows(self, *, start: int = 0, newest_first: bool = False) -> Iterator[Row]:
        """Read the records in order of their index."""
        query = _ROWS
        values: tuple[object, ...] = (self.slot,)
        if start:
            query, values = f"{_ROWS} AND idx >= %s", (self.slot, start)
        order: LiteralString = "DESC" if newest_first else "ASC"
        for batch in _batches(self.server, f"{query} ORDER BY idx {order}", *values):
            yield from batch

    def batches(self, *, size: int) -> Iterator[list[Row]]:
        """Read the first `size` records."""
        yield from _batches(
            self.server, f"{_ROWS} ORDER BY idx LIMIT %s", self.slot, size
        )

    def leaves(self, *, size: int) -> Iterator[list[Leaf]]:
        """Read the leaf hashes of the first `size` records."""
        yield from _batches(
            self.server, f"{_LEAVES} ORDER BY idx LIMIT %s", self.slot, size
        )

    def row_at(self, index: int) -> Row | None:
        """Return the record at an index."""
        return self._one(f"{_ROWS} AND idx = %s", index)

    def row_of(self, record: str) -> Row | None:
        """Return the record with an id."""
        if "\0" in record:
            return None
        return self._one(f"{_ROWS} AND id = %s", record)

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Read size and text of each kept checkpoint, oldest first."""
        query: LiteralString = (
            "SELECT size, note FROM policyguard.checkpoint WHERE slot = %s"
            " ORDER BY size"
        )
        for batch in _batches(self.server, query, self.slot):
            yield from batch

    def has_vault(self) -> bool:
        """Say that there is one: it is in the same database."""
        return True

    def sealed(self, *, record: str | None = None) -> Iterator[Sealed]:
        """Read what the vault holds for each record, or for one."""
        batches = (
            _batches(self.server, _SEALED, self.slot)
            if record is None
            else _batches(self.server, f"{_SEALED} AND record = %s", self.slot, record)
        )
        for batch in batches:
            for name, salt, body in batch:
                yield Sealed(record=name, salt=salt, body=body)

    def contents(self, records: Collection[str]) -> list[tuple[str, bytes, bytes]]:
        """Read record, salt and content for those of a few records that the vault has."""
        query: LiteralString = f"{_SEALED} AND record = ANY(%s)"
        batches = _batches(self.server, query, self.slot, list(records))
        return [
            (name, bytes(salt), bytes(body))
            for batch in batches
            for name, salt, body in batch
        ]

    def prompt(self, record: str) -> SealedPrompt | None:
        """Return the sealed prompt of a record; `None`: there is none."""
        people = self.people_of([record])
        for _, body, key in self.prompts([record]):
            about = people.get(record, ())
            return SealedPrompt(body=body, key=key or None, about=about)
        return None

    def prompts(self, records: Collection[str]) -> list[tuple[str, bytes, bytes]]:
        """Read record, sealed prompt and wrapped key for those that the vault has."""
        batches = _batches(self.server, _PROMPTS, self.slot, list(records))
        return [
            (name, bytes(body), bytes(key or b""))
            for batch in batches
            for name, body, key in batch
        ]

    def people_of(self, records: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Read whom a few records are about, by pseudonyms."""
        batches = _batches(self.server, _PEOPLE_OF, self.slot, list(records))
        return {name: tuple(people) for batch in batches for name, people in batch}

    def about(self, people: Collection[str]) -> set[str]:
        """Return the ids of the records that are about somebody, by pseudonyms."""
        if not people:
            return set()
        query: LiteralString = (
            "SELECT record FROM policyguard.about WHERE slot = %s AND person = ANY(%s)"
        )
        return self._ids(query, self.slot, list(people))

    def persons(self) -> set[str]:
        """Return the pseudonyms of all whom records are about."""
        query: LiteralString = (
            "SELECT DISTINCT person FROM policyguard.about WHERE slot = %s"
        )
        return self._ids(query, self.slot)

    def kept(self) -> set[str]:
        """Return the ids of the records of which the vault has anything."""
        return self._ids(_KEPT, *[self.slot] * 3)

    def known_head(self, *, origin: str) -> KnownHead:
        """Return what the lock database remembers of the log."""
        if self.lock is None:
            return KnownHead(size=0, note="")
        with _reading(self.lock) as session:
            found = read_remembered(session, server=self.lock)
        if origin not in found:
            raise TrailError(
                f"the lock database `{self.lock.where}` has no memory of `{origin}`:"
                " name the right one under [trail] lock_url"
            )
        return found[origin]

    def is_remembered(self, *, origin: str) -> bool:
        """Say whether the lock database has a head of the log."""
        if self.lock is None:
            return False
        with _reading(self.lock) as session:
            known = read_remembered(session, server=self.lock).get(origin)
        return known is not None and known.size > 0

    def outside(self) -> PostgresCabinet:
        """Return the table with what others have said about the log."""
        return PostgresCabinet(server=self.server, slot=self.slot)

    def end_ahead(self, *, size: int) -> int:
        """Return `size`: content and record are one commit."""
        return size

    def private_key(self) -> bytes | None:
        """Return nothing: the key is encrypted, and whoever reads has no passphrase."""
        return None

    def require_sound(self) -> None:
        """Refuse a table whose computed column says another thing than its bytes."""
        with _reading(self.server) as session:
            row = session.execute(_UNSOUND, (self.slot,)).fetchone()
        if row is not None:
            raise TrailError(
                f"`{self.where}` is damaged: record {row[0]} is not found by its id:"
                " restore it"
            )

    def _ids(self, query: LiteralString, *values: object) -> set[str]:
        batches = _batches(self.server, query, *values)
        return {str(row[0]) for batch in batches for row in batch}

    def _one(self, query: LiteralString, value: object) -> Row | None:
        found: Iterator[list[Row]] = _batches(self.server, query, self.slot, value)
        return next((row for batch in found for row in batch), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresTrail:
    """Reads what the logs of a trail in PostgreSQL share."""

    server: Server
    lock: Server | None
    passphrase: Passphrase | None = field(default=None, repr=False)
    """What the fleet's vault key is locked under; without it prompts stay sealed."""

    @property
    def where(self) -> str:
        """The database."""
        return self.server.where

    @property
    def trust_name(self) -> str:
        """The table of the trust file."""
        return f"{self.server.where} (policyguard.trust)"

    def require_present(self) -> None:
        """Refuse a database in which there is no trail, or not all that is read here."""
        self.name()
        query: LiteralString = (
            "SELECT 1 FROM policyguard.trail WHERE format < %s"
            " AND to_regclass('policyguard.person') IS NULL"
        )
        with _reading(self.server) as session:
            if session.execute(query, (VERSION,)).fetchone():
                raise outgrown(self.where)

    def name(self) -> str:
        """Return the trail's name."""
        with _reading(self.server) as session:
            return read_name(session, where=self.where)

    def trust(self) -> TrustFile:
        """Return the verifier keys of all logs."""
        with _reading(self.server) as session:
            return read_trust(session)[0]

    def versions(self) -> PostgresVersions:
        """Return the bundles and catalogs that decisions were made from."""
        return PostgresVersions(server=self.server)

    def slots(self) -> list[str]:
        """Return the slots that the trail or its lock database has, sorted."""
        query: LiteralString = (
            "SELECT slot FROM policyguard.head UNION"
            " SELECT DISTINCT slot FROM policyguard.entry"
        )
        with _reading(self.server) as session:
            found = {str(slot) for (slot,) in session.execute(query)}
        if self.lock is not None:
            with _reading(self.lock) as session:
                origins = read_remembered(session, server=self.lock)
            found |= {origin.rpartition("/")[2] for origin in origins}
        return sorted(found)

    def log(self, slot: str) -> PostgresLog:
        """Return the log of a slot, which may not be there."""
        return PostgresLog(server=self.server, lock=self.lock, slot=slot)

    def remembered_name(self) -> str | None:
        """Return the trail that the lock database belongs to; `None`: there is none."""
        if self.lock is None:
            return None
        with _reading(self.lock) as session:
            row = session.execute("SELECT name FROM policyguard_lock.trail").fetchone()
        return str(row[0]) if row else None

    def callers(self) -> Iterator[tuple[str, bytes, str]]:
        """Read pseudonym, salt and id of each caller that was not erased."""
        query: LiteralString = "SELECT pseudonym, salt, id FROM policyguard.caller"
        for batch in _batches(self.server, query):
            yield from batch

    def people(self) -> Iterator[Person]:
        """Read everybody whom records are about, and who was not erased."""
        for batch in _batches(self.server, PEOPLE):
            for row in batch:
                yield person_of(row, where=self.where)

    def vault_key(self) -> bytes | None:
        """Return the key that wraps data keys, where this process may read it."""
        if self.passphrase is None:
            return None
        query: LiteralString = (
            "SELECT has_table_privilege('policyguard.vault_key', 'SELECT')"
        )
        with _reading(self.server) as session:
            if session.execute(query).fetchone() != (True,):
                # An auditor has no keys.
                return None
            return read_vault_key(
                session, passphrase=self.passphrase(), where=self.where
            )

    def require_sound(self) -> None:
        """Refuse nothing: the callers are in a table, which the server keeps sound."""


@contextmanager
def _reading(server: Server) -> Iterator[psycopg.Connection[Any]]:
    with server.speaking(), server.open(write=False) as session:
        yield session


def _batches(
    server: Server, query: LiteralString, *values: object
) -> Iterator[list[Any]]:
    """Read rows in batches, each of which is not empty."""
    with (
        _reading(server) as session,
        session.transaction(),
        session.cursor(name="rows", binary=True) as cursor,
    ):
        cursor.execute(query, values)
        while batch := cursor.fetchmany(_BATCH):
            yield batch
