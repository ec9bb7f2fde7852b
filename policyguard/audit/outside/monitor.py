"""Keeps the last checkpoint of each log, and sees whether the next one continues it.

Owner: whoever runs `policyguard audit monitor`, on another machine or as another user
than the writer: the state file is memory outside the writer's reach, the poor man's
witness. It holds the last checkpoint of each log that was seen, and is replaced whole
only after a round in which nothing was wrong. A crash leaves the older one, which is as
good. Whoever can write it can make the monitor forget, so do not keep it with the trail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from policyguard.audit.export.jsonl import RECORDS, read_lines
from policyguard.audit.export.tile_files import read_tile
from policyguard.audit.layout import make_folder, read_small, write_small
from policyguard.audit.outside.attested import Attestations, Attested, Vouchers
from policyguard.audit.outside.shelf import Shelf
from policyguard.audit.reader import Log
from policyguard.canonical import canonical_bytes, parse_json
from policyguard.errors import (
    CutOffError,
    FormatError,
    InvalidProofError,
    NewerTrailError,
    OutOfReachError,
    TamperedError,
    TrailError,
    VerificationError,
)
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog import (
    Checkpoint,
    Frontier,
    leaf_hash,
    open_checkpoint,
    prove_consistency,
    verify_consistency,
)
from policyguard.tlog.tile import tile_reader

FORMAT: Final = 1


class Watched(Protocol):
    """Is a log as a monitor sees it."""

    @property
    def origin(self) -> str:
        """The log's name."""
        ...

    @property
    def vkeys(self) -> Sequence[VerifierKey]:
        """The keys that sign it."""
        ...

    def note(self) -> str | bytes:
        """Return the newest checkpoint, as it is published."""
        ...

    def require_growth(self, old: Checkpoint, new: Checkpoint) -> None:
        """Refuse a log in which the newer checkpoint does not continue the older.

        With one checkpoint twice, refuse records that are not the signed ones, as far
        as they are looked at: of tiles `audit verify` reads the records.

        Raises:
            TamperedError: it does not.
            TrailError: the log cannot be read.
        """
        ...

    def attestations(self, vouchers: Vouchers) -> Attestations:
        """Return what others have said about it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLog:
    """Is a log of a trail on this machine; its records are hashed each time."""

    log: Log

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.log.origin

    @property
    def vkeys(self) -> Sequence[VerifierKey]:
        """The keys that sign it."""
        return self.log.vkeys

    def note(self) -> str | bytes:
        """Return the checkpoint of the newest head."""
        return self.log.head().note

    def require_growth(self, old: Checkpoint, new: Checkpoint) -> None:
        """Compute both roots from the records.

        Raises:
            TamperedError: one is another.
            TrailError: the log cannot be read.
        """
        bodies = (entry.body for entry in self.log.entries())
        _require_roots(bodies, old=old, new=new)

    def attestations(self, vouchers: Vouchers) -> Attestations:
        """Return what others have said about it."""
        return vouchers.of(self.log)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedLog:
    """Is an export: of tiles a consistency proof is computed, lines are hashed."""

    directory: Path
    origin: str
    vkeys: Sequence[VerifierKey]

    def note(self) -> str | bytes:
        """Return the published checkpoint."""
        return read_small(self.directory / "checkpoint")

    def require_growth(self, old: Checkpoint, new: Checkpoint) -> None:
        """Verify a consistency proof that is made from the tiles, or compute both roots.

        Raises:
            TamperedError: there is none, or it does not hold.
            TrailError: the files cannot be read.
        """
        if (self.directory / RECORDS).exists():
            lines = read_lines(self.directory, origin=self.origin)
            _require_roots(lines, old=old, new=new)
            return

        def read(path: Any) -> bytes:
            return b"".join(read_tile(self.directory, path))

        reader = tile_reader(size=new.size, read=read)
        try:
            proof = prove_consistency(old_size=old.size, new_size=new.size, tree=reader)
            verify_consistency(
                old_size=old.size,
                new_size=new.size,
                old_root=old.root,
                new_root=new.root,
                proof=proof,
            )
        except (InvalidProofError, FormatError) as error:
            raise TamperedError(
                f"the export of {self.origin} of size {new.size} does not continue the"
                f" checkpoint of size {old.size}: {error}"
            ) from error

    def attestations(self, vouchers: Vouchers) -> Attestations:
        """Return what others have said about it, as it was exported."""
        return Attestations(
            shelf=Shelf.in_folder(self.directory / "outside"),
            origin=self.origin,
            vkeys=self.vkeys,
            trust=vouchers.trust,
            roots=vouchers.roots,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Says what was seen of one log in one round."""

    origin: str
    before: int
    """The size that was kept from the last round; 0: none."""
    size: int
    attested: Attested
    is_late: bool
    """Whether records have been without a witness or a time stamp for too long."""


