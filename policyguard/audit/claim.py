"""File locks: who writes a log, and who may create one.

Owner: the process that holds the open file; the kernel releases the lock when it ends,
however it ends. A forked child has the same open file: it closes its copy, which
leaves the parent's lock alone, and claims a log of its own.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from policyguard.audit.layout import OWNER_ONLY
from policyguard.errors import TrailError


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Is the exclusive right to write one log."""

    descriptor: int

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """Claim a log, or return `None` if another process has it.

        Raises:
            TrailError: the file cannot be opened.
        """
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return None
            raise TrailError(
                f"cannot lock `{path}`: {error.strerror}: a trail needs a file system"
                " with locks"
            ) from error
        return cls(descriptor=descriptor)

    def release(self) -> None:
        """Let another process claim the log; in a forked child, only let go of it."""
        os.close(self.descriptor)


@contextmanager
def gate(path: Path) -> Iterator[None]:
    """Wait for the right to create something in a trail, and hold it for a block.

    Raises:
        TrailError: the file cannot be opened.
    """
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Is a lock that is waited for, again and again, for a moment each time."""

    descriptor: int

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open a gate; whoever opens the same path waits at the same one.

        Raises:
            TrailError: the file cannot be opened.
        """
        return cls(descriptor=_open(path))

    def __enter__(self) -> None:
        """Wait until nobody else is inside."""
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        """Let the next one in."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file; in a forked child the parent keeps its own."""
        os.close(self.descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
    except OSError as error:
        raise TrailError(
            f"cannot open `{path}`: {(error.strerror or 'error').lower()}: give the"
            " trail a directory that this process may write"
        ) from error
