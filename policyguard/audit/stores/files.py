"""A trail in files, as it is read: one SQLite database for each log and vault.

Nothing here writes, except where SQLite itself keeps its side files while a writer is
active. A directory that cannot be written is read as it stands.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from policyguard.audit.creation import read_trust
from policyguard.audit.heads import find_known_head, read_known_head
from policyguard.audit.layout import Layout, read_identity, read_small
from policyguard.audit.outside.folder import FolderCabinet
from policyguard.audit.people import Person, read_people, read_vault_key
from policyguard.audit.stores.database import (
    is_begun,
    is_blank,
    open_for_reading,
    require_sound,
    rows_of,
)
from policyguard.audit.stores.protocol import Head, KnownHead, Leaf, Row
from policyguard.audit.stores.sqlite import read_head
from policyguard.audit.vault import Sealed, SealedPrompt
from policyguard.audit.vault_reading import (
    read_callers,
    read_content,
    read_contents,
    read_kept,
    read_people_of,
    read_persons,
    read_prompt,
    read_prompts,
    read_records_about,
)
from policyguard.audit.versions import Versions
from policyguard.canonical import parse_json
from policyguard.errors import CutOffError, FormatError, TrailError
from policyguard.signing.trust_file import TrustFile

_BATCH: Final = 4_096
# INVARIANT: rows come in the order of their index from the table itself, never through
# an index that could hide one.
_ROWS: Final = "SELECT idx, body, leaf FROM entry NOT INDEXED"
_LEAVES: Final = "SELECT idx, leaf FROM entry NOT INDEXED"
_ONE: Final = "SELECT idx, body, leaf FROM entry"
# The newest first, as people ask for what has just been.
_BODIES: Final = "SELECT idx, body FROM entry NOT INDEXED ORDER BY idx DESC"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLog:
    """Reads one log of a trail in files."""

    layout: Layout
    slot: str

    @property
    def where(self) -> str:
        """The path of the log's database."""
        return str(self.path)

    @property
    def path(self) -> Path:
        """The log's database."""
        return self.layout.log(self.slot)

    def exists(self) -> bool:
        """Say whether the log is there; one whose beginning was cut off is not yet."""
        if not is_begun(self.path):
            return False
        return self.head() is not None or next(self.rows(), None) is not None

    def head(self) -> Head | None:
        """Return the newest head; `None`: nothing was written."""
        with _reading(self.path) as connection:
            return read_head(connection, path=self.path)

    def rows(self, *, start: int = 0, newest_first: bool = False) -> Iterator[Row]:
        """Read the records in order of their index."""
        order = "DESC" if newest_first else "ASC"
        if start == 0:
            # Without a condition, so that nothing below index 0 could hide.
            yield from self._select(f"{_ROWS} ORDER BY idx {order}")
        else:
            query = f"{_ROWS} WHERE idx >= ? ORDER BY idx {order}"
            yield from self._select(query, start)

    def batches(self, *, size: int) -> Iterator[list[Row]]:
        """Read the first `size` records fast, of whatever types they are."""
        yield from self._batches(_ROWS, size=size)

    def leaves(self, *, size: int) -> Iterator[list[Leaf]]:
        """Read the leaf hashes of the first `size` records."""
        yield from self._batches(_LEAVES, size=size)

    def _batches(self, query: str, *, size: int) -> Iterator[list[Any]]:
        with _reading(self.path) as connection:
            try:
                rows = connection.execute(f"{query} ORDER BY idx")
                left = size
                while left > 0 and (batch := list(islice(rows, min(left, _BATCH)))):
                    left -= len(batch)
                    yield batch
            except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
                raise TrailError(
                    f"cannot read `{self.path}`: {error}: restore it"
                ) from error

    def row_at(self, index: int) -> Row | None:
        """Return the record at an index."""
        return next(self._select(f"{_ONE} WHERE idx = ?", index), None)

    def row_of(self, record: str) -> Row | None:
        """Return the record with an id."""
        # As RFC 8785 writes it: nothing in an id of ours is escaped.
        written = f'"id":"{record}"'.encode("utf-8", "replace")
        with _reading(self.path) as connection:
            bodies = rows_of(connection, _BODIES, types=(int, bytes), path=self.path)
            for index, body in bodies:
                # What is nested in a record may have an id, too.
                if written in body and _id_of(body) == record:
                    return self.row_at(index)
        return None

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Read size and text of each kept checkpoint, oldest first."""
        with _reading(self.path) as connection:
            query = "SELECT size, note FROM checkpoint ORDER BY size"
            yield from rows_of(connection, query, types=(int, str), path=self.path)

    def has_vault(self) -> bool:
        """Say whether the log has its vault."""
        return self.layout.vault(self.slot).exists()

    def sealed(self, *, record: str | None = None) -> Iterator[Sealed]:
        """Read what the vault holds for each record, or for one."""
        return read_content(self.layout.vault(self.slot), record=record)

    def contents(self, records: Collection[str]) -> list[tuple[str, bytes, bytes]]:
        """Read record, salt and content for those of a few records that the vault has."""
        return read_contents(self.layout.vault(self.slot), records=records)

    def prompt(self, record: str) -> SealedPrompt | None:
        """Return the sealed prompt of a record."""
        return read_prompt(self.layout.vault(self.slot), record=record)

    def prompts(self, records: Collection[str]) -> list[tuple[str, bytes, bytes]]:
        """Read record, sealed prompt and wrapped key for those that the vault has."""
        return read_prompts(self.layout.vault(self.slot), records=records)

    def people_of(self, records: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Read whom a few records are about, by pseudonyms."""
        return read_people_of(self.layout.vault(self.slot), records=records)

    def about(self, people: Collection[str]) -> set[str]:
        """Return the ids of the records that are about somebody."""
        if not people or not self.has_vault():
            return set()
        return read_records_about(self.layout.vault(self.slot), people=people)

    def persons(self) -> set[str]:
        """Return the pseudonyms of all whom records are about."""
        return read_persons(self.layout.vault(self.slot)) if self.has_vault() else set()

    def kept(self) -> set[str]:
        """Return the ids of the records of which the vault has anything."""
        return read_kept(self.layout.vault(self.slot)) if self.has_vault() else set()

    def known_head(self, *, origin: str) -> KnownHead:
        """Return what the lock database remembers of the log."""
        return read_known_head(self.layout.head(self.slot), origin=origin)

    def is_remembered(self, *, origin: str) -> bool:
        """Say whether the lock database has a head of the log."""
        path = self.layout.head(self.slot)
        try:
            # What a crash left of a slot that was being claimed is blank, or in the
            # middle of its first change. Who could make that up could remove the file.
            if is_blank(path, writing=False):
                return False
            known = find_known_head(path, origin=origin)
        except CutOffError:
            return False
        return known is not None and known.size > 0

    def outside(self) -> FolderCabinet:
        """Return the folder with what others have said about the log."""
        return FolderCabinet(folder=self.layout.outside(self.slot))

    def end_ahead(self, *, size: int) -> int:
        """Return how long a log of `size` is with what its vault has beyond it."""
        from policyguard.audit.redo import end_ahead

        return end_ahead(self.layout.vault(self.slot), size=size)

    def private_key(self) -> bytes | None:
        """Return the log's private key, where this process may read it."""
        path = self.layout.key(self.slot)
        return read_small(path) if os.access(path, os.R_OK) else None

    def require_sound(self) -> None:
        """Refuse databases whose pages or indexes contradict each other."""
        for path in (self.path, self.layout.vault(self.slot)):
            if path.exists():
                _require_sound(path)

    def _select(self, query: str, *values: object) -> Iterator[Row]:
        types = (int, bytes, bytes)
        with _reading(self.path) as connection:
            yield from rows_of(connection, query, *values, types=types, path=self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTrail:
    """Reads what the logs of a trail in files share."""

    layout: Layout

    @property
    def where(self) -> str:
        """The trail's directory."""
        return str(self.layout.directory)

    @property
    def trust_name(self) -> str:
        """The path of the trust file."""
        return str(self.layout.trust)

    def require_present(self) -> None:
        """Refuse a place where there is no trail at all."""
        if not self.layout.identity.exists():
            raise TrailError(
                f"there is no trail at `{self.where}`: give its directory with"
                " `--trail`, or make a first call"
            )

    def name(self) -> str:
        """Return the trail's name."""
        self.require_present()
        return read_identity(self.layout.identity)[0]

    def trust(self) -> TrustFile:
        """Return the verifier keys of all logs."""
        return read_trust(self.layout.trust)

    def slots(self) -> list[str]:
        """Return the slots that the trail or its lock database has, sorted."""
        return self.layout.slots()

    def log(self, slot: str) -> FileLog:
        """Return the log of a slot, which may not be there."""
        return FileLog(layout=self.layout, slot=slot)

    def versions(self) -> Versions:
        """Return the bundles and catalogs that decisions were made from."""
        return Versions(self.layout.versions)

    def remembered_name(self) -> str | None:
        """Return the trail that the lock database belongs to."""
        path = self.layout.remembered
        return read_identity(path)[0] if path.exists() else None

    def callers(self) -> Iterator[tuple[str, bytes, str]]:
        """Read pseudonym, salt and id of each caller that was not erased."""
        if self.layout.callers.is_file():
            yield from read_callers(self.layout.callers)

    def people(self) -> Iterator[Person]:
        """Read everybody whom records are about, and who was not erased."""
        return read_people(self.layout.people)

    def vault_key(self) -> bytes | None:
        """Return the key that wraps data keys, where this process may read it."""
        path = self.layout.vault_key
        return read_vault_key(path) if os.access(path, os.R_OK) else None

    def require_sound(self) -> None:
        """Refuse databases of callers and people that contradict themselves."""
        if self.layout.callers.is_file():
            _require_sound(self.layout.callers)
        if is_begun(self.layout.people):
            _require_sound(self.layout.people)


def _id_of(body: bytes) -> object:
    """Return the id of a record; `None`: it is damaged, and has none."""
    try:
        record = parse_json(body)
    except FormatError:
        return None
    return record.get("id") if isinstance(record, Mapping) else None


def _require_sound(path: Path) -> None:
    with _reading(path) as connection:
        require_sound(connection, path=path)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for a block."""
    connection = open_for_reading(path)
    try:
        yield connection
    finally:
        connection.close()
