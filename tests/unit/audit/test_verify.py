"""Verifying a trail: every way to change one is found, and its place is named."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from trails import SECRET, append_pair, copied, decision, made_trail, outcome

from policyguard.audit import reader
from policyguard.audit.layout import Layout
from policyguard.audit.leaf import body_of
from policyguard.audit.reader import TrailReader
from policyguard.audit.stores.files import FileTrail
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.audit.writer import claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.errors import (
    ConfigurationError,
    NewerTrailError,
    TamperedError,
    TrailError,
)
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.trust_file import TrustFile
from policyguard.tlog import (
    Checkpoint,
    Frontier,
    leaf_hash,
    sign_checkpoint,
    verify_proof_file,
)

LOG = "logs/app-1/log.sqlite"
VAULT = "logs/app-1/vault.sqlite"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_trail(tmp_path_factory.mktemp("made") / "trail")


@pytest.fixture
def trail(made: Path, tmp_path: Path) -> Path:
    return copied(made, tmp_path / "trail")


def sql(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_a_trail_that_nobody_touched_verifies(trail: Path) -> None:
    verified = verify_trail(trail)

    (log,) = TrailReader.open(trail).logs
    head = log.head()
    assert verified.logs == ((log.origin, 7, head.frontier.root()),)
    assert (verified.checkpoints, verified.erased) == (1, 0)
    assert (verified.memory, verified.pending) == (True, 0)


def test_verifying_changes_no_byte(trail: Path) -> None:
    before = {path: path.read_bytes() for path in trail.rglob("*") if path.is_file()}

    verify_trail(trail)

    after = {path: path.read_bytes() for path in trail.rglob("*") if path.is_file()}
    assert after == before


def test_an_allowed_decision_without_outcome_is_counted(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    append_pair(trail)
    trail.append_decision(decision(), caller=None, content={})
    trail.append_decision(decision(verdict="deny"), caller=None, content={})
    trail.append_decision(decision(kind="check"), caller=None, content={})
    trail.close()

    assert verify_trail(tmp_path / "trail").pending == 1


def test_progress_is_told(trail: Path) -> None:
    told: list[tuple[str, int, int]] = []

    verify_trail(trail, progress=lambda *args: told.append(args))

    assert told == [("acme.example/app-1", 7, 7)]


CHANGES: list[tuple[str, str, list[str], str]] = [
    (
        "edited",
        LOG,
        [
            (
                "UPDATE entry SET body = CAST(replace(body, 'allow', 'denys') AS BLOB)"
                " WHERE idx = 3"
            ),
        ],
        "entry 3 of acme",
    ),
    (
        "leaf edited",
        LOG,
        ["UPDATE entry SET leaf = zeroblob(32) WHERE idx = 2"],
        "entry 2 of acme",
    ),
    ("removed", LOG, ["DELETE FROM entry WHERE idx = 3"], "entry 3 of .* is missing"),
    ("cut", LOG, ["DELETE FROM entry WHERE idx = 6"], "entry 6 of .* is missing"),
    (
        "moved",
        LOG,
        [
            "UPDATE entry SET idx = 100 WHERE idx = 3",
            "UPDATE entry SET idx = 3 WHERE idx = 5",
            "UPDATE entry SET idx = 5 WHERE idx = 100",
        ],
        "entry 0 of acme.*up to entry 6",
    ),
    ("head edited", LOG, ["UPDATE head SET size = 6"], "not the one that"),
    ("head gone", LOG, ["DELETE FROM head"], "no records"),
    (
        "content edited",
        VAULT,
        ["UPDATE content SET body = CAST(replace(body, 'canary', 'canari') AS BLOB)"],
        "content of entry . of acme",
    ),
    (
        "salt edited",
        VAULT,
        ["UPDATE content SET salt = zeroblob(32)"],
        "content of entry . of acme",
    ),
    (
        "caller edited",
        "callers.sqlite",
        ["UPDATE caller SET id = 'mallory'"],
        "caller behind the pseudonym",
    ),
    (
        "table gone",
        LOG,
        ["DROP TABLE checkpoint"],
        "cannot be verified",
    ),
]


@pytest.mark.parametrize(
    ("file", "statements", "found"),
    [change[1:] for change in CHANGES],
    ids=[change[0] for change in CHANGES],
)
def test_a_changed_row_is_found_and_named(
    trail: Path, file: str, statements: list[str], found: str
) -> None:
    sql(trail / file, *statements)

    with pytest.raises(TamperedError, match=found):
        verify_trail(trail)


@pytest.mark.parametrize(
    ("file", "statement", "found"),
    [
        (
            LOG,
            "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END",
            "trigger `t`",
        ),
        (
            VAULT,
            "CREATE TRIGGER t AFTER INSERT ON content BEGIN DELETE FROM content; END",
            "trigger `t`",
        ),
        (
            "../trail.lock/app-1.sqlite",
            "CREATE TRIGGER t BEFORE UPDATE ON head BEGIN SELECT raise(IGNORE); END",
            "trigger `t`",
        ),
        (VAULT, "CREATE VIEW v AS SELECT record FROM content", "view `v`"),
    ],
)
def test_nothing_runs_inside_whoever_opens_a_database(
    trail: Path, file: str, statement: str, found: str
) -> None:
    sql(trail / file, statement)

    with pytest.raises(TamperedError, match=f"has the {found}, and no trail has one"):
        verify_trail(trail)
    with pytest.raises(TrailError, match=f"has the {found}, and no trail has one"):
        Trail.open(trail)


@pytest.mark.parametrize("name", ["trail.json", "trust"])
def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(
    trail: Path, name: str
) -> None:
    (trail / name).unlink()
    os.mkfifo(trail / name)

    with pytest.raises(TamperedError, match=f"{name}` is no regular file"):
        verify_trail(trail)


@pytest.fixture(scope="module")
def made_long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a trail of 601 records in three commits: checkpoints of 301 and 601."""
    directory = tmp_path_factory.mktemp("long") / "trail"
    trail = Trail.create(directory, name="acme.example")
    for _ in range(2):
        with trail._process.recorder._lock:
            for _ in range(300):
                trail.append_later(outcome("x"), failed=print)
        trail.flush()
    trail.close()
    return directory


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM checkpoint", "a checkpoint of acme.* is missing"),
        ("DELETE FROM checkpoint WHERE size = 601", "a checkpoint of .* is missing"),
        ("UPDATE checkpoint SET size = 700 WHERE size = 601", "beyond the head"),
        ("UPDATE checkpoint SET size = 300 WHERE size = 301", "not in its place"),
        (
            (
                "UPDATE checkpoint SET note = replace(note, 'acme', 'acmf')"
                " WHERE size = 301"
            ),
            "checkpoint of size 301",
        ),
        (
            "UPDATE checkpoint SET note = (SELECT note FROM head) WHERE size = 301",
            "not in its place",
        ),
    ],
)
def test_a_changed_checkpoint_is_found(
    made_long: Path, tmp_path: Path, statement: str, found: str
) -> None:
    trail = copied(made_long, tmp_path / "trail")
    assert verify_trail(trail).checkpoints == 3
    sql(trail / LOG, statement)

    with pytest.raises(TamperedError, match=found):
        verify_trail(trail)


