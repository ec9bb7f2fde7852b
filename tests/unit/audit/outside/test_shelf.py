"""The shelf keeps what others have said, whole or not at all, and trusts none of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policyguard.audit.outside.shelf import Attempt, Shelf
from policyguard.errors import TamperedError, TrailError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.tlog import Checkpoint, Note, sign_checkpoint
from policyguard.tlog.cosignature import cosign

LOG = Ed25519Signer.from_seed(bytes(32), key_name="acme.example/log")
WITNESS = Ed25519Signer.from_seed(bytes(31) + b"\x01", key_name="witness.example")


def note_of(size: int, *, root: bytes = b"r" * 32) -> Note:
    checkpoint = Checkpoint(origin="acme.example/log", size=size, root=root)
    return Note.parse(sign_checkpoint(checkpoint, signer=LOG))


def cosigned(note: Note, *, time: int) -> Note:
    line = cosign(note.text, signer=WITNESS, time=time)
    return replace(note, signatures=(*note.signatures, line))


def test_checkpoints_and_stamps_are_kept_by_size(tmp_path: Path) -> None:
    shelf = Shelf.in_folder(tmp_path / "outside")
    assert (shelf.sizes(), shelf.stamped_sizes(), shelf.attempts()) == ([], [], {})

    for size in (10, 9, 100):
        shelf.add(size, note_of(size))
    shelf.add_stamp(9, b"token")

    assert shelf.sizes() == [9, 10, 100]
    assert shelf.checkpoint(10) == note_of(10)
    assert (shelf.stamped_sizes(), shelf.stamp(9), shelf.stamp(10)) == (
        [9],
        b"token",
        None,
    )


def test_cosignatures_add_up_and_the_newer_takes_the_older_ones_place(
    tmp_path: Path,
) -> None:
    shelf = Shelf.in_folder(tmp_path)
    note = note_of(5)
    shelf.add(5, note)
    shelf.add(5, cosigned(note, time=1))

    merged = shelf.add(5, cosigned(note, time=2))

    assert merged == cosigned(note, time=2) == shelf.checkpoint(5)
    assert shelf.add(5, note) == merged


def test_another_history_of_the_same_size_is_never_put_in_its_place(
    tmp_path: Path,
) -> None:
    shelf = Shelf.in_folder(tmp_path)
    shelf.add(5, note_of(5))

    with pytest.raises(TamperedError, match="another history"):
        shelf.add(5, note_of(5, root=b"o" * 32))

    assert shelf.checkpoint(5) == note_of(5)


def test_a_file_that_is_not_what_its_name_says_is_found(tmp_path: Path) -> None:
    shelf = Shelf.in_folder(tmp_path)
    (tmp_path / "7.checkpoint").write_text(note_of(8).format())
    (tmp_path / "9.checkpoint").write_text("nothing")

    with pytest.raises(TamperedError, match="of size 8"):
        shelf.checkpoint(7)
    with pytest.raises(TamperedError, match="was changed"):
        shelf.checkpoint(9)


def test_other_files_are_none_of_its_business(tmp_path: Path) -> None:
    for name in (
        "07.checkpoint",
        "x.checkpoint",
        "7.checkpoint.tmp",
        "7.tsq",
        "-1.tsr",
    ):
        (tmp_path / name).write_text("x")

    shelf = Shelf.in_folder(tmp_path)

    assert (shelf.sizes(), shelf.stamped_sizes()) == ([], [])


def test_the_last_attempt_at_each_place_is_remembered(tmp_path: Path) -> None:
    shelf = Shelf.in_folder(tmp_path / "outside")
    first = Attempt(time="2026-07-10T12:00:00.000001Z", size=5, failure="no answer")
    later = Attempt(time="2026-07-10T13:00:00.000001Z", size=6)

    for name, attempt in (("witness w1", first), ("witness w1", later), ("tsa", first)):
        shelf.note_attempt(name, attempt)

    assert shelf.attempts() == {"witness w1": later, "tsa": first}


@pytest.mark.parametrize("text", ["", "[]", "7", '{"a":{}}', '{"a":7}', "{"])
def test_a_damaged_state_says_that_it_may_be_removed(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    shelf = Shelf.in_folder(tmp_path)
    if text == "[]":
        assert shelf.attempts() == {}
        return

    with pytest.raises(TrailError, match="remove it"):
        shelf.attempts()
