"""Writing a trail: what is durable, what is refused, who may write."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from trails import (
    CALLER,
    SECRET,
    append_pair,
    copied,
    decision,
    entries,
    kinds,
    made_trail,
    outcome,
)

from policyguard.audit.layout import Layout
from policyguard.audit.leaf import MAX_LEAF_BYTES
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import (
    ConfigurationError,
    NotDurableError,
    TamperedError,
    TrailError,
)
from policyguard.vocabulary.decision import Place
from policyguard.vocabulary.record import DecisionRecord, GenesisRecord


def lock_of(directory: Path) -> Path:
    return Layout.of(directory).lock


def test_a_log_begins_with_its_genesis_and_remembers_in_order(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail", name="acme.example/web")
    fields = decision()

    places = [
        trail.append_decision(fields, caller=CALLER, content={"input": {}}),
        trail.append(outcome(fields["id"])),
    ]
    trail.close()

    origin = "acme.example/web/app-1"
    assert places == [
        Place(origin=origin, index=1),
        Place(origin=origin, index=2),
    ]
    assert kinds(tmp_path / "trail") == ["genesis", "decision", "outcome"]
    first = next(entries(tmp_path / "trail")).record()
    assert isinstance(first, GenesisRecord)
    assert (first.origin, first.vkey.split("+")[0]) == (origin, origin)


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    fields = decision(verdict="deny", purpose=None, countries=None)

    trail.append_decision(fields, caller=None, content={"input": {"a": 1}})
    trail.close()

    record = list(entries(tmp_path / "trail"))[1].record()
    assert isinstance(record, DecisionRecord)
    assert record.caller is None
    assert record == DecisionRecord.model_validate(
        {**fields, "caller": None, "input": record.input}
    )


def test_neither_caller_nor_content_is_in_the_log(tmp_path: Path) -> None:
    made_trail(tmp_path / "trail")

    log = (tmp_path / "trail/logs/app-1/log.sqlite").read_bytes()
    others = b"".join(
        path.read_bytes() for path in lock_of(tmp_path / "trail").iterdir()
    )

    assert CALLER.encode() not in log + others
    assert SECRET.encode() not in log + others
    assert SECRET.encode() in (tmp_path / "trail/logs/app-1/vault.sqlite").read_bytes()
    assert CALLER.encode() in (tmp_path / "trail/callers.sqlite").read_bytes()


def test_a_caller_has_one_pseudonym_in_all_logs_of_a_trail(tmp_path: Path) -> None:
    first = Trail.open_or_create(tmp_path / "trail")
    second = Trail.open_or_create(tmp_path / "trail")
    for trail in (first, second):
        append_pair(trail)
        append_pair(trail, caller="bob")
        trail.close()

    found = {
        record.caller
        for entry in entries(tmp_path / "trail")
        if isinstance(record := entry.record(), DecisionRecord)
    }
    reader = TrailReader.open(tmp_path / "trail")

    assert {reader.caller(item or "") for item in found} == {CALLER, "bob"}
    assert len(found) == 2


def test_two_writers_have_a_log_each_and_a_free_one_is_used_again(
    tmp_path: Path,
) -> None:
    trails = [Trail.open_or_create(tmp_path / "trail") for _ in range(3)]
    trails[1].close()
    again = Trail.open_or_create(tmp_path / "trail")

    place = again.append(outcome("x"))

    for trail in (*trails, again):
        trail.close()
    assert place.origin.endswith("/app-2")
    assert place.index == 1
    assert [log.slot for log in TrailReader.open(tmp_path / "trail").logs] == [
        "app-1",
        "app-2",
        "app-3",
    ]
    verify_trail(tmp_path / "trail")


def test_the_command_line_has_logs_of_its_own(tmp_path: Path) -> None:
    app = Trail.open_or_create(tmp_path / "trail")
    command = Trail.open_or_create(tmp_path / "trail", role="cli")

    place = command.append(outcome("x"))

    app.close()
    command.close()
    assert place.origin.endswith("/cli-1")


def test_threads_share_commits_and_lose_nothing(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    ids: list[str] = []
    places: list[Place] = []

    def work() -> None:
        for _ in range(10):
            fields = decision()
            place = trail.append_decision(fields, caller=CALLER, content={})
            ids.append(fields["id"])
            places.append(place)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trail.close()

    by_index = {entry.index: entry.record().id for entry in entries(tmp_path / "trail")}
    assert sorted(place.index for place in places) == list(range(1, 161))
    assert [by_index[place.index] for place in places] == ids
    assert verify_trail(tmp_path / "trail").checkpoints <= 161


def test_a_forked_child_writes_a_log_of_its_own(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    append_pair(trail)
    reading, writing = os.pipe()

    child = os.fork()
    if child == 0:
        code = 1
        try:
            places = [trail.append(outcome("child")) for _ in range(5)]
            os.write(writing, json.dumps([item.origin for item in places]).encode())
            trail.close()
            code = 0
        finally:
            os._exit(code)
    own = [trail.append(outcome("parent")).origin for _ in range(5)]
    _, status = os.waitpid(child, 0)
    theirs = json.loads(os.read(reading, 65_536))
    own.append(trail.append(outcome("parent")).origin)
    trail.close()
    os.close(reading)
    os.close(writing)

    assert status == 0
    assert {item.rpartition("/")[2] for item in own} == {"app-1"}
    assert {item.rpartition("/")[2] for item in theirs} == {"app-2"}
    assert verify_trail(tmp_path / "trail").pending == 0


def test_a_child_that_only_exits_leaves_the_parents_log_alone(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    append_pair(trail)

    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

    place = trail.append(outcome("parent"))
    trail.close()
    assert place.index == 3
    verify_trail(tmp_path / "trail")


def test_a_closed_trail_takes_nothing(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    trail.close()

    with pytest.raises(NotDurableError, match="closed"):
        trail.append(outcome("x"))

    assert kinds(tmp_path / "trail") == ["genesis"]


def test_a_record_that_is_none_or_too_large_changes_nothing(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")

    with pytest.raises(NotDurableError, match="no record"):
        trail.append_decision(decision(verdict="maybe"), caller="a", content={})
    with pytest.raises(NotDurableError, match="no record"):
        trail.append_decision(decision(), caller="a", content={"cost": 0.5})
    with pytest.raises(NotDurableError, match="longer than"):
        trail.append_decision(
            decision(code="x" * MAX_LEAF_BYTES), caller="a", content={}
        )
    place = trail.append(outcome("x"))

    trail.close()
    assert place.index == 1
    verify_trail(tmp_path / "trail")


def test_a_record_with_a_known_id_is_refused_and_the_next_one_is_written(
    tmp_path: Path,
) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    fields = decision()
    trail.append_decision(fields, caller=CALLER, content={})

    with pytest.raises(NotDurableError, match="UNIQUE"):
        trail.append_decision(fields, caller=CALLER, content={})
    place = trail.append(outcome(fields["id"]))

    trail.close()
    assert place.index == 2
    verify_trail(tmp_path / "trail")


def test_a_writer_that_meets_another_writer_stops(tmp_path: Path) -> None:
    directory = tmp_path / "trail"
    trail = Trail.open_or_create(directory)
    append_pair(trail)
    with closing(sqlite3.connect(directory / "logs/app-1/log.sqlite")) as other, other:
        other.execute("UPDATE head SET size = size + 1")
    other.close()

    for _ in range(2):
        # The second time the log is opened anew, and found to be another.
        with pytest.raises(NotDurableError):
            trail.append(outcome("x"))

    trail.close()


def test_a_database_that_is_away_refuses_records_until_it_is_back(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "trail"
    trail = Trail.open_or_create(directory)
    append_pair(trail)
    blocker = sqlite3.connect(directory / "logs/app-1/log.sqlite", isolation_level=None)
    trail._process.recorder._writer.store._connection.execute("PRAGMA busy_timeout=50")
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(NotDurableError, match="locked"):
        trail.append(outcome("x"))
    blocker.execute("ROLLBACK")
    blocker.close()
    place = trail.append(outcome("x"))

    trail.close()
    assert place.index == 3
    verify_trail(directory)


@pytest.mark.parametrize("what", ["logs/app-1", "logs/app-1/vault.sqlite", "."])
def test_a_trail_that_is_taken_away_while_it_is_in_use_takes_no_more_records(
    tmp_path: Path, what: str
) -> None:
    directory = tmp_path / "trail"
    trail = Trail.open_or_create(directory)
    append_pair(trail)
    (directory / what).rename(tmp_path / "elsewhere")

    for _ in range(2):
        with pytest.raises(NotDurableError, match=r"find|missing"):
            trail.append(outcome("x"))

    trail.close()


def test_a_missing_trail_is_not_begun_again(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "trail")
    shutil.rmtree(directory)

    with pytest.raises(TrailError, match="missing from"):
        Trail.open_or_create(directory)

    assert not directory.exists()


def test_a_missing_log_is_not_begun_again(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "trail")
    shutil.rmtree(directory / "logs/app-1")

    with pytest.raises(TrailError, match="missing from"):
        Trail.open_or_create(directory)


def test_a_log_that_was_emptied_is_not_begun_again(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "trail")
    (directory / "logs/app-1/log.sqlite").write_bytes(b"")

    with pytest.raises(TrailError, match="put back: it has 0 records and had 7"):
        Trail.open_or_create(directory)


def test_a_missing_lock_database_is_not_begun_again(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "trail")
    shutil.rmtree(lock_of(directory))

    with pytest.raises(TrailError, match="no lock database"):
        Trail.open_or_create(directory)


def test_a_missing_memory_of_one_log_is_not_begun_again(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "trail")
    for path in lock_of(directory).glob("app-1.sqlite*"):
        path.unlink()

    with pytest.raises(TrailError, match="no memory of the log"):
        Trail.open_or_create(directory)


def test_a_lock_database_of_another_trail_is_refused(tmp_path: Path) -> None:
    made_trail(tmp_path / "one", name="one")
    made_trail(tmp_path / "two", name="two")

    with pytest.raises(TrailError, match="belongs to the trail `two`"):
        Trail.open_or_create(tmp_path / "one", lock=lock_of(tmp_path / "two"))


def test_a_log_that_was_put_back_is_not_continued(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "trail")
    backup = copied(directory, tmp_path / "backup")
    trail = Trail.open_or_create(directory)
    append_pair(trail)
    trail.close()
    shutil.rmtree(directory)
    shutil.copytree(backup, directory)

    with pytest.raises(TrailError, match="put back: it has 7 records and had 9"):
        Trail.open_or_create(directory)
    with pytest.raises(TamperedError, match="put back"):
        verify_trail(directory)


def test_another_history_of_the_same_length_is_not_continued(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "trail")
    fork = copied(directory, tmp_path / "fork")
    for place in (directory, fork):
        trail = Trail.open_or_create(place)
        append_pair(trail)
        trail.close()
    shutil.rmtree(directory)
    shutil.copytree(fork, directory)

    with pytest.raises(TrailError, match="not the one that was written"):
        Trail.open_or_create(directory)
    with pytest.raises(TamperedError, match="two histories"):
        verify_trail(directory)


def test_a_lock_database_that_is_behind_is_brought_up(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "trail", pairs=1)
    kept = tmp_path / "kept"
    shutil.copytree(lock_of(directory), kept)
    trail = Trail.open_or_create(directory)
    append_pair(trail)
    trail.close()
    shutil.rmtree(lock_of(directory))
    shutil.copytree(kept, lock_of(directory))

    trail = Trail.open_or_create(directory)
    place = trail.append(outcome("x"))

    trail.close()
    assert place.index == 5
    verify_trail(directory)


def test_the_name_of_a_trail_stays(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "trail", name="one.example")

    with pytest.raises(ConfigurationError, match=r"named `one\.example`"):
        Trail.open_or_create(directory, name="two.example")


def test_another_key_is_refused(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "trail")
    made_trail(tmp_path / "other")
    shutil.copy(tmp_path / "other/keys/app-1.pem", directory / "keys/app-1.pem")

    with pytest.raises(TrailError, match="not what its key signs"):
        Trail.open_or_create(directory)


def test_a_missing_key_of_a_log_is_never_replaced(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "trail")
    (directory / "keys/app-1.pem").unlink()

    with pytest.raises(TrailError, match=r"key of the log .* restore .* compromise"):
        Trail.open_or_create(directory)

    assert not (directory / "keys/app-1.pem").exists()


def test_a_trust_file_that_is_missing_or_has_lost_a_key_is_not_written_anew(
    tmp_path: Path,
) -> None:
    directory = made_trail(tmp_path / "trail")
    command = Trail.open_or_create(directory, role="cli")
    command.close()
    lines = (directory / "trust").read_text().splitlines()

    (directory / "trust").unlink()
    for role in ("app", "cli"):
        with pytest.raises(TrailError, match="is missing: restore it"):
            Trail.open_or_create(directory, role=role)
    (directory / "trust").write_text("\n".join(lines[1:]) + "\n")
    with pytest.raises(TrailError, match="has lost the key of"):
        Trail.open_or_create(directory)
    with pytest.raises(TamperedError, match="no key in the trust file"):
        verify_trail(directory)


def test_a_trail_cannot_be_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(TrailError, match="cannot create"):
        Trail.open_or_create(tmp_path / "file" / "trail")


def test_only_the_owner_may_read_what_is_written(tmp_path: Path) -> None:
    directory = made_trail(tmp_path / "deep" / "trail")

    modes = {
        path.relative_to(tmp_path).as_posix(): oct(path.stat().st_mode & 0o777)
        for root in (directory, lock_of(directory))
        for path in (root, *root.rglob("*"))
    }

    assert set(modes.values()) == {"0o600", "0o700"}, modes
