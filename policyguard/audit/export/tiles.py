"""A log as a directory of tiles that any web server can serve and anybody verify.

The format is https://c2sp.org/tlog-tiles:

    DIR/checkpoint                    the signed head, with whatever cosigns it
    DIR/outside/<size>.checkpoint     what others have cosigned; `.tsr`: time-stamped
    DIR/tile/<L>/<N>[.p/<W>]          256 hashes of level L, or W
    DIR/tile/entries/<N>[.p/<W>]      256 records, or W: exactly the bytes of the log

Owner: whoever calls `export_tiles`; a lock on the directory lets one at a time. A crash
leaves the last checkpoint, all that it covers, and perhaps files beyond it, which
nobody relies on and the next export takes over. Whoever can write the directory can
change it, but not so that `verify_tiles` does not see it; putting back an older export
of the same log shows only to those who have kept a newer checkpoint.

INVARIANT: the checkpoint is written last and durably after all that it covers; a file
that a published checkpoint covers is never written again. A partial tile is removed
when the full one that has its place is published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from policyguard.audit.export.tile_files import (
    DRAFT,
    TileWriter,
    alone,
    read_bundle,
    read_edge,
    read_tile,
)
from policyguard.audit.key_history import KeyHistory
from policyguard.audit.layout import make_folder, read_small, write_small
from policyguard.audit.outside.shelf import Shelf
from policyguard.audit.reader import Entry, Log
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    TamperedError,
    TrailError,
    VerificationError,
)
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog import Checkpoint, Note, leaf_hash, open_checkpoint
from policyguard.tlog.note import verified_keys
from policyguard.tlog.tile import (
    TILE_HEIGHT,
    TILE_WIDTH,
    TilePath,
    bundles_of,
    encode_bundle,
    tile_root,
    width_at,
)

Progress = Callable[[str, int, int], None]
"""Called with the log's origin, the number of records done, and their total."""

CHECKPOINT: Final = "checkpoint"
OUTSIDE: Final = "outside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Says what an export has published."""

    checkpoint: Checkpoint
    before: int
    """The size that was published before; 0: nothing."""
    files: int
    """Tiles and bundles that were written."""


