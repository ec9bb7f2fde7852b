"""The vault: what was asked, who asked, and the salts that bind both to the log.

Owner: the writer of the log; the callers are shared by all writers of a trail. It is
written before the log, so a crash leaves content without a record, never a record
without its content. Whoever reads the vault reads personal data; whoever changes it is
noticed by `verify_trail`; without it the log still verifies and names nobody.

INVARIANT: a commitment is HMAC-SHA256 (RFC 2104) under a random salt of 32 bytes that
is used once. Without the salt it says nothing, even about short content.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policyguard.audit.stores.database import (
    leak,
    open_for_reading,
    open_for_writing,
    rows_of,
)
from policyguard.vocabulary.record import Commitment

SALT_BYTES: Final = 32
_PSEUDONYM_BYTES: Final = 16
_REMEMBERED_CALLERS: Final = 10_000
_CONTENT_SCHEMA: Final = """
CREATE TABLE content (
  record TEXT PRIMARY KEY, salt BLOB NOT NULL, body BLOB NOT NULL
) STRICT"""
_CALLER_SCHEMA: Final = """
CREATE TABLE caller (
  pseudonym TEXT PRIMARY KEY, salt BLOB NOT NULL, id TEXT NOT NULL UNIQUE
) STRICT"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """Is the content of one record, with the salt that binds it."""

    record: str
    salt: bytes
    body: bytes

    @classmethod
    def of(cls, record: str, body: bytes) -> Sealed:
        """Seal content under a fresh salt."""
        return cls(record=record, salt=secrets.token_bytes(SALT_BYTES), body=body)

    def commitment(self) -> Commitment:
        """Return what the leaf says of the content."""
        value = hmac.digest(self.salt, self.body, hashlib.sha256).hex()
        return Commitment(bytes=len(self.body), value=value)


def pseudonym_of(caller: str, *, salt: bytes) -> str:
    """Return the pseudonym of a caller under a salt: 32 hexadecimal digits."""
    keyed = hmac.digest(salt, caller.encode("utf-8"), hashlib.sha256)
    return keyed[:_PSEUDONYM_BYTES].hex()


class Vault:
    """Keeps the content of one log's records."""

    __slots__ = ("_connection",)

    def __init__(self, path: Path) -> None:
        """Open the vault of a log.

        Raises:
            TrailError: it cannot be opened.
        """
        self._connection = open_for_writing(path, schema=_CONTENT_SCHEMA)

    def keep(self, sealed: Sequence[Sealed]) -> None:
        """Keep contents durably, all or none.

        Raises:
            sqlite3.Error: they are not durable; the vault must not be used again.
        """
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT INTO content VALUES (?, ?, ?)",
            [(item.record, item.salt, item.body) for item in sealed],
        )
        run("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def leak(self) -> None:
        """Let go of the file in a forked child, without closing it."""
        leak(self._connection)


class Callers:
    """Gives each caller of a trail one pseudonym, whichever process asks."""

    __slots__ = ("_connection", "_known")

    def __init__(self, path: Path) -> None:
        """Open the callers of a trail.

        Raises:
            TrailError: they cannot be opened.
        """
        # Several processes write here, each caller once: the old journal, because
        # many writers of one WAL can lose data in SQLite before 3.51.3.
        self._connection = open_for_writing(
            path, schema=_CALLER_SCHEMA, journal="DELETE"
        )
        self._known: dict[str, str] = {}

    def pseudonym(self, caller: str) -> str:
        """Return the pseudonym of a caller, and make it durable if it is new.

        Raises:
            sqlite3.Error: it could not be read or written.
        """
        known = self._known.get(caller)
        if known is not None:
            return known
        salt = secrets.token_bytes(SALT_BYTES)
        fresh = pseudonym_of(caller, salt=salt)
        query = "SELECT pseudonym FROM caller WHERE id = ?"
        row = self._connection.execute(query, (caller,)).fetchone()
        if row is None:
            self._connection.execute(
                "INSERT OR IGNORE INTO caller VALUES (?, ?, ?)", (fresh, salt, caller)
            )
            row = self._connection.execute(query, (caller,)).fetchone()
        if len(self._known) >= _REMEMBERED_CALLERS:
            self._known.clear()
        self._known[caller] = str(row[0])
        return str(row[0])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def leak(self) -> None:
        """Let go of the file in a forked child, without closing it."""
        leak(self._connection)


def read_content(path: Path, *, record: str | None = None) -> Iterator[Sealed]:
    """Read the content of each record in a vault, or that of one.

    Raises:
        TrailError: it cannot be read.
    """
    query = "SELECT record, salt, body FROM content"
    types = (str, bytes, bytes)
    rows = (
        _rows(path, query, types=types)
        if record is None
        else _rows(path, f"{query} WHERE record = ?", record, types=types)
    )
    for name, salt, body in rows:
        yield Sealed(record=name, salt=salt, body=body)


def read_callers(path: Path) -> Iterator[tuple[str, bytes, str]]:
    """Read pseudonym, salt and id of each caller.

    Raises:
        TrailError: they cannot be read.
    """
    query = "SELECT pseudonym, salt, id FROM caller"
    yield from _rows(path, query, types=(str, bytes, str))


def _rows(
    path: Path, query: str, *values: object, types: tuple[type, ...]
) -> Iterator[tuple[Any, ...]]:
    connection = open_for_reading(path)
    try:
        yield from rows_of(connection, query, *values, types=types, path=path)
    finally:
        connection.close()
