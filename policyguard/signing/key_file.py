"""Private key files: created once with mode 0600, refused when others can read them.

Owner: whoever holds the path; a file is written once and never rewritten. A crash
while saving leaves nothing at the path, at most a hidden `.tmp` file beside it. An
attacker who can read a key file can sign in its name; one who can write to its
directory can replace the key, which shows as a key id that no trust file names.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import stat
from pathlib import Path
from typing import Final

from policyguard.errors import ConfigurationError

MAX_KEY_FILE_BYTES: Final = 16_384
_OWNER_ONLY: Final = 0o600
_OTHERS: Final = 0o077


def create_key_file(path: str | os.PathLike[str], *, data: bytes) -> None:
    """Create the file at `path` with mode 0600, whole or not at all.

    Of two processes that create one path at once, one succeeds, and nobody sees
    half of a file: the bytes are durable in a hidden file before it gets its name.

    Raises:
        ConfigurationError: there is a file already, or none can be written.
    """
    target = Path(path)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        try:
            _write_draft(draft, data=data)
            # Unlike a rename, a link never replaces what is there.
            os.link(draft, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
        _sync_directory(target.parent)
    except FileExistsError as cause:
        raise ConfigurationError(
            f"key file `{target}` exists already: move it away or choose another path"
        ) from cause
    except (OSError, ValueError) as cause:
        raise ConfigurationError(
            f"key file `{target}` cannot be created: {cause}"
        ) from cause


def _write_draft(draft: Path, *, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, _OWNER_ONLY), "wb") as file:
        # The umask may have taken bits away; the owner has to read it later.
        os.fchmod(file.fileno(), _OWNER_ONLY)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_key_file(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a key file that only its owner can read.

    Raises:
        ConfigurationError: there is none, it is not a regular file, its group or
            the world may read or write it, or it is longer than 16 KiB.
    """
    target = Path(path)
    try:
        # Non-blocking: a named pipe in the place of the file must not hang us.
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            # Of the opened file, not of the path, which can change in between.
            _refuse_shared(os.fstat(file.fileno()), path=target)
            data = file.read(MAX_KEY_FILE_BYTES + 1)
    except FileNotFoundError as cause:
        raise ConfigurationError(
            f"key file `{target}` does not exist: create one with "
            "`policyguard keys generate`, or correct the path"
        ) from cause
    except (OSError, ValueError) as cause:
        raise ConfigurationError(
            f"key file `{target}` cannot be read: {cause}"
        ) from cause
    if len(data) > MAX_KEY_FILE_BYTES:
        raise ConfigurationError(
            f"key file `{target}` is longer than {MAX_KEY_FILE_BYTES:,} bytes: "
            "it is not a key"
        )
    return data


def read_public_file(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a small file that others may read, as of a public key.

    Raises:
        ConfigurationError: there is none, it is not a regular file, or it is longer
            than 16 KiB.
    """
    target = Path(path)
    try:
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            data = file.read(MAX_KEY_FILE_BYTES + 1) if regular else b""
    except (OSError, ValueError) as cause:
        raise ConfigurationError(
            f"key file `{target}` cannot be read: {cause}"
        ) from cause
    if not data or len(data) > MAX_KEY_FILE_BYTES:
        raise ConfigurationError(f"key file `{target}` holds no key")
    return data


def _refuse_shared(status: os.stat_result, *, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"key file `{path}` is not a regular file")
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS:
        raise ConfigurationError(
            f"key file `{path}` is open to others than its owner (mode {mode:04o}): "
            f"run `chmod 600 {shlex.quote(str(path))}`"
        )
