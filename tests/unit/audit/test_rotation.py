"""Keys change hands in the open: by a record under the old key, and at every crash."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from trails import append_pair, copied, kinds, made_trail, outcome

from policyguard.audit.export.tiles import export_tiles, verify_tiles
from policyguard.audit.layout import Layout
from policyguard.audit.reader import Log, TrailReader
from policyguard.audit.rotation import rotate_logs
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.audit.writer import Writer, claim_log, claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.errors import (
    ConfigurationError,
    InvalidSignatureError,
    SlotError,
    TamperedError,
    TrailError,
)
from policyguard.identity import new_id
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.key_source import FileKeys
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog import (
    Checkpoint,
    Frontier,
    leaf_hash,
    open_checkpoint,
    sign_checkpoint,
    verify_proof_file,
)
from policyguard.vocabulary.record import KeyRotateRecord

ORIGIN = "acme.example/app-1"
LOG = "logs/app-1/log.sqlite"


def the_log(directory: Path) -> Log:
    (log,) = TrailReader.open(directory).logs
    return log


def rotated(directory: Path) -> Path:
    """Make a trail of seven records, a rotation and two records more."""
    trail = Trail.create(directory, name="acme.example")
    for _ in range(3):
        append_pair(trail)
    trail.rotate_key()
    append_pair(trail)
    trail.close()
    return directory


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rotated(tmp_path_factory.mktemp("rotated") / "trail")


@pytest.fixture
def trail(made: Path, tmp_path: Path) -> Path:
    return copied(made, tmp_path / "trail")


def test_the_record_of_a_rotation_names_both_keys(trail: Path) -> None:
    log = the_log(trail)
    old, new = log.vkeys
    entry = log.find("7")
    assert entry is not None
    record = entry.record()

    assert isinstance(record, KeyRotateRecord)
    assert (record.origin, record.old, record.new) == (
        ORIGIN,
        old.format(),
        new.format(),
    )
    assert kinds(trail).count("key.rotate") == 1


def test_the_checkpoint_of_the_handover_is_kept_and_bears_both_signatures(
    trail: Path,
) -> None:
    log = the_log(trail)
    old, new = log.vkeys
    ((size, note),) = log.checkpoints()

    assert size == 8
    for vkey in (old, new):
        assert open_checkpoint(note, vkeys=[vkey]).size == 8
    assert open_checkpoint(log.head().note, vkeys=[new]).size == 10
    with pytest.raises(InvalidSignatureError):
        open_checkpoint(log.head().note, vkeys=[old])


def test_a_rotated_trail_verifies_and_proves(trail: Path) -> None:
    log = the_log(trail)
    entry = log.find("2")
    assert entry is not None

    assert verify_trail(trail).logs[0][:2] == (ORIGIN, 10)
    checkpoint = verify_proof_file(
        log.proof(2).format(), leaf_bytes=entry.body, vkeys=log.vkeys
    )
    assert checkpoint.size == 10


def test_the_old_private_key_is_gone_and_the_new_one_signs(trail: Path) -> None:
    log = the_log(trail)

    keys = sorted(path.name for path in (trail / "keys").iterdir())
    signer = Ed25519Signer.load(trail / "keys/app-1.pem", key_name=ORIGIN)
    reopened = Trail.open(trail)
    append_pair(reopened)
    reopened.close()

    assert keys == ["app-1.pem"]
    assert VerifierKey.of_signer(signer) == log.vkey
    assert verify_trail(trail).logs[0][1] == 12


def test_an_exported_log_that_was_rotated_verifies_with_both_keys(
    trail: Path, tmp_path: Path
) -> None:
    log = the_log(trail)
    export_tiles(log, tmp_path / "out")

    assert verify_tiles(tmp_path / "out", vkeys=log.vkeys).size == 10
    with pytest.raises(TamperedError, match="not in the trust file"):
        verify_tiles(tmp_path / "out", vkeys=[log.vkey])


def test_a_log_can_be_rotated_many_times(trail: Path) -> None:
    layout = Layout.of(trail)
    for _ in range(3):
        rotate_logs(layout, origins=[ORIGIN], keys=FileKeys(), all_of_them=True)

    assert len(the_log(trail).vkeys) == 5
    assert verify_trail(trail).logs[0][1] == 13


def begun(trail: Path) -> tuple[Writer, Ed25519Signer]:
    """Claim the log of a trail, and make the next key as a rotation does first."""
    writer = claim_log(Layout.of(trail), origin=ORIGIN)
    signer = Ed25519Signer.generate(key_name=ORIGIN)
    signer.save(trail / "keys/app-1.next.pem")
    return writer, signer


def test_a_rotation_that_was_cut_off_before_its_record_is_forgotten(
    tmp_path: Path,
) -> None:
    directory = made_trail(tmp_path / "trail")
    writer, _ = begun(directory)
    writer.close()
    before = (directory / "trust").read_bytes()

    assert verify_trail(directory).logs[0][1] == 7
    Trail.open(directory).close()

    assert (directory / "trust").read_bytes() == before
    assert [path.name for path in (directory / "keys").iterdir()] == ["app-1.pem"]
    assert verify_trail(directory).logs[0][1] == 7


def test_a_rotation_that_was_cut_off_after_its_record_is_finished(
    tmp_path: Path,
) -> None:
    directory = made_trail(tmp_path / "trail")
    writer, signer = begun(directory)
    old, new = VerifierKey.of_signer(writer.signer), VerifierKey.of_signer(signer)
    record = KeyRotateRecord(
        id=new_id(),
        time="2026-07-10T12:00:00.000001Z",
        origin=ORIGIN,
        old=old.format(),
        new=new.format(),
    )
    body = canonical_bytes(record.model_dump(mode="json"))
    writer.append([body], sealed=(), successor=signer)
    writer.close()

    assert verify_trail(directory).logs[0][1] == 8
    reopened = Trail.open(directory)
    append_pair(reopened)
    reopened.close()

    assert the_log(directory).vkeys == (old, new)
    assert verify_trail(directory).logs[0][1] == 10


def test_a_rotation_whose_trust_file_cannot_be_written_is_finished_later(
    tmp_path: Path,
) -> None:
    directory = made_trail(tmp_path / "trail")
    trail = Trail.open(directory)
    (directory / "trust").rename(tmp_path / "aside")
    with pytest.raises(TrailError):
        trail.rotate_key()
    (tmp_path / "aside").rename(directory / "trust")
    append_pair(trail)
    trail.close()

    assert len(the_log(directory).vkeys) == 2
    assert verify_trail(directory).logs[0][1] == 10


def test_records_and_rotations_of_many_threads_keep_their_order(tmp_path: Path) -> None:
    import threading

    trail = Trail.create(tmp_path / "trail", name="acme.example")
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                trail.append(outcome(new_id()))
        except BaseException as error:  # noqa: BLE001 -- shown below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    trail.rotate_key()
    trail.rotate_key()
    for thread in threads:
        thread.join()
    trail.close()

    assert errors == []
    assert verify_trail(tmp_path / "trail").logs[0][1] == 33


def test_a_log_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    layout = Layout.of(tmp_path / "trail")

    skipped = rotate_logs(layout, origins=[ORIGIN], keys=FileKeys(), all_of_them=False)
    with pytest.raises(SlotError, match="in use"):
        rotate_logs(layout, origins=[ORIGIN], keys=FileKeys(), all_of_them=True)
    trail.close()

    assert skipped == {ORIGIN: None}


def test_a_closed_trail_rotates_nothing(tmp_path: Path) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    trail.close()

    with pytest.raises(TrailError, match="closed"):
        trail.rotate_key()


def rewrite_from(trail: Path, *, key: Ed25519Signer, keep: int) -> None:
    """Cut a log to some records and write others after them, signed with a key."""
    connection = sqlite3.connect(trail / LOG, isolation_level=None)
    connection.execute("DELETE FROM entry WHERE idx >= ?", (keep,))
    body = canonical_bytes(outcome(new_id()).model_dump(mode="json"))
    connection.execute(
        "INSERT INTO entry (idx, body, leaf) VALUES (?, ?, ?)",
        (keep, body, leaf_hash(body)),
    )
    frontier = Frontier()
    for (leaf,) in connection.execute("SELECT leaf FROM entry ORDER BY idx").fetchall():
        frontier = frontier.append(leaf)
    note = sign_checkpoint(
        Checkpoint(origin=ORIGIN, size=frontier.size, root=frontier.root()), signer=key
    )
    connection.execute("DELETE FROM checkpoint WHERE size > ?", (frontier.size,))
    connection.execute("DELETE FROM head")
    connection.execute(
        "INSERT INTO head VALUES (0, ?, ?, ?)",
        (frontier.size, frontier.format(), note),
    )
    connection.close()
    shutil.rmtree(trail.with_name("trail.lock"))


@pytest.mark.parametrize(
    ("keep", "found"),
    [(10, "signed with a key that was given up at size 8"), (5, "never took")],
    ids=["what it writes afterwards", "a history without the rotation"],
)
def test_a_key_that_was_given_up_signs_nothing_more(
    tmp_path: Path, keep: int, found: str
) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    for _ in range(3):
        append_pair(trail)
    stolen = Ed25519Signer.load(tmp_path / "trail/keys/app-1.pem", key_name=ORIGIN)
    trail.rotate_key()
    append_pair(trail)
    trail.close()
    rewrite_from(tmp_path / "trail", key=stolen, keep=keep)

    with pytest.raises(TamperedError, match=found):
        verify_trail(tmp_path / "trail")


def test_a_handover_whose_checkpoint_is_gone_is_found(trail: Path) -> None:
    connection = sqlite3.connect(trail / LOG, isolation_level=None)
    connection.execute("DELETE FROM checkpoint")
    connection.close()

    with pytest.raises(TamperedError, match="size 8, at which the key was handed over"):
        verify_trail(trail)


def test_a_handover_to_a_key_that_nobody_trusts_is_found(trail: Path) -> None:
    lines = (trail / "trust").read_text().splitlines(keepends=True)
    (trail / "trust").write_text("".join([lines[0], *lines[2:]]))

    with pytest.raises(TamperedError, match=r"sign|trust file"):
        verify_trail(trail)


def test_encrypted_keys_are_rotated_with_their_passphrase(tmp_path: Path) -> None:
    keys = FileKeys(passphrase=lambda: b"correct horse")
    trail = Trail.create(tmp_path / "trail", name="acme.example", keys=keys)
    trail.rotate_key()
    append_pair(trail)
    trail.close()

    pem = (tmp_path / "trail/keys/app-1.pem").read_bytes()
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert verify_trail(tmp_path / "trail").logs[0][1] == 4
    with pytest.raises(TrailError, match="give its passphrase"):
        Trail.open(tmp_path / "trail")
    wrong = FileKeys(passphrase=lambda: b"wrong")
    with pytest.raises(TrailError, match="passphrase"):
        Trail.open(tmp_path / "trail", keys=wrong)


def test_a_key_from_before_there_was_a_passphrase_signs_and_its_successor_is_encrypted(
    tmp_path: Path,
) -> None:
    Trail.create(tmp_path / "trail", name="acme.example").close()
    pem = tmp_path / "trail/keys/app-1.pem"
    before = pem.read_bytes().partition(b"\n")[0]

    keys = FileKeys(passphrase=lambda: b"correct horse")
    trail = Trail.open(tmp_path / "trail", keys=keys)
    append_pair(trail)
    trail.rotate_key()
    append_pair(trail)
    trail.close()

    assert (before, pem.read_bytes().partition(b"\n")[0]) == (
        b"-----BEGIN PRIVATE KEY-----",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----",
    )
    assert verify_trail(tmp_path / "trail").logs[0][1] == 6
    with pytest.raises(TrailError, match="give its passphrase"):
        Trail.open(tmp_path / "trail")


def test_keys_of_a_service_are_not_rotated_here(trail: Path) -> None:
    class Held(FileKeys):
        @property
        def makes_files(self) -> bool:
            return False

    with pytest.raises(ConfigurationError, match="held by a service"):
        rotate_logs(Layout.of(trail), origins=[ORIGIN], keys=Held(), all_of_them=True)


def test_the_next_process_claims_a_log_with_its_new_key(trail: Path) -> None:
    writer = claim_writer(Layout.of(trail), name=None, role="app")
    vkey = VerifierKey.of_signer(writer.signer)
    writer.close()

    assert vkey == the_log(trail).vkey
