"""Packs and unpacks the archive of an OPA bundle: a gzip-compressed tar of plain files.

An archive comes from a network or a person, so it is read as hostile: counted while it
is decompressed, and refused whole for one odd entry. What is packed has one form, so
that the same files always give the same bytes.

Specification: POSIX.1-2001 pax and ustar; RFC 1952; OPA bundles, "Bundle File Format".
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

from policyguard.bundle.files import MAX_BYTES, MAX_FILE_BYTES, MAX_FILES
from policyguard.errors import BundleError

MAX_ARCHIVE_BYTES: Final = 16 << 20
"""The largest archive that is accepted, compressed."""

_MAX_TAR_BYTES: Final = MAX_BYTES + 2_048 * MAX_FILES
"""All files, with a header and padding for each."""
_CHUNK: Final = 1 << 20
_GZIP: Final = 16 + zlib.MAX_WBITS
_PART: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,127}")
_MAX_DEPTH: Final = 16


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the archive of some files, the same bytes for the same files.

    Args:
        files: Content by path inside the bundle, without a leading slash.

    Raises:
        BundleError: a path that no bundle has, or more than an archive may hold.
    """
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        raise BundleError(
            f"more than {MAX_FILES} files or {MAX_BYTES} bytes: split the bundle"
        )
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            data = files[path]
            if _normal(path) != path:
                raise BundleError(f"`{path}` is no path of a bundle: rename it")
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o644
            try:
                tar.addfile(entry, io.BytesIO(data))
            except ValueError as error:
                raise BundleError(f"`{path}` is too long for an archive") from error
    packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    return packer.compress(body.getvalue()) + packer.flush()


def unpack(data: bytes, *, name: str = "the archive") -> Mapping[str, bytes]:
    """Return the files of an archive by path, sorted.

    Args:
        data: The archive: a tar, compressed with gzip.
        name: What to call it in messages.

    Raises:
        BundleError: too large, truncated, not gzip or tar, or an entry that is no
            regular file, has an odd or absolute path or one with `..`, or comes twice.
    """
    if len(data) > MAX_ARCHIVE_BYTES:
        raise BundleError(
            f"{name}: {len(data)} bytes are more than {MAX_ARCHIVE_BYTES}: split the"
            " bundle"
        )
    files: dict[str, bytes] = {}
    total = 0
    for path, content in _entries(_decompressed(data, name=name), name=name):
        total += len(content)
        if path in files:
            raise BundleError(f"{name}: `{path}` comes twice: keep one")
        if len(files) >= MAX_FILES or total > MAX_BYTES:
            raise BundleError(
                f"{name}: more than {MAX_FILES} files or {MAX_BYTES} bytes"
            )
        files[path] = content
    if not files:
        raise BundleError(f"{name}: holds no file")
    return dict(sorted(files.items()))


def _decompressed(data: bytes, *, name: str) -> bytes:
    # Bounded while it grows: a bomb is never held whole.
    reader = zlib.decompressobj(_GZIP)
    grown = bytearray()
    rest = data
    try:
        while rest and not reader.eof:
            grown += reader.decompress(rest, _CHUNK)
            rest = reader.unconsumed_tail
            if len(grown) > _MAX_TAR_BYTES:
                raise BundleError(
                    f"{name}: grows beyond {_MAX_TAR_BYTES} bytes: it is no bundle"
                )
    except zlib.error as error:
        raise BundleError(f"{name}: is not gzip: {error}") from error
    if not reader.eof:
        raise BundleError(f"{name}: is truncated: fetch it again")
    if reader.unused_data:
        raise BundleError(f"{name}: has bytes after its end: build it anew")
    return bytes(grown)


def _entries(tar: bytes, *, name: str) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            for entry in archive:
                if entry.isdir():
                    continue
                yield _path_of(entry, name=name), _content(archive, entry, name=name)
            _require_end(tar, at=archive.offset, name=name)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        reason = str(error) or type(error).__name__
        raise BundleError(f"{name}: is no whole tar: {reason}") from error


def _require_end(tar: bytes, *, at: int, name: str) -> None:
    # The library takes an end without its mark, and stops quietly at a broken header.
    if len(tar) < at + tarfile.BLOCKSIZE or tar[at:].strip(b"\0"):
        raise BundleError(f"{name}: is no whole tar: it ends in the middle")


def _path_of(entry: tarfile.TarInfo, *, name: str) -> str:
    path = _normal(entry.name)
    shown = entry.name if path else ascii(entry.name)[1:-1][:200]
    if path is None:
        raise BundleError(f"{name}: `{shown}` is no path of a bundle: rename it")
    if not entry.isreg() or entry.issparse():
        raise BundleError(f"{name}: `{shown}` is no regular file: put the file there")
    if entry.size > MAX_FILE_BYTES:
        raise BundleError(f"{name}: `{shown}` is larger than {MAX_FILE_BYTES} bytes")
    return path


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo, *, name: str) -> bytes:
    stream = archive.extractfile(entry)
    data = b"" if stream is None else stream.read()
    if len(data) != entry.size:
        raise BundleError(f"{name}: `{entry.name}` is truncated: fetch it again")
    return data


def _normal(path: str) -> str | None:
    """Return a path without `/` or `./` before it, or nothing if it is odd."""
    short = path.removeprefix("/").removeprefix("./")
    parts = short.split("/")
    if len(parts) > _MAX_DEPTH or not all(map(_is_plain, parts)):
        return None
    return short


def _is_plain(part: str) -> bool:
    return _PART.fullmatch(part) is not None and part not in {".", ".."}
