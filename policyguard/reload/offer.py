"""Where bundles come from: a directory, an archive on disk, a server.

A source is asked again and again. It answers with an offer when there may be something
new, and with nothing when it can tell cheaply that there is not.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from policyguard.bundle.archive import MAX_ARCHIVE_BYTES, unpack
from policyguard.bundle.files import read_files
from policyguard.bundle.opening import read_archive
from policyguard.canonical import digest, digest_of
from policyguard.engines.opa_server import OpaServer, address_of
from policyguard.engines.opa_wire import Wire
from policyguard.errors import BundleError, ConfigurationError, EvaluationError
from policyguard.vocabulary.record import PolicySource

FETCH_SECONDS: Final = 30.0
_OK: Final = 200
_NOT_MODIFIED: Final = 304


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Is a bundle that was offered, read and not yet trusted."""

    source: PolicySource
    name: str
    """Where it came from, for messages."""
    digest: str
    """SHA-256 of the archive; of a directory, over its files."""
    files: Mapping[str, bytes] | None = field(repr=False)
    """None: what was offered is no archive."""
    fault: str = ""
    """Why there are no files."""


class Source(Protocol):
    """Offers bundles."""

    def offer(self) -> Offer | None:
        """Return what is there, or nothing if it is what was returned last.

        Raises:
            BundleError: nothing can be had at the moment.
        """

    def forget(self) -> None:
        """Offer what is there again, even if it is the same."""


class FileSource:
    """Offers what lies at a path: a directory, or an archive."""

    def __init__(self, path: Path) -> None:
        """Look at nothing yet."""
        self._path = path
        self._seen: str | None = None

    def offer(self) -> Offer | None:
        """See `Source.offer`."""
        stamp = stamp_of(self._path)
        if stamp is not None and stamp == self._seen:
            return None
        found = (
            _read_directory(self._path) if self._path.is_dir() else _read(self._path)
        )
        self._seen = stamp
        return found

    def forget(self) -> None:
        """See `Source.forget`."""
        self._seen = None


class HttpSource:
    """Offers what a server has, and asks it with the ETag of what it had.

    Args:
        server: Origin, certificates and token.
        path: The path of the archive on that server, with its query.
    """

    def __init__(self, server: OpaServer, *, path: str) -> None:
        address = address_of(server)
        self._name = f"{server.url}{path}"
        self._url = f"{'https' if address.tls else 'http'}://{address.host}:"
        self._url += f"{address.port}{path}"
        self._wire = Wire(address, most_bytes=MAX_ARCHIVE_BYTES, connections=1)
        self._etag: str | None = None

    def offer(self) -> Offer | None:
        """See `Source.offer`."""
        asked = {"If-None-Match": self._etag} if self._etag else {}
        try:
            reply = self._wire.get(self._url, timeout=FETCH_SECONDS, headers=asked)
        except EvaluationError as error:
            raise BundleError(
                f"`{self._name}` cannot be fetched [{_reason(error)}]"
            ) from error
        if reply.status_code == _NOT_MODIFIED and self._etag:
            return None
        if reply.status_code != _OK:
            raise BundleError(
                f"`{self._name}` answers with status {reply.status_code}: correct the"
                " address or the token"
            )
        self._etag = reply.etag
        return _of_archive(reply.body, source="http", name=self._name)

    def forget(self) -> None:
        """See `Source.forget`."""
        self._etag = None


def split_address(url: str) -> tuple[str, str]:
    """Return origin and path of a bundle's address.

    Raises:
        ConfigurationError: it is no address of a file on a server.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError(f"`{url}` is no address: {error}") from error
    if (
        parts.scheme not in {"http", "https"}
        or not parts.path.strip("/")
        or parts.fragment
        or not url.isascii()
    ):
        raise ConfigurationError(
            f"`{url}` is no address of a bundle: write it as"
            " `https://bundles.example/policyguard.tar.gz`"
        )
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return f"{parts.scheme}://{parts.netloc}", path


def _reason(error: EvaluationError) -> str:
    return error.code.removeprefix("engine.")


def _of_archive(data: bytes, *, source: PolicySource, name: str) -> Offer:
    files, fault = None, ""
    try:
        files = unpack(data, name=f"`{name}`")
    except BundleError as error:
        fault = str(error)
    return Offer(
        source=source, name=name, digest=digest(data), files=files, fault=fault
    )


def _read(path: Path) -> Offer:
    return _of_archive(read_archive(path), source="archive", name=str(path))


def _read_directory(path: Path) -> Offer:
    files = read_files(path)
    return Offer(
        source="directory",
        name=str(path),
        digest=digest_of({name: digest(data) for name, data in files.items()}),
        files=files,
    )


def stamp_of(*paths: Path) -> str | None:
    """Return what changes when the content does; nothing if it cannot be told."""
    seen = hashlib.sha256()
    try:
        for file in sorted(file for path in paths for file in _files(path)):
            status = file.lstat()
            seen.update(
                f"{file}\0{status.st_ino}\0{status.st_size}\0"
                f"{status.st_mtime_ns}\0{status.st_ctime_ns}\n".encode()
            )
    except OSError:
        return None
    return seen.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
    for folder, _, names in os.walk(path):
        for name in names:
            yield Path(folder) / name
