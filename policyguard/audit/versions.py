"""Keeps every bundle and catalog that decided, by digest, for as long as the trail.

A record names both digests; a replay needs the bytes behind them. Each file is written
once, whole or not at all, and never changed. A crash leaves at most a hidden draft.
Nobody has to trust this folder: whoever reads a version computes its digest again and
compares it with the record's.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

from policyguard.audit.layout import make_folder, write_small
from policyguard.errors import TrailError

VersionKind: TypeAlias = Literal["bundle", "catalog"]

_SUFFIX: Final = {"bundle": ".tar.gz", "catalog": ".json"}
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES: Final = 64 << 20


class VersionStore(Protocol):
    """Keeps versions in whatever store the trail is in."""

    def has(self, kind: VersionKind, digest: str) -> bool:
        """Say whether a version is kept."""
        ...

    def keep(self, kind: VersionKind, digest: str, data: bytes) -> None:
        """Keep a version, durably, unless it is kept already."""
        ...

    def read(self, kind: VersionKind, digest: str) -> bytes:
        """Return the bytes of a version; the caller compares the digest."""
        ...

    def digests(self, kind: VersionKind) -> tuple[str, ...]:
        """Return the digests of what is kept, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Versions:
    """Knows the folder of one trail's versions."""

    directory: Path

    def has(self, kind: VersionKind, digest: str) -> bool:
        """Say whether a version is kept."""
        return self._path(kind, digest).exists()

    def keep(self, kind: VersionKind, digest: str, data: bytes) -> None:
        """Keep a version, durably, unless it is kept already.

        Args:
            kind: What it is.
            digest: What records call it, 64 hexadecimal digits.
            data: Its bytes: of a bundle the archive, of a catalog the document.

        Raises:
            TrailError: it cannot be written.
        """
        path = self._path(kind, digest)
        if path.exists():
            return
        make_folder(path.parent)
        write_small(path, data)

    def read(self, kind: VersionKind, digest: str) -> bytes:
        """Return the bytes of a version; the caller compares the digest.

        Raises:
            TrailError: it is not kept here, or cannot be read.
        """
        path = self._path(kind, digest)
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except FileNotFoundError as error:
            raise TrailError(
                f"the {kind} `{digest}` is not kept in `{self.directory}`: restore it"
                " from a backup of the trail"
            ) from error
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise TrailError(f"cannot read `{path}`: {reason}") from error
        if len(data) > _MAX_BYTES:
            raise TrailError(f"`{path}` is larger than {_MAX_BYTES} bytes: restore it")
        return data

    def digests(self, kind: VersionKind) -> tuple[str, ...]:
        """Return the digests of what is kept, oldest first."""
        suffix = _SUFFIX[kind]
        try:
            found = [
                (entry.stat().st_mtime_ns, entry.name.removesuffix(suffix))
                for entry in os.scandir(self.directory / kind)
                if entry.name.endswith(suffix)
            ]
        except FileNotFoundError:
            return ()
        return tuple(name for _, name in sorted(found) if _DIGEST.fullmatch(name))

    def _path(self, kind: VersionKind, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise TrailError(f"`{digest[:80]}` is no digest: take one from a record")
        return self.directory / kind / f"{digest}{_SUFFIX[kind]}"
