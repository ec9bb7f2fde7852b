"""Trails in PostgreSQL for tests: databases, writers in processes, a wire to cut."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
import pytest
from services import Postgres, binaries

from policyguard.audit.reader import TrailReader
from policyguard.signing.key_source import FileKeys

TESTS: Final = Path(__file__).parent
SECRET: Final = b"what the fleet's writers share"
KEYS: Final = FileKeys(passphrase=lambda: SECRET)
NAME: Final = "fleet.example"
_NUMBERS: Final = count()

WRITE: Final = """
import logging, sys
logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # it tells of ended sessions
from fleet import KEYS
from trails import append_pair
from policyguard.audit.trail import Trail
from policyguard.errors import PolicyGuardError
trail = Trail.open(sys.argv[1], keys=KEYS)
print("open", flush=True)
for _ in range(int(sys.argv[2])):
    try:
        print(append_pair(trail), flush=True)
    except PolicyGuardError as error:
        print("refused", error, file=sys.stderr, flush=True)
if len(sys.argv) > 3:
    trail.close()
"""


def needs_postgres(otherwise: str) -> pytest.MarkDecorator:
    """Skip a module where there is no server, and say what was not tested then."""
    return pytest.mark.skipif(
        binaries() is None, reason=f"PostgreSQL is missing: {otherwise}"
    )


def database(
    server: Postgres, name: str | None = None, *, like: str = "template1"
) -> str:
    """Make a database, and return its URI as its owner.

    Args:
        server: Where.
        name: Without it one that nobody has.
        like: The name or the URI of the database that it is a copy of.
    """
    name = name or f"made{next(_NUMBERS)}"
    like = like.rpartition("/")[2]
    with psycopg.connect(server.url(), autocommit=True) as session:
        session.execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
    return server.url(name)


def logins(url: str) -> None:
    """Make the accounts that log in, with the roles that a preparation has made."""
    with psycopg.connect(url, autocommit=True) as session:
        for user, role in (
            ("app", "writer"),
            ("auditor", "reader"),
            ("notary", "anchor"),
        ):
            with suppress(psycopg.errors.DuplicateObject):
                session.execute(f"CREATE ROLE {user} LOGIN")
            session.execute(f"GRANT policyguard_{role} TO {user}")


def start(url: str, *, pairs: int, close: bool = True) -> subprocess.Popen[str]:
    """Start a writer of so many pairs in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, url, str(pairs), *(["close"] if close else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
    )


def as_user(url: str, user: str) -> str:
    """Return the URI for another account."""
    scheme, _, place = url.rpartition("@")
    return f"{scheme.rpartition('/')[0]}/{user}@{place}"


def kept(url: str) -> set[str]:
    """Return the ids of all records."""
    return {
        entry.record().id
        for log in TrailReader.open(url).logs
        for entry in log.entries()
    }


def sizes(url: str) -> dict[str, int]:
    """Return how many records each log has."""
    return {log.slot: log.head().size for log in TrailReader.open(url).logs}


def tamper(url: str, *statements: str) -> None:
    """Change tables as whoever owns the server can: no trigger, no grant."""
    with psycopg.connect(url) as session:
        session.execute("SET session_replication_role = replica")
        for statement in statements:
            session.execute(statement)


def terminate(url: str) -> int:
    """End every other session of a database; return how many there were."""
    with psycopg.connect(url, autocommit=True) as session:
        rows = session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return len(rows)


class Wire:
    """Is a way to a server that can be cut: before a commit, or before its answer."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.cut_answer_to: bytes | None = None
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Cut all, and answer no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for side in self._open:
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        for side in self._open:
            side.close()
        self._open.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self._open += [client, server]
                for ends in ((client, server), (server, client)):
                    thread = threading.Thread(
                        target=self._carry,
                        args=ends,
                        kwargs={"asks": ends[0] is client},
                        daemon=True,
                    )
                    thread.start()
                    self._threads.append(thread)

    def _carry(
        self, source: socket.socket, target: socket.socket, *, asks: bool
    ) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
                if asks and self.cut_answer_to and self.cut_answer_to in data:
                    # The server has heard it; the client never hears the answer.
                    self.cut_answer_to = None
                    self.cuts += 1
                    source.shutdown(socket.SHUT_RDWR)
        for side in (source, target):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire_to(server: Postgres) -> Iterator[Wire]:
    """Lay a wire to a server for a block."""
    wire = Wire(server.port)
    try:
        yield wire
    finally:
        wire.close()
