"""What others have said about the checkpoints of one log, in plain files.

    <size>.checkpoint   the signed checkpoint with the cosignatures that it has
    <size>.tsr          the answer of a time-stamping authority (RFC 3161, DER) over the
                        checkpoint's text, its lines before the empty one
    state.json          the last attempt at each place: when, and what came of it

Owner: whoever takes the log outside, one at a time; each file is replaced whole. A crash
leaves a checkpoint without its cosignatures at worst, which the next run asks for
again. Nothing here is trusted when it is read: `attested` verifies it. Whoever can
write here can take memory away, never add any; what was handed out stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policyguard.audit.layout import make_folder, read_small, write_small
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

    folder: Path | None
    """Where they are; `None`: the log is not in files, and nothing is kept."""

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
        path = self.path(size, "checkpoint")
        try:
            note = Note.parse(read_small(path))
            stated = Checkpoint.parse(note.text).size
        except FormatError as error:
            raise TamperedError(f"`{path}` was changed: {error}") from error
        if stated != size:
            raise TamperedError(f"`{path}` is the checkpoint of size {stated}")
        return note

    def stamp(self, size: int) -> bytes | None:
        """Read the time stamp of a checkpoint; `None`: there is none.

        Raises:
            TrailError: it cannot be read.
        """
        path = self.path(size, "tsr")
        return read_small(path) if path.is_file() else None

    def add(self, size: int, note: Note) -> Note:
        """Keep a checkpoint, with the signatures that are kept of it already.

        Raises:
            TamperedError: another checkpoint of that size is kept.
            TrailError: it cannot be written.
        """
        make_folder(self._there())
        known = (
            self.checkpoint(size) if self.path(size, "checkpoint").exists() else note
        )
        if known.text != note.text:
            raise TamperedError(
                f"`{self.path(size, 'checkpoint')}` is another history of the log than"
                " the one that is there now"
            )
        lines = {(line.key_name, line.key_id): line for line in known.signatures}
        # The newer cosignature of one witness takes the place of the older.
        lines |= {(line.key_name, line.key_id): line for line in note.signatures}
        merged = Note(text=note.text, signatures=tuple(lines.values())[:MAX_SIGNATURES])
        write_small(self.path(size, "checkpoint"), merged.format().encode())
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
        make_folder(self._there())
        write_small(self.path(size, "tsr"), token)

    def attempts(self) -> dict[str, Attempt]:
        """Return the last attempt at each place, by its name.

        Raises:
            TrailError: the file is damaged: remove it.
        """
        path = self._there() / _STATE
        if not path.is_file():
            return {}
        try:
            document: Any = parse_json(read_small(path))
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
                f"`{path}` is damaged: remove it, it says only what was tried last"
            ) from error

    def note_attempt(self, name: str, attempt: Attempt) -> None:
        """Remember an attempt.

        Raises:
            TrailError: it cannot be written.
        """
        make_folder(self._there())
        known = self.attempts() | {name: attempt}
        document = {
            key: {"time": item.time, "size": item.size, "failure": item.failure}
            for key, item in known.items()
        }
        write_small(self._there() / _STATE, canonical_bytes(document) + b"\n")

    def gate(self) -> Path:
        """Return the file whose lock whoever writes here holds.

        Raises:
            TrailError: the folder cannot be made.
        """
        make_folder(self._there())
        return self._there() / "gate"

    def path(self, size: int, kind: str) -> Path:
        """Return where a file of a checkpoint is."""
        return self._there() / f"{size}.{kind}"

    def _there(self) -> Path:
        if self.folder is None:
            raise TrailError(
                "cosignatures of a trail that is not in files are kept with its export:"
                " export it first"
            )
        return self.folder

    def _sizes(self, kind: str) -> list[int]:
        if self.folder is None or not self.folder.is_dir():
            return []
        found = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in found if match and match[2] == kind)
