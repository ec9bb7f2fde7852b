"""Reading a trail in files: a record by its id, and contents by their records."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from trails import append_pair, decision, made_trail, outcome

from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.vault import Sealed, Vault
from policyguard.audit.vault_reading import read_contents
from policyguard.audit.verify import verify_trail

LOG = "logs/app-1/log.sqlite"


def found(directory: Path, record: str) -> int | None:
    """Return the index at which a trail finds a record by its id."""
    (log,) = TrailReader.open(directory).logs
    entry = log.find(record)
    return None if entry is None else entry.index


def edit(directory: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    """Change a log behind its writer's back."""
    with closing(sqlite3.connect(directory / LOG)) as other, other:
        for statement in statements:
            other.execute(statement, values)
    other.close()


def test_a_record_is_found_by_its_own_id(tmp_path: Path) -> None:
    trail = Trail.create(tmp_path / "trail")
    records = [outcome(str(number)) for number in range(40)]
    for record in records:
        trail.append(record)
    trail.close()

    indexes = [found(tmp_path / "trail", record.id) for record in records]

    assert indexes == list(range(1, 41))
    # The call that a record names is no record.
    assert found(tmp_path / "trail", records[0].call_id) is None


def test_whoever_waits_for_a_proof_is_told_how_far_it_is(tmp_path: Path) -> None:
    (log,) = TrailReader.open(made_trail(tmp_path / "trail", pairs=300)).logs
    told: list[tuple[str, int, int]] = []

    log.proof(5, progress=lambda *said: told.append(said))

    assert told[-1] == ("acme.example/app-1", 601, 601)
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})


def test_a_slot_that_a_crash_left_half_claimed_keeps_nobody_from_reading(
    tmp_path: Path,
) -> None:
    trail = Trail.create(tmp_path / "trail")
    trail.append(outcome("one"))
    trail.close()
    lock = tmp_path / "trail.lock"
    (lock / "cli-1.sqlite").touch()
    with closing(sqlite3.connect(lock / "cli-2.sqlite")) as begun, begun:
        begun.execute("PRAGMA journal_mode=WAL")
    begun.close()

    assert [log.slot for log in TrailReader.open(tmp_path / "trail").logs] == ["app-1"]


@pytest.mark.parametrize(
    ("body", "index"),
    [
        (b'{"id":"wanted"}', 1),
        (b'{"id":"other","within":{"id":"wanted"}}', None),
        (b'{"within":[{"id":"wanted"}]}', None),
        (b'[{"id":"wanted"}]', None),
        (b'{"id":"wanted"', None),
    ],
)
def test_what_only_names_an_id_is_not_the_record(
    tmp_path: Path, body: bytes, index: int | None
) -> None:
    trail = Trail.create(tmp_path / "trail")
    trail.append(outcome("x"))
    trail.close()

    edit(tmp_path / "trail", "UPDATE entry SET body = ? WHERE idx = 1", values=(body,))

    assert found(tmp_path / "trail", "wanted") == index


def test_a_log_with_columns_of_its_own_is_read_and_written_as_it_is(
    tmp_path: Path,
) -> None:
    trail = Trail.create(tmp_path / "trail")
    first = decision()
    trail.append_decision(first, caller=None, content={})
    trail.close()
    # As older versions have made logs.
    edit(
        tmp_path / "trail",
        "ALTER TABLE entry ADD COLUMN id TEXT"
        " GENERATED ALWAYS AS (json_extract(CAST(body AS TEXT), '$.id')) VIRTUAL",
        "CREATE UNIQUE INDEX entry_id ON entry (id)",
    )
    trail = Trail.open(tmp_path / "trail")
    second = append_pair(trail)

    trail.close()

    ids = [str(first["id"]), second]
    assert [found(tmp_path / "trail", name) for name in ids] == [1, 2]
    assert verify_trail(tmp_path / "trail").logs[0][1] == 4


def test_contents_are_found_whatever_lies_between_them(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite"
    vault = Vault(path)
    names = [f"{number:03}" for number in range(100)]
    kept = {name: Sealed.of(name, name.encode()) for name in names}
    vault.keep(list(kept.values()))
    vault.close()

    for wanted in (
        ["000", "099"],
        ["010", "013"],
        ["007"],
        names[20:60],
        ["050", "none"],
        [],
    ):
        rows = read_contents(path, records=wanted)

        there = [kept[name] for name in wanted if name in kept]
        assert sorted(rows) == [(item.record, item.salt, item.body) for item in there]