def export_tiles(
    log: Log,
    directory: str | Path,
    *,
    shelf: Shelf | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write a log up to its newest checkpoint, or what has come since the last time.

    What is in the directory already is compared with the log: an export is never
    continued by another history.

    Args:
        log: The log; it may be written meanwhile.
        directory: Where to; it is created. One directory has one log.
        shelf: What others have said about the log: it goes along.
        progress: Called as records are exported.

    Raises:
        ConfigurationError: the directory has another log's export.
        TamperedError: log, checkpoint and what was exported before do not belong
            together; nothing is published.
        TrailError: the log cannot be read, or the directory not written.
        FormatError: a record is longer than an entry bundle takes.
    """
    place = Path(directory).absolute()
    make_folder(place)
    with alone(place):
        # A head first and its records after: a log only grows.
        note = log.head().note
        head = _opened(note, vkeys=log.vkeys, what=f"the head of {log.origin}")
        old = _published(place, log=log, head=head)
        writer = TileWriter(place=place, covered=old.size if old else 0)
        _write_records(log, writer=writer, old=old, head=head, progress=progress)
        writer.sync()
        if shelf is not None:
            copy = Shelf.in_folder(place / OUTSIDE)
            cosigned = shelf.copy_to(copy, largest=head.size).get(head.size)
            if cosigned is not None and cosigned.text == Note.parse(note).text:
                note = cosigned.format()
        if old is None or old.size < head.size or shelf is not None:
            # At equal size it may have been cosigned since.
            write_small(place / CHECKPOINT, note.encode())
        writer.remove_outgrown(head.size)
    return Exported(checkpoint=head, before=writer.covered, files=writer.files)


def verify_tiles(
    directory: str | Path,
    *,
    vkeys: Iterable[VerifierKey],
    minimum: int = 0,
    progress: Progress | None = None,
) -> Checkpoint:
    """Verify an exported log from its files and verifier keys alone.

    The checkpoint's signature authenticates the last tile of each level, these all
    other tiles, and those of level 0 every record. What holds afterwards: the records
    are those that the log's key has signed, none is changed, missing, added or
    reordered. Files beyond the checkpoint's size are not looked into.

    Args:
        directory: The export.
        vkeys: The verifier keys of the logs that are trusted.
        minimum: Bundles that lie wholly below this index may be missing: they were
            pruned. Their hash tiles are verified all the same.
        progress: Called as records are verified.

    Returns:
        The checkpoint that was verified. Size 0 is a log without records, which is
        never exported from a trail: its logs begin with a genesis record.

    Raises:
        TrailError: there is no export.
        TamperedError: something is not what was signed; names the place.
        NewerTrailError: a newer version of this software has made a record.
        ConfigurationError: two different keys have one name and id.
    """
    place = Path(directory).absolute()
    if not (place / CHECKPOINT).is_file():
        if (place / "tile").exists():
            raise TamperedError(f"the checkpoint is missing from `{place}`")
        raise TrailError(f"there is no export at `{place}`: correct the path")
    data = read_small(place / CHECKPOINT)
    known = tuple(vkeys)
    checkpoint = _opened(data, vkeys=known, what="the checkpoint")
    reader = _Tiles(place=place, checkpoint=checkpoint)
    bundles = bundles_of(checkpoint.size)
    history = KeyHistory(
        origin=checkpoint.origin,
        trusted=[key for key in known if key.key_name == checkpoint.origin],
    )
    for path, hashes in zip(bundles, reader.leaf_tiles(), strict=True):
        # The first one says whose log it is, and is never pruned.
        pruned = path.index and path.end <= minimum
        if not pruned or (place / path.format()).exists():
            for entry in reader.verified_entries(path, hashes=hashes):
                history.add_entry(entry)
        if progress:
            progress(checkpoint.origin, path.end, checkpoint.size)
    reader.verify_others()
    signed = verified_keys(Note.parse(data), vkeys=known)
    history.require_current(size=checkpoint.size, signed=signed)
    return checkpoint


def _published(place: Path, *, log: Log, head: Checkpoint) -> Checkpoint | None:
    """Return the checkpoint of the last export, which the log must continue."""
    path = place / CHECKPOINT
    if not path.exists():
        return None
    try:
        origin = read_small(path).partition(b"\n")[0].decode("utf-8", "replace")
        old = open_checkpoint(read_small(path), vkeys=log.vkeys)
    except (FormatError, VerificationError) as error:
        if origin != log.origin:
            raise ConfigurationError(
                f"`{place}` has the export of another log than `{log.origin}`: give"
                " each log a directory of its own"
            ) from error
        raise TamperedError(
            f"the checkpoint in `{place}` is none of {log.origin}: {error}: export to"
            " a new directory"
        ) from error
    if old.size > head.size:
        raise TamperedError(
            f"the log {log.origin} was put back: it has {head.size} records and"
            f" {old.size} were exported to `{place}`: restore the newer one"
        )
    return old


def _write_records(
    log: Log,
    *,
    writer: TileWriter,
    old: Checkpoint | None,
    head: Checkpoint,
    progress: Progress | None,
) -> None:
    """Write all tiles and bundles that are not published; compare both roots."""
    begin = writer.covered - writer.covered % TILE_WIDTH
    edge = read_edge(writer.place, size=begin)
    bodies = _bodies(log, begin=begin, end=head.size)
    while batch := tuple(islice(bodies, TILE_WIDTH)):
        index = edge.size // TILE_WIDTH
        leaves = [leaf_hash(body) for body in batch]
        if old is not None and edge.size <= old.size:
            seen, _ = edge.extend(leaves[: old.size - edge.size])
            if seen.size == old.size and seen.frontier().root() != old.root:
                raise _broken(log, size=old.size, place=writer.place)
        edge, filled = edge.extend(leaves)
        bundle = TilePath(level=None, index=index, width=len(batch))
        writer.write(bundle, encode_bundle(batch))
        for path, data in filled:
            writer.write(path, data)
        if progress:
            progress(log.origin, edge.size, head.size)
    if edge.size != head.size or edge.frontier().root() != head.root:
        raise _broken(log, size=head.size, place=writer.place)
    for path, data in edge.partial():
        writer.write(path, data)


def _broken(log: Log, *, size: int, place: Path) -> TamperedError:
    return TamperedError(
        f"the first {size} records of {log.origin} are not those that its checkpoint"
        f" signs, or the tiles in `{place}` were changed: run `policyguard audit"
        " verify`, and restore the one that is wrong"
    )


def _bodies(log: Log, *, begin: int, end: int) -> Iterator[bytes]:
    for index, entry in enumerate(log.entries(start=begin), start=begin):
        if index == end:
            return
        if entry.index != index:
            raise TamperedError(
                f"entry {index} of {log.origin} is missing: run `policyguard audit"
                " verify`, then restore the log"
            )
        yield entry.body


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tiles:
    """Reads the files of one export, each verified before it is given out."""

    place: Path
    checkpoint: Checkpoint

    def leaf_tiles(self) -> Iterator[tuple[bytes, ...]]:
        """Read the tiles of level 0 in order."""
        edge = read_edge(self.place, size=self.checkpoint.size)
        if edge.frontier().root() != self.checkpoint.root:
            names = ", ".join(f"`{path.format()}`" for path, _ in edge.partial())
            raise TamperedError(
                f"the tiles at the right edge of {self.checkpoint.origin} are not those"
                f" that the checkpoint signs: one of {names} was changed"
            )
        # From the highest level, whose tiles are furthest to the left.
        for level in reversed(range(len(edge.rows))):
            first = self.checkpoint.size >> (TILE_HEIGHT * (level + 1)) << TILE_HEIGHT
            for index, given in enumerate(edge.rows[level], start=first):
                yield from self._below(given, level=level, index=index)
            if level == 0 and edge.rows[0]:
                yield edge.rows[0]

    def _below(
        self, root: bytes, *, level: int, index: int
    ) -> Iterator[tuple[bytes, ...]]:
        """Read the tiles of level 0 under one hash that is authentic."""
        if level == 0:
            return
        path = TilePath(level=level - 1, index=index)
        hashes = read_tile(self.place, path)
        if tile_root(hashes) != root:
            raise TamperedError(
                f"`{path.format()}` of {self.checkpoint.origin} was changed: its hashes"
                " are not those that were signed"
            )
        if path.level == 0:
            yield hashes
        for at, given in enumerate(hashes, start=index * TILE_WIDTH):
            yield from self._below(given, level=level - 1, index=at)

    def verified_entries(
        self, path: TilePath, *, hashes: tuple[bytes, ...]
    ) -> Iterator[Entry]:
        """Verify the records of a bundle against authentic leaf hashes; yield them."""
        first = path.index * TILE_WIDTH
        entries = read_bundle(self.place, path, origin=self.checkpoint.origin)
        for index, (entry, leaf) in enumerate(
            zip(entries, hashes, strict=True), start=first
        ):
            if leaf_hash(entry) != leaf:
                raise TamperedError(
                    f"entry {index} of {self.checkpoint.origin} was changed: its bytes"
                    f" in `{path.format()}` are not those that were signed"
                )
            yield Entry(
                origin=self.checkpoint.origin, index=index, body=entry, leaf=leaf
            )

    def verify_others(self) -> None:
        """Verify that older partial tiles begin what has taken their place."""
        folder = self.place / "tile"
        for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if file.is_dir() or file.name.endswith(DRAFT):
                continue
            name = file.relative_to(self.place).as_posix()
            try:
                path = TilePath.parse(name)
            except FormatError as error:
                raise TamperedError(
                    f"`{self.place}` has a file that no log has: {error}"
                ) from error
            now = width_at(path, size=self.checkpoint.size)
            if path.width < now:
                self._verify_older(path, width=now)

    def _verify_older(self, path: TilePath, *, width: int) -> None:
        whole = TilePath(level=path.level, index=path.index, width=width)
        same: bool
        if path.level is None:
            origin = self.checkpoint.origin
            older = read_bundle(self.place, path, origin=origin)
            same = older == read_bundle(self.place, whole, origin=origin)[: path.width]
        else:
            same = (
                read_tile(self.place, path)
                == read_tile(self.place, whole)[: path.width]
            )
        if not same:
            raise TamperedError(
                f"`{path.format()}` of {self.checkpoint.origin} was changed: it is not"
                f" the beginning of `{whole.format()}`"
            )


def _opened(
    note: str | bytes, *, vkeys: Iterable[VerifierKey], what: str
) -> Checkpoint:
    try:
        return open_checkpoint(note, vkeys=vkeys)
    except (FormatError, VerificationError) as error:
        raise TamperedError(f"{what} cannot be verified: {error}") from error
