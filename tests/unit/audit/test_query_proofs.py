"""A proof for each row, verified with the trusted keys alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from trails import copied, made_trail, outcome

from policyguard.audit.creation import read_trust
from policyguard.audit.query import Question, ask
from policyguard.audit.query_proofs import LeafHashes, verify_proofs, write_proofs
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.errors import ConfigurationError, TamperedError, TrailError
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog import leaf_hash, open_checkpoint, verify_proof_file


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    return made_trail(tmp_path / "trail", pairs=4)


def keys(trail: Path) -> tuple[VerifierKey, ...]:
    return read_trust(trail / "trust").log_keys()


def proofs_of(trail: Path, folder: Path, *, where: str = "1") -> int:
    sql = f"SELECT log, entry FROM records WHERE {where} ORDER BY log, entry"
    return ask(Question(sql=sql), reader=TrailReader.open(trail), proofs=folder).proofs


def test_each_row_has_a_proof_that_needs_no_trail(trail: Path, tmp_path: Path) -> None:
    trusted = read_trust(trail / "trust")

    written = proofs_of(trail, tmp_path / "out")
    shutil.rmtree(trail)
    found = verify_proofs(tmp_path / "out", trust=trusted)

    (checkpoint, count) = found["acme.example/app-1"]
    assert (written, count, checkpoint.size) == (9, 9, 9)


def grown(trail: Path) -> str:
    """Append a record, and return its id."""
    writer = Trail.open(trail)
    record = outcome("x")
    writer.append(record)
    writer.close()
    return record.id


@pytest.mark.parametrize("longer", [False, True])
def test_two_histories_of_one_log_are_seen_in_the_proofs_that_were_handed_out(
    trail: Path, tmp_path: Path, *, longer: bool
) -> None:
    fork, out = copied(trail, tmp_path / "fork"), tmp_path / "out"
    trusted = read_trust(trail / "trust")
    # By name, and so by age, a proof up to a larger checkpoint comes between them.
    grown(fork)
    proofs_of(fork, out, where="entry = 9")
    if longer:
        later = copied(fork, tmp_path / "later")
        grown(later)
        proofs_of(later, out, where="entry = 10")
    assert verify_proofs(out, trust=trusted)
    grown(trail)
    proofs_of(trail, out, where="entry = 9")

    with pytest.raises(TamperedError, match="two histories of acme"):
        verify_proofs(out, trust=trusted)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 64, 65])
def test_proofs_from_hashes_are_those_of_the_whole_tree(
    tmp_path: Path, size: int
) -> None:
    writer = Trail.create(tmp_path / "trail", name="acme.example")
    for _ in range(size - 1):
        writer.append(outcome("x"))
    writer.close()
    log = TrailReader.open(tmp_path / "trail").logs[0]
    entries = list(log.entries())
    hashes = LeafHashes(log=log, note=log.head().note)
    hashes.extend([leaf_hash(entry.body) for entry in entries])
    hashes.checkpoint = open_checkpoint(hashes.note, vkeys=[log.vkey])

    for entry in entries:
        text = hashes.proof(entry.index).format()
        verify_proof_file(text, leaf_bytes=entry.body, vkeys=[log.vkey])
        assert text == log.proof(entry.index).format()


@pytest.mark.parametrize("end", [".json", ".tlog-proof"])
def test_half_a_pair_is_no_proof(trail: Path, tmp_path: Path, end: str) -> None:
    proofs_of(trail, tmp_path / "out", where="entry = 1")
    (gone,) = (tmp_path / "out").glob(f"*{end}")
    gone.unlink()

    with pytest.raises(TamperedError, match="is missing"):
        verify_proofs(tmp_path / "out", trust=read_trust(trail / "trust"))


def test_a_changed_record_is_named(trail: Path, tmp_path: Path) -> None:
    proofs_of(trail, tmp_path / "out", where="entry = 1")
    (record,) = (tmp_path / "out").glob("*.json")
    said = json.loads(record.read_bytes())
    record.write_text(json.dumps({**said, "verdict": "deny"}, separators=(",", ":")))

    with pytest.raises(TamperedError, match=record.name):
        verify_proofs(tmp_path / "out", trust=read_trust(trail / "trust"))


def test_a_stranger_s_log_proves_nothing(trail: Path, tmp_path: Path) -> None:
    other = made_trail(tmp_path / "other")
    proofs_of(other, tmp_path / "out", where="entry = 1")

    with pytest.raises(TamperedError, match="is not what"):
        verify_proofs(tmp_path / "out", trust=read_trust(trail / "trust"))


def test_nothing_is_no_proof(trail: Path, tmp_path: Path) -> None:
    with pytest.raises(TrailError, match="no proof"):
        verify_proofs(tmp_path, trust=read_trust(trail / "trust"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT entry FROM records",
        "SELECT log, entry + 100 AS entry FROM records",
        "SELECT 'app-9' AS log, entry FROM records",
        "SELECT log, 'x' AS entry FROM records",
    ],
)
def test_rows_without_a_place_cannot_be_proved(
    trail: Path, tmp_path: Path, sql: str
) -> None:
    reader = TrailReader.open(trail)

    with pytest.raises(ConfigurationError, match="`log` and `entry`"):
        ask(Question(sql=sql), reader=reader, proofs=tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_record_that_changed_meanwhile_is_not_proved(
    trail: Path, tmp_path: Path
) -> None:
    log = TrailReader.open(trail).logs[0]
    head = log.head()
    hashes = LeafHashes(log=log, note=head.note)
    hashes.extend([b"\x00" * 32] * head.size)
    hashes.checkpoint = open_checkpoint(head.note, vkeys=[log.vkey])

    with pytest.raises(TamperedError, match="changed while it was read"):
        write_proofs([("app-1", 1)], leaves={"app-1": hashes}, folder=tmp_path / "out")
