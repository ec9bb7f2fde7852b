"""One log in one SQLite file: records, head and checkpoints in one transaction.

Owner: the process that holds the log's claim. A crash leaves the last commit: all
records of a batch with the head that signs them, or none. A power failure can take
commits that were made durable elsewhere before (`Elsewhere`). Whoever can write the file
can change it, but not so that `verify_trail` does not see it; whoever also has the
key can write another history, which only a kept checkpoint or a witness shows.

INVARIANT: nothing that a query reads is stored or computed beside the bytes of `body`.
`leaf` is what the tree is made of and is compared with `body` by `verify_trail`. What is
asked for by column is in the index of `query_index`, and a record is found by its id in
the records themselves. Older logs have columns that SQLite computes, and an index of ids;
they are written as they are, and nothing reads these.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from policyguard.audit.stores.database import (
    Synchronous,
    insert_rows,
    leak,
    open_for_writing,
    rows_of,
)
from policyguard.audit.stores.protocol import Head
from policyguard.errors import (
    FormatError,
    InvalidCheckpointError,
    TrailError,
    VerificationError,
)
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.signer import Signer
from policyguard.tlog import (
    Checkpoint,
    Frontier,
    HeadSigner,
    leaf_hash,
    open_checkpoint,
    sign_checkpoint,
)

CHECKPOINT_EVERY: Final = 256
"""Records after which a checkpoint is kept beside the newest one, which is the head's."""
Elsewhere: TypeAlias = Callable[[Head], None]
"""Makes the records before a head durable in another place."""
_MOST_UNSYNCED: Final = 256
"""Records that may be durable only elsewhere; with more the log is synced as well."""
SCHEMA: Final = """
CREATE TABLE entry (
  idx INTEGER PRIMARY KEY,
  body BLOB NOT NULL,
  leaf BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
CREATE TABLE head (
  only INTEGER PRIMARY KEY CHECK (only = 0),
  size INTEGER NOT NULL, frontier BLOB NOT NULL, note TEXT NOT NULL
) STRICT"""