@pytest.mark.parametrize(("index", "first", "last"), [(5, 0, 300), (400, 301, 600)])
def test_of_a_record_that_was_exchanged_with_its_leaf_the_commit_is_named(
    made_long: Path, tmp_path: Path, index: int, first: int, last: int
) -> None:
    trail = copied(made_long, tmp_path / "trail")
    connection = sqlite3.connect(trail / LOG, isolation_level=None)
    query = "SELECT body FROM entry WHERE idx = ?"
    (body,) = connection.execute(query, (index,)).fetchone()
    body = body.replace(b'"complete"', b'"error"')
    connection.execute(
        "UPDATE entry SET body = ?, leaf = ? WHERE idx = ?",
        (body, leaf_hash(body), index),
    )
    connection.close()

    with pytest.raises(
        TamperedError, match=f"entry {first} of .* up to entry {last}, is not"
    ):
        verify_trail(trail)


def rewrite(trail: Path, *, key: Ed25519Signer) -> None:
    """Write another history, consistent in itself, signed with a key."""
    connection = sqlite3.connect(trail / LOG, isolation_level=None)
    connection.execute(
        "UPDATE entry SET body ="
        " CAST(replace(body, '\"complete\"', '\"error\"') AS BLOB)"
    )
    connection.execute("DELETE FROM checkpoint")
    frontier = Frontier()
    for index, body in connection.execute("SELECT idx, body FROM entry").fetchall():
        leaf = leaf_hash(body)
        frontier = frontier.append(leaf)
        root = frontier.root()
        note = sign_checkpoint(
            Checkpoint(origin=key.key_name, size=index + 1, root=root), signer=key
        )
        connection.execute("UPDATE entry SET leaf = ? WHERE idx = ?", (leaf, index))
        connection.execute("INSERT INTO checkpoint VALUES (?, ?)", (index + 1, note))
        connection.execute(
            "UPDATE head SET frontier = ?, note = ?", (frontier.format(), note)
        )
    connection.close()