@dataclass(slots=True, kw_only=True)
class Monitor:
    """Remembers checkpoints in a state file of its own."""

    state: Path
    vouchers: Vouchers
    patience: timedelta | None = None
    """How old the newest cosignature or time stamp may be; `None`: nobody asks."""

    def look(self, logs: Iterable[Watched], *, now: datetime) -> list[Watch]:
        """Compare logs with what is remembered, and remember what they are now.

        Args:
            logs: All logs that there are.
            now: The wall time.

        Raises:
            TamperedError: a log does not continue what was remembered, is gone, or
                what others have said about it does not hold; nothing is remembered.
            TrailError: log or state file cannot be read or written.
        """
        known = self._remembered()
        seen = [
            self._look_at(log, known=known.get(log.origin), now=now) for log in logs
        ]
        notes = {watch.origin: note for watch, note in seen}
        gone = sorted(known.keys() - notes.keys())
        if gone:
            raise TamperedError(
                f"the log {gone[0]} is gone: a checkpoint of it is remembered in"
                f" `{self.state}`: restore it"
            )
        if notes != known:
            self._remember(notes)
        return [watch for watch, _ in seen]

    def _look_at(
        self, log: Watched, *, known: str | None, now: datetime
    ) -> tuple[Watch, str]:
        try:
            note = log.note()
        except (CutOffError, NewerTrailError, OutOfReachError):
            raise
        except TrailError as error:
            if known is None:
                raise
            # It was there: what is taken away is found as what is put back.
            raise TamperedError(
                f"the log {log.origin}, of which a checkpoint is remembered, is gone:"
                f" {error}"
            ) from error
        text = note.decode("utf-8", "replace") if isinstance(note, bytes) else note
        new = _opened(text, log=log, what="newest checkpoint")
        old = None
        if known is not None:
            old = _opened(known, log=log, what="remembered checkpoint")
            _require_continued(log, old=old, new=new, who="the monitor has")
        if new.size and (old is None or old.size in {0, new.size}):
            # Nothing was compared with the records yet, and they can be changed under a
            # checkpoint that stays as it is.
            log.require_growth(new, new)
        attested = verified_attestations(log, new=new, vouchers=self.vouchers)
        watch = Watch(
            origin=log.origin,
            before=old.size if old else 0,
            size=new.size,
            attested=attested,
            is_late=self._is_late(attested, size=new.size, now=now),
        )
        return watch, text

    def _is_late(self, attested: Attested, *, size: int, now: datetime) -> bool:
        if self.patience is None:
            return False
        if size in {attested.cosigned_size, attested.stamped_size}:
            return False
        return attested.at is None or now - attested.at > self.patience

    def _remembered(self) -> dict[str, str]:
        if not self.state.exists():
            return {}
        try:
            document: Any = parse_json(read_small(self.state))
            version, logs = document["format"], dict(document["logs"])
        except (FormatError, KeyError, TypeError, ValueError) as error:
            raise _no_state(self.state, str(error)) from error
        if version != FORMAT or {type(note) for note in logs.values()} - {str}:
            raise _no_state(self.state, "it is of another version")
        return logs

    def _remember(self, notes: Mapping[str, str]) -> None:
        make_folder(self.state.parent)
        document = {"format": FORMAT, "logs": dict(notes)}
        write_small(self.state, canonical_bytes(document) + b"\n")


def _no_state(path: Path, reason: str) -> TrailError:
    return TrailError(
        f"`{path}` is not a monitor's state: {reason}: give another file with --state"
    )


def verified_attestations(
    log: Watched, *, new: Checkpoint, vouchers: Vouchers, every: bool = False
) -> Attested:
    """Verify what others have said about a log, and that the log continues it.

    Args:
        log: The log.
        new: Its newest checkpoint, verified.
        vouchers: Which witnesses and authorities are trusted.
        every: Whether the log is compared with each checkpoint that others have seen,
            or with the newest of them, which has to continue the others.

    Raises:
        TamperedError: something does not hold.
    """
    attestations = log.attestations(vouchers)
    seen = list(attestations.checkpoints())
    for old in seen if every else seen[-1:]:
        _require_continued(log, old=old, new=new, who="others have")
    return attestations.attested()


def _require_roots(
    bodies: Iterable[bytes], *, old: Checkpoint, new: Checkpoint
) -> None:
    """Compare the roots of two sizes with those of a log's records, in one pass."""
    frontier = Frontier()
    wanted = {old.size: old, new.size: new}
    for body in bodies:
        if frontier.size == new.size:
            break
        frontier = frontier.append(leaf_hash(body))
        signed = wanted.get(frontier.size)
        if signed is not None and frontier.root() != signed.root:
            raise TamperedError(
                f"the log {new.origin} is not the one of the checkpoint of size"
                f" {signed.size}: run `policyguard audit verify`"
            )
    if frontier.size != new.size:
        raise TamperedError(
            f"entry {frontier.size} of {new.origin} is missing: the log ends before its"
            f" signed size of {new.size}"
        )


def _require_continued(
    log: Watched, *, old: Checkpoint, new: Checkpoint, who: str
) -> None:
    if new.size < old.size:
        raise TamperedError(
            f"the log {log.origin} was put back: it has {new.size} records and {who}"
            f" seen {old.size}: restore the newer one"
        )
    if new.size == old.size and new.root != old.root:
        raise TamperedError(
            f"the log {log.origin} is not the one that {who} seen: there are two"
            f" histories of its first {old.size} records"
        )
    if new.size > old.size > 0:
        log.require_growth(old, new)


def _opened(note: str, *, log: Watched, what: str) -> Checkpoint:
    try:
        checkpoint = open_checkpoint(note, vkeys=log.vkeys)
    except (FormatError, VerificationError) as error:
        raise TamperedError(
            f"the {what} of {log.origin} cannot be verified: {error}"
        ) from error
    if checkpoint.origin != log.origin:
        raise TamperedError(
            f"the {what} of {log.origin} is that of {checkpoint.origin}"
        )
    return replace(checkpoint, extensions=())
