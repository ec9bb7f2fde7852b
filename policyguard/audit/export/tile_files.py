"""The files of a tile directory: read whole or not at all, written the same way.

The format is https://c2sp.org/tlog-tiles. Owner: whoever holds `alone`; drafts that a
crash has left are removed by the next who does. Readers need no lock, because a name
only ever stands for a whole file. What is read here is not authenticated.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from policyguard.audit.layout import OWNER_ONLY, make_folder
from policyguard.errors import FormatError, TamperedError, TrailError
from policyguard.tlog.merkle import HASH_BYTES
from policyguard.tlog.tile import (
    MAX_BUNDLE_BYTES,
    TILE_WIDTH,
    TileEdge,
    TilePath,
    bundles_of,
    decode_bundle,
    decode_tile,
    tiles_of,
)

DRAFT: Final = ".tmp"


def read_edge(place: Path, *, size: int) -> TileEdge:
    """Read the partial tiles of a tree of this size.

    Raises:
        TamperedError: one is missing, or is none.
        TrailError: one cannot be read.
    """
    rows: list[tuple[bytes, ...]] = []
    nodes = size
    while nodes:
        index, width = divmod(nodes, TILE_WIDTH)
        row: tuple[bytes, ...] = ()
        if width:
            row = read_tile(place, TilePath(level=len(rows), index=index, width=width))
        rows.append(row)
        nodes //= TILE_WIDTH
    return TileEdge(size=size, rows=tuple(rows))


def read_tile(place: Path, path: TilePath) -> tuple[bytes, ...]:
    """Read the hashes of a tile.

    Raises:
        TamperedError: it is missing, or is none.
        TrailError: it cannot be read.
    """
    data = read_file(place / path.format(), limit=path.width * HASH_BYTES)
    if data is None:
        raise TamperedError(f"`{path.format()}` is missing from `{place}`")
    try:
        return decode_tile(data, width=path.width)
    except FormatError as error:
        raise TamperedError(f"`{path.format()}` was changed: {error}") from error


def read_bundle(place: Path, path: TilePath, *, origin: str) -> tuple[bytes, ...]:
    """Read the records of an entry bundle.

    Raises:
        TamperedError: it is missing, or is none; names the entries of the log.
        TrailError: it cannot be read.
    """
    data = read_file(place / path.format(), limit=MAX_BUNDLE_BYTES)
    first = path.index * TILE_WIDTH
    if data is None:
        raise TamperedError(
            f"entries {first} to {path.end - 1} of {origin} are missing:"
            f" `{path.format()}` is not in `{place}`"
        )
    try:
        return decode_bundle(data, width=path.width)
    except FormatError as error:
        raise TamperedError(
            f"entries from {first} to {path.end - 1} of {origin} were changed:"
            f" `{path.format()}`: {error}"
        ) from error


def read_file(path: Path, *, limit: int) -> bytes | None:
    """Read a file up to one byte more than it may have; `None`: there is none.

    Raises:
        TrailError: it cannot be read.
    """
    try:
        # A pipe in place of a file would keep an auditor waiting for ever.
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot("read", path, error) from error


@dataclass(slots=True, kw_only=True)
class TileWriter:
    """Writes tiles: each whole or not at all, and none that is published."""

    place: Path
    covered: int
    """The size of the checkpoint that is published."""
    files: int = 0
    _touched: set[Path] = field(default_factory=set)

    def write(self, path: TilePath, data: bytes) -> None:
        """Write one tile or bundle, unless it is there already.

        Raises:
            TamperedError: a published one is there and is another.
            TrailError: it cannot be written.
        """
        target = self.place / path.format()
        # Even if it is there: whoever wrote it may not have come to its folder.
        for folder in target.parents[: path.format().count("/") + 1]:
            self._touched.add(folder)
        stored = read_file(target, limit=len(data))
        if stored == data:
            return
        if stored is not None and path.end <= self.covered:
            raise TamperedError(
                f"`{path.format()}` in `{self.place}` is not what was exported: restore"
                " it, or export to a new directory"
            )
        make_folder(target.parent)
        _write_file(target, data)
        self.files += 1

    def sync(self) -> None:
        """Make the names of all files durable, and remove what a crash left.

        Raises:
            TrailError: they cannot be written.
        """
        for folder in (*self._touched, self.place, self.place.parent):
            try:
                if folder in self._touched:
                    for draft in folder.glob(f".*{DRAFT}"):
                        draft.unlink()
                _sync_folder(folder)
            except OSError as error:
                raise _cannot("write", folder, error) from error

    def remove_outgrown(self, size: int) -> None:
        """Remove the partial tiles that the checkpoint of `size` needs no more.

        Those are all in the place of a full tile. A partial tile of an earlier
        checkpoint stays until then (https://c2sp.org/tlog-tiles, Partial Tiles); one
        of an export that was cut off was never published and goes at once.
        """
        bundles = bundles_of(size, since=self.covered)
        for path in (*bundles, *tiles_of(size, since=self.covered)):
            whole = TilePath(level=path.level, index=path.index)
            folder = self.place / f"{whole.format()}.p"
            # What cannot be removed is still verified, and does no harm.
            if path.is_full:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            for width in range(1, TILE_WIDTH):
                partial = replace(path, width=width)
                if partial.end > self.covered and partial != path:
                    with suppress(OSError):
                        (self.place / partial.format()).unlink(missing_ok=True)


def _write_file(target: Path, data: bytes) -> None:
    draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}{DRAFT}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, OWNER_ONLY), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _cannot("write", target, error) from error


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Wait until nobody else exports to a directory, and keep it for a block.

    Raises:
        TrailError: it cannot be opened.
    """
    try:
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot("open", place, error) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _cannot(what: str, path: Path, error: OSError) -> TrailError:
    reason = (error.strerror or type(error).__name__).lower()
    return TrailError(
        f"cannot {what} `{path}`: {reason}: export to a directory that this process may"
        " write"
    )
