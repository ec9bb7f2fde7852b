"""A log as far as its key has signed it, for whoever reads without verifying it whole.

A record that is read is compared with the leaf hash that is stored beside it: whoever
can change the one can change the other. So all leaf hashes of the log are read first,
32 bytes for each record, and their root has to be the signed one. What comes after the
head that they were compared with is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policyguard.audit.reader import Entry, Log, TrailReader
from policyguard.audit.stores.sqlite import require_signed
from policyguard.errors import FormatError, TamperedError, VerificationError
from policyguard.tlog import Checkpoint, Frontier

if TYPE_CHECKING:
    from policyguard.audit.log_verification import Progress
    from policyguard.audit.stores.protocol import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedLog(Log):
    """Is the beginning of a log, whose leaf hashes are those that were signed."""

    size: int
    """How many records that are."""

    def entries(self, *, newest_first: bool = False, start: int = 0) -> Iterator[Entry]:
        """Read these records in order, or those from the index `start` on.

        Raises:
            TrailError: the log cannot be read.
        """
        for entry in Log.entries(self, newest_first=newest_first, start=start):
            if entry.index < self.size:
                yield entry
            elif not newest_first:
                return

    def find(self, record: str) -> Entry | None:
        """Return the one of these records with an id, or with an index.

        Raises:
            TrailError: the log cannot be read.
        """
        entry = Log.find(self, record)
        return entry if entry is not None and entry.index < self.size else None


def signed_head(log: Log, *, head: Head) -> Checkpoint:
    """Return the checkpoint of a log's head.

    Raises:
        TamperedError: it is not what the log's key has signed.
    """
    try:
        return require_signed(head, vkeys=log.vkeys, where=log.source.where)
    except (FormatError, VerificationError) as error:
        raise TamperedError(
            f"the head of {log.origin} cannot be verified: {error}"
        ) from error


def signed_log(log: Log, *, progress: Progress | None = None) -> SignedLog:
    """Compare the leaf hashes of a log with its signed head, and return what it covers.

    Args:
        log: The log; it may be written meanwhile.
        progress: Called as leaf hashes are read.

    Raises:
        TamperedError: they are not those that were signed.
        TrailError: the log cannot be read.
    """
    # A head first and its records after: a log only grows.
    signed = signed_head(log, head=log.head())
    frontier = Frontier()
    for rows in log.source.leaves(size=signed.size):
        first = frontier.size
        if [index for index, _ in rows] != list(range(first, first + len(rows))):
            raise _not_signed(log)
        if {type(leaf) for _, leaf in rows} != {bytes}:
            raise _not_signed(log)
        frontier = frontier.extend([leaf for _, leaf in rows])
        if progress:
            progress(log.origin, frontier.size, signed.size)
    if (frontier.size, frontier.root()) != (signed.size, signed.root):
        raise _not_signed(log)
    return SignedLog(
        source=log.source, slot=log.slot, vkeys=log.vkeys, size=signed.size
    )


def signed_reader(
    reader: TrailReader, *, progress: Progress | None = None
) -> TrailReader:
    """Return a trail of whose logs only what was signed is read.

    Raises:
        TamperedError: the leaf hashes of a log are not those that were signed.
        TrailError: a log cannot be read.
    """
    logs = tuple(signed_log(log, progress=progress) for log in reader.logs)
    return replace(reader, logs=logs)


def _not_signed(log: Log) -> TamperedError:
    return TamperedError(
        f"a record of {log.origin} is not what was signed, or not in its place: run"
        " `policyguard audit verify`, which says which"
    )
