"""Opens a bundle wherever it lies on disk: a directory, or an archive."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from policyguard.bundle.archive import MAX_ARCHIVE_BYTES, unpack
from policyguard.bundle.files import SIGNATURES, is_test, read_files
from policyguard.bundle.served import SERVED, served_module
from policyguard.bundle.source import Bundle, load_files
from policyguard.errors import BundleError


def open_files(path: Path) -> Mapping[str, bytes]:
    """Return the files of a bundle in a directory or an archive.

    Raises:
        BundleError: it cannot be read, or is no bundle; names the file.
    """
    if path.is_dir():
        return read_files(path)
    return unpack(read_archive(path), name=f"`{path}`")


def read_archive(path: Path) -> bytes:
    """Return the bytes of an archive.

    Raises:
        BundleError: it cannot be read, is no regular file, or is too large.
    """
    try:
        # Non-blocking: a named pipe in the place of the file must not hang us.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BundleError(f"`{path}` is no regular file: give an archive")
            data = stream.read(MAX_ARCHIVE_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise BundleError(f"cannot read the bundle `{path}`: {reason}") from error
    if len(data) > MAX_ARCHIVE_BYTES:
        raise BundleError(f"`{path}` is larger than {MAX_ARCHIVE_BYTES} bytes")
    return data


def open_bundle(path: Path) -> Bundle:
    """Load a bundle from a directory or an archive; no signature is looked at.

    Raises:
        BundleError: it cannot be read, or is no bundle.
    """
    return load_files(open_files(path), name=str(path))


def built_files(files: Mapping[str, bytes], *, name: str) -> Mapping[str, bytes]:
    """Return the files of a bundle as it is shipped: no tests, and its own digest.

    Raises:
        BundleError: the bundle does not load.
    """
    bundle = load_files(files, name=name)
    kept = {
        path: data
        for path, data in files.items()
        if not is_test(path) and path not in {SIGNATURES, SERVED}
    }
    return {**kept, SERVED: served_module(bundle.digest)}
