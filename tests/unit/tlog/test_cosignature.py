"""Cosignatures are bound to their witness, their time and the whole checkpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policyguard.errors import ConfigurationError, InvalidSignatureError
from policyguard.signing.ed25519 import Ed25519Signer, verify_ed25519
from policyguard.signing.keyring import SignatureType, VerifierKey
from policyguard.tlog import Checkpoint, Note, open_checkpoint, root_of, sign_checkpoint
from policyguard.tlog.cosignature import cosign, verified_cosignatures, witness_key

TIME = 1_780_000_000
LOG = Ed25519Signer.from_seed(bytes(32), key_name="acme.example/log")
WITNESS = Ed25519Signer.from_seed(bytes(31) + b"\x01", key_name="witness.example")
KEY = witness_key(WITNESS)
CHECKPOINT = Checkpoint(
    origin="acme.example/log", size=3, root=root_of([b"a" * 32, b"b" * 32, b"c" * 32])
)
SIGNED = Note.parse(sign_checkpoint(CHECKPOINT, signer=LOG))


def cosigned(*, time: int = TIME, signer: Ed25519Signer = WITNESS) -> Note:
    line = cosign(SIGNED.text, signer=signer, time=time)
    return replace(SIGNED, signatures=(*SIGNED.signatures, line))


def test_a_cosignature_is_over_header_time_and_text() -> None:
    line = cosign(SIGNED.text, signer=WITNESS, time=TIME)

    assert (line.key_name, line.key_id) == ("witness.example", KEY.key_id)
    assert line.signature[:8] == TIME.to_bytes(8, "big")
    verify_ed25519(
        public_key=WITNESS.public_key,
        signature=line.signature[8:],
        message=f"cosignature/v1\ntime {TIME}\n{SIGNED.text}".encode(),
    )


def test_the_key_of_a_witness_is_of_a_type_of_its_own() -> None:
    assert KEY.signature_type is SignatureType.ED25519_COSIGNATURE
    assert KEY.key_id != VerifierKey.of_signer(WITNESS).key_id
    assert VerifierKey.parse(KEY.format()) == KEY


def test_a_known_witness_is_verified_and_its_time_returned() -> None:
    assert verified_cosignatures(cosigned(), witnesses=[KEY]) == {KEY: TIME}


def test_the_log_is_verified_with_whatever_cosigns_it() -> None:
    log = VerifierKey.of_signer(LOG)

    assert open_checkpoint(cosigned().format(), vkeys=[log, KEY]) == CHECKPOINT


def test_others_are_ignored() -> None:
    stranger = Ed25519Signer.generate(key_name="witness.example")

    assert verified_cosignatures(SIGNED, witnesses=[KEY]) == {}
    assert verified_cosignatures(cosigned(signer=stranger), witnesses=[KEY]) == {}
    assert verified_cosignatures(cosigned(), witnesses=[]) == {}


def test_of_two_cosignatures_the_later_counts() -> None:
    early, late = cosigned(time=TIME - 5).signatures[1], cosigned().signatures[1]

    for lines in ((early, late), (late, early)):
        note = replace(SIGNED, signatures=(*SIGNED.signatures, *lines))
        assert verified_cosignatures(note, witnesses=[KEY]) == {KEY: TIME}


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:7] + bytes([data[7] ^ 1]) + data[8:],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data[:-1],
        lambda data: data + b"\x00",
        lambda data: b"\xff" * 8 + data[8:],
        lambda data: data[8:],
    ],
    ids=["time", "signature", "cut", "longer", "time out of range", "no time"],
)
def test_a_changed_cosignature_of_a_known_witness_is_refused(change) -> None:
    line = cosigned().signatures[1]
    changed = replace(line, signature=change(line.signature))
    note = replace(SIGNED, signatures=(*SIGNED.signatures, changed))

    with pytest.raises(
        InvalidSignatureError, match=r"cosignature of `witness\.example`"
    ):
        verified_cosignatures(note, witnesses=[KEY])


def test_a_cosignature_does_not_fit_another_checkpoint() -> None:
    other = Note.parse(sign_checkpoint(replace(CHECKPOINT, size=4), signer=LOG))
    line = cosigned().signatures[1]

    with pytest.raises(InvalidSignatureError):
        verified_cosignatures(
            replace(other, signatures=(*other.signatures, line)), witnesses=[KEY]
        )


def test_a_log_signature_of_a_witness_key_is_no_cosignature() -> None:
    note = Note.parse(
        sign_checkpoint(replace(CHECKPOINT, origin="witness.example"), signer=WITNESS)
    )

    assert verified_cosignatures(note, witnesses=[KEY]) == {}


def test_a_witness_with_a_key_that_is_not_verified_here_never_counts() -> None:
    post_quantum = VerifierKey(
        key_name="witness.example",
        public_key=bytes(1_312),
        signature_type=SignatureType.ML_DSA_44,
    )

    assert verified_cosignatures(cosigned(), witnesses=[post_quantum]) == {}


@pytest.mark.parametrize("time", [-1, 2**63])
def test_a_time_that_no_cosignature_has_is_refused(time: int) -> None:
    with pytest.raises(ConfigurationError, match="from 0 to"):
        cosign(SIGNED.text, signer=WITNESS, time=time)
