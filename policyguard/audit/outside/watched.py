"""A log as a monitor sees it: in a trail, or exported, with what others have said of it.

Nothing here writes. Owner: nobody; what is read may grow meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from policyguard.audit.export.jsonl import RECORDS, read_lines
from policyguard.audit.export.tile_files import read_tile
from policyguard.audit.export.tiles import Progress, verify_tiles
from policyguard.audit.layout import read_small
from policyguard.audit.outside.attested import Attestations, Attested, Vouchers
from policyguard.audit.outside.shelf import Shelf
from policyguard.audit.reader import Log
from policyguard.errors import FormatError, InvalidProofError, TamperedError
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog import (
    Checkpoint,
    Frontier,
    leaf_hash,
    prove_consistency,
    verify_consistency,
)
from policyguard.tlog.proof import Tree
from policyguard.tlog.tile import tile_reader

T = TypeVar("T")
_ATTEMPTS: Final = 3
_BATCH: Final = 4_096
"""Records between two words on how far it is."""


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

    def require_growth(
        self, seen: Sequence[Checkpoint], new: Checkpoint, *, records: bool
    ) -> None:
        """Refuse a log in which a checkpoint does not continue older ones.

        Args:
            seen: The older ones, each smaller than the new one.
            new: The newest.
            records: Whether every record is compared with the new one, too.

        Raises:
            TamperedError: it does not, or a record is not what was signed.
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
    progress: Progress | None = None
    """Told of the records that are hashed."""

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

    def require_growth(
        self, seen: Sequence[Checkpoint], new: Checkpoint, *, records: bool
    ) -> None:
        """Compute all roots from the records, whether these are asked for or not.

        Raises:
            TamperedError: one is another.
            TrailError: the log cannot be read.
        """
        del records
        bodies = (entry.body for entry in self.log.entries())
        _require_roots(bodies, [*seen, new], progress=self.progress)

    def attestations(self, vouchers: Vouchers) -> Attestations:
        """Return what others have said about it."""
        return vouchers.of(self.log)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedLog:
    """Is an export: of lines and tiles; these also prove growth without the records."""

    directory: Path
    origin: str
    vkeys: Sequence[VerifierKey]
    minimum: int = 0
    """Tiles may lack records below this index: they were pruned."""
    progress: Progress | None = None
    """Told of the records that are hashed."""

    def note(self) -> str | bytes:
        """Return the published checkpoint."""
        return read_small(self.directory / "checkpoint")

    def require_growth(
        self, seen: Sequence[Checkpoint], new: Checkpoint, *, records: bool
    ) -> None:
        """Verify consistency proofs that are made from the tiles, or compute all roots.

        Raises:
            TamperedError: one does not hold, or a root or record is another.
            TrailError: the files cannot be read.
        """
        if (self.directory / RECORDS).exists():
            lines = read_lines(self.directory, origin=self.origin)
            _require_roots(lines, [*seen, new], progress=self.progress)
            return
        if records:
            read_to = verify_tiles(
                self.directory,
                vkeys=self.vkeys,
                minimum=self.minimum,
                progress=self.progress,
            )
            if (read_to.size, read_to.root) != (new.size, new.root):
                raise TamperedError(
                    f"the checkpoint of {new.origin} was replaced while it was read"
                )

        def read(path: Any) -> bytes:
            return b"".join(read_tile(self.directory, path))

        reader = tile_reader(size=new.size, read=read)
        for old in seen:
            _require_proof(old, new, tree=reader)

    def attestations(self, vouchers: Vouchers) -> Attestations:
        """Return what others have said about it, as it was exported."""
        return Attestations(
            shelf=Shelf.in_folder(self.directory / "outside"),
            origin=self.origin,
            vkeys=self.vkeys,
            trust=vouchers.trust,
            roots=vouchers.roots,
        )


def verified_attestations(
    log: Watched,
    *,
    new: Checkpoint,
    vouchers: Vouchers,
    own: Sequence[Checkpoint] = (),
    records: bool = False,
) -> Attested:
    """Verify what others have said about a log, and that the log continues it.

    Args:
        log: The log.
        new: Its newest checkpoint, verified.
        vouchers: Which witnesses and authorities are trusted.
        own: Checkpoints of one's own that it has to continue as well, none behind it.
        records: Whether every record is compared with the newest checkpoint, too.

    Raises:
        TamperedError: something does not hold.
        TrailError: the log cannot be read.
    """
    attestations = log.attestations(vouchers)
    seen = list(attestations.checkpoints())
    for old in seen:
        require_not_behind(old, new=new, who="others have")
    older = [item for item in (*own, *seen) if 0 < item.size < new.size]
    if older or (records and new.size):
        log.require_growth(older, new, records=records)
    return attestations.attested()


def _require_roots(
    bodies: Iterable[bytes],
    signed: Sequence[Checkpoint],
    *,
    progress: Progress | None,
) -> None:
    """Compare roots with those of a log's records, in one pass; the last is the largest."""
    frontier = Frontier()
    new = signed[-1]
    wanted: dict[int, list[Checkpoint]] = {}
    for item in signed:
        wanted.setdefault(item.size, []).append(item)
    for body in bodies:
        if frontier.size == new.size:
            break
        frontier = frontier.append(leaf_hash(body))
        for item in wanted.get(frontier.size, ()):
            if frontier.root() != item.root:
                raise TamperedError(
                    f"the log {new.origin} is not the one of the checkpoint of size"
                    f" {item.size}: run `policyguard audit verify`"
                )
        if progress and (frontier.size % _BATCH == 0 or frontier.size == new.size):
            progress(new.origin, frontier.size, new.size)
    if frontier.size != new.size:
        raise TamperedError(
            f"entry {frontier.size} of {new.origin} is missing: the log ends before its"
            f" signed size of {new.size}"
        )


def _require_proof(old: Checkpoint, new: Checkpoint, *, tree: Tree) -> None:
    try:
        proof = prove_consistency(old_size=old.size, new_size=new.size, tree=tree)
        verify_consistency(
            old_size=old.size,
            new_size=new.size,
            old_root=old.root,
            new_root=new.root,
            proof=proof,
        )
    except (InvalidProofError, FormatError) as error:
        raise TamperedError(
            f"the export of {new.origin} of size {new.size} does not continue the"
            f" checkpoint of size {old.size}: {error}"
        ) from error


def settled(work: Callable[[], T], *, note: Callable[[], object]) -> T:
    """Do work on an export, and once more if another checkpoint was published meanwhile.

    An export that goes on takes away the partial tiles that it has outgrown: to whoever
    is reading them it looks as if somebody had.

    Args:
        work: What verifies.
        note: Reads the checkpoint.

    Raises:
        TamperedError: the work does, with one checkpoint or three times in a row.
    """
    before = note()
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except TamperedError:
            now = note()
            if now == before:
                raise
            before = now
    return work()


def require_not_behind(old: Checkpoint, *, new: Checkpoint, who: str) -> None:
    """Refuse a log that is shorter than what somebody has seen, or another one."""
    if new.size < old.size:
        raise TamperedError(
            f"the log {new.origin} was put back: it has {new.size} records and {who}"
            f" seen {old.size}: restore the newer one"
        )
    if new.size == old.size and new.root != old.root:
        raise TamperedError(
            f"the log {new.origin} is not the one that {who} seen: there are two"
            f" histories of its first {old.size} records"
        )
