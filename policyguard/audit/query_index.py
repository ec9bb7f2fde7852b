"""Reads logs into tables that can be asked, and verifies every leaf on the way.

Owner: whoever opened the index; it is a private database of SQLite in a temporary file
that nobody else can open, gone when it is closed. Nothing of a store is believed but
the bytes of the leaves and the signed head: all leaves are hashed, and their root has
to be the one that the log's key has signed. So whoever changes a column, a schema or an
index of the store changes no answer, and whoever changes a leaf is told so.

INVARIANT: a statement that is run here can read these tables and do nothing else.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Self

from policyguard.audit.log_verification import Progress
from policyguard.audit.query_columns import (
    INDEXES,
    Cell,
    insertions,
    rows_of_leaf,
    schema,
)
from policyguard.audit.query_proofs import LeafHashes
from policyguard.audit.reader import Entry, Log
from policyguard.audit.stores.sqlite import require_signed
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    NewerRecordError,
    NewerTrailError,
    TamperedError,
    VerificationError,
)
from policyguard.tlog import Checkpoint, Frontier, leaf_hash

DEFAULT_SECONDS: Final = 30.0
_BATCH: Final = 1_024
_OUTCOME: Final = b'"kind":"outcome"'
_NOT_CALLED: Final = frozenset({"fts3_tokenizer", "load_extension"})
_MOST_HELD: Final = 64 << 20
"""Characters and bytes in all rows of an answer."""
_STEPS_BETWEEN_LOOKS: Final = 20_000
_LONGEST_VALUE: Final = 4_000_000
_LONGEST_STATEMENT: Final = 100_000
_CURSOR: Final = re.compile(r"([a-z]{1,8}-[0-9]{1,3}):([0-9]{1,18})")
_READS: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Says which records a query looks at.

    `after` is a cursor `LOG:ENTRY` as the last row of an answer has it: logs whose name
    sorts before that log's are left out, and its records up to that entry.
    """

    since: str | None = None
    """RFC 3339 in UTC: records of this time or later."""
    until: str | None = None
    """Records before this time."""
    after: str | None = None

    def first_of(self, log: str, *, size: int) -> int | None:
        """Return the first index of a log that is looked at; `None`: none is.

        Args:
            log: Its slot.
            size: How many records it has.

        Raises:
            ConfigurationError: the cursor is none, or behind the log's end.
        """
        if self.after is None:
            return 0
        slot, entry = read_cursor(self.after)
        if log != slot:
            return 0 if log > slot else None
        return first_behind(entry, log=log, size=size)

    def has(self, moment: str) -> bool:
        """Say whether a record of this time is looked at."""
        return (self.since is None or moment >= self.since) and (
            self.until is None or moment < self.until
        )


def read_cursor(text: str) -> tuple[str, int]:
    """Return the log and the entry that a cursor names.

    Raises:
        ConfigurationError: it is none.
    """
    cursor = _CURSOR.fullmatch(text)
    if cursor is None:
        raise ConfigurationError(
            f"`{text}` is no cursor: give log and entry, as `app-1:4711`"
        )
    return cursor[1], int(cursor[2])


def first_behind(entry: int, *, log: str, size: int) -> int:
    """Return the index behind an entry that a cursor names.

    Raises:
        ConfigurationError: the log, of `size` records, has no such entry.
    """
    if entry >= size:
        raise ConfigurationError(
            f"the cursor `{log}:{entry}` is behind the end of `{log}`, which has {size}"
            " records: it is of another trail, or the log was put back"
        )
    return entry + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """Says what an answer was computed from, of one log."""

    origin: str
    size: int
    """How many records the log had: all of them were hashed."""
    root: str
    """Their root in hexadecimal, which the log's key has signed."""
    first: int
    """The first record that could be in the answer."""
    matched: int
    """How many of the records from there on have a time in the span."""


