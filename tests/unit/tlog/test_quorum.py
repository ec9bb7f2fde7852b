"""Groups and quorums of C2SP tlog-policy, for checkpoints and proof files."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from policyguard.errors import (
    InvalidCheckpointError,
    InvalidProofError,
    InvalidSignatureError,
    UnwitnessedError,
)
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.trust_file import TrustedLog, TrustedWitness, TrustFile
from policyguard.tlog import (
    Checkpoint,
    Note,
    ProofFile,
    leaf_hash,
    prove_inclusion,
    root_of,
    sign_checkpoint,
)
from policyguard.tlog.cosignature import cosign, witness_key
from policyguard.tlog.quorum import (
    cosigners,
    has_quorum,
    verify_trusted_checkpoint,
    verify_trusted_proof,
)

LOG = Ed25519Signer.from_seed(bytes(32), key_name="acme.example/log")
SIGNERS = {
    name: Ed25519Signer.from_seed(name.encode() * 16, key_name=f"{name}.example")
    for name in ("w1", "w2", "w3", "w4")
}
LINES = "".join(
    f"witness {name} {witness_key(signer).format()}\n"
    for name, signer in SIGNERS.items()
)
RULES = {
    "quorum none": lambda names: True,
    "quorum w2": lambda names: "w2" in names,
    "group g any w1 w2\nquorum g": lambda names: bool({"w1", "w2"} & names),
    "group g all w1 w2 w3\nquorum g": lambda names: {"w1", "w2", "w3"} <= names,
    "group g 2 w1 w2 w3\nquorum g": lambda names: len({"w1", "w2", "w3"} & names) > 1,
    "group a any w1 w2\ngroup b any w3 w4\ngroup g all a b\nquorum g": lambda names: (
        bool({"w1", "w2"} & names) and bool({"w3", "w4"} & names)
    ),
    "group a all w1 w2\ngroup g 2 a w3 w4\nquorum g": lambda names: (
        ({"w1", "w2"} <= names) + ("w3" in names) + ("w4" in names) > 1
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_quorum_is_what_its_lines_say_for_every_set_of_witnesses(rule: str) -> None:
    trust = TrustFile.parse(f"{LINES}{rule}\n")

    for count in range(5):
        for names in combinations(SIGNERS, count):
            assert has_quorum(trust, cosigned=set(names)) == RULES[rule](set(names))


def test_names_that_are_no_witnesses_never_count() -> None:
    trust = TrustFile.parse(f"{LINES}group g any w1\nquorum g\n")

    assert not has_quorum(trust, cosigned={"g", "w2", "stranger"})


LEAVES = [leaf_hash(b"first"), leaf_hash(b"second")]
CHECKPOINT = Checkpoint(origin="acme.example/log", size=2, root=root_of(LEAVES))
TRUST = replace(
    TrustFile.parse(f"{LINES}group g 2 w1 w2 w3\nquorum g\n"),
    logs=(TrustedLog(key=VerifierKey.of_signer(LOG)),),
)


def note_by(*names: str, log: Ed25519Signer = LOG) -> Note:
    note = Note.parse(sign_checkpoint(CHECKPOINT, signer=log))
    lines = [cosign(note.text, signer=SIGNERS[name], time=5) for name in names]
    return replace(note, signatures=(*note.signatures, *lines))


def proof_by(*names: str) -> str:
    hashes = prove_inclusion(index=1, size=2, tree=LEAVES)
    return ProofFile(index=1, hashes=hashes, checkpoint=note_by(*names)).format()


def test_a_checkpoint_with_enough_cosignatures_is_accepted() -> None:
    note = note_by("w1", "w3")

    assert cosigners(note, trust=TRUST) == {"w1": 5, "w3": 5}
    assert verify_trusted_checkpoint(note, trust=TRUST) == CHECKPOINT
    assert (
        verify_trusted_proof(proof_by("w1", "w3"), leaf_bytes=b"second", trust=TRUST)
        == CHECKPOINT
    )


@pytest.mark.parametrize("names", [(), ("w1",), ("w4",), ("w1", "w4")])
def test_too_few_cosignatures_are_no_evidence_of_tampering(names) -> None:
    with pytest.raises(UnwitnessedError, match="lacks the quorum `g`"):
        verify_trusted_checkpoint(note_by(*names), trust=TRUST)
    with pytest.raises(UnwitnessedError):
        verify_trusted_proof(proof_by(*names), leaf_bytes=b"second", trust=TRUST)


def test_one_witness_that_signs_twice_counts_once() -> None:
    with pytest.raises(UnwitnessedError):
        verify_trusted_checkpoint(note_by("w1", "w1"), trust=TRUST)


def test_the_log_has_to_have_signed_whoever_cosigns() -> None:
    thief = Ed25519Signer.generate(key_name="acme.example/log")

    with pytest.raises(InvalidSignatureError):
        verify_trusted_checkpoint(note_by("w1", "w2", log=thief), trust=TRUST)


def test_another_log_of_the_file_does_not_speak_for_this_one() -> None:
    other = Ed25519Signer.from_seed(b"o" * 32, key_name="acme.example/other")
    trust = replace(TRUST, logs=(TrustedLog(key=VerifierKey.of_signer(other)),))
    note = note_by("w1", "w2")
    text = note.text
    line = Note.parse(
        sign_checkpoint(replace(CHECKPOINT, origin="acme.example/other"), signer=other)
    ).signatures[0]
    forged = replace(line, signature=other.sign(text.encode()))

    with pytest.raises(InvalidCheckpointError):
        verify_trusted_checkpoint(
            replace(note, signatures=(*note.signatures, forged)), trust=trust
        )


def test_a_record_that_is_not_there_is_not_proved_by_any_quorum() -> None:
    with pytest.raises(InvalidProofError):
        verify_trusted_proof(proof_by("w1", "w2"), leaf_bytes=b"other", trust=TRUST)


def test_a_witness_needs_its_own_key_in_the_file() -> None:
    wrong = TrustedWitness(name="w1", key=witness_key(SIGNERS["w4"]))
    trust = replace(TRUST, witnesses=(wrong, *TRUST.witnesses[1:3]))

    with pytest.raises(UnwitnessedError):
        verify_trusted_checkpoint(note_by("w1", "w2"), trust=trust)
