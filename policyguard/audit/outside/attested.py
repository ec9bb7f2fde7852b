"""Verifies what others have said about a log, and says how far it reaches.

What holds afterwards: each kept checkpoint bears a signature of the log's key, each
cosignature of a known witness holds, each time stamp is over its checkpoint; and, with
what `verify_records` compares, the log is still consistent with all of them. Records
up to the newest cosigned checkpoint were there at its time: whoever had the key since
could not change them unseen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from policyguard.audit.outside.shelf import Shelf
from policyguard.errors import FormatError, TamperedError, VerificationError
from policyguard.signing.timestamp import TimeRoots, stated_time, verify_stamp
from policyguard.signing.trust_file import NO_QUORUM, TrustFile
from policyguard.tlog import Checkpoint, Note, verify_checkpoint
from policyguard.tlog.quorum import cosigners, has_quorum

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from policyguard.audit.key_history import KeyHistory
    from policyguard.audit.reader import Log
    from policyguard.signing.keyring import VerifierKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """Says how far the memory of others reaches in one log."""

    cosigned_size: int = 0
    """Records that enough witnesses have seen; 0: none."""
    cosigned_at: datetime | None = None
    """When the last of them had, by the clocks of those witnesses."""
    witnesses: tuple[str, ...] = ()
    """Who they are, by their names in the trust file."""
    stamped_size: int = 0
    """Records under the newest time stamp; 0: none."""
    stamped_at: datetime | None = None
    """The time in it."""
    stamps_verified: bool = True
    """Whether the authority's certificates were at hand."""
    lacks_quorum: bool = False
    """Whether the trust file asks for witnesses, and no checkpoint has enough."""

    @property
    def at(self) -> datetime | None:
        """The newest time that somebody else vouches for."""
        stamped = self.stamped_at if self.stamps_verified else None
        return max(filter(None, (self.cosigned_at, stamped)), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Says between which times of others a record came into its log.

    A record's own time is its writer's word. A writer that says an earlier time than
    `absent` had its clock wrong, or put the record in later than it says; what was under
    way to a witness just then may differ by minutes.
    """

    absent: datetime | None = None
    """The newest time at which others saw the log without it; `None`: never."""
    present: datetime | None = None
    """The oldest time at which they saw the log with it; `None`: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouchers:
    """Says which witnesses, authorities and erasers are trusted."""

    trust: TrustFile = field(default_factory=TrustFile)
    """Its witnesses and its quorum; its logs, if it has any, are all that may be."""
    roots: TimeRoots | None = None
    """Certificates of time-stamping authorities."""
    erasers: Collection[VerifierKey] | None = None
    """The keys that may order an erasure, or might once: an order of another is
    tampering. `None`: nobody has said, and an order is signed by whomsoever."""

    def of(self, log: Log) -> Attestations:
        """Return what others have said about a log, not verified yet."""
        return Attestations(
            shelf=Shelf(cabinet=log.outside),
            origin=log.origin,
            vkeys=log.vkeys,
            trust=self.trust,
            roots=self.roots,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestations:
    """Reads the checkpoints of one log that others have seen."""

    shelf: Shelf
    origin: str
    vkeys: Sequence[VerifierKey]
    trust: TrustFile
    roots: TimeRoots | None = None

    def checkpoints(self, *, keys: KeyHistory | None = None) -> Iterator[Checkpoint]:
        """Return all of them by size, each with its own signature verified.

        Args:
            keys: Told which keys have signed which checkpoint.

        Raises:
            TamperedError: one is not what it was.
        """
        for size in self.shelf.sizes():
            note = self.shelf.checkpoint(size)
            yield self._opened(note)
            if keys is not None:
                signed = {(line.key_name, line.key_id) for line in note.signatures}
                keys.add_signed(
                    size,
                    [key for key in self.vkeys if (key.key_name, key.key_id) in signed],
                )

    def attested(self) -> Attested:
        """Verify what others have said, and say how far it reaches.

        Raises:
            TamperedError: a cosignature or a time stamp does not hold.
            ConfigurationError: there are time stamps, and the extra is missing.
        """
        found = self.newest_with_quorum()
        stamped = self._newest_stamp()
        lacks = found is None and self.trust.quorum != NO_QUORUM
        size, times = (0, {}) if found is None else (found[0], found[2])
        return Attested(
            cosigned_size=size,
            cosigned_at=_instant(max(times.values())) if times else None,
            witnesses=tuple(times),
            stamped_size=stamped[0] if stamped else 0,
            stamped_at=stamped[1] if stamped else None,
            stamps_verified=self.roots is not None or stamped is None,
            lacks_quorum=lacks,
        )

    def newest_with_quorum(
        self, *, index: int = -1, largest: int | None = None
    ) -> tuple[int, Note, dict[str, int]] | None:
        """Return the newest checkpoint that enough witnesses have cosigned.

        Where the trust file asks for no quorum, one witness that it knows is enough.

        Args:
            index: Only checkpoints of logs that have this entry.
            largest: Only checkpoints up to this size.

        Returns:
            Its size, the checkpoint with its cosignatures, and who has cosigned when.

        Raises:
            TamperedError: a cosignature does not hold.
        """
        for size in reversed(self.shelf.sizes()):
            if size <= index:
                break
            if largest is not None and size > largest:
                continue
            note = self.shelf.checkpoint(size)
            self._opened(note)
            try:
                times = cosigners(note, trust=self.trust)
            except VerificationError as error:
                raise self._changed(size, error) from error
            if times and has_quorum(self.trust, cosigned=times):
                return size, note, times
        return None

    def seen(self, index: int) -> Seen:
        """Say when others saw the log without a record, and with it.

        Witnesses count if the trust file names them, and time stamps if the authority's
        certificates are at hand.

        Args:
            index: The record.

        Raises:
            TamperedError: a cosignature or a time stamp does not hold.
        """
        absent: list[datetime] = []
        present: list[datetime] = []
        for size in self.shelf.sizes():
            (present if size > index else absent).extend(self._times(size))
        return Seen(
            absent=max(absent, default=None), present=min(present, default=None)
        )

    def _times(self, size: int) -> Iterator[datetime]:
        note = self.shelf.checkpoint(size)
        self._opened(note)
        try:
            yield from map(_instant, cosigners(note, trust=self.trust).values())
        except VerificationError as error:
            raise self._changed(size, error) from error
        if self.roots is not None and self.shelf.stamp(size) is not None:
            yield self._stamped(size)

    def _newest_stamp(self) -> tuple[int, datetime] | None:
        newest = None
        for size in self.shelf.stamped_sizes():
            newest = (size, self._stamped(size))
        return newest

    def _stamped(self, size: int) -> datetime:
        token = self.shelf.stamp(size) or b""
        message = self.shelf.checkpoint(size).text.encode()
        try:
            return (
                stated_time(token, message=message)
                if self.roots is None
                else verify_stamp(token, message=message, roots=self.roots)
            )
        except (FormatError, VerificationError) as error:
            raise TamperedError(
                f"the time stamp of {self.origin} of size {size} was changed: {error}"
            ) from error

    def _opened(self, note: Note) -> Checkpoint:
        size = Checkpoint.parse(note.text).size
        try:
            checkpoint = verify_checkpoint(note, vkeys=self.vkeys)
        except (FormatError, VerificationError) as error:
            raise self._changed(size, error) from error
        if checkpoint.origin != self.origin:
            raise TamperedError(
                f"the kept checkpoint of size {size} is of {checkpoint.origin} and not"
                f" of {self.origin}"
            )
        return checkpoint

    def _changed(self, size: int, error: Exception) -> TamperedError:
        return TamperedError(
            f"the kept checkpoint of {self.origin} of size {size} was changed: {error}"
        )


def _instant(seconds: int) -> datetime:
    # A witness may say what it likes; a year that no calendar has is the last.
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return datetime.max.replace(tzinfo=UTC)
