"""The trail as auditors read it: logs, records, proofs and what the vault still knows.

Nothing here writes, except where SQLite itself keeps its side files while a writer is
active. Reading is not verifying: `verify_trail` is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeAlias

from pydantic import ValidationError

from policyguard.audit.creation import origin_of, read_trust
from policyguard.audit.layout import Layout, read_identity
from policyguard.audit.stores.database import open_for_reading, rows_of
from policyguard.audit.stores.sqlite import Head, read_head
from policyguard.audit.vault import (
    Sealed,
    pseudonym_of,
    read_callers,
    read_content,
)
from policyguard.canonical import parse_canonical
from policyguard.errors import ConfigurationError, FormatError, TrailError
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog import Note, ProofFile, leaf_hash, prove_inclusion
from policyguard.vocabulary.record import (
    AUDIT_RECORD,
    DecisionRecord,
    GenesisRecord,
    OutcomeRecord,
)

AnyRecord: TypeAlias = GenesisRecord | DecisionRecord | OutcomeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Is one stored record: where it is, and the bytes that the tree is made of."""

    origin: str
    index: int
    body: bytes
    leaf: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The place as people write it."""
        return f"entry {self.index} of {self.origin}"

    def record(self) -> AnyRecord:
        """Return the record that the bytes hold.

        Raises:
            FormatError: they are no record in its one canonical form.
        """
        try:
            document = parse_canonical(self.body)
            record = AUDIT_RECORD.validate_python(document)
        except FormatError as error:
            raise FormatError(f"{self.name} is no record: {error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise FormatError(
                f"{self.name} is no record: `{where}`: {first['msg']}"
            ) from error
        if record.model_dump(mode="json") != document:
            raise FormatError(f"{self.name} is not in its one form")
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Is one log of a trail."""

    layout: Layout = field(repr=False)
    slot: str
    vkey: VerifierKey

    @property
    def origin(self) -> str:
        """The log's name, which its checkpoints bear."""
        return self.vkey.key_name

    @property
    def path(self) -> Path:
        """The log's database."""
        return self.layout.log(self.slot)

    def head(self) -> Head:
        """Return the newest head.

        Raises:
            TrailError: there is none that can be read.
        """
        with _reading(self.path) as connection:
            head = read_head(connection, path=self.path)
        if head is None:
            raise TrailError(f"the log `{self.origin}` has no records: restore it")
        return head

    def entries(self, *, newest_first: bool = False, start: int = 0) -> Iterator[Entry]:
        """Read all records in order, or those from the index `start` on.

        Raises:
            TrailError: the log cannot be read.
        """
        order = "DESC" if newest_first else "ASC"
        if start == 0:
            # Without a condition, so that nothing below index 0 could hide.
            yield from self._select(f"ORDER BY idx {order}")
        else:
            yield from self._select(f"WHERE idx >= ? ORDER BY idx {order}", start)

    def find(self, record: str) -> Entry | None:
        """Return the record with an id, or with an index.

        Raises:
            TrailError: the log cannot be read.
        """
        column = "idx" if record.isdecimal() and record.isascii() else "id"
        if column == "idx" and len(record) > len(str(2**63)) - 1:
            return None
        return next(self._select(f"WHERE {column} = ?", record), None)

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Read the size and the text of each checkpoint, oldest first.

        Raises:
            TrailError: the log cannot be read.
        """
        with _reading(self.path) as connection:
            query = "SELECT size, note FROM checkpoint ORDER BY size"
            yield from rows_of(connection, query, types=(int, str), path=self.path)

    def proof(self, index: int) -> ProofFile:
        """Return the proof that a record is in the log, up to the newest checkpoint.

        Raises:
            ConfigurationError: there is no such record.
            TrailError: the log cannot be read.
        """
        with _reading(self.path) as connection:
            head = read_head(connection, path=self.path)
            query = "SELECT body FROM entry ORDER BY idx"
            rows = rows_of(connection, query, types=(bytes,), path=self.path)
            leaves = [leaf_hash(body) for (body,) in rows]
        size = head.size if head else 0
        return ProofFile(
            index=index,
            hashes=prove_inclusion(index=index, size=size, tree=leaves[:size]),
            checkpoint=Note.parse(head.note if head else ""),
        )

    def sealed(self) -> Iterator[Sealed]:
        """Read what the vault holds for each record.

        Raises:
            TrailError: the vault cannot be read.
        """
        yield from read_content(self.layout.vault(self.slot))

    def content(self, record: str) -> Sealed | None:
        """Return what the vault holds for a record; `None`: erased.

        Raises:
            TrailError: the vault cannot be read.
        """
        path = self.layout.vault(self.slot)
        if not path.exists():
            return None
        return next(read_content(path, record=record), None)

    def _select(self, clause: str, *values: object) -> Iterator[Entry]:
        query = f"SELECT idx, body, leaf FROM entry {clause}"  # noqa: S608 -- ours
        with _reading(self.path) as connection:
            types = (int, bytes, bytes)
            for index, body, leaf in rows_of(
                connection, query, *values, types=types, path=self.path
            ):
                yield Entry(origin=self.origin, index=index, body=body, leaf=leaf)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailReader:
    """Is a trail that is read and never written."""

    layout: Layout = field(repr=False)
    name: str
    logs: tuple[Log, ...]

    @classmethod
    def open(cls, directory: str | Path, *, lock: Path | None = None) -> Self:
        """Open a trail for reading.

        Raises:
            TrailError: there is none, or its name or its keys cannot be read.
        """
        layout = Layout.of(directory, lock)
        if not layout.identity.is_file():
            raise TrailError(
                f"there is no trail at `{layout.directory}`: give its directory with"
                " `--trail`, or make a first call"
            )
        name, _ = read_identity(layout.identity)
        prefix = origin_of(name, "")
        logs = []
        for trusted in read_trust(layout.trust).logs:
            slot = trusted.key.key_name.removeprefix(prefix)
            if slot not in layout.slots():
                raise TrailError(
                    f"the log `{trusted.key.key_name}` is missing from"
                    f" `{layout.directory}`: restore it"
                )
            logs.append(Log(layout=layout, slot=slot, vkey=trusted.key))
        return cls(layout=layout, name=name, logs=tuple(logs))

    def log(self, origin: str) -> Log:
        """Return the log of an origin.

        Raises:
            ConfigurationError: the trail has none.
        """
        for log in self.logs:
            if log.origin == origin:
                return log
        known = ", ".join(f"`{log.origin}`" for log in self.logs)
        raise ConfigurationError(f"there is no log `{origin}`: there are {known}")

    def caller(self, pseudonym: str) -> str | None:
        """Return who is behind a pseudonym; `None`: erased, or never kept.

        Raises:
            TrailError: the callers cannot be read.
        """
        if not self.layout.callers.is_file():
            return None
        for known, _, caller in read_callers(self.layout.callers):
            if known == pseudonym:
                return caller
        return None

    def pseudonym(self, caller: str) -> str | None:
        """Return the pseudonym of a caller; `None`: erased, or never kept.

        Raises:
            TrailError: the callers cannot be read.
        """
        if not self.layout.callers.is_file():
            return None
        for pseudonym, salt, known in read_callers(self.layout.callers):
            if known == caller and pseudonym_of(caller, salt=salt) == pseudonym:
                return pseudonym
        return None


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for a block."""
    connection = open_for_reading(path)
    try:
        yield connection
    finally:
        connection.close()
