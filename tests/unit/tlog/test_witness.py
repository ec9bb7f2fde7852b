"""The bytes that logs and witnesses exchange: exactly those of C2SP tlog-witness."""

from __future__ import annotations

import pytest

from policyguard.errors import FormatError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.tlog import Checkpoint, Note, root_of, sign_checkpoint
from policyguard.tlog.cosignature import cosign
from policyguard.tlog.witness import (
    Submission,
    parse_cosignatures,
    parse_known_size,
)

LOG = Ed25519Signer.from_seed(bytes(32), key_name="acme.example/log")
WITNESS = Ed25519Signer.from_seed(bytes(31) + b"\x01", key_name="witness.example")
NOTE = Note.parse(
    sign_checkpoint(
        Checkpoint(origin="acme.example/log", size=1, root=root_of([b"a" * 32])),
        signer=LOG,
    )
)
HASH = b"\x01" * 32
TEXT = (
    "old 7\n"
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
    "\n" + NOTE.format()
)
LINE = cosign(NOTE.text, signer=WITNESS, time=5).format()


def test_a_submission_has_old_size_proof_and_checkpoint() -> None:
    submission = Submission(old_size=7, proof=(HASH, HASH), checkpoint=NOTE)

    assert submission.format() == TEXT
    assert Submission.parse(TEXT.encode()) == submission


def test_a_first_submission_has_no_proof() -> None:
    submission = Submission(old_size=0, proof=(), checkpoint=NOTE)

    assert submission.format() == f"old 0\n\n{NOTE.format()}"
    assert Submission.parse(submission.format()) == submission


@pytest.mark.parametrize(
    "text",
    [
        "",
        "old 7",
        TEXT.replace("old 7", "new 7"),
        TEXT.replace("old 7", "old 07"),
        TEXT.replace("old 7", "old -7"),
        TEXT.replace("old 7", "old 9223372036854775808"),
        TEXT.replace("QE=", "QF="),
        TEXT.replace("AQEB", "AQE", 1),
        TEXT.replace("old 7\n", "old 7\n" + TEXT.split("\n")[1] * 1 + "\n" * 1, 1)[:-1],
        TEXT.replace("old 7\n", "old 7\n" + (TEXT.split("\n")[1] + "\n") * 62),
        TEXT.replace("\n\n", "\n", 1),
        TEXT.replace("\n", "\r\n"),
    ],
)
def test_what_is_no_submission_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        Submission.parse(text)


@pytest.mark.parametrize(
    ("old_size", "proof"),
    [(-1, ()), (2**63, ()), (1, (b"short",)), (1, (HASH,) * 64)],
)
def test_what_has_no_submission_is_refused(old_size, proof) -> None:
    with pytest.raises(FormatError):
        Submission(old_size=old_size, proof=proof, checkpoint=NOTE)


def test_an_answer_is_signature_lines() -> None:
    (line,) = parse_cosignatures(f"{LINE}\n".encode())

    assert line.format() == LINE
    assert len(parse_cosignatures(f"{LINE}\n{LINE}\n".encode())) == 2


@pytest.mark.parametrize(
    "body",
    [b"", b"\n", LINE.encode(), f"{LINE}\n\n".encode(), f"{LINE}\n".encode() * 16,
     b"ok\n", b"\xff\n", b"a" * 70_000],
)  # fmt: skip
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        parse_cosignatures(body)


def test_a_conflict_says_the_size_that_the_witness_knows() -> None:
    assert parse_known_size(b"20852163\n") == 20_852_163


@pytest.mark.parametrize(
    "body", [b"", b"7", b"07\n", b"-7\n", b"7\n\n", b" 7\n", b"x\n"]
)
def test_what_is_no_size_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        parse_known_size(body)