class LogStore:
    """Appends records to one log."""

    __slots__ = (
        "_connection",
        "_head",
        "_heads",
        "_level",
        "_path",
        "_signer",
        "_synced",
    )

    def __init__(self, path: Path, *, signer: Signer) -> None:
        """Open the log of a signer, whose key name is the log's origin.

        Raises:
            TrailError: it cannot be opened, or its end is not what was signed.
        """
        self._path = path
        self._signer = signer
        self._heads = HeadSigner(signer)
        self._level: Synchronous = "FULL"
        self._connection = open_for_writing(
            path, schema=SCHEMA, synchronous=self._level
        )
        try:
            self._head = read_head(self._connection, path=path)
            self._synced = self._head.size if self._head else 0
            if self._head is not None:
                vkey = VerifierKey.of_signer(signer)
                require_signed(self._head, vkeys=[vkey], where=str(path))
                _require_last(self._connection, size=self._head.size, path=path)
        except (FormatError, VerificationError) as error:
            self._connection.close()
            raise TrailError(
                f"the log `{signer.key_name}` is not what its key signs: {error}: run"
                " `policyguard audit verify`, then restore it"
            ) from error
        except BaseException:
            self._connection.close()
            raise

    @property
    def signer(self) -> Signer:
        """The key that signs the next head."""
        return self._signer

    @property
    def head(self) -> Head | None:
        """The newest head, or `None` before the first record."""
        return self._head

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._signer.key_name

    @property
    def synced(self) -> int:
        """How many records are durable in this file, whatever else keeps them."""
        return self._synced

    def count_as_synced(self, size: int) -> None:
        """Take only the first `size` records as durable in this file."""
        self._synced = min(self._synced, size)

    def append(
        self,
        bodies: Sequence[bytes],
        *,
        successor: Signer | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> Head:
        """Append records durably and return the new head.

        Args:
            bodies: The records.
            successor: The key that takes over: it signs this head beside the old key,
                and every later one alone. The checkpoint with both is kept.
            elsewhere: Makes the records durable in another place, so that this commit
                need not wait for the disk. Called once they are accepted here, and
                before they are committed.

        Raises:
            TrailError: somebody else has written to the log.
            sqlite3.Error: the records are not durable; this store must not be used
                again.
        """
        leaves = [leaf_hash(body) for body in bodies]
        frontier = self._frontier.extend(leaves)
        note = self._signed(frontier, successor=successor)
        head = Head(size=frontier.size, frontier=frontier, note=note)
        self._write(
            bodies,
            leaves=leaves,
            head=head,
            keep=successor is not None,
            elsewhere=elsewhere,
        )
        if successor is not None:
            self._signer, self._heads = successor, HeadSigner(successor)
        return head

    def _signed(self, frontier: Frontier, *, successor: Signer | None) -> str:
        if successor is None:
            return self._heads.sign(frontier)
        checkpoint = Checkpoint(
            origin=self.origin, size=frontier.size, root=frontier.root()
        )
        return sign_checkpoint(checkpoint, signer=self._signer, successor=successor)

    def take_up(
        self, bodies: Sequence[bytes], *, note: str, vkeys: Sequence[VerifierKey]
    ) -> None:
        """Append records with the checkpoint that has signed them before.

        Args:
            bodies: The records.
            note: The checkpoint of the log with them.
            vkeys: The keys of the log.

        Raises:
            FormatError: the checkpoint is none.
            VerificationError: it does not sign the log with these records.
            sqlite3.Error: they are not durable.
        """
        leaves = [leaf_hash(body) for body in bodies]
        frontier = self._frontier.extend(leaves)
        head = Head(size=frontier.size, frontier=frontier, note=note)
        require_signed(head, vkeys=vkeys, where=str(self._path))
        self._write(bodies, leaves=leaves, head=head)

    @property
    def _frontier(self) -> Frontier:
        return self._head.frontier if self._head else Frontier()

    def _write(
        self,
        bodies: Sequence[bytes],
        *,
        leaves: Sequence[bytes],
        head: Head,
        keep: bool = False,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        before = self._head.size if self._head else 0
        full = elsewhere is None or head.size - self._synced > _MOST_UNSYNCED
        self._sync_at("FULL" if full else "NORMAL")
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        self._replace(head, before=before)
        indexes = range(before, head.size)
        rows = list(zip(indexes, bodies, leaves, strict=True))
        insert_rows(self._connection, "entry (idx, body, leaf)", rows)
        passed = before // CHECKPOINT_EVERY != head.size // CHECKPOINT_EVERY
        if passed or keep:
            run("INSERT INTO checkpoint VALUES (?, ?)", (head.size, head.note))
        if elsewhere is not None:
            elsewhere(head)
        run("COMMIT")
        self._head = head
        if full:
            self._synced = head.size

    def _replace(self, head: Head, *, before: int) -> None:
        """Store a head in the place of the one that this process left there."""
        values = (head.size, head.frontier.format(), head.note)
        changed = (
            self._connection.execute(
                "UPDATE head SET size = ?, frontier = ?, note = ? WHERE size = ?",
                (*values, before),
            )
            if self._head
            else self._connection.execute(
                "INSERT INTO head SELECT 0, ?, ?, ? WHERE NOT EXISTS"
                " (SELECT 1 FROM head)",
                values,
            )
        )
        if changed.rowcount != 1:
            raise TrailError(
                f"`{self._path}` was written by another process: stop one of the two,"
                " then run `policyguard audit verify`"
            )

    def _sync_at(self, level: Synchronous) -> None:
        """Say whether the next commits wait for the disk; one that does covers all."""
        if level != self._level:
            self._connection.execute(f"PRAGMA synchronous={level}")
            self._level = level

    def root_at(self, size: int) -> bytes:
        """Return the root of the tree of the first `size` records, from their bytes."""
        if self._head is not None and self._head.size == size:
            # `verify_trail` reads them all; an open log that has not grown is not read.
            return self._head.frontier.root()
        leaves = (leaf_hash(body) for body in self._bodies(size))
        return Frontier().extend(leaves).root()

    def close(self) -> None:
        """Close the file; what was appended stays."""
        self._connection.close()

    def leak(self) -> None:
        """Let go of the file in a forked child, without closing it."""
        leak(self._connection)

    def _bodies(self, size: int) -> Iterator[bytes]:
        rows = self._connection.execute(
            "SELECT body FROM entry WHERE idx < ? ORDER BY idx", (size,)
        )
        return (bytes(row[0]) for row in rows)


def read_head(connection: sqlite3.Connection, *, path: Path) -> Head | None:
    """Read the end of a log.

    Raises:
        TrailError: what is stored is no head.
    """
    query = "SELECT size, frontier, note FROM head"
    types = (int, bytes, str)
    row = next(rows_of(connection, query, types=types, path=path), None)
    if row is None:
        return None
    try:
        return Head(size=row[0], frontier=Frontier.parse(row[1]), note=row[2])
    except FormatError as error:
        raise TrailError(
            f"the head in `{path}` is damaged: {error}: restore the trail"
        ) from error


def require_signed(
    head: Head, *, vkeys: Sequence[VerifierKey], where: str
) -> Checkpoint:
    """Refuse a head that is not what its checkpoint signs; return the checkpoint.

    Raises:
        FormatError: the checkpoint is none.
        VerificationError: the signature does not hold, or signs another head.
    """
    checkpoint = open_checkpoint(head.note, vkeys=vkeys)
    held = (head.size, head.frontier.size, head.frontier.root())
    if held != (checkpoint.size, checkpoint.size, checkpoint.root):
        raise InvalidCheckpointError(
            f"the head in `{where}` is not the one that its checkpoint signs: run"
            " `policyguard audit verify`, then restore the trail"
        )
    return checkpoint


def _require_last(connection: sqlite3.Connection, *, size: int, path: Path) -> None:
    query = "SELECT ifnull(max(idx), -1) FROM entry"
    (last,) = next(rows_of(connection, query, types=(int,), path=path))
    if last != size - 1:
        raise TrailError(
            f"`{path}` ends at record {last} and its checkpoint says {size - 1}: run"
            " `policyguard audit verify`, then restore the trail"
        )