def test_a_history_signed_with_another_key_is_found(trail: Path) -> None:
    rewrite(trail, key=Ed25519Signer.generate(key_name="acme.example/app-1"))

    with pytest.raises(TamperedError, match="sign"):
        verify_trail(trail)


def test_a_history_signed_with_the_stolen_key_is_found_by_the_lock_database_alone(
    trail: Path,
) -> None:
    key = Ed25519Signer.load(trail / "keys/app-1.pem", key_name="acme.example/app-1")
    rewrite(trail, key=key)

    with pytest.raises(TamperedError, match="two histories"):
        verify_trail(trail)
    shutil.rmtree(trail.with_name("trail.lock"))

    # Without it nothing on this disk knows better: only a kept checkpoint would.
    assert verify_trail(trail).memory is False


def test_a_log_that_is_missing_is_found(trail: Path) -> None:
    shutil.rmtree(trail / "logs/app-1")

    with pytest.raises(TamperedError, match="there is no"):
        verify_trail(trail)


def test_a_log_that_was_taken_away_whole_is_found(trail: Path) -> None:
    shutil.rmtree(trail / "logs/app-1")
    (trail / "trust").write_text("quorum none\n")

    with pytest.raises(TamperedError, match="app-1 has no key in the trust file"):
        verify_trail(trail)


