"""A log whose key was stolen is closed for good, and its successor vouches for it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from outsiders import quorum_of, taken, witness_for
from trails import append_pair, copied, made_trail, outcome

from policyguard.audit.export.chain import predecessor_in
from policyguard.audit.export.tiles import export_tiles
from policyguard.audit.layout import Layout
from policyguard.audit.outside.anchor import Outside
from policyguard.audit.outside.attested import Vouchers
from policyguard.audit.query import Question, ask
from policyguard.audit.reader import TrailReader
from policyguard.audit.succession import begin_successor, predecessor_of
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.audit.writer import claim_log
from policyguard.canonical import canonical_bytes
from policyguard.errors import (
    ConfigurationError,
    SlotError,
    TamperedError,
    TrailError,
)
from policyguard.identity import new_id
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.tlog import Checkpoint, Frontier, leaf_hash, sign_checkpoint

OLD = "acme.example/app-1"
NEW = "acme.example/app-2"
REASON = "the key was in a backup that left the house"
LOG = "logs/app-1/log.sqlite"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_trail(tmp_path_factory.mktemp("made") / "trail")


@pytest.fixture
def trail(made: Path, tmp_path: Path) -> Path:
    return copied(made, tmp_path / "trail")


def test_the_successor_names_what_it_continues(trail: Path) -> None:
    head = TrailReader.open(trail).log(OLD).head()

    successor = begin_successor(trail, origin=OLD, reason=REASON)

    reader = TrailReader.open(trail)
    old = predecessor_of(reader.log(NEW))
    assert old == successor.predecessor
    assert old is not None
    assert (old.origin, old.size, old.root, old.reason) == (
        OLD,
        7,
        head.frontier.root().hex(),
        REASON,
    )
    assert predecessor_of(reader.log(OLD)) is None
    assert [log[:2] for log in verify_trail(trail).logs] == [(OLD, 7), (NEW, 1)]
    asked = ask(Question(name="keys-and-erasures"), reader=reader)
    assert [row[3:7] for row in asked.rows] == [
        ("genesis", reader.log(OLD).vkey.format(), None, None),
        ("genesis", successor.vkey.format(), OLD, REASON),
    ]


def test_a_closed_log_is_never_claimed_again(trail: Path) -> None:
    begin_successor(trail, origin=OLD, reason=REASON)

    reopened = Trail.open(trail)
    append_pair(reopened)
    reopened.close()
    with pytest.raises(SlotError, match="closed"):
        claim_log(Layout.of(trail), origin=OLD)

    assert [log[:2] for log in verify_trail(trail).logs] == [(OLD, 7), (NEW, 3)]
    assert [path.name for path in (trail / "keys").iterdir()] == ["app-2.pem"]


def test_a_log_that_lost_its_key_can_be_closed(trail: Path) -> None:
    (trail / "keys/app-1.pem").unlink()
    with pytest.raises(TrailError, match="key"):
        Trail.open(trail)

    begin_successor(trail, origin=OLD, reason="the key was lost with its disk")
    Trail.open(trail).close()

    assert verify_trail(trail).logs[1][0] == NEW


def test_a_log_is_closed_once(trail: Path) -> None:
    begin_successor(trail, origin=OLD, reason=REASON)

    with pytest.raises(ConfigurationError, match=r"closed already.*app-2"):
        begin_successor(trail, origin=OLD, reason=REASON)


def test_a_closing_that_was_cut_off_is_taken_up(trail: Path) -> None:
    (trail.with_name("trail.lock") / "app-1.closed").write_bytes(b"{}\n")
    reopened = Trail.open(trail)
    append_pair(reopened)
    reopened.close()

    begin_successor(trail, origin=OLD, reason=REASON)

    # Another process had begun the next log meanwhile.
    assert predecessor_of(TrailReader.open(trail).log("acme.example/app-3")) is not None
    assert len(verify_trail(trail).logs) == 3


def test_a_log_in_use_is_not_closed(trail: Path) -> None:
    writing = Trail.open(trail)

    with pytest.raises(SlotError, match="in use"):
        begin_successor(trail, origin=OLD, reason=REASON)
    writing.close()

    assert not Layout.of(trail).closed("app-1").exists()


def test_nobody_vouches_for_a_log_that_was_changed(trail: Path) -> None:
    connection = sqlite3.connect(trail / LOG, isolation_level=None)
    connection.execute("UPDATE entry SET leaf = zeroblob(32) WHERE idx = 2")
    connection.close()

    with pytest.raises(TamperedError):
        begin_successor(trail, origin=OLD, reason=REASON)

    assert not Layout.of(trail).closed("app-1").exists()


@pytest.mark.parametrize("reason", ["", "x" * 501, "two\nlines"])
def test_a_reason_is_a_sentence(trail: Path, reason: str) -> None:
    with pytest.raises(ConfigurationError, match="the reason has 1 to 500"):
        begin_successor(trail, origin=OLD, reason=reason)


def signed_on(trail: Path, *, key: Ed25519Signer, change: bool) -> None:
    """Go on writing with a key, after what is there or after changing it."""
    connection = sqlite3.connect(trail / LOG, isolation_level=None)
    body = canonical_bytes(outcome(new_id()).model_dump(mode="json"))
    index = 6 if change else 7
    connection.execute(
        "INSERT OR REPLACE INTO entry (idx, body, leaf) VALUES (?, ?, ?)",
        (index, body, leaf_hash(body)),
    )
    frontier = Frontier()
    for (leaf,) in connection.execute("SELECT leaf FROM entry ORDER BY idx").fetchall():
        frontier = frontier.append(leaf)
    note = sign_checkpoint(
        Checkpoint(origin=OLD, size=frontier.size, root=frontier.root()), signer=key
    )
    connection.execute(
        "UPDATE head SET size = ?, frontier = ?, note = ?",
        (frontier.size, frontier.format(), note),
    )
    connection.close()


@pytest.mark.parametrize(
    ("change", "found"),
    [(False, "key that counts no more"), (True, "two histories of its first 7")],
    ids=["records beyond the end", "another history"],
)
def test_what_the_stolen_key_signs_is_refused_without_a_lock_database(
    trail: Path, change: bool, found: str
) -> None:
    stolen = Ed25519Signer.load(trail / "keys/app-1.pem", key_name=OLD)
    begin_successor(trail, origin=OLD, reason=REASON)
    signed_on(trail, key=stolen, change=change)
    shutil.rmtree(trail.with_name("trail.lock"))

    with pytest.raises(TamperedError, match=found):
        verify_trail(trail)


def test_a_chain_of_exported_logs_says_what_it_continues(
    trail: Path, tmp_path: Path
) -> None:
    successor = begin_successor(trail, origin=OLD, reason=REASON)
    for log in TrailReader.open(trail).logs:
        export_tiles(log, tmp_path / "out" / log.slot)

    assert predecessor_in(tmp_path / "out/app-1") is None
    assert predecessor_in(tmp_path / "out/app-2") == successor.predecessor


def test_the_successor_says_how_much_others_had_seen(
    trail: Path, tmp_path: Path
) -> None:
    with witness_for(trail, tmp_path / "state.json") as (_, known):
        trust = quorum_of(known)
        taken(trail, Outside(trust=trust))
        reopened = Trail.open(trail)
        append_pair(reopened)
        reopened.close()

        successor = begin_successor(
            trail, origin=OLD, reason=REASON, vouchers=Vouchers(trust=trust)
        )

    assert (successor.predecessor.size, successor.predecessor.witnessed) == (9, 7)
