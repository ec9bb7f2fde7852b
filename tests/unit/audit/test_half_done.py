"""Files that a crash left in the middle of a change, and those of another version."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from trails import CALLER, append_pair, made_trail

from policyguard.audit.layout import Layout
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import CutOffError, NewerTrailError, TamperedError

KILLED_WHILE_WRITING = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
# So little memory that pages go into the file before they are committed.
database.execute("PRAGMA cache_size = 2")
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE caller SET salt = zeroblob(32), id = 'changed-' || pseudonym")
os.kill(os.getpid(), signal.SIGKILL)
"""


def left_half_done(directory: Path) -> Path:
    """Make a trail with many callers, whose file is cut off in an update of all."""
    trail = Trail.create(directory, name="acme.example")
    for number in range(300):
        trail.pseudonym(f"{number:03}@acme.example")
    append_pair(trail)
    trail.close()
    callers = Layout.of(directory).callers
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_WRITING, str(callers)], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert callers.with_name(f"{callers.name}-journal").exists()
    return callers


def test_readers_say_so_and_leave_it_as_it_is(tmp_path: Path) -> None:
    directory = tmp_path / "trail"
    callers = left_half_done(directory)
    digest = sha256(callers.read_bytes()).digest()

    for read in (
        lambda: verify_trail(directory),
        lambda: TrailReader.open(directory).pseudonym(CALLER),
    ):
        with pytest.raises(CutOffError, match="in the middle of a change"):
            read()

    assert sha256(callers.read_bytes()).digest() == digest
    assert callers.with_name(f"{callers.name}-journal").exists()


def test_whoever_writes_next_undoes_what_was_not_committed(tmp_path: Path) -> None:
    directory = tmp_path / "trail"
    callers = left_half_done(directory)

    trail = Trail.open(directory)
    append_pair(trail)
    trail.close()

    verified = verify_trail(directory)
    assert not callers.with_name(f"{callers.name}-journal").exists()
    assert (verified.logs[0][1], verified.missing) == (5, 0)
    assert TrailReader.open(directory).pseudonym("299@acme.example") is not None


@pytest.mark.parametrize("name", ["log.sqlite", "vault.sqlite"])
def test_files_of_a_newer_version_are_named_as_such(tmp_path: Path, name: str) -> None:
    directory = made_trail(tmp_path / "trail")
    with (
        closing(sqlite3.connect(directory / "logs/app-1" / name)) as database,
        database,
    ):
        database.execute("PRAGMA user_version = 99")

    for use in (Trail.open, verify_trail):
        with pytest.raises(NewerTrailError, match="of a newer version of policyguard"):
            use(directory)


def test_a_vault_of_the_first_version_is_brought_up_when_it_is_written(
    tmp_path: Path,
) -> None:
    directory = made_trail(tmp_path / "trail")
    vault = directory / "logs/app-1/vault.sqlite"
    with closing(sqlite3.connect(vault)) as database, database:
        database.execute("DROP TABLE ahead")
        database.execute("PRAGMA user_version = 1")
    before = verify_trail(directory)

    trail = Trail.open(directory)
    append_pair(trail)
    trail.close()

    with closing(sqlite3.connect(vault)) as database, database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
    assert before.logs[0][1] == 7
    assert verify_trail(directory).logs[0][1] == 9


KILLED_WHILE_MAKING = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 2")
database.execute("BEGIN IMMEDIATE")
database.execute("CREATE TABLE first (body BLOB)")
for _ in range(300):
    database.execute("INSERT INTO first VALUES (zeroblob(2000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    "file", ["trail/logs/cli-1/log.sqlite", "trail.lock/cli-1.sqlite"]
)
def test_a_slot_whose_first_change_was_never_ended_keeps_nobody_from_reading(
    tmp_path: Path, file: str
) -> None:
    made_trail(tmp_path / "trail", pairs=1)
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    subprocess.run([sys.executable, "-c", KILLED_WHILE_MAKING, path], check=False)
    assert path.with_name(f"{path.name}-journal").exists()

    assert [log.slot for log in TrailReader.open(tmp_path / "trail").logs] == ["app-1"]


def test_a_log_that_is_remembered_is_missed_though_it_looks_half_done(
    tmp_path: Path,
) -> None:
    trail = made_trail(tmp_path / "trail", pairs=1)
    path = trail / "logs/app-1/log.sqlite"
    path.unlink()
    subprocess.run([sys.executable, "-c", KILLED_WHILE_MAKING, path], check=False)
    (trail / "trust").write_text("")

    with pytest.raises(TamperedError, match="app-1 has no key in the trust file"):
        TrailReader.open(trail)


def begun_by_two(directory: Path) -> Path:
    """Make a trail of two logs, of which the second has lost its records."""
    Trail.create(directory, name="acme.example").close()
    both = [Trail.open(directory) for _ in range(2)]
    for trail in both:
        append_pair(trail)
        trail.close()
    for file in ("log", "vault"):
        (directory / f"logs/app-2/{file}.sqlite").unlink()
    return directory


def test_a_log_whose_key_alone_was_made_before_a_crash_is_no_log_yet(
    tmp_path: Path,
) -> None:
    directory = begun_by_two(tmp_path / "trail")
    Layout.of(directory).head("app-2").unlink()

    assert [log.slot for log in TrailReader.open(directory).logs] == ["app-1"]
    assert len(verify_trail(directory).logs) == 1


def test_a_log_that_is_remembered_has_lost_its_records(tmp_path: Path) -> None:
    directory = begun_by_two(tmp_path / "trail")

    with pytest.raises(TamperedError, match="app-2"):
        verify_trail(directory)
