"""Keeps the last checkpoint of each log, and sees whether the next one continues it.

Owner: whoever runs `policyguard audit monitor`, on another machine or as another user
than the writer: the state file is memory outside the writer's reach, the poor man's
witness. It holds the last checkpoint of each log that was seen, and is replaced whole
only after a round in which nothing was wrong. A crash leaves the older one, which is as
good. Whoever can write it can make the monitor forget, so do not keep it with the trail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from policyguard.audit.layout import make_folder, read_small, write_small
from policyguard.audit.outside.attested import Attested, Vouchers
from policyguard.audit.outside.watched import (
    Watched,
    require_not_behind,
    settled,
    verified_attestations,
)
from policyguard.canonical import canonical_bytes, parse_json
from policyguard.errors import (
    CutOffError,
    FormatError,
    NewerTrailError,
    OutOfReachError,
    TamperedError,
    TrailError,
    VerificationError,
)
from policyguard.tlog import Checkpoint, open_checkpoint

FORMAT: Final = 1


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
        return settled(
            lambda: self._compared(log, known=known, now=now),
            note=lambda: _published(log, known=known),
        )

    def _compared(
        self, log: Watched, *, known: str | None, now: datetime
    ) -> tuple[Watch, str]:
        note = _published(log, known=known)
        new = _opened(note, log=log, what="newest checkpoint")
        old = None
        if known is not None:
            old = _opened(known, log=log, what="remembered checkpoint")
            require_not_behind(old, new=new, who="the monitor has")
        # Also where nothing has grown: records can be changed under a checkpoint that
        # stays as it is.
        attested = verified_attestations(
            log, new=new, vouchers=self.vouchers, own=[old] if old else [], records=True
        )
        watch = Watch(
            origin=log.origin,
            before=old.size if old else 0,
            size=new.size,
            attested=attested,
            is_late=self._is_late(attested, size=new.size, now=now),
        )
        return watch, note

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


def _published(log: Watched, *, known: str | None) -> str:
    """Return the newest checkpoint of a log; gone is tampering if it was known."""
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
    return note.decode("utf-8", "replace") if isinstance(note, bytes) else note


def _no_state(path: Path, reason: str) -> TrailError:
    return TrailError(
        f"`{path}` is not a monitor's state: {reason}: give another file with --state"
    )


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
