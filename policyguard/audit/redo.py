"""Records that are durable in the vault before they are in the log, and their redoing.

A decision's content has to be synchronised in the vault; its records are written there
in the same commit, as one batch with the checkpoint that signs it. The log is committed
after it and waits for no disk. So a power failure can take the end of the log away, and
the vault still has it: whoever opens the log next takes it up from there.

INVARIANT: a batch stays in the vault until the log itself was synchronised beyond it. It
is taken up only where the log ends, and only as its checkpoint signs it: what is not in
the log afterwards is byte for byte what was acknowledged, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from policyguard.audit.stores.database import open_for_reading, rows_of
from policyguard.errors import FormatError, TrailError, VerificationError
from policyguard.tlog.tile import TILE_WIDTH, decode_bundle, encode_bundle

if TYPE_CHECKING:
    import sqlite3

    from policyguard.audit.stores.sqlite import LogStore
    from policyguard.signing.keyring import VerifierKey

MOST_IN_BATCH: Final = TILE_WIDTH
"""A batch is written as an entry bundle (C2SP tlog-tiles); a larger one syncs the log."""
SCHEMA: Final = """CREATE TABLE ahead (
  first INTEGER PRIMARY KEY, size INTEGER NOT NULL, entries BLOB NOT NULL,
  note TEXT NOT NULL
) STRICT"""
_QUERY: Final = "SELECT first, size, entries, note FROM ahead ORDER BY first"
_EXISTS: Final = "SELECT count(*) FROM sqlite_master WHERE name = 'ahead'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """Is a batch of records with the checkpoint that signs them."""

    first: int
    """The index of its first record."""
    size: int
    """How many records the log has with it."""
    bodies: tuple[bytes, ...]
    note: str

    @classmethod
    def parse(cls, row: tuple[int, int, bytes, str], *, where: str) -> Self:
        """Read a row of the table.

        Raises:
            TrailError: it holds no batch.
        """
        first, size, entries, note = row
        try:
            bodies = decode_bundle(entries, width=size - first)
        except FormatError as error:
            raise TrailError(f"`{where}` is damaged: {error}: restore it") from error
        return cls(first=first, size=size, bodies=bodies, note=note)

    def row(self) -> tuple[int, int, bytes, str]:
        """Return the batch as a row of the table."""
        return self.first, self.size, encode_bundle(self.bodies), self.note


def batches_ahead(connection: sqlite3.Connection, *, path: Path) -> Iterator[Ahead]:
    """Read the batches that a vault keeps, in order.

    Raises:
        TrailError: they cannot be read.
    """
    types = (int, int, bytes, str)
    for row in rows_of(connection, _QUERY, types=types, path=path):
        yield Ahead.parse(row, where=str(path))


def end_ahead(path: Path, *, size: int) -> int:
    """Return how long a log of `size` records is once its vault's batches are taken up.

    Raises:
        TrailError: the vault cannot be read.
    """
    if not path.is_file():
        return size
    connection = open_for_reading(path)
    try:
        # A vault that has not been written since an older version has no such table.
        if not next(rows_of(connection, _EXISTS, types=(int,), path=path))[0]:
            return size
        for batch in batches_ahead(connection, path=path):
            if batch.first == size:
                size = batch.size
        return size
    finally:
        connection.close()


def redo(
    store: LogStore,
    batches: Sequence[Ahead],
    *,
    known: int,
    vkeys: Sequence[VerifierKey],
) -> None:
    """Take up what the vault has beyond the end of the log.

    Args:
        store: The log, claimed and just opened.
        batches: What its vault keeps, in order.
        known: How many records its lock database knows of.
        vkeys: The keys of the log.

    Raises:
        TrailError: the log ends before what the vault has, or a batch is not what was
            signed.
        sqlite3.Error: it could not be written.
    """
    for batch in batches:
        size = store.head.size if store.head else 0
        if batch.size <= size:
            continue
        if batch.first != size:
            raise TrailError(
                f"the log `{store.origin}` was put back: it has {size} records and had"
                f" {max(known, batches[-1].size)}: restore the newer one"
            )
        try:
            store.take_up(batch.bodies, note=batch.note, vkeys=vkeys)
        except (FormatError, VerificationError) as error:
            raise TrailError(
                f"the records from {batch.first} on in the vault of `{store.origin}` are"
                f" not what was signed: {error}: restore it"
            ) from error
    if batches:
        store.count_as_synced(batches[0].first)