@dataclass(slots=True, kw_only=True)
class TrailIndex:
    """Holds the records of some logs as tables."""

    covered: tuple[Covered, ...]
    leaves: Mapping[str, LeafHashes] = field(repr=False)
    """By the name of the log: what proofs are made of."""
    connection: sqlite3.Connection = field(repr=False)

    @classmethod
    def build(
        cls,
        logs: Iterable[Log],
        *,
        span: Span | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Read and verify logs.

        Args:
            logs: The logs; they may be written meanwhile.
            span: The records that can be asked about; without it all.
            progress: Called as records are verified.

        Raises:
            TamperedError: a record is not what was signed.
            NewerTrailError: a newer version of this software has made one.
            TrailError: a log cannot be read.
            ConfigurationError: the span's cursor is none.
        """
        # An empty name is a private temporary file: memory stays bounded.
        connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        try:
            connection.executescript(schema())
            connection.execute("BEGIN")
            covered, leaves = [], {}
            for log in sorted(logs, key=lambda item: item.slot):
                hashes = LeafHashes(log=log)
                leaves[log.slot] = hashes
                covered.append(
                    _read_log(
                        log,
                        span=span or Span(),
                        into=_Tables(connection=connection),
                        hashes=hashes,
                        progress=progress,
                    )
                )
            connection.execute("COMMIT")
            connection.executescript(INDEXES)
            _lock_down(connection)
        except BaseException:
            connection.close()
            raise
        return cls(covered=tuple(covered), leaves=leaves, connection=connection)

    def select(
        self,
        statement: str,
        values: Mapping[str, Cell] | None = None,
        *,
        limit: int,
        seconds: float = DEFAULT_SECONDS,
    ) -> tuple[tuple[str, ...], list[tuple[Any, ...]], bool]:
        """Run one SELECT; return columns, rows, and whether rows were left out.

        Args:
            statement: The SQL.
            values: What stands for its `:names`.
            limit: The largest number of rows.
            seconds: How long it may take.

        Raises:
            ConfigurationError: it is no SELECT over the views, or takes too long.
        """
        deadline = time.monotonic() + seconds
        self.connection.set_progress_handler(
            lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS
        )
        try:
            found = self.connection.execute(statement, values or {})
            if found.description is None:
                raise ConfigurationError("that is no SELECT: only reading is possible")
            columns = tuple(column[0] for column in found.description)
            rows = list(_bounded(islice(found, limit + 1)))
        except sqlite3.OperationalError as error:
            if str(error) != "interrupted":
                raise _refused(error) from error
            raise ConfigurationError(
                f"the query took longer than {seconds:g} s: ask for less, or give it"
                " more time"
            ) from error
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise _refused(error) from error
        finally:
            self.connection.set_progress_handler(None, 0)
        return columns, rows[:limit], len(rows) > limit

    def close(self) -> None:
        """Forget everything."""
        self.connection.close()

    def __enter__(self) -> Self:
        """Use the index for a block, and close it at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the index."""
        self.close()


@dataclass(slots=True, kw_only=True)
class _Tables:
    """Collects rows and inserts them in batches."""

    connection: sqlite3.Connection
    waiting: dict[str, list[tuple[Cell, ...]]] = field(default_factory=dict)
    statements: dict[str, str] = field(default_factory=insertions)
    newer: NewerRecordError | None = None
    """The first record of a newer version."""

    def add(self, rows: Iterable[tuple[str, tuple[Cell, ...]]]) -> None:
        for table, row in rows:
            self.waiting.setdefault(table, []).append(row)

    def write(self, log: Log) -> None:
        for table, rows in self.waiting.items():
            try:
                self.connection.executemany(self.statements[table], rows)
            except sqlite3.IntegrityError as error:
                raise TamperedError(
                    f"a record of {log.origin} is none: {error}: run `policyguard audit"
                    " verify`, which says which"
                ) from error
        self.waiting.clear()


def _read_log(
    log: Log,
    *,
    span: Span,
    into: _Tables,
    hashes: LeafHashes,
    progress: Progress | None,
) -> Covered:
    """Verify a log up to its newest head, and insert what the span has of it."""
    try:
        # A head first and its records after: a log only grows.
        head = log.head()
        signed = require_signed(head, vkeys=log.vkeys, where=log.source.where)
    except (FormatError, VerificationError) as error:
        raise TamperedError(
            f"the head of {log.origin} cannot be verified: {error}"
        ) from error
    hashes.checkpoint, hashes.note = signed, head.note
    first = span.first_of(log.slot, size=signed.size)
    frontier, matched = Frontier(), 0
    for batch in _batches(log, size=signed.size):
        leaves = [leaf_hash(entry.body) for entry in batch]
        frontier = frontier.extend(leaves)
        hashes.extend(leaves)
        for entry in batch:
            looked_at = first is not None and entry.index >= first
            matched += _insert(
                entry, log=log, looked_at=looked_at, span=span, into=into
            )
        into.write(log)
        if progress:
            progress(log.origin, frontier.size, signed.size)
    _require_root(frontier, signed=signed)
    if into.newer is not None:
        # Signed as it is: nobody has changed it.
        raise NewerTrailError(str(into.newer)) from into.newer
    return Covered(
        origin=log.origin,
        size=signed.size,
        root=signed.root.hex(),
        first=signed.size if first is None else min(first, signed.size),
        matched=matched,
    )


def _insert(
    entry: Entry, *, log: Log, looked_at: bool, span: Span, into: _Tables
) -> bool:
    """Insert what the span has of a record; say whether it has the record."""
    if not looked_at and _OUTCOME not in entry.body:
        return False
    try:
        rows = list(rows_of_leaf(entry.body, log=log.slot, entry=entry.index))
    except NewerRecordError:
        into.newer = into.newer or NewerRecordError(entry.name)
        return False
    except FormatError as error:
        raise TamperedError(f"{entry.name} is no record: {error}") from error
    matched = looked_at and span.has(str(rows[0][1][4]))
    # A call that ended after the span has ended all the same.
    into.add(row for row in rows if matched or row[0] == "ending")
    return matched


def _batches(log: Log, *, size: int) -> Iterator[Sequence[Entry]]:
    entries = islice(log.entries(), size)
    wanted = 0
    while batch := list(islice(entries, _BATCH)):
        for entry in batch:
            if entry.index != wanted:
                raise TamperedError(
                    f"entry {wanted} of {log.origin} is missing: run `policyguard audit"
                    " verify`"
                )
            wanted += 1
        yield batch
    if wanted != size:
        raise TamperedError(
            f"entry {wanted} of {log.origin} is missing: the log ends before its signed"
            f" size of {size}"
        )


def _require_root(frontier: Frontier, *, signed: Checkpoint) -> None:
    if frontier.root() != signed.root:
        raise TamperedError(
            f"a record of {signed.origin} is not what was signed: run `policyguard audit"
            " verify`, which names it"
        )


def _lock_down(connection: sqlite3.Connection) -> None:
    """Let statements read, and nothing else, within bounds."""
    for function in ("json_each", "json_tree"):
        # A table of its own at its first use: to an authorizer that is a change.
        connection.execute(f"SELECT 1 FROM {function}('[]')")  # noqa: S608 -- ours
    connection.execute("PRAGMA query_only=ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _LONGEST_STATEMENT)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)

    def authorize(action: int, *named: object) -> int:
        function = action == sqlite3.SQLITE_FUNCTION and named[1] not in _NOT_CALLED
        allowed = action in _READS or function
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    connection.set_authorizer(authorize)


def _bounded(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Yield rows, as long as what they hold together is not too much."""
    held = 0
    for row in rows:
        held += sum(len(cell) for cell in row if isinstance(cell, (str, bytes)))
        if held > _MOST_HELD:
            raise ConfigurationError("the answer is too large: ask for less")
        yield row


def _refused(error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the query cannot be run: {error}: one SELECT over `decisions`,"
        " `rule_answers` and `records`"
    )
