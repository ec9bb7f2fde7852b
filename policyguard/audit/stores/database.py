"""Opens SQLite files as a trail needs them: durable, private, checked for their kind.

Owner: the one process that has claimed the log; readers open read-only. A crash
leaves what the last commit left. SQLite before 3.51.3 can lose data when two
connections checkpoint one WAL, so there is exactly one writing connection to each.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from policyguard.audit.layout import OWNER_ONLY, is_out_of_reach
from policyguard.errors import CutOffError, NewerTrailError, OutOfReachError, TrailError

APPLICATION_ID: Final = 0x70677472
"""`pgtr` in the header of each database, so that a wrong file is noticed."""
VERSIONS: Final = (1, 2)
"""A vault of version 2 may be ahead of its log, which older software must not overlook."""
OLDEST_SQLITE: Final = (3, 37, 0)
_PATIENCE_SECONDS: Final = 10.0
_ROWS_READ: Final = 32
_OUT_OF_REACH: Final = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_CANTOPEN,
}
"""What says nothing about the file: it was there, and may not be opened or not now."""
_HALF_DONE: Final = {"SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY"}
_ROWS_AT_ONCE: Final = (256, 128, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)
"""Few sizes, so that each statement is compiled once, and near enough to each other that
two or three statements insert whatever number there is."""

Journal = Literal["WAL", "DELETE"]
Synchronous = Literal["FULL", "NORMAL"]


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Say whether an SQLite can lose commits when two connections checkpoint one WAL.

    Fixed in 3.51.3, and in the older lines with 3.50.7 and 3.44.6. A trail opens each of
    its files with one writing connection, so that it takes another program to meet it.
    """
    if version[:2] in {(3, 44), (3, 50)}:
        return version[2] < {44: 6, 50: 7}[version[1]]
    return version < (3, 51, 3)


def open_for_writing(
    path: Path,
    *,
    schema: str,
    journal: Journal = "WAL",
    synchronous: Synchronous = "FULL",
    since_version_2: str | None = None,
) -> sqlite3.Connection:
    """Open a database, creating it with this schema when the file is empty or missing.

    Args:
        path: The file.
        schema: Its tables in version 1, each statement on lines of its own.
        journal: How SQLite keeps commits whole.
        synchronous: Whether a commit waits for the disk.
        since_version_2: A table that version 2 has more; without it the file stays at
            version 1.

    Raises:
        TrailError: it cannot be opened or written, or is another kind of file.
    """
    _require_sqlite()
    try:
        # SQLite gives its side files the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
        connection = _connect(path, mode="rw")
    except (OSError, sqlite3.Error) as error:
        raise _cannot("open", path, error) from error
    try:
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        # On macOS a plain fsync does not reach the disk; elsewhere this does nothing.
        connection.execute("PRAGMA fullfsync=1")
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("BEGIN IMMEDIATE")
        if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            for statement in schema.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute("PRAGMA user_version=1")
        if since_version_2 is not None and _version(connection) == 1:
            connection.execute(since_version_2)
            connection.execute("PRAGMA user_version=2")
        connection.execute("COMMIT")
        _require_kind(connection, path=path)
    except sqlite3.Error as error:
        connection.close()
        raise _cannot("open", path, error) from error
    except TrailError:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open a database that is there, without writing to it.

    A directory that cannot be written is read as it stands, if nobody is writing.

    Raises:
        TrailError: there is none, it cannot be read, or is another kind of file.
    """
    _require_sqlite()
    if not path.is_file():
        raise TrailError(f"there is no `{path}`: restore it")
    try:
        connection = _connect(path, mode="ro", immutable=_is_closed(path))
    except sqlite3.Error as error:
        raise _cannot("read", path, error) from error
    try:
        _require_kind(connection, path=path)
    except sqlite3.Error as error:
        connection.close()
        raise _cannot("read", path, error) from error
    return connection


def _is_closed(path: Path) -> bool:
    """Say whether a file was closed well, and can be read without leaving a trace.

    One with a WAL has commits there; one with a journal may have half a commit in itself.
    """
    return not any(
        path.with_name(f"{path.name}-{side}").exists() for side in ("wal", "journal")
    )


def undo_half_done(path: Path) -> None:
    """Undo a change that a crash cut off; for whoever may write the file.

    Raises:
        TrailError: it cannot be undone.
    """
    if not path.is_file() or _is_closed(path):
        return
    try:
        connection = _connect(path, mode="rw")
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _cannot("open", path, error) from error


def insert_rows(
    connection: sqlite3.Connection, into: str, rows: Sequence[tuple[object, ...]]
) -> None:
    """Insert rows in a few statements.

    Each statement, and in `executemany` each row, lets go of the interpreter's lock,
    and where another thread computes it comes back after 5 ms.

    Args:
        connection: Inside a transaction.
        into: The table with its columns, as `entry (idx, body)`: ours, never input.
        rows: A value for each column.

    Raises:
        sqlite3.Error: not all are inserted; roll back.
    """
    done = 0
    for count in _ROWS_AT_ONCE:
        while len(rows) - done >= count:
            chunk = rows[done : done + count]
            connection.execute(
                _statement(into, columns=len(chunk[0]), rows=count),
                tuple(chain.from_iterable(chunk)),
            )
            done += count


@lru_cache(maxsize=64)
def _statement(into: str, *, columns: int, rows: int) -> str:
    marks = f"({', '.join('?' * columns)})"
    return f"INSERT INTO {into} VALUES {', '.join([marks] * rows)}"  # noqa: S608 -- ours


def rows_of(
    connection: sqlite3.Connection,
    query: str,
    *values: object,
    types: tuple[type, ...],
    path: Path,
) -> Iterator[tuple[Any, ...]]:
    """Read rows whose columns have these types; a damaged file can hold others.

    Raises:
        TrailError: they cannot be read, or a column has another type.
    """
    try:
        rows = connection.execute(query, values)
        kinds = [{kind} for kind in types]
        while many := rows.fetchmany(_ROWS_READ):
            if [set(map(type, column)) for column in zip(*many, strict=True)] != kinds:
                raise TrailError(f"`{path}` is damaged: a row is not of its table")
            yield from many
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        raise _cannot("read", path, error) from error


def is_blank(path: Path, *, writing: bool = True) -> bool:
    """Say whether a file is missing, or a database whose creation was cut off.

    Args:
        path: The file.
        writing: For the process that has claimed the log: what a crash has left
            half-done is undone on the way, which takes the right to write. A reader
            changes nothing.

    Raises:
        TrailError: it cannot be read.
    """
    if not path.is_file():
        return True
    try:
        closed = not writing and _is_closed(path)
        connection = _connect(path, mode="rw" if writing else "ro", immutable=closed)
        try:
            query = "SELECT count(*) FROM sqlite_master"
            return bool(connection.execute(query).fetchone()[0] == 0)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _cannot("read", path, error) from error


def is_begun(path: Path) -> bool:
    """Say whether a database is there with its tables, which are made at once.

    For readers: nothing is written, and a creation that was cut off is left as it is.

    Raises:
        TrailError: it cannot be read.
    """
    if not path.is_file():
        return False
    try:
        connection = _connect(path, mode="ro", immutable=_is_closed(path))
        try:
            query = "SELECT 1 FROM sqlite_master LIMIT 1"
            return connection.execute(query).fetchone() is not None
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _cannot("read", path, error) from error


def leak(connection: sqlite3.Connection) -> None:
    """Let go of a connection in a forked child, where closing it would do harm.

    It could take away the parent's locks and its WAL, so the connection has to
    outlive even the interpreter's shutdown.
    """
    immortalise(connection)


def immortalise(connection: object) -> None:
    """Keep an object from being closed by its own end, for as long as the process."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def require_sound(connection: sqlite3.Connection, *, path: Path) -> None:
    """Refuse a database whose pages or indexes contradict each other.

    Raises:
        TrailError: SQLite's own check finds a fault.
    """
    try:
        first = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _cannot("read", path, error) from error
    if first is None or first[0] != "ok":
        found = str(first[0]).splitlines()[-1] if first else "no answer"
        raise TrailError(f"`{path}` is damaged: {found}: restore it")


