"""Opens files that all writers of a trail share, and that are never begun anew unsaid.

Owner: whoever writes, for a moment; all processes of the trail at once. What remembers
that a file was begun, and how often it was changed, is beside the lock database. A crash
leaves a file without its memory, or one change ahead of it, which the next writer takes
up. Whoever can write both can put both back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policyguard.audit.layout import make_folder, read_small, write_small
from policyguard.audit.stores.database import open_for_writing
from policyguard.errors import TrailError

_CHANGES: Final = """CREATE TABLE change (
  only INTEGER PRIMARY KEY CHECK (only = 0), number INTEGER NOT NULL
) STRICT"""
_COUNT: Final = """INSERT INTO change VALUES (0, 1)
  ON CONFLICT (only) DO UPDATE SET number = number + 1 RETURNING number"""


def open_shared(
    path: Path, *, schema: str, memory: Path, counted: bool = False
) -> sqlite3.Connection:
    """Open a file that all writers of a trail share, and remember that it was begun.

    Each writes for a moment: with the old journal, because many writers of one WAL can
    lose data in SQLite before 3.51.3.

    Args:
        path: The file; it is made if there never was one.
        schema: Its tables.
        memory: What is there, beside the lock database, once the file is.
        counted: Whether its changes are counted.

    Raises:
        TrailError: the file was there and is gone, or `open_for_writing` says why not.
    """
    require_not_lost(path, memory=memory)
    connection = _opened(path, schema=schema, counted=counted)
    if not memory.exists():
        # Last, so that a crash in between leaves a file that is taken up.
        try:
            make_folder(memory.parent)
            write_small(memory, b"")
        except TrailError:
            connection.close()
            raise
    return connection


def require_not_lost(path: Path, *, memory: Path) -> None:
    """Refuse a file that was begun and is gone.

    Raises:
        TrailError: it has to be restored, or its memory removed.
    """
    if memory.exists() and not (path.is_file() and path.stat().st_size):
        raise TrailError(
            f"`{path}` is missing: restore it; only if what it knew may be forgotten,"
            f" remove `{memory}` as well"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedFile:
    """Is a shared file that nobody puts back unseen: its changes are counted.

    INVARIANT: a file that was changed less often than its memory says is refused.
    """

    path: Path
    memory: Path
    """What is there, beside the lock database, once the file is."""
    schema: str
    every: int = 1
    """After how many changes they are remembered; so many may be undone unseen."""

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read in a block, and make no memory: an auditor's copy has none.

        Raises:
            TrailError: it cannot be read, or was put back.
        """
        # Not read-only: without a WAL, such a file is read as if nobody could write.
        with self._transaction(
            _opened(self.path, schema=self.schema, counted=True)
        ) as connection:
            yield connection

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Change it in a block, all or nothing; a block that rolls back changes nothing.

        Raises:
            TrailError: it cannot be written, was lost or put back.
        """
        opened = open_shared(
            self.path, schema=self.schema, memory=self.memory, counted=True
        )
        number = 0
        with self._transaction(opened) as connection:
            yield connection
            if connection.in_transaction:
                (number,) = connection.execute(_COUNT).fetchone()
                connection.execute("COMMIT")
        # After the commit: a crash in between leaves the file ahead, never behind.
        if number >= self._remembered() + self.every:
            write_small(self.memory, str(number).encode("ascii"))

    @contextmanager
    def _transaction(
        self, connection: sqlite3.Connection
    ) -> Iterator[sqlite3.Connection]:
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._require_newest(connection)
            yield connection
        except sqlite3.Error as error:
            raise TrailError(
                f"`{self.path}` cannot be used: {error}: check its permissions and its"
                " disk, or restore it"
            ) from error
        finally:
            # What was not committed is rolled back.
            connection.close()

    def _require_newest(self, connection: sqlite3.Connection) -> None:
        row = connection.execute("SELECT number FROM change").fetchone()
        number, known = row[0] if row else 0, self._remembered()
        if number < known:
            raise TrailError(
                f"`{self.path}` was put back: it was changed {number} times, and"
                f" `{self.memory}` knows of {known}: restore the newer one; only if what"
                f" it knew may be forgotten, remove `{self.memory}` as well"
            )

    def _remembered(self) -> int:
        if not self.memory.exists():
            return 0
        written = read_small(self.memory)
        if written and not written.isdigit():
            raise TrailError(f"`{self.memory}` is damaged: restore it")
        return int(written or b"0")


def _opened(path: Path, *, schema: str, counted: bool) -> sqlite3.Connection:
    return open_for_writing(
        path,
        schema=schema,
        journal="DELETE",
        since_version_2=_CHANGES if counted else None,
    )
