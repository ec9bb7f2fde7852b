"""The lock database: the newest head of a log, remembered away from the log.

Owner: the process that holds the log's claim. It is written after each commit of the
log and before anybody is answered, so a log that was put back to an older state is
noticed; the settings may make that one in so many commits (`Cadence`). After a crash it
may be behind the log, never ahead of what log and vault have together (`redo`). Whoever
can replace both the log and this database with older copies is noticed by a kept checkpoint alone: put
it on another volume (`[trail] lock`).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, Protocol

from policyguard.audit.stores.database import (
    leak,
    open_for_reading,
    open_for_writing,
    rows_of,
)
from policyguard.audit.stores.protocol import KnownHead
from policyguard.errors import TrailError

_SCHEMA: Final = """
CREATE TABLE head (
  origin TEXT PRIMARY KEY, size INTEGER NOT NULL, note TEXT NOT NULL
) STRICT"""


class Memory(Protocol):
    """Remembers the head of one log, in files or on a server."""

    def known(self) -> KnownHead:
        """Return the head that is remembered."""
        ...

    def advance(self, *, before: int, size: int, note: str) -> None:
        """Replace the head of size `before`, or raise `TrailError`: there is another."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...

    def leak(self) -> None:
        """Let go of it in a forked child, without closing it."""
        ...


class Cadence:
    """Tells a memory of every head, or of one in so many, and of the last one.

    With every head, a log that was put back is noticed whatever it lost. With one in
    so many, a process that is killed leaves a memory that is behind by as many commits
    at most, and a log that was put back within them passes for the one that was left.
    """

    __slots__ = ("_every", "_known", "_left", "_memory", "_waiting")

    def __init__(self, memory: Memory, *, every: int = 1) -> None:
        """Ask a memory what it knows.

        Raises:
            TrailError: it cannot be read, or is another log's.
        """
        self._memory = memory
        self._every = every
        self._known = memory.known()
        self._waiting: KnownHead | None = None
        # The first head after opening is told at once, whatever the cadence.
        self._left = 1

    def known(self) -> KnownHead:
        """Return the head that is remembered."""
        return self._known

    def advance(self, *, size: int, note: str) -> None:
        """Take in a head that was committed.

        Raises:
            TrailError: another head is remembered: there are two writers.
        """
        self._waiting = KnownHead(size=size, note=note)
        self._left -= 1
        if self._left <= 0:
            self._tell()

    def close(self) -> None:
        """Tell the last head, and close the memory."""
        try:
            self._tell()
        finally:
            self._memory.close()

    def leak(self) -> None:
        """Let go of the memory in a forked child."""
        self._memory.leak()

    def _tell(self) -> None:
        head, self._waiting = self._waiting, None
        self._left = self._every
        if head is not None:
            self._memory.advance(
                before=self._known.size, size=head.size, note=head.note
            )
            self._known = head


class HeadMemory:
    """Remembers the head of one log."""

    __slots__ = ("_connection", "_origin", "_path")

    def __init__(self, path: Path, *, origin: str) -> None:
        """Open the memory of a log, and begin it if the log was never seen.

        Raises:
            TrailError: it cannot be opened, or remembers another log.
        """
        self._origin = origin
        self._path = path
        # Not synchronised: after a power failure it may be behind, which is accepted
        # when the log is an extension of it. A crash of the process loses nothing.
        self._connection = open_for_writing(path, schema=_SCHEMA, synchronous="NORMAL")
        self._connection.execute(
            "INSERT OR IGNORE INTO head SELECT ?, 0, '' WHERE NOT EXISTS"
            " (SELECT 1 FROM head)",
            (origin,),
        )
        try:
            self.known()
        except TrailError:
            self._connection.close()
            raise

    def known(self) -> KnownHead:
        """Return the head that is remembered.

        Raises:
            TrailError: another log is remembered.
        """
        return _known(self._connection, origin=self._origin, path=self._path)

    def advance(self, *, before: int, size: int, note: str) -> None:
        """Replace the head of size `before`.

        Raises:
            TrailError: another head is remembered: there are two writers.
        """
        changed = self._connection.execute(
            "UPDATE head SET size = ?, note = ? WHERE origin = ? AND size = ?",
            (size, note, self._origin, before),
        ).rowcount
        if changed != 1:
            raise TrailError(
                f"the lock database has another head of `{self._origin}` than this"
                " process: stop the other writer, then run `policyguard audit verify`"
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def leak(self) -> None:
        """Let go of the file in a forked child, without closing it."""
        leak(self._connection)


def find_known_head(path: Path, *, origin: str) -> KnownHead | None:
    """Read what a lock database remembers; `None`: it was made, and nothing written.

    Raises:
        TrailError: it cannot be read, or remembers another log.
    """
    connection = open_for_reading(path)
    try:
        query = "SELECT count(*) FROM head"
        (count,) = next(rows_of(connection, query, types=(int,), path=path))
        return _known(connection, origin=origin, path=path) if count else None
    finally:
        connection.close()


def read_known_head(path: Path, *, origin: str) -> KnownHead:
    """Read what a lock database remembers of a log, without writing.

    Raises:
        TrailError: it cannot be read, or remembers another log.
    """
    connection = open_for_reading(path)
    try:
        return _known(connection, origin=origin, path=path)
    finally:
        connection.close()


def _known(connection: sqlite3.Connection, *, origin: str, path: Path) -> KnownHead:
    query = "SELECT origin, size, note FROM head"
    rows = list(rows_of(connection, query, types=(str, int, str), path=path))
    if len(rows) != 1 or rows[0][0] != origin:
        found = rows[0][0] if rows else "nothing"
        raise TrailError(
            f"the lock database remembers `{found}` and not `{origin}`: use the trail"
            " and the lock database that belong together"
        )
    return KnownHead(size=rows[0][1], note=rows[0][2])
