"""A log as lines: exactly the bytes of its leaves, one a line, and its checkpoint.

    DIR/checkpoint      the signed head, with whatever cosigns it
    DIR/records.jsonl   leaf 0, a line feed, leaf 1, a line feed, …

A leaf is JSON without a line feed, so the lines are the leaves: whoever can read JSON
lines can read the file, and whoever can hash can verify it. Owner: whoever calls
`export_jsonl`. A crash leaves the files of the last export, or a checkpoint that is not
theirs, which `verify_jsonl` finds and the next export mends.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from policyguard.audit.key_history import KeyHistory
from policyguard.audit.layout import OWNER_ONLY, make_folder, read_small, write_small
from policyguard.audit.reader import Entry, Log
from policyguard.audit.stores.sqlite import require_signed
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    TamperedError,
    TrailError,
    VerificationError,
)
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog import Checkpoint, Frontier, Note, leaf_hash, verify_checkpoint
from policyguard.tlog.note import verified_keys

Progress = Callable[[str, int, int], None]

RECORDS: Final = "records.jsonl"
CHECKPOINT: Final = "checkpoint"
_LONGEST_LEAF: Final = 65_535
_BATCH: Final = 1_024


def export_jsonl(
    log: Log, directory: str | Path, *, progress: Progress | None = None
) -> Checkpoint:
    """Write a whole log as lines, up to its newest checkpoint.

    Args:
        log: The log; it may be written meanwhile.
        directory: Where to; it is created. One directory has one log.
        progress: Called as records are exported.

    Raises:
        ConfigurationError: the directory has an export in another format.
        TamperedError: a record is not what was signed; nothing is published.
        TrailError: the log cannot be read, or the directory not written.
    """
    place = Path(directory).absolute()
    if (place / "tile").exists():
        raise ConfigurationError(
            f"`{place}` has an export as tiles: give each format a directory of its own"
        )
    make_folder(place)
    # A head first and its records after: a log only grows.
    head = log.head()
    try:
        signed = require_signed(head, vkeys=log.vkeys, where=log.source.where)
    except (FormatError, VerificationError) as error:
        raise TamperedError(
            f"the head of {log.origin} cannot be verified: {error}"
        ) from error
    draft = place / f".{RECORDS}.{secrets.token_hex(6)}.tmp"
    try:
        frontier = _write_lines(log, draft, signed=signed, progress=progress)
        if frontier.size != signed.size or frontier.root() != signed.root:
            raise TamperedError(
                f"the records of {log.origin} are not those that its checkpoint signs:"
                " run `policyguard audit verify`"
            )
        draft.replace(place / RECORDS)
    except OSError as error:
        raise TrailError(
            f"cannot write `{place}`: {(error.strerror or 'error').lower()}: export to"
            " a directory that this process may write"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    write_small(place / CHECKPOINT, head.note.encode())
    return signed


def _write_lines(
    log: Log, draft: Path, *, signed: Checkpoint, progress: Progress | None
) -> Frontier:
    frontier = Frontier()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, OWNER_ONLY), "wb") as file:
        entries = islice(log.entries(), signed.size)
        while batch := [entry.body for entry in islice(entries, _BATCH)]:
            if any(b"\n" in body or not body for body in batch):
                raise TamperedError(f"a record of {log.origin} is no line of JSON")
            file.writelines(body + b"\n" for body in batch)
            frontier = frontier.extend(leaf_hash(body) for body in batch)
            if progress:
                progress(log.origin, frontier.size, signed.size)
        file.flush()
        os.fsync(file.fileno())
    return frontier


def verify_jsonl(
    directory: str | Path,
    *,
    vkeys: Iterable[VerifierKey],
    progress: Progress | None = None,
) -> Checkpoint:
    """Verify an exported log from its lines and verifier keys alone.

    What holds afterwards: the lines are exactly the records that the log's key has
    signed, none changed, missing, added or reordered.

    Args:
        directory: The export.
        vkeys: The verifier keys of the logs that are trusted.
        progress: Called as records are verified.

    Returns:
        The checkpoint that was verified.

    Raises:
        TrailError: there is no export.
        TamperedError: something is not what was signed.
        NewerTrailError: a newer version of this software has made a record.
        ConfigurationError: two different keys have one name and id.
    """
    place = Path(directory).absolute()
    known = tuple(vkeys)
    for name in (CHECKPOINT, RECORDS):
        if not (place / name).is_file():
            raise TrailError(f"there is no `{name}` in `{place}`: correct the path")
    try:
        note = Note.parse(read_small(place / CHECKPOINT))
        signed = verify_checkpoint(note, vkeys=known)
    except (FormatError, VerificationError) as error:
        raise TamperedError(f"the checkpoint cannot be verified: {error}") from error
    frontier = Frontier()
    lines = read_lines(place, origin=signed.origin)
    history = KeyHistory(
        origin=signed.origin,
        trusted=[key for key in known if key.key_name == signed.origin],
    )
    while batch := list(islice(lines, _BATCH)):
        for index, body in enumerate(batch, start=frontier.size):
            entry = Entry(origin=signed.origin, index=index, body=body, leaf=b"")
            history.add_entry(entry)
        frontier = frontier.extend(map(leaf_hash, batch))
        if frontier.size > signed.size:
            break
        if progress:
            progress(signed.origin, frontier.size, signed.size)
    if frontier.size != signed.size:
        more = "more" if frontier.size > signed.size else "fewer"
        raise TamperedError(
            f"`{RECORDS}` has {more} records than the {signed.size} of {signed.origin}"
            " that are signed"
        )
    if frontier.root() != signed.root:
        raise TamperedError(
            f"a record of {signed.origin} in `{RECORDS}` is not what was signed, or not"
            " in its place"
        )
    history.require_current(size=signed.size, signed=verified_keys(note, vkeys=known))
    return signed


def read_lines(directory: Path, *, origin: str) -> Iterator[bytes]:
    """Read the leaves of an export; nothing is authenticated.

    Raises:
        TamperedError: a line is no record.
        TrailError: the file cannot be read.
    """
    path = directory / RECORDS
    try:
        with path.open("rb") as file:
            while line := file.readline(_LONGEST_LEAF + 2):
                if not line.endswith(b"\n") or line == b"\n":
                    raise TamperedError(
                        f"`{path.name}` of {origin} has a line that is no record"
                    )
                yield line[:-1]
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise TrailError(f"cannot read `{path}`: {reason}: correct the path") from error
