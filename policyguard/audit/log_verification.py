"""Verifies the records of one log against its signed head, fast and in constant memory.

Every stored record is hashed and compared with its leaf; the leaves make the tree of
RFC 6962, whose root has to be the signed one, and that of every checkpoint on the way.
What the records say is not looked at here, nor which store they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from heapq import merge
from typing import TYPE_CHECKING, Final

from policyguard.audit.reader import Entry
from policyguard.audit.stores.sqlite import CHECKPOINT_EVERY
from policyguard.errors import FormatError, TamperedError, VerificationError
from policyguard.tlog import EMPTY_ROOT, Checkpoint, Frontier, Note, open_checkpoint
from policyguard.tlog.merkle import SIZE_LIMIT
from policyguard.tlog.note import verified_keys

if TYPE_CHECKING:
    from policyguard.audit.key_history import KeyHistory
    from policyguard.audit.reader import Log
    from policyguard.audit.stores.protocol import Head, Row

Progress = Callable[[str, int, int], None]
"""Called with the log's origin, the number of records verified, and their total."""


def verify_records(  # noqa: PLR0913 -- what is compared, and who is told
    log: Log,
    *,
    head: Head,
    known: Sequence[Checkpoint] = (),
    keys: KeyHistory | None = None,
    take: Callable[[Sequence[Row]], None] | None = None,
    progress: Progress | None = None,
) -> int:
    """Compare all records of a log with its signed head; return the checkpoints met.

    Args:
        log: The log.
        head: Its newest head, whose signature holds.
        known: Checkpoints that somebody kept, whose signatures hold; none is of a
            larger size than the head.
        keys: Told which keys have signed which checkpoint.
        take: Given each batch of records, once their bytes are those of the tree, and
            before it is known whether the tree is what was signed.
        progress: Called after each batch of records.

    Raises:
        TamperedError: a record is not what was signed; names it, or the records
            between two checkpoints of which one is not.
        TrailError: the log cannot be read.
    """
    signed = _boundaries(log, head=head, known=known, keys=keys)
    boundary = next(signed)
    frontier = Frontier()
    held = met = 0
    for rows in log.source.batches(size=head.size):
        leaves = _leaves(rows, log=log, first=frontier.size)
        while leaves:
            room = boundary.checkpoint.size - frontier.size
            part, leaves = leaves[:room], leaves[room:]
            frontier = frontier.extend(part)
            while frontier.size == boundary.checkpoint.size:
                _require_root(frontier, boundary=boundary, held=held)
                met += not boundary.kept
                held = frontier.size
                boundary = next(signed, _END)
        if take:
            take(rows)
        if progress:
            progress(log.origin, frontier.size, head.size)
    if frontier.size != head.size:
        raise TamperedError(
            f"entry {frontier.size} of {log.origin} is missing: the log ends before its"
            f" signed size of {head.size}"
        )
    return met


@dataclass(frozen=True, slots=True, kw_only=True)
class _Boundary:
    """Is a size at which the root is signed."""

    checkpoint: Checkpoint
    kept: bool = False
    """Whether somebody else kept it."""


_END: Final = _Boundary(
    checkpoint=Checkpoint(origin="end", size=SIZE_LIMIT - 1, root=EMPTY_ROOT)
)


def _boundaries(
    log: Log, *, head: Head, known: Sequence[Checkpoint], keys: KeyHistory | None
) -> Iterator[_Boundary]:
    """Give what is signed, by size: stored checkpoints, the kept one, the head."""
    kept = sorted((item for item in known if item.size), key=lambda item: item.size)
    root = Checkpoint(origin=log.origin, size=head.size, root=head.frontier.root())
    yield from merge(
        (_Boundary(checkpoint=item) for item in _stored(log, head=head, keys=keys)),
        (_Boundary(checkpoint=root),),
        (_Boundary(checkpoint=item, kept=True) for item in kept),
        key=lambda item: item.checkpoint.size,
    )


def _stored(log: Log, *, head: Head, keys: KeyHistory | None) -> Iterator[Checkpoint]:
    after = 0
    _note_keys(head.note, size=head.size, log=log, keys=keys)
    for size, note in log.checkpoints():
        if size > head.size:
            raise TamperedError(
                f"a checkpoint of {log.origin} is of size {size}, beyond the head"
            )
        checkpoint = _opened(note, size=size, after=after, log=log)
        after = checkpoint.size
        _note_keys(note, size=size, log=log, keys=keys)
        yield checkpoint
    if after // CHECKPOINT_EVERY != head.size // CHECKPOINT_EVERY:
        raise TamperedError(
            f"a checkpoint of {log.origin} is missing: none is kept of the last"
            f" {CHECKPOINT_EVERY} records before size {head.size}"
        )


def _note_keys(note: str, *, size: int, log: Log, keys: KeyHistory | None) -> None:
    """Tell who has signed; where there is one key only, that is known."""
    if keys is not None:
        signed = (
            verified_keys(Note.parse(note), vkeys=log.vkeys)
            if len(log.vkeys) > 1
            else log.vkeys
        )
        keys.add_signed(size, signed)


def _leaves(rows: Sequence[Row], *, log: Log, first: int) -> list[bytes]:
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
        # Without their hash, which is not theirs any more.
        return f" (record {replace(entry, leaf=b'').record().id})"
    except FormatError:
        return ""


def _require_root(frontier: Frontier, *, boundary: _Boundary, held: int) -> None:
    signed = boundary.checkpoint
    if frontier.root() == signed.root:
        return
    if boundary.kept:
        raise TamperedError(
            f"the log {signed.origin} is not the one that was kept in mind elsewhere:"
            f" there are two histories of its first {signed.size} records"
        )
    raise TamperedError(
        f"entry {held} of {signed.origin}, or another one up to entry"
        f" {signed.size - 1}, is not the one that was signed"
    )


def _opened(note: str, *, size: int, after: int, log: Log) -> Checkpoint:
    try:
        checkpoint = open_checkpoint(note, vkeys=log.vkeys)
    except (FormatError, VerificationError) as error:
        raise TamperedError(
            f"the checkpoint of size {size} of {log.origin} was changed: {error}"
        ) from error
    if checkpoint.size != size or checkpoint.size <= after:
        raise TamperedError(
            f"the checkpoint of size {checkpoint.size} of {log.origin} is not in its"
            " place"
        )
    return checkpoint
