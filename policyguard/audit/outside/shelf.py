"""What others have said about the checkpoints of one log, in plain files or a table.

    <size>.checkpoint   the signed checkpoint with the cosignatures that it has
    <size>.tsr          the answer of a time-stamping authority (RFC 3161, DER) over the
                        checkpoint's text, its lines before the empty one
    state.json          the last attempt at each place: when, and what came of it

Owner: whoever takes the log outside, one at a time; each is replaced whole. A crash
leaves a checkpoint without its cosignatures at worst, which the next run asks for
again. Nothing here is trusted when it is read: `attested` verifies it. Whoever can
write the files can take memory away, never add any; what was handed out stays. A
table's rows are only added to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from policyguard.audit.outside.folder import FolderCabinet
from policyguard.audit.stores.protocol import Cabinet
from policyguard.canonical import canonical_bytes, parse_json
from policyguard.errors import FormatError, TamperedError, TrailError
from policyguard.tlog import Checkpoint, Note
from policyguard.tlog.note import MAX_SIGNATURES

_NAME: Final = re.compile(r"(0|[1-9][0-9]{0,18})\.(checkpoint|tsr)", re.ASCII)
_STATE: Final = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Is the last time that something outside was asked or told."""

    time: str
    """When, as records have it."""
    size: int
    """The size of the checkpoint."""
    failure: str | None = None
    """Why it failed; `None`: it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Keeps what others have said about one log."""

    cabinet: Cabinet
    """Where they are kept: a folder, or a table of the log's database."""

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """Return the shelf of a folder, which may not be there yet."""
        return cls(cabinet=FolderCabinet(folder=folder))

    def sizes(self) -> list[int]:
        """Return the sizes of the checkpoints that are kept, ascending."""
        return self._sizes("checkpoint")

    def stamped_sizes(self) -> list[int]:
        """Return the sizes of the checkpoints that have a time stamp, ascending."""
        return self._sizes("tsr")

    def checkpoint(self, size: int) -> Note:
        """Read a checkpoint with its cosignatures.

        Raises:
            TamperedError: it is none, or is of another size.
            TrailError: it cannot be read.
        """
        name = f"{size}.checkpoint"
        where = self.cabinet.where(name)
        merged: Note | None = None
        for data in self.cabinet.read(name):
            try:
                note = Note.parse(data)
                stated = Checkpoint.parse(note.text).size
            except FormatError as error:
                raise TamperedError(f"`{where}` was changed: {error}") from error
            if stated != size:
                raise TamperedError(f"`{where}` is the checkpoint of size {stated}")
            merged = _merged(merged, note, where=where)
        if merged is None:
            raise TrailError(f"`{where}` is gone: restore it")
        return merged

    def stamp(self, size: int) -> bytes | None:
        """Read the time stamp of a checkpoint; `None`: there is none.

        Raises:
            TrailError: it cannot be read.
        """
        return next(reversed(self.cabinet.read(f"{size}.tsr")), None)

    def add(self, size: int, note: Note) -> Note:
        """Keep a checkpoint, with the signatures that are kept of it already.

        Raises:
            TamperedError: another checkpoint of that size is kept.
            TrailError: it cannot be written.
        """
        name = f"{size}.checkpoint"
        known = self.checkpoint(size) if name in self.cabinet.names() else None
        merged = _merged(known, note, where=self.cabinet.where(name))
        if merged != known:
            self.cabinet.write(name, merged.format().encode())
        return merged

    def copy_to(self, other: Shelf, *, largest: int) -> dict[int, Note]:
        """Add all that is kept here to another shelf; return the checkpoints by size.

        Args:
            other: Where to.
            largest: Leave out what is of a larger size: nothing there proves it yet.

        Raises:
            TamperedError: a checkpoint is none, or another one is kept there.
            TrailError: something cannot be read or written.
        """
        copied = {}
        for size in (size for size in self.sizes() if size <= largest):
            copied[size] = other.add(size, self.checkpoint(size))
            stamp = self.stamp(size)
            if stamp is not None and other.stamp(size) != stamp:
                other.add_stamp(size, stamp)
        return copied

    def add_stamp(self, size: int, token: bytes) -> None:
        """Keep the answer of a time-stamping authority.

        Raises:
            TrailError: it cannot be written.
        """
        self.cabinet.write(f"{size}.tsr", token)

    def attempts(self) -> dict[str, Attempt]:
        """Return the last attempt at each place, by its name.

        Raises:
            TrailError: the file is damaged: remove it.
        """
        newest = next(reversed(self.cabinet.read(_STATE)), None)
        if newest is None:
            return {}
        try:
            document: Any = parse_json(newest)
            return {
                str(name): Attempt(
                    time=str(item["time"]),
                    size=int(item["size"]),
                    failure=None if item["failure"] is None else str(item["failure"]),
                )
                for name, item in dict(document).items()
            }
        except (FormatError, TypeError, KeyError, ValueError) as error:
            raise TrailError(
                f"`{self.cabinet.where(_STATE)}` is damaged: remove it, it says only"
                " what was tried last"
            ) from error

    def note_attempt(self, name: str, attempt: Attempt) -> None:
        """Remember an attempt.

        Raises:
            TrailError: it cannot be written.
        """
        known = self.attempts() | {name: attempt}
        document = {
            key: {"time": item.time, "size": item.size, "failure": item.failure}
            for key, item in known.items()
        }
        self.cabinet.write(_STATE, canonical_bytes(document) + b"\n")

    def _sizes(self, kind: str) -> list[int]:
        found = map(_NAME.fullmatch, self.cabinet.names())
        return sorted(int(match[1]) for match in found if match and match[2] == kind)


def _merged(known: Note | None, note: Note, *, where: str) -> Note:
    """Return a checkpoint with the signatures that are kept of it already."""
    if known is None:
        return note
    if known.text != note.text:
        raise TamperedError(
            f"`{where}` is another history of the log than the one that is there now"
        )
    lines = {(line.key_name, line.key_id): line for line in known.signatures}
    # The newer cosignature of one witness takes the place of the older.
    lines |= {(line.key_name, line.key_id): line for line in note.signatures}
    return Note(text=note.text, signatures=tuple(lines.values())[:MAX_SIGNATURES])