def test_a_log_that_begins_while_a_trail_is_opened_is_no_tampering(
    trail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Meanwhile(FileTrail):
        """Is read while a writer makes the folder of a log, and begins it."""

        def slots(self) -> list[str]:
            return sorted({*super().slots(), "cli-1"})

        def trust(self) -> TrustFile:
            known = super().trust()
            Trail.open_or_create(trail, role="cli").close()
            return known

    layout = Layout.of(trail)
    monkeypatch.setattr(reader, "source_of", lambda *_, **__: Meanwhile(layout=layout))

    (log,) = TrailReader.open(trail).logs

    assert log.slot == "app-1"


def test_a_key_in_the_trust_file_that_is_another_is_found(
    trail: Path, tmp_path: Path
) -> None:
    made_trail(tmp_path / "other")
    shutil.copy(tmp_path / "other/trust", trail / "trust")

    with pytest.raises(TamperedError, match="sign"):
        verify_trail(trail)


def test_content_that_is_gone_is_counted_not_hidden(trail: Path) -> None:
    sql(trail / VAULT, "DELETE FROM content")

    assert verify_trail(trail).missing == 3


def test_callers_who_are_gone_are_counted_not_hidden(trail: Path) -> None:
    (trail / "callers.sqlite").unlink()

    verified = verify_trail(trail)

    assert (verified.nameless, verified.is_complete) == (1, False)


def test_callers_of_a_form_that_is_read_fast_are_counted(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    for number in range(40):
        append_pair(trail, caller=f"caller-{number}")
    append_pair(trail, caller=None)
    trail.close()
    sql(
        tmp_path / "trail/callers.sqlite",
        "DELETE FROM caller WHERE id IN ('caller-3', 'caller-35')",
    )

    assert verify_trail(tmp_path / "trail").nameless == 2


@pytest.mark.parametrize("file", [LOG, VAULT, "callers.sqlite", "trust", "trail.json"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"\xff" * len(data),
        lambda data: data[1:] + data[:1],
    ],
    ids=["empty", "half", "noise", "shifted"],
)
def test_a_damaged_file_is_found(
    trail: Path, file: str, damage: Callable[[bytes], bytes]
) -> None:
    path = trail / file
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(TamperedError):
        verify_trail(trail)


def test_where_there_is_no_trail_nothing_is_said_to_be_tampered_with(
    tmp_path: Path,
) -> None:
    with pytest.raises(TrailError, match="there is no trail"):
        verify_trail(tmp_path)


def test_each_record_has_a_proof_that_needs_no_log(trail: Path) -> None:
    (log,) = TrailReader.open(trail).logs

    for entry in log.entries():
        proof = log.proof(entry.index).format()

        checkpoint = verify_proof_file(proof, leaf_bytes=entry.body, vkeys=[log.vkey])
        assert checkpoint.size == 7
    with pytest.raises(ConfigurationError, match="no entry `7`"):
        log.proof(7)


def test_the_vault_still_knows_what_was_asked(trail: Path) -> None:
    (log,) = TrailReader.open(trail).logs
    entry = log.find("1")
    assert entry is not None

    sealed = log.content(entry.record().id)

    assert sealed is not None
    assert SECRET.encode() in sealed.body
    assert log.content("nothing") is None
    assert log.find(entry.record().id) == entry
    assert log.find("99") is None


def test_a_trail_is_read_while_it_is_written(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    append_pair(trail)

    first = verify_trail(tmp_path / "trail")
    append_pair(trail)
    second = verify_trail(tmp_path / "trail")

    trail.close()
    assert [log[1] for log in (*first.logs, *second.logs)] == [3, 5]


def test_people_whose_file_was_cut_off_while_it_was_made_are_nobody_yet(
    tmp_path: Path,
) -> None:
    trail = Trail.create(tmp_path / "trail")
    trail.append(outcome("x"))
    trail.close()
    (tmp_path / "trail" / "people.sqlite").touch()

    assert verify_trail(tmp_path / "trail").logs[0][1] == 2


def newer(body: bytes, **changes: object) -> bytes:
    return canonical_bytes(json.loads(body) | changes)


def append_signed(trail: Path, *bodies: bytes) -> None:
    writer = claim_writer(Layout.of(trail), name=None, role="app")
    writer.append(bodies, sealed=[])
    writer.close()


@pytest.mark.parametrize(
    "changes",
    [{"v": 2}, {"v": 2, "novel": 1}, {"kind": "novel"}, {"v": 3, "kind": "n"}],
)
def test_a_signed_record_of_a_newer_version_cannot_be_told_and_is_no_tampering(
    trail: Path, changes: dict[str, object]
) -> None:
    append_signed(trail, newer(body_of(outcome("one")), **changes))

    with pytest.raises(NewerTrailError, match=r"^entry 7 of .* of a newer version"):
        verify_trail(trail)


@pytest.mark.parametrize(
    "changes", [{"v": 0}, {"v": True, "kind": "n"}, {"v": "2"}, {"novel": 1}]
)
def test_a_signed_record_of_no_version_is_tampering(
    trail: Path, changes: dict[str, object]
) -> None:
    append_signed(trail, newer(body_of(outcome("one")), **changes))

    with pytest.raises(TamperedError, match=r"entry 7 of .* is no record"):
        verify_trail(trail)


@pytest.mark.parametrize("hashed", [False, True])
def test_nobody_hides_a_changed_record_by_calling_it_newer(
    trail: Path, *, hashed: bool
) -> None:
    # Many, so that it is read long before the checkpoint that it is signed by.
    append_signed(trail, *[body_of(outcome("one"))] * 9_000)
    with sqlite3.connect(trail / LOG) as log:
        query = "SELECT body, leaf FROM entry WHERE idx = 8"
        body, leaf = log.execute(query).fetchone()
        changed = newer(body, v=2)
        values = (changed, leaf_hash(changed) if hashed else leaf)
        log.execute("UPDATE entry SET body = ?, leaf = ? WHERE idx = 8", values)
    log.close()

    with pytest.raises(TamperedError, match=r"entry [08] of"):
        verify_trail(trail)
