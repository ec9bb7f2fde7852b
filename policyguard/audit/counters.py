"""Counts of distinct people over time: what earlier calls add up to.

Owner: all processes of a trail share the file `counters.sqlite` in its directory; each
work is one transaction on a connection of its own, so nothing crosses a fork or a
thread. People are kept as HMAC-SHA256 (RFC 2104) under a key in a file of its own: the
counts name nobody, and without the key nobody can be looked up. Whoever can write the
file can lower a count.

INVARIANT: what a call would add is reserved in the transaction that reads what was
there, before the call. So of calls at once each sees the others, and no two of them pass
a threshold together. A reservation counts until it is released; a crash leaves it, and
it counts as a call that was made.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from policyguard.audit.layout import Layout, read_small
from policyguard.audit.stores.database import open_for_writing
from policyguard.errors import ConfigurationError, TrailError
from policyguard.signing.key_file import create_key_file

KEY_BYTES: Final = 32
_PERSON_BYTES: Final = 16
_SETTLED: Final = ""
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
class Share:
    """Is what one call adds to one count, and since when that count runs."""

    scope: str
    """Whose count it is, as a tenant and a counterparty."""
    category: str
    since: int
    """Seconds since 1970, UTC; what was at this second or before counts no more."""
    persons: frozenset[bytes] = frozenset()
    """Pseudonyms, as `pseudonyms` returns them."""
    unnamed: int = 0
    """People of whom only the number is known: each counts as somebody new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Counts distinct people in the directory of a trail."""

    layout: Layout

    def pseudonyms(self, persons: Iterable[str]) -> frozenset[bytes]:
        """Return what is kept in the place of people's ids.

        Raises:
            TrailError: the key cannot be read or made.
        """
        key = self._key()
        return frozenset(
            hmac.digest(key, person.encode("utf-8"), hashlib.sha256)[:_PERSON_BYTES]
            for person in persons
        )

    def reserve(
        self,
        shares: Sequence[Share],
        *,
        reservation: str,
        call: str,
        at: int,
        keep: bool = True,
    ) -> Mapping[tuple[str, str], int]:
        """Return what is counted beside the people of a call, and count them, too.

        Args:
            shares: What the call adds, for each count that it is asked about.
            reservation: The name under which it is settled or released.
            call: The id of the call: its own earlier attempts are not counted twice.
            at: The instant of the call, in seconds since 1970, UTC.
            keep: Whether to reserve; else it is only read.

        Raises:
            TrailError: the counters cannot be reached.
        """
        with self._transaction() as connection:
            counts = {
                (share.scope, share.category): _counted(connection, share, call=call)
                for share in shares
            }
            if keep:
                for share in shares:
                    _add(connection, share, reservation=reservation, call=call, at=at)
        return counts

    def settle(self, reservation: str) -> None:
        """Let a reservation count for good: its call was made.

        Raises:
            TrailError: the counters cannot be reached; the reservation counts as it is.
        """
        with self._transaction() as connection:
            run = connection.execute
            run(
                "INSERT INTO seen SELECT scope, category, person, ?, at FROM seen"
                " WHERE reservation = ? ON CONFLICT DO UPDATE SET"
                " at = max(at, excluded.at)",
                (_SETTLED, reservation),
            )
            run("DELETE FROM seen WHERE reservation = ?", (reservation,))
            run(
                "UPDATE unnamed SET reservation = ? WHERE reservation = ?",
                (_SETTLED, reservation),
            )

    def release(self, reservation: str) -> None:
        """Forget a reservation: its call was not made.

        Raises:
            TrailError: the counters cannot be reached; the reservation goes on counting.
        """
        with self._transaction() as connection:
            run = connection.execute
            run("DELETE FROM seen WHERE reservation = ?", (reservation,))
            run("DELETE FROM unnamed WHERE reservation = ?", (reservation,))

    def _key(self) -> bytes:
        path = self.layout.counters_key
        if not path.exists():
            if self.layout.counters.exists():
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

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        path = self.layout.counters
        # The old journal: many writers of one WAL can lose data in SQLite before 3.51.3.
        connection = open_for_writing(path, schema=_SCHEMA, journal="DELETE")
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise TrailError(
                f"`{path}` cannot be used: {error}: check its permissions and its disk,"
                " or restore it"
            ) from error
        finally:
            # What was not committed is rolled back.
            connection.close()


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
