"""Counts of people in a file: `counters.sqlite` in the directory of a trail.

Owner: all processes of the trail share the file and the key of its hashes; each work is
one transaction on a connection of its own, so nothing crosses a fork or a thread. A crash
leaves what was committed. Whoever can write the file can lower a count, and is refused if
it is an older file; without the key nobody can be looked up in it.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policyguard.audit.counters import KEY_BYTES, SETTLED, Share
from policyguard.audit.layout import Layout, read_small
from policyguard.audit.stores.shared_file import CountedFile
from policyguard.errors import ConfigurationError, TrailError
from policyguard.signing.key_file import create_key_file

_REMEMBERED_EVERY: Final = 16
"""Changes: each that is remembered waits for the disk twice more."""
_SCHEMA: Final = """
CREATE TABLE seen (
  scope TEXT NOT NULL, category TEXT NOT NULL, person BLOB NOT NULL,
  reservation TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (scope, category, person, reservation)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_reservation ON seen (reservation);
CREATE TABLE unnamed (
  scope TEXT NOT NULL, category TEXT NOT NULL, call TEXT NOT NULL,
  reservation TEXT NOT NULL, at INTEGER NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (scope, category, call)
) STRICT, WITHOUT ROWID"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFile:
    """Counts distinct people in the directory of a trail."""

    layout: Layout

    def key(self) -> bytes:
        """Return the bytes under which people are hashed; make them if need be."""
        path = self.layout.counters_key
        if not path.exists():
            # Looked for again: the first to count may have made it meanwhile.
            if self._anybody() and not path.exists():
                # With a new key everybody would be somebody new, or nobody known.
                raise TrailError(
                    f"there is no `{path}`, under which people were counted: restore it"
                )
            try:
                create_key_file(path, data=secrets.token_bytes(KEY_BYTES))
            except ConfigurationError as error:
                if not path.exists():
                    raise TrailError(f"people cannot be counted: {error}") from error
        key = read_small(path)
        if len(key) != KEY_BYTES:
            raise TrailError(f"`{path}` is damaged: restore it")
        return key

    def reserve(
        self,
        shares: Sequence[Share],
        *,
        reservation: str,
        call: str,
        at: int,
        keep: bool,
    ) -> Mapping[tuple[str, str], int]:
        """Return counts by scope and category, and add to them, in one transaction."""
        with self._file.changing() as connection:
            counts = {
                (share.scope, share.category): _counted(connection, share, call=call)
                for share in shares
            }
            if keep:
                for share in shares:
                    _add(connection, share, reservation=reservation, call=call, at=at)
        return counts

    def settle(self, reservation: str) -> None:
        """Let a reservation count for good: its call was made."""
        with self._file.changing() as connection:
            run = connection.execute
            run(
                "INSERT INTO seen SELECT scope, category, person, ?, at FROM seen"
                " WHERE reservation = ? ON CONFLICT DO UPDATE SET"
                " at = max(at, excluded.at)",
                (SETTLED, reservation),
            )
            run("DELETE FROM seen WHERE reservation = ?", (reservation,))
            run(
                "UPDATE unnamed SET reservation = ? WHERE reservation = ?",
                (SETTLED, reservation),
            )

    def release(self, reservation: str) -> None:
        """Forget a reservation: its call was not made."""
        with self._file.changing() as connection:
            run = connection.execute
            run("DELETE FROM seen WHERE reservation = ?", (reservation,))
            run("DELETE FROM unnamed WHERE reservation = ?", (reservation,))

    def _anybody(self) -> bool:
        """Say whether somebody was counted under a key, or the counts were lost."""
        if not self.layout.counters.exists():
            return self.layout.begun(self.layout.counters).exists()
        with self._file.reading() as connection:
            row = connection.execute("SELECT EXISTS (SELECT 1 FROM seen)").fetchone()
        return bool(row[0])

    @property
    def _file(self) -> CountedFile:
        # One that was lost or put back must not count from less: a call would pass a
        # threshold.
        path = self.layout.counters
        memory = self.layout.begun(path)
        return CountedFile(
            path=path, memory=memory, schema=_SCHEMA, every=_REMEMBERED_EVERY
        )


def _counted(connection: sqlite3.Connection, share: Share, *, call: str) -> int:
    run = connection.execute
    run("CREATE TEMP TABLE IF NOT EXISTS here (person BLOB PRIMARY KEY)")
    run("DELETE FROM temp.here")
    connection.executemany(
        "INSERT INTO temp.here VALUES (?)", ((person,) for person in share.persons)
    )
    where = (share.scope, share.category, share.since)
    (named,) = run(
        "SELECT count(DISTINCT person) FROM seen WHERE scope = ? AND category = ?"
        " AND at > ? AND person NOT IN (SELECT person FROM temp.here)",
        where,
    ).fetchone()
    (unnamed,) = run(
        "SELECT ifnull(sum(n), 0) FROM unnamed WHERE scope = ? AND category = ?"
        " AND at > ? AND call <> ?",
        (*where, call),
    ).fetchone()
    return int(named) + int(unnamed)


def _add(
    connection: sqlite3.Connection,
    share: Share,
    *,
    reservation: str,
    call: str,
    at: int,
) -> None:
    key = (share.scope, share.category)
    connection.executemany(
        "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)",
        ((*key, person, reservation, at) for person in share.persons),
    )
    if share.unnamed:
        # An attempt that is made again adds nobody; the first one's stays.
        connection.execute(
            "INSERT INTO unnamed VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (*key, call, reservation, at, share.unnamed),
        )
