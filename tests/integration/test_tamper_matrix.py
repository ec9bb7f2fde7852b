"""The tamper matrix: each attack on a trail, and who finds it.

Four look at each changed trail: its own verification with the lock database, the same
without it (as an auditor has it who was handed a copy), a witness that is asked for its
cosignature, and a monitor with its own memory. Two attacks leave nothing that local
checks could find: an older state of the trail, genuine and whole, and a history written
anew with the stolen key. Both are refused by whoever remembers.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from outsiders import quorum_of, taken, witness_for
from trails import append_pair, copied, made_trail, outcome

from policyguard.audit.outside.anchor import Outside
from policyguard.audit.outside.attested import Vouchers
from policyguard.audit.outside.monitor import Monitor
from policyguard.audit.outside.watched import LocalLog
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.canonical import canonical_bytes
from policyguard.errors import PolicyGuardError, TamperedError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.tlog import Checkpoint, Frontier, leaf_hash, sign_checkpoint

ORIGIN = "acme.example/app-1"
LOG = "logs/app-1/log.sqlite"


@dataclass(frozen=True)
class Scene:
    """Is a trail of nine records; an older copy of it had seven."""

    trail: Path
    old: Path


def edit(connection: sqlite3.Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(statement)


def signed_anew(connection: sqlite3.Connection, key: Ed25519Signer) -> None:
    """Compute leaves, head and checkpoint of the records that are there."""
    frontier = Frontier()
    rows = connection.execute("SELECT idx, body FROM entry ORDER BY idx").fetchall()
    for index, body in rows:
        leaf = leaf_hash(body)
        frontier = frontier.append(leaf)
        connection.execute("UPDATE entry SET leaf = ? WHERE idx = ?", (leaf, index))
    note = sign_checkpoint(
        Checkpoint(origin=ORIGIN, size=frontier.size, root=frontier.root()), signer=key
    )
    connection.execute(
        "UPDATE head SET size = ?, frontier = ?, note = ?",
        (frontier.size, frontier.format(), note),
    )


REWORD = (
    "UPDATE entry SET body = CAST(replace(body, '\"allow\"', '\"deny\"') AS BLOB)"
    " WHERE idx = 3"
)


def edited(scene: Scene, connection: sqlite3.Connection) -> None:
    edit(connection, REWORD)


def edited_with_its_leaf(scene: Scene, connection: sqlite3.Connection) -> None:
    edit(connection, REWORD)
    (body,) = connection.execute("SELECT body FROM entry WHERE idx = 3").fetchone()
    connection.execute("UPDATE entry SET leaf = ? WHERE idx = 3", (leaf_hash(body),))


def reordered(scene: Scene, connection: sqlite3.Connection) -> None:
    edit(
        connection,
        "UPDATE entry SET idx = 100 WHERE idx = 3",
        "UPDATE entry SET idx = 3 WHERE idx = 5",
        "UPDATE entry SET idx = 5 WHERE idx = 100",
    )


def deleted(scene: Scene, connection: sqlite3.Connection) -> None:
    edit(connection, "DELETE FROM entry WHERE idx = 4")


def deleted_and_closed_up(scene: Scene, connection: sqlite3.Connection) -> None:
    edit(
        connection,
        "DELETE FROM entry WHERE idx = 4",
        "UPDATE entry SET idx = idx - 1 WHERE idx > 4",
    )


def inserted(scene: Scene, connection: sqlite3.Connection) -> None:
    edit(
        connection,
        "UPDATE entry SET idx = idx + 100 WHERE idx > 4",
        "UPDATE entry SET idx = idx - 99 WHERE idx > 100",
    )
    body = canonical_bytes(outcome("x").model_dump(mode="json"))
    connection.execute(
        "INSERT INTO entry (idx, body, leaf) VALUES (5, ?, ?)", (body, leaf_hash(body))
    )


def appended_without_a_head(scene: Scene, connection: sqlite3.Connection) -> None:
    body = canonical_bytes(outcome("x").model_dump(mode="json"))
    connection.execute(
        "INSERT INTO entry (idx, body, leaf) VALUES (9, ?, ?)", (body, leaf_hash(body))
    )


def cut(scene: Scene, connection: sqlite3.Connection) -> None:
    edit(connection, "DELETE FROM entry WHERE idx >= 7")


def resized(scene: Scene, connection: sqlite3.Connection) -> None:
    edit(
        connection, "UPDATE head SET note = replace(note, char(10)||'9', char(10)||'8')"
    )


def signed_with_another_key(scene: Scene, connection: sqlite3.Connection) -> None:
    edit(connection, REWORD)
    signed_anew(connection, Ed25519Signer.generate(key_name=ORIGIN))


def emptied(scene: Scene, connection: sqlite3.Connection) -> None:
    edit(connection, "DELETE FROM entry", "DELETE FROM head", "DELETE FROM checkpoint")


def taken_away(scene: Scene, connection: sqlite3.Connection) -> None:
    shutil.rmtree(scene.trail / "logs/app-1")


def log_put_back(scene: Scene, connection: sqlite3.Connection) -> None:
    shutil.copy(scene.old / LOG, scene.trail / LOG)


def all_put_back(scene: Scene, connection: sqlite3.Connection) -> None:
    lock = scene.trail.with_name("trail.lock")
    shutil.rmtree(scene.trail)
    shutil.rmtree(lock)
    shutil.copytree(scene.old, scene.trail)
    shutil.copytree(scene.old.with_name("old.lock"), lock)


def rewritten_with_the_key(scene: Scene, connection: sqlite3.Connection) -> None:
    edit(connection, REWORD.replace("WHERE idx = 3", ""))
    key = Ed25519Signer.load(scene.trail / "keys/app-1.pem", key_name=ORIGIN)
    signed_anew(connection, key)


def rewritten_with_key_and_lock(scene: Scene, connection: sqlite3.Connection) -> None:
    rewritten_with_the_key(scene, connection)
    (size, note) = connection.execute("SELECT size, note FROM head").fetchone()
    memory = sqlite3.connect(
        scene.trail.with_name("trail.lock") / "app-1.sqlite", isolation_level=None
    )
    memory.execute("UPDATE head SET size = ?, note = ?", (size, note))
    memory.close()


Attack = Callable[[Scene, sqlite3.Connection], None]
# Attack, and whether it is found: with the lock database, without it, by a witness that
# has seen the log, by a monitor that has.
MATRIX: list[tuple[Attack, bool, bool, bool, bool]] = [
    (edited, True, True, False, True),
    (edited_with_its_leaf, True, True, False, True),
    (reordered, True, True, False, True),
    (deleted, True, True, False, True),
    (deleted_and_closed_up, True, True, False, True),
    (inserted, True, True, False, True),
    (appended_without_a_head, True, True, False, False),
    (cut, True, True, False, True),
    (resized, True, True, True, True),
    (signed_with_another_key, True, True, True, True),
    (emptied, True, True, True, True),
    (taken_away, True, True, True, True),
    # What no check finds that uses the trail's own files alone:
    (log_put_back, True, False, True, True),
    (all_put_back, False, False, True, True),
    (rewritten_with_the_key, True, False, True, True),
    (rewritten_with_key_and_lock, False, False, True, True),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("made")
    trail = made_trail(folder / "trail")
    old = copied(trail, folder / "old")
    writer = Trail.open(trail)
    append_pair(writer)
    writer.close()
    return Scene(trail=trail, old=old)


@pytest.fixture
def scene(made: Scene, tmp_path: Path) -> Scene:
    return Scene(
        trail=copied(made.trail, tmp_path / "trail"),
        old=copied(made.old, tmp_path / "old"),
    )


def finds(look: Callable[[], object]) -> bool:
    """Say whether somebody refuses; a trail that cannot be read is refused, too."""
    try:
        look()
    except PolicyGuardError:
        return True
    return False


@pytest.mark.parametrize(
    ("attack", "lock", "alone", "witness", "monitor"),
    MATRIX,
    ids=[row[0].__name__ for row in MATRIX],
)
def test_each_attack_is_found_by_those_who_can(
    scene: Scene, tmp_path: Path, attack: Attack,
    *, lock: bool, alone: bool, witness: bool, monitor: bool,
) -> None:  # fmt: skip
    watcher = Monitor(state=tmp_path / "state.json", vouchers=Vouchers())

    def watch() -> None:
        logs = [LocalLog(log=log) for log in TrailReader.open(scene.trail).logs]
        watcher.look(logs, now=datetime.now(UTC))

    with witness_for(scene.trail, tmp_path / "witness.json") as (_, known):
        outside = Outside(trust=quorum_of(known))

        def ask() -> None:
            shutil.rmtree(scene.trail / "logs/app-1/outside", ignore_errors=True)
            done = taken(scene.trail, outside)
            if done.tampered is not None:
                raise TamperedError(done.tampered)

        ask()
        watch()
        verify_trail(scene.trail)
        # Whoever attacks the files does not leave what others have said beside them.
        shutil.rmtree(scene.trail / "logs/app-1/outside")
        connection = sqlite3.connect(scene.trail / LOG, isolation_level=None)
        attack(scene, connection)
        connection.close()
        found = (
            finds(lambda: verify_trail(scene.trail)),
            finds(lambda: verify_trail(scene.trail, lock=tmp_path / "none")),
            finds(ask),
            finds(watch),
        )

    assert found == (lock, alone, witness, monitor)


def test_every_attack_is_found_by_somebody() -> None:
    assert [row[0].__name__ for row in MATRIX if not any(row[1:])] == []


def test_nobody_objects_to_a_trail_that_was_left_alone(
    scene: Scene, tmp_path: Path
) -> None:
    watcher = Monitor(state=tmp_path / "state.json", vouchers=Vouchers())
    with witness_for(scene.trail, tmp_path / "witness.json") as (_, known):
        for _ in range(2):
            done = taken(scene.trail, Outside(trust=quorum_of(known)))
            logs = [LocalLog(log=log) for log in TrailReader.open(scene.trail).logs]
            (watch,) = watcher.look(logs, now=datetime.now(UTC))
            verify_trail(scene.trail)

            assert (done.is_whole, watch.size) == (True, 9)
