"""What is read of a log without verifying it whole is what its key has signed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from trails import append_pair, made_trail

from policyguard.audit.reader import Log, TrailReader
from policyguard.audit.signed_log import signed_log, signed_reader
from policyguard.audit.trail import Trail
from policyguard.errors import TamperedError, TrailError


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    return made_trail(tmp_path / "trail")


def log_of(trail: Path) -> Log:
    (log,) = TrailReader.open(trail).logs
    return log


def sql(trail: Path, *statements: str) -> None:
    with closing(sqlite3.connect(trail / "logs/app-1/log.sqlite")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_what_was_signed_is_read_as_it_is(trail: Path) -> None:
    log = log_of(trail)
    told: list[tuple[str, int, int]] = []

    signed = signed_log(log, progress=lambda *step: told.append(step))

    assert signed.size == 7
    assert list(signed.entries()) == list(log.entries())
    assert list(signed.entries(newest_first=True, start=2)) == list(
        log.entries(newest_first=True, start=2)
    )
    assert signed.find("6") == log.find("6")
    assert told == [("acme.example/app-1", 7, 7)]


def test_what_is_written_afterwards_is_not_read(trail: Path) -> None:
    signed = signed_log(log_of(trail))
    writer = Trail.open(trail)
    record = append_pair(writer)
    writer.close()

    assert [entry.index for entry in signed.entries(start=5)] == [5, 6]
    assert [entry.index for entry in signed.entries(newest_first=True)][:2] == [6, 5]
    assert signed.find(record) is None
    assert signed.find("7") is None
    assert [log.find(record) is None for log in signed_reader_of(trail).logs] == [False]


def signed_reader_of(trail: Path) -> TrailReader:
    return signed_reader(TrailReader.open(trail))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entry SET leaf = zeroblob(32) WHERE idx = 3",
        "DELETE FROM entry WHERE idx = 3",
        "DELETE FROM entry WHERE idx = 6",
        "UPDATE entry SET idx = 9 WHERE idx = 6",
        "UPDATE entry SET idx = -1 WHERE idx = 0",
        "UPDATE head SET size = 6",
        "UPDATE head SET note = replace(note, '7', '6')",
    ],
)
def test_hashes_that_are_not_those_that_were_signed_are_found(
    trail: Path, change: str
) -> None:
    sql(trail, change)

    with pytest.raises(TamperedError):
        signed_log(log_of(trail))


def test_hashes_that_are_no_bytes_are_found(trail: Path) -> None:
    sql(
        trail,
        "CREATE TABLE other AS SELECT * FROM entry",
        "DROP TABLE entry",
        "ALTER TABLE other RENAME TO entry",
        "UPDATE entry SET leaf = 7 WHERE idx = 3",
    )

    with pytest.raises(TamperedError, match="not what was signed"):
        signed_log(log_of(trail))


def test_a_log_without_a_head_is_not_read(trail: Path) -> None:
    sql(trail, "DELETE FROM head")

    with pytest.raises(TrailError, match="has no records"):
        signed_log(log_of(trail))