def _connect(path: Path, *, mode: str, immutable: bool = False) -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}?mode={mode}"
    return sqlite3.connect(
        f"{uri}&immutable=1" if immutable else uri,
        uri=True,
        timeout=_PATIENCE_SECONDS,
        # Transactions are ours to begin and to end.
        isolation_level=None,
        # One lock of the trail orders all threads.
        check_same_thread=False,
    )


def _require_kind(connection: sqlite3.Connection, *, path: Path) -> None:
    kind = connection.execute("PRAGMA application_id").fetchone()[0]
    version = _version(connection)
    if kind == APPLICATION_ID and version in VERSIONS:
        _require_plain(connection, path=path)
        return
    connection.close()
    if kind == APPLICATION_ID and version > max(VERSIONS):
        raise NewerTrailError(
            f"`{path}` is of a newer version of policyguard: use that version here, too"
        )
    raise TrailError(f"`{path}` is no database of a trail: restore it")


def _require_plain(connection: sqlite3.Connection, *, path: Path) -> None:
    """Refuse what would run, or stand for a table, inside whoever opens a database."""
    # As bytes: in a damaged file a name may be no text.
    query = "SELECT type, CAST(name AS BLOB) FROM sqlite_master"
    query += " WHERE type IN ('trigger', 'view')"
    try:
        found = connection.execute(query).fetchone()
    except UnicodeDecodeError as error:
        # What SQLite says of a damaged schema may be no text either.
        connection.close()
        raise _cannot("read", path, error) from error
    if found is not None:
        connection.close()
        name = bytes(found[1]).decode("utf-8", "replace")
        raise TrailError(
            f"`{path}` has the {found[0]} `{name}`, and no trail has one: somebody has"
            " changed it: restore it"
        )


@contextmanager
def on_disk(what: Literal["open", "write"], path: Path) -> Iterator[None]:
    """Say as a TrailError what SQLite says of the disk in a block."""
    try:
        yield
    except sqlite3.Error as error:
        raise _cannot(what, path, error) from error


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _require_sqlite() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise TrailError(
            f"SQLite {sqlite3.sqlite_version} is too old for a trail:"
            f" use a Python with {'.'.join(map(str, OLDEST_SQLITE))} or later"
        )


def _cannot(what: str, path: Path, error: Exception) -> TrailError:
    if getattr(error, "sqlite_errorname", "") in _HALF_DONE:
        return CutOffError(
            f"`{path}` was left in the middle of a change, as by a crash, and whoever"
            " only reads cannot undo it: start the application that writes it, then try"
            " again"
        )
    reason = getattr(error, "strerror", None) or str(error)
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary in _OUT_OF_REACH or is_out_of_reach(error):
        return OutOfReachError(
            f"cannot {what} `{path}`: {reason.lower()}: check its permissions, and who"
            " else has it open"
        )
    return TrailError(
        f"cannot {what} `{path}`: {reason.lower()}: check its permissions and its disk,"
        " or restore it"
    )
