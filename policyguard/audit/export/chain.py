"""Which log an exported log continues, as its first record says."""

from __future__ import annotations

from pathlib import Path

from policyguard.audit.export.jsonl import RECORDS, read_lines
from policyguard.audit.export.tile_files import read_bundle
from policyguard.audit.export.tiles import CHECKPOINT
from policyguard.audit.layout import read_small
from policyguard.audit.reader import Entry
from policyguard.tlog import Checkpoint, Note, leaf_hash
from policyguard.tlog.tile import bundles_of
from policyguard.vocabulary.record import GenesisRecord, Predecessor


def predecessor_in(directory: str | Path) -> Predecessor | None:
    """Return the log that a verified export continues, as its first record says.

    Raises:
        TamperedError: there is no first record.
        TrailError: it cannot be read.
    """
    place = Path(directory).absolute()
    if (place / RECORDS).exists():
        body = next(read_lines(place, origin=place.name), b"")
        return _predecessor(body, origin=place.name)
    note = Note.parse(read_small(place / CHECKPOINT))
    size = Checkpoint.parse(note.text).size
    path = next(bundles_of(size), None)
    if path is None:
        return None
    body = read_bundle(place, path, origin=place.name)[0]
    return _predecessor(body, origin=place.name)


def _predecessor(body: bytes, *, origin: str) -> Predecessor | None:
    entry = Entry(origin=origin, index=0, body=body, leaf=leaf_hash(body))
    record = entry.record()
    return record.predecessor if isinstance(record, GenesisRecord) else None
