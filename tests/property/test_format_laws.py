"""The laws of every format that comes from outside.

- A parser given any bytes, or a valid file with any change, raises FormatError or
  returns a value; nothing else ever comes out of it.
- What it returns formats to the bytes that it was given: each value has one spelling.
- Verification of any change raises an error of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.errors import FormatError, PolicyGuardError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.trust_file import TrustedLog, TrustFile
from policyguard.tlog import (
    Checkpoint,
    Note,
    NoteSignature,
    ProofFile,
    leaf_hash,
    prove_inclusion,
    root_of,
    sign_checkpoint,
)
from policyguard.tlog.cosignature import cosign, witness_key
from policyguard.tlog.quorum import verify_trusted_proof
from policyguard.tlog.tile import TilePath, decode_bundle, encode_bundle
from policyguard.tlog.witness import (
    Submission,
    parse_cosignatures,
    parse_known_size,
)

LOG = Ed25519Signer.from_seed(bytes(32), key_name="acme.example/log")
WITNESS = Ed25519Signer.from_seed(b"w" * 32, key_name="witness.example/w1")
LEAVES = [leaf_hash(b"%d" % number) for number in range(5)]
CHECKPOINT = Checkpoint(origin="acme.example/log", size=5, root=root_of(LEAVES))
SIGNED = Note.parse(sign_checkpoint(CHECKPOINT, signer=LOG))
NOTE = replace(
    SIGNED,
    signatures=(
        *SIGNED.signatures,
        cosign(SIGNED.text, signer=WITNESS, time=1_780_000_000),
    ),
)
PROOF = ProofFile(
    index=3,
    hashes=prove_inclusion(index=3, size=5, tree=LEAVES),
    checkpoint=NOTE,
    extra=b"more",
)
VKEY = VerifierKey.of_signer(LOG).format()
TRUST_TEXT = (
    f"# who is trusted\nlog {VKEY} https://log.example/\n"
    f"witness w1 {witness_key(WITNESS).format()} https://witness.example/\n"
    "group g 1 w1\nquorum g\n"
)
TRUST = replace(
    TrustFile.parse(TRUST_TEXT),
    logs=(TrustedLog(key=VerifierKey.of_signer(LOG)),),
)
SUBMISSION = Submission(old_size=3, proof=tuple(LEAVES[:3]), checkpoint=NOTE)
LINES = "".join(f"{line.format()}\n" for line in NOTE.signatures)
BUNDLE = encode_bundle([b"a", b"", b"ccc"])


def text(value: Any) -> bytes:
    return str(value.format()).encode()


def lines(value: tuple[NoteSignature, ...]) -> bytes:
    return "".join(f"{line.format()}\n" for line in value).encode()


Parser = Callable[[bytes], Any]
# Each format: a valid file, its parser, and what writes the value again.
FORMATS: dict[str, tuple[bytes, Parser, Callable[[Any], bytes] | None]] = {
    "note": (text(NOTE), Note.parse, text),
    "checkpoint": (text(CHECKPOINT), Checkpoint.parse, text),
    "proof file": (text(PROOF), ProofFile.parse, text),
    "vkey": (VKEY.encode(), VerifierKey.parse, text),
    # Comments and spaces are not kept: its law is another, below.
    "trust file": (TRUST_TEXT.encode(), TrustFile.parse, None),
    "submission": (text(SUBMISSION), Submission.parse, text),
    "cosignatures": (LINES.encode(), parse_cosignatures, lines),
    "known size": (b"20852163\n", parse_known_size, lambda size: b"%d\n" % size),
    "entry bundle": (BUNDLE, lambda data: decode_bundle(data, width=3), encode_bundle),
    "tile path": (
        b"tile/entries/x001/234.p/17",
        lambda data: TilePath.parse(data.decode("latin-1")),
        text,
    ),
}
PIECES = st.sampled_from(
    [b"\n", b"\n\n", b" ", b"\x00", b"\r", b"\t", b"\xff", b"=", b"+", b"/", b"0", b"-",
     b"old ", b"index ", b"extra ", b"log ", b"witness ", b"group ", b"quorum ",
     "—".encode(), "é".encode(), b"\xe2\x80", b"9" * 30, b"A" * 70]
)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, data: bytes) -> bytes:
    """Cut, double, replace or flip parts of a valid file."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(at + 12, len(data))))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            data = data[:at] + data[end:]
        elif kind == 1:
            data = data[:end] + data[at:]
        elif kind == 2:
            data = data[:at] + draw(PIECES) + data[end:]
        elif kind == 3:
            data = data[:at] + draw(st.binary(max_size=4)) + data[end:]
        elif at < len(data):
            flipped = bytes([data[at] ^ (1 << draw(st.integers(0, 7)))])
            data = data[:at] + flipped + data[at + 1 :]
    return data


@pytest.mark.parametrize("name", FORMATS)
def test_a_valid_file_is_read_and_written_again(name: str) -> None:
    data, parse, write = FORMATS[name]

    value = parse(data)

    assert write is None or write(value) == data


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_bytes_give_a_value_with_one_spelling_or_our_error(
    name: str, data: st.DataObject
) -> None:
    valid, parse, write = FORMATS[name]
    given_bytes = data.draw(st.binary(max_size=300) | changed(valid))
    try:
        value = parse(given_bytes)
    except FormatError:
        return

    assert write is None or write(value) == given_bytes


@settings(deadline=None, max_examples=150)
@given(changed(TRUST_TEXT.encode()))
def test_a_trust_file_that_is_read_says_the_same_when_it_is_written(
    data: bytes,
) -> None:
    try:
        trust = TrustFile.parse(data)
    except FormatError:
        return

    assert TrustFile.parse(trust.format()) == trust


@settings(deadline=None, max_examples=200)
@given(changed(text(PROOF)), changed(b"3") | st.just(b"3"))
def test_no_change_to_a_proof_or_its_record_goes_unseen(
    proof: bytes, record: bytes
) -> None:
    try:
        checkpoint = verify_trusted_proof(proof, leaf_bytes=record, trust=TRUST)
    except PolicyGuardError:
        return

    # What was not signed may differ: further signature lines, and the extra data.
    parsed = ProofFile.parse(proof)
    assert (checkpoint, record) == (CHECKPOINT, b"3")
    assert (parsed.index, parsed.hashes) == (PROOF.index, PROOF.hashes)
