"""Verifies the records of one log against its signed head, fast and in constant memory.

Every stored record is hashed and compared with its leaf; the leaves make the tree of
RFC 6962, whose root has to be the signed one, and that of every checkpoint on the way.
What the records say is not looked at here.

INVARIANT: rows are read in the order of their index from the table itself, never
through an index that could hide one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Final

from policyguard.audit.reader import Entry
from policyguard.audit.stores.database import open_for_reading
from policyguard.errors import (
    FormatError,
    TamperedError,
    TrailError,
    VerificationError,
)
from policyguard.tlog import Checkpoint, Frontier, open_checkpoint

if TYPE_CHECKING:
    from policyguard.audit.reader import Log
    from policyguard.audit.stores.sqlite import Head

Progress = Callable[[str, int, int], None]
"""Called with the log's origin, the number of records verified, and their total."""

_BATCH: Final = 4_096
_QUERY: Final = "SELECT idx, body, leaf FROM entry NOT INDEXED ORDER BY idx"
_Row = tuple[int, bytes, bytes]


def verify_records(log: Log, *, head: Head, progress: Progress | None = None) -> int:
    """Compare all records of a log with its signed head; return the checkpoints met.

    Args:
        log: The log.
        head: Its newest head, whose signature holds.
        progress: Called after each batch of records.

    Raises:
        TamperedError: a record is not what was signed; names it, or the records
            between two checkpoints of which one is not.
        TrailError: the log cannot be read.
    """
    checkpoints = log.checkpoints()
    signed = _next_checkpoint(checkpoints, log=log, after=0)
    frontier = Frontier()
    met = 0
    for rows in _batches(log, size=head.size):
        leaves = _leaves(rows, log=log, first=frontier.size)
        while leaves:
            room = len(leaves) if signed is None else signed.size - frontier.size
            part, leaves = leaves[:room], leaves[room:]
            frontier = frontier.extend(part)
            if signed is not None and frontier.size == signed.size:
                _require_root(frontier, signed=signed, log=log)
                met += 1
                signed = _next_checkpoint(checkpoints, log=log, after=signed.size)
        if progress:
            progress(log.origin, frontier.size, head.size)
    if frontier.size != head.size:
        raise TamperedError(
            f"entry {frontier.size} of {log.origin} is missing: the log ends before its"
            f" signed size of {head.size}"
        )
    if frontier.root() != head.frontier.root():
        raise TamperedError(
            f"the records of {log.origin} are not those of its head: one of them, its"
            " leaf included, was changed"
        )
    if signed is not None:
        raise TamperedError(
            f"a checkpoint of {log.origin} is of size {signed.size}, beyond the head"
        )
    return met


def _batches(log: Log, *, size: int) -> Iterator[list[_Row]]:
    connection = open_for_reading(log.path)
    try:
        rows = connection.execute(_QUERY)
        left = size
        while left > 0 and (batch := list(islice(rows, min(left, _BATCH)))):
            left -= len(batch)
            yield batch
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        raise TrailError(f"cannot read `{log.path}`: {error}: restore it") from error
    finally:
        connection.close()


def _leaves(rows: Sequence[_Row], *, log: Log, first: int) -> list[bytes]:
    """Return the leaf hashes of rows, each compared with what is stored."""
    if {type(body) for _, body, _ in rows} != {bytes}:
        raise TamperedError(f"a record of {log.origin} is not bytes")
    leaves = [sha256(b"\x00" + body).digest() for _, body, _ in rows]
    if [row[0] for row in rows] != list(range(first, first + len(rows))):
        wanted = next(
            number for number, row in enumerate(rows, start=first) if row[0] != number
        )
        raise TamperedError(
            f"entry {wanted} of {log.origin} is missing: the log was cut or its records"
            " were removed"
        )
    if leaves != [row[2] for row in rows]:
        index, body, leaf = next(
            row for row, own in zip(rows, leaves, strict=True) if row[2] != own
        )
        entry = Entry(origin=log.origin, index=index, body=body, leaf=leaf)
        raise TamperedError(
            f"{entry.name}{named(entry)} was changed: its bytes are not those that were"
            " signed"
        )
    return leaves


def named(entry: Entry) -> str:
    """Return the id of a record, as far as its bytes still say it."""
    try:
        return f" (record {entry.record().id})"
    except FormatError:
        return ""


def _require_root(frontier: Frontier, *, signed: Checkpoint, log: Log) -> None:
    if frontier.root() != signed.root:
        raise TamperedError(
            f"entry {signed.size - 1} of {log.origin}, or a record that was signed with"
            " it, is not the one that was signed"
        )


def _next_checkpoint(
    checkpoints: Iterator[tuple[int, str]], *, log: Log, after: int
) -> Checkpoint | None:
    row = next(checkpoints, None)
    if row is None:
        return None
    try:
        checkpoint = open_checkpoint(row[1], vkeys=[log.vkey])
    except (FormatError, VerificationError) as error:
        raise TamperedError(
            f"the checkpoint of size {row[0]} of {log.origin} was changed: {error}"
        ) from error
    if checkpoint.size != row[0] or checkpoint.size <= after:
        raise TamperedError(
            f"the checkpoint of size {checkpoint.size} of {log.origin} is not in its"
            " place"
        )
    return checkpoint
