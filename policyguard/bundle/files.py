"""Reads the files of a bundle from a directory, and refuses what is odd.

Form: the directory of an OPA bundle, unpacked. The digest of a bundle covers exactly
the files that are returned here, tests aside; the catalog beside them has its own.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from policyguard.errors import BundleError

MANIFEST: Final = ".manifest"
RULEBOOK: Final = "policyguard/rulebook/data.json"
GOLDEN: Final = "golden/vectors.json"
SIGNATURES: Final = ".signatures.json"
MAX_FILES: Final = 2_000
MAX_FILE_BYTES: Final = 8 << 20
MAX_BYTES: Final = 32 << 20
MAX_DEPTH: Final = 8

_CATALOG: Final = "catalog"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def read_files(directory: Path) -> Mapping[str, bytes]:
    """Return the files of a bundle by their path inside it, sorted.

    Args:
        directory: The root of the bundle. Its `catalog` and its `*.md` are passed over.

    Raises:
        BundleError: a file cannot be read, is a link or a device, is of no kind that a
            bundle has, or there is too much of it; names the file.
    """
    files: dict[str, bytes] = {}
    total = 0
    for path, file in _entries(directory, "", depth=0):
        if len(files) >= MAX_FILES:
            raise BundleError(f"`{directory}`: more than {MAX_FILES} files")
        data = _read(file, path)
        total += len(data)
        if total > MAX_BYTES:
            raise BundleError(f"`{directory}`: more than {MAX_BYTES} bytes")
        files[path] = data
    if MANIFEST not in files:
        raise BundleError(f"`{directory}` has no `{MANIFEST}`: give a bundle's root")
    return dict(sorted(files.items()))


def is_test(path: str) -> bool:
    """Say whether a file of a bundle is a test, which is not shipped."""
    return path.endswith("_test.rego")


def _entries(directory: Path, prefix: str, *, depth: int) -> Iterator[tuple[str, Path]]:
    try:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            path = prefix + entry.name
            if depth == 0 and entry.name == _CATALOG:
                continue
            if entry.is_symlink():
                raise BundleError(f"{path}: is a link: put the file itself there")
            if entry.is_dir():
                _require_directory(path, depth=depth)
                yield from _entries(Path(entry), f"{path}/", depth=depth + 1)
            elif not path.endswith(".md"):
                _require_known(path)
                yield path, Path(entry)
    except OSError as error:
        raise BundleError(
            f"`{directory}` cannot be read: {error.strerror or error}"
        ) from error


def _require_directory(path: str, *, depth: int) -> None:
    if depth >= MAX_DEPTH or not _NAME.fullmatch(path.rpartition("/")[2]):
        raise BundleError(f"{path}: is no directory of a bundle: remove it")


def _require_known(path: str) -> None:
    if path in {MANIFEST, GOLDEN, SIGNATURES}:
        return
    folder, _, name = path.rpartition("/")
    known = name == "data.json" or (name.endswith(".rego") and _NAME.fullmatch(name))
    if not known or not folder:
        raise BundleError(f"{path}: is no file of a bundle: remove it")


def _read(file: Path, path: str) -> bytes:
    # Opened first and looked at afterwards: what was checked is what is read.
    try:
        descriptor = os.open(
            file, os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_BINARY", 0)
        )
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BundleError(f"{path}: is no regular file: remove it")
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise BundleError(f"{path}: larger than {MAX_FILE_BYTES} bytes: split it")
    return data
