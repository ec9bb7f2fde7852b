"""Drops the oldest records of an export, and keeps the proof that they were there.

As https://c2sp.org/tlog-tiles allows: entry bundles below a minimum index go, all hash
tiles and the checkpoint stay, 32 bytes for each record. Bundles that say something of the
log itself stay, too: without its first record and its rotations nobody knows its keys. So every later record is still
proved, and old and new checkpoints are still consistent; what the dropped records said
is not in the export any more. The trail itself is not touched.

Owner: whoever holds the directory's lock. A crash leaves some of the bundles, which the
next call removes. Whoever can write the directory can drop bundles, too: therefore a
verifier accepts their absence only below the minimum index that it was told.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from policyguard.audit.export.tile_files import alone, read_bundle
from policyguard.audit.export.tiles import Progress
from policyguard.audit.layout import read_small
from policyguard.audit.reader import Entry, Log
from policyguard.audit.retention import Keeping, Reason, latest
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    NewerRecordError,
    TamperedError,
    TrailError,
    VerificationError,
)
from policyguard.tlog import leaf_hash, open_checkpoint
from policyguard.tlog.tile import TilePath, bundles_of
from policyguard.vocabulary.record import (
    AnyRecord,
    ApprovalRecord,
    DecisionRecord,
    OutcomeRecord,
)

LEAST_AGE: Final = timedelta(days=183)
"""Regulation (EU) 2024/1689 (AI Act), Art. 19 and 26(6): logs for six months at least."""
_OF_THE_LOG: Final = tuple(
    b'"kind":"%s"' % kind for kind in (b"genesis", b"key.rotate", b"erase")
)
_LEAST_AGE_SOURCE: Final = "every record, six months, Regulation (EU) 2024/1689"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """Says what an export has lost."""

    minimum: int
    """Records below this index may be missing."""
    bundles: int
    """How many bundles were removed."""


def prune_tiles(  # noqa: PLR0913 -- each by its name
    log: Log,
    directory: str | Path,
    *,
    below: int,
    keeping: Keeping,
    today: date,
    progress: Progress | None = None,
) -> Pruned:
    """Remove the entry bundles of an export that lie wholly below an index.

    Nothing is removed if one of their records has to be kept.

    Args:
        log: The log that was exported.
        directory: The export.
        below: Records from here on stay; rounded down to a multiple of 256.
        keeping: Reasons to keep records.
        today: The day in UTC.
        progress: Called as records are looked at.

    Raises:
        ConfigurationError: a record has to be kept; names it, and until when.
        NewerRecordError: a newer version has made one.
        TamperedError: the export is not the log's.
        TrailError: the directory cannot be read or written.
    """
    place = Path(directory).absolute()
    if not (place / "checkpoint").is_file():
        raise TrailError(f"there is no export as tiles at `{place}`: correct the path")
    with alone(place):
        try:
            signed = open_checkpoint(read_small(place / "checkpoint"), vkeys=log.vkeys)
        except (FormatError, VerificationError) as error:
            raise TamperedError(
                f"the checkpoint in `{place}` is none of {log.origin}: {error}"
            ) from error
        paths = [
            path
            for path in bundles_of(signed.size)
            if path.is_full and path.end <= below
        ]
        gone = []
        rules = _Rules(keeping=keeping, today=today)
        for path in paths:
            if progress:
                progress(log.origin, path.end, paths[-1].end)
            if not (place / path.format()).exists():
                continue
            entries = list(_entries(place, path, log=log))
            stays = any(map(_is_of_the_log, entries))
            if not stays:
                gone.append(path)
            for entry in entries:
                rules.look_at(entry, stays=stays)
        for path in gone:
            _remove(place, path)
    return Pruned(minimum=paths[-1].end if paths else 0, bundles=len(gone))


def _entries(place: Path, path: TilePath, *, log: Log) -> Iterator[Entry]:
    bodies = read_bundle(place, path, origin=log.origin)
    for index, body in enumerate(bodies, start=path.end - len(bodies)):
        yield Entry(origin=log.origin, index=index, body=body, leaf=leaf_hash(body))


def _is_of_the_log(entry: Entry) -> bool:
    """Say whether a record says something of the log itself, and is needed for ever."""
    return any(kind in entry.body for kind in _OF_THE_LOG)


@dataclass(slots=True, kw_only=True)
class _Rules:
    """Says of one record after the other, in order, whether it has to be kept."""

    keeping: Keeping
    today: date
    held: dict[str, Reason] = field(default_factory=dict)
    """Decisions that stay where they are, and why: their outcomes stay as well."""

    def look_at(self, entry: Entry, *, stays: bool) -> None:
        """Refuse to go on if a record has to be kept, and would not be.

        Raises:
            ConfigurationError: it has.
            NewerRecordError: a newer version has made it.
            TamperedError: it is none.
        """
        try:
            record = entry.record()
        except NewerRecordError:
            raise
        except FormatError as error:
            raise TamperedError(f"the export was changed: {error}") from error
        last = latest(self._reasons(record))
        if last is None:
            return
        if stays:
            self.held[record.id] = last
            return
        until = f"until {last.until}" if last.until else "until that is lifted"
        raise ConfigurationError(
            f"{entry.name} has to be kept {until} ({last.why}): nothing was removed:"
            f" prune below {entry.index}"
        )

    def _reasons(self, record: AnyRecord) -> list[Reason]:
        free = date.fromisoformat(record.time[:10]) + LEAST_AGE
        reasons = (
            [Reason(why=_LEAST_AGE_SOURCE, until=free)] if self.today < free else []
        )
        if isinstance(record, DecisionRecord | ApprovalRecord):
            reasons += self.keeping.reasons(record, today=self.today)
        elif isinstance(record, OutcomeRecord) and record.decision in self.held:
            reasons.append(self.held[record.decision])
        return reasons


def _remove(place: Path, path: TilePath) -> None:
    target = place / path.format()
    try:
        target.unlink()
    except OSError as error:
        raise TrailError(
            f"cannot remove `{target}`: {(error.strerror or 'error').lower()}: prune a"
            " directory that this process may write"
        ) from error
    shutil.rmtree(f"{target}.p", ignore_errors=True)
    with suppress(OSError):
        # A folder of a thousand bundles goes with the last of them.
        target.parent.rmdir()
