"""The vault: what was asked, who asked, and the salts that bind both to the log.

Owner: the writer of the log, and for a moment whoever erases; the callers are shared by
all writers of a trail. It is durable before the log, and has the newest records with
their contents (`redo`): a crash leaves content without a record, never a record without
its content, and whoever opens the log takes up what it lacks. Whoever reads the vault reads personal data;
whoever changes it is noticed by `verify_trail`; without it the log still verifies and
names nobody.

INVARIANT: a commitment is HMAC-SHA256 (RFC 2104) under a random salt of 32 bytes that
is used once. Without the salt it says nothing, even about short content.

INVARIANT: every connection that writes a vault is opened, used and closed inside its
gate. So at no time do two of them write or checkpoint, which SQLite before 3.51.3 does
not survive, and content can be erased while an application runs.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from policyguard.audit.claim import Gate
from policyguard.audit.layout import identity_of, require_same
from policyguard.audit.stores.database import (
    insert_rows,
    leak,
    open_for_writing,
)
from policyguard.audit.stores.shared_file import open_shared
from policyguard.errors import TrailError
from policyguard.vocabulary.record import Commitment

if TYPE_CHECKING:
    from policyguard.audit.layout import Layout
    from policyguard.audit.redo import Ahead

SALT_BYTES: Final = 32
_BLOCK_BYTES: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_PSEUDONYM_BYTES: Final = 16
_REMEMBERED_CALLERS: Final = 10_000
_CONTENT_SCHEMA: Final = """
CREATE TABLE content (
  record TEXT PRIMARY KEY, salt BLOB NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE prompt (
  record TEXT PRIMARY KEY, body BLOB NOT NULL, key BLOB
) STRICT;
CREATE TABLE about (
  record TEXT NOT NULL, person TEXT NOT NULL, PRIMARY KEY (record, person)
) STRICT, WITHOUT ROWID"""
_ERASABLE: Final = ("content", "prompt", "about")
_SCRUB_ATTEMPTS: Final = 20
_SCRUB_PAUSE_SECONDS: Final = 0.1
_MOST_IN_MEMORY: Final = 256 << 20
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
    prompt: SealedPrompt | None = None
    about: tuple[str, ...] = ()
    """Pseudonyms of the people whom the record is about."""

    @classmethod
    def of(cls, record: str, body: bytes) -> Sealed:
        """Seal content under a fresh salt."""
        return cls(record=record, salt=secrets.token_bytes(SALT_BYTES), body=body)

    def commitment(self) -> Commitment:
        """Return what the leaf says of the content."""
        return commitment_of(self.body, salt=self.salt)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPrompt:
    """Is a prompt that nobody opens without the keys of all whom it is about."""

    body: bytes
    key: bytes | None
    """A wrapped key of its own, where it is about nobody who was named."""
    about: tuple[str, ...] = ()
    """Pseudonyms of the people whose keys open it."""


def commitment_of(content: bytes, *, salt: bytes) -> Commitment:
    """Return what a leaf says of content under a salt."""
    return Commitment(bytes=len(content), value=commitment_value(content, salt=salt))


def commitment_value(content: bytes, *, salt: bytes) -> str:
    """Return the HMAC of content under a salt, in hexadecimal."""
    if len(salt) > _BLOCK_BYTES:
        return hmac.digest(salt, content, "sha256").hex()
    # The same in the words of RFC 2104: OpenSSL 3 takes longer to look HMAC up than to
    # compute this, and a verification does it for each decision.
    key = salt.ljust(_BLOCK_BYTES, b"\0")
    inner = sha256(key.translate(_INNER) + content).digest()
    return sha256(key.translate(_OUTER) + inner).hexdigest()


class Keyed:
    """Takes content in parts, and says what `commitment_value` says of all of it."""

    __slots__ = ("_inner", "_key")

    def __init__(self, salt: bytes) -> None:
        """Begin under a salt."""
        short = salt if len(salt) <= _BLOCK_BYTES else sha256(salt).digest()
        self._key = short.ljust(_BLOCK_BYTES, b"\0")
        self._inner = sha256(self._key.translate(_INNER))

    def feed(self, part: bytes) -> None:
        """Take the next bytes."""
        self._inner.update(part)

    def value(self) -> str:
        """Return the HMAC of all bytes so far, in hexadecimal."""
        outer = self._key.translate(_OUTER)
        return sha256(outer + self._inner.digest()).hexdigest()


def pseudonym_of(caller: str, *, salt: bytes) -> str:
    """Return the pseudonym of a caller under a salt: 32 hexadecimal digits."""
    keyed = hmac.digest(salt, caller.encode("utf-8"), hashlib.sha256)
    return keyed[:_PSEUDONYM_BYTES].hex()


class Vault:
    """Keeps the content of one log's records."""

    __slots__ = ("_connection", "_dropped", "_gate", "_path")

    def __init__(self, path: Path) -> None:
        """Open the vault of a log.

        Raises:
            TrailError: it cannot be opened.
        """
        # When a log is opened: a program that starts loads few modules.
        from policyguard.audit.redo import SCHEMA as AHEAD_SCHEMA

        self._path = path
        self._gate = Gate.at(path.with_name("vault.gate"))
        self._dropped = -1
        try:
            with self._gate:
                self._connection = open_for_writing(
                    path, schema=_CONTENT_SCHEMA, since_version_2=AHEAD_SCHEMA
                )
        except BaseException:
            self._gate.close()
            raise

    def keep(
        self, sealed: Sequence[Sealed], *, ahead: Ahead | None = None, synced: int = 0
    ) -> None:
        """Keep contents durably, all or none.

        Args:
            sealed: The contents.
            ahead: Their records, where the log's own commit will not wait for the disk.
            synced: How many records the log has durably: of these nothing is kept here.

        Raises:
            sqlite3.Error: they are not durable; the vault must not be used again.
        """
        run = self._connection.execute
        with self._gate:
            run("BEGIN IMMEDIATE")
            rows = [(item.record, item.salt, item.body) for item in sealed]
            insert_rows(self._connection, "content (record, salt, body)", rows)
            for item in sealed:
                if item.prompt is not None:
                    row = (item.record, item.prompt.body, item.prompt.key)
                    run("INSERT INTO prompt VALUES (?, ?, ?)", row)
                for person in item.about:
                    run("INSERT INTO about VALUES (?, ?)", (item.record, person))
            if ahead is not None:
                if synced != self._dropped:
                    run("DELETE FROM ahead WHERE size <= ?", (synced,))
                run("INSERT INTO ahead VALUES (?, ?, ?, ?)", ahead.row())
            run("COMMIT")
        if ahead is not None:
            self._dropped = synced

    def ahead(self) -> list[Ahead]:
        """Return the records that may not be durable in the log, in order.

        Raises:
            TrailError: they cannot be read.
        """
        from policyguard.audit.redo import batches_ahead

        return list(batches_ahead(self._connection, path=self._path))

    def erase(self, records: Collection[str]) -> None:
        """Delete all that is kept of some records, and every trace of it in the files.

        Deleted bytes are overwritten (`secure_delete`), the file is written anew
        (`VACUUM`), and the write-ahead log is emptied.

        Raises:
            TrailError: somebody reads the vault all the time: nothing is lost by
                trying again.
            sqlite3.Error: it is not done.
        """
        with self._gate:
            run = self._connection.execute
            run("BEGIN IMMEDIATE")
            for table in _ERASABLE:
                self._connection.executemany(
                    f"DELETE FROM {table} WHERE record = ?",  # noqa: S608 -- ours
                    [(record,) for record in records],
                )
            run("COMMIT")
            scrub(self._connection, path=self._path)

    def close(self) -> None:
        """Close the file."""
        with self._gate:
            self._connection.close()
        self._gate.close()

    def leak(self) -> None:
        """Let go of the file in a forked child, without closing it."""
        leak(self._connection)
        self._gate.close()


def scrub(connection: sqlite3.Connection, *, path: Path) -> None:
    """Leave no deleted byte in a database and its side files.

    Raises:
        TrailError: somebody reads it all the time, and old pages have to stay for them.
        sqlite3.Error: it is not done.
    """
    # What is left is copied; not to a disk where nobody would look for it.
    if path.stat().st_size <= _MOST_IN_MEMORY:
        connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("VACUUM")
    for _ in range(_SCRUB_ATTEMPTS):
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not busy:
            return
        time.sleep(_SCRUB_PAUSE_SECONDS)
    raise TrailError(
        f"`{path}` is being read, so erased content is still in its write-ahead log:"
        " end the reader, then run `policyguard audit erase --finish`"
    )


class Callers:
    """Gives each caller of a trail one pseudonym, whichever process asks."""

    __slots__ = ("_connection", "_known", "_opened", "_path", "_seen")

    def __init__(self, layout: Layout) -> None:
        """Open the callers of a trail.

        Raises:
            TrailError: they cannot be opened, or were lost.
        """
        self._path = layout.callers
        self._connection = open_shared(
            self._path, schema=_CALLER_SCHEMA, memory=layout.begun(self._path)
        )
        self._opened = identity_of(self._path)
        self._known: dict[str, str] = {}
        self._seen = (0, 0)

    def pseudonym(self, caller: str) -> str:
        """Return the pseudonym of a caller, and make it durable if it is new.

        Raises:
            sqlite3.Error: it could not be read or written.
            TrailError: the file was replaced: open it anew.
        """
        if self._stamp() != self._seen:
            # Somebody else has written: perhaps the caller was erased.
            self._known.clear()
            self._seen = self._stamp()
            require_same(self._path, opened=self._opened)
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
            self._seen = self._stamp()
        if len(self._known) >= _REMEMBERED_CALLERS:
            self._known.clear()
        self._known[caller] = str(row[0])
        return str(row[0])

    def _stamp(self) -> tuple[int, int]:
        # Not `path.stat()`, which takes twice as long: each decision asks this.
        status = os.stat(self._path)  # noqa: PTH116
        return status.st_mtime_ns, status.st_size

    def erase(self, pseudonyms: Collection[str]) -> None:
        """Delete who is behind pseudonyms, and every trace of it in the file.

        Raises:
            sqlite3.Error: it is not done.
        """
        self._connection.executemany(
            "DELETE FROM caller WHERE pseudonym = ?", [(item,) for item in pseudonyms]
        )
        scrub(self._connection, path=self._path)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def leak(self) -> None:
        """Let go of the file in a forked child, without closing it."""
        leak(self._connection)
