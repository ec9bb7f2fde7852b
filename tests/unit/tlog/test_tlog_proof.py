"""Proof files: their exact bytes, verification alone, what is refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.errors import (
    FormatError,
    InvalidProofError,
    InvalidSignatureError,
    VerificationError,
)
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog.checkpoint import Checkpoint, sign_checkpoint
from policyguard.tlog.merkle import leaf_hash, root_of
from policyguard.tlog.note import Note
from policyguard.tlog.proof import prove_inclusion
from policyguard.tlog.tlog_proof import ProofFile, verify_proof_file

ORIGIN = "acme.example/policyguard/web-1"
SIGNER = Ed25519Signer.from_seed(bytes(range(32)), key_name=ORIGIN)
VKEYS = [VerifierKey.of_signer(SIGNER)]
ENTRIES = [b'{"n":%d}' % n for n in range(3)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
CHECKPOINT = Checkpoint(origin=ORIGIN, size=3, root=root_of(LEAVES))
NOTE = Note.parse(sign_checkpoint(CHECKPOINT, signer=SIGNER))
FILE = (
    "c2sp.org/tlog-proof@v1\n"
    "index 2\n"
    "O63IBTfwKeG7dygNyFIDzy7ZdI3I9XEjD8ulwybJEGg=\n"
    "\n"
    "acme.example/policyguard/web-1\n"
    "3\n"
    "LP73YnWX4AtWSXV3Stco7yEHBnWfym1kE4xt/By/LNo=\n"
    "\n"
    "— acme.example/policyguard/web-1 SVcGEzo8n0APqsRyer2MBBPHKcr+vBxnKBDaQONBLBxxZpNs"
    "8EpNA7KMAtgC6G9IysTwm+pUTrLMmYmuPxG4dt8Czws=\n"
)
HASH_LINE = "O63IBTfwKeG7dygNyFIDzy7ZdI3I9XEjD8ulwybJEGg="


def proof_file(index: int) -> ProofFile:
    return ProofFile(
        index=index,
        hashes=prove_inclusion(index=index, size=3, tree=LEAVES),
        checkpoint=NOTE,
    )


def test_a_proof_file_has_these_bytes() -> None:
    assert proof_file(2).format() == FILE
    assert ProofFile.parse(FILE) == proof_file(2)
    assert ProofFile.parse(FILE.encode()) == proof_file(2)


@pytest.mark.parametrize("index", range(3))
def test_a_proof_file_verifies_its_entry_and_no_other(index: int) -> None:
    text = proof_file(index).format()

    for number, entry in enumerate(ENTRIES):
        if number == index:
            assert verify_proof_file(text, leaf_bytes=entry, vkeys=VKEYS) == CHECKPOINT
        else:
            with pytest.raises(InvalidProofError):
                verify_proof_file(text, leaf_bytes=entry, vkeys=VKEYS)


def test_a_log_of_one_entry_has_a_proof_without_hashes() -> None:
    checkpoint = Checkpoint(origin=ORIGIN, size=1, root=LEAVES[0])
    signed = sign_checkpoint(checkpoint, signer=SIGNER)
    text = f"c2sp.org/tlog-proof@v1\nindex 0\n\n{signed}"

    assert verify_proof_file(text, leaf_bytes=ENTRIES[0], vkeys=VKEYS) == checkpoint
    assert ProofFile.parse(text).format() == text


def test_extra_data_is_kept_and_changes_nothing() -> None:
    file = replace(proof_file(2), extra=b"context")

    text = file.format()

    assert text.split("\n")[1] == "extra Y29udGV4dA=="
    assert ProofFile.parse(text) == file
    assert verify_proof_file(text, leaf_bytes=ENTRIES[2], vkeys=VKEYS) == CHECKPOINT


def test_another_index_hash_or_key_is_refused() -> None:
    for text in (
        FILE.replace("index 2", "index 1"),
        FILE.replace("index 2", "index 3"),
        FILE.replace(f"{HASH_LINE}\n", f"{HASH_LINE}\n{HASH_LINE}\n"),
        FILE.replace(f"{HASH_LINE}\n", ""),
        FILE.replace("O63", "P63"),
    ):
        with pytest.raises(InvalidProofError):
            verify_proof_file(text, leaf_bytes=ENTRIES[2], vkeys=VKEYS)
    with pytest.raises(InvalidSignatureError):
        verify_proof_file(FILE, leaf_bytes=ENTRIES[2], vkeys=[])


@pytest.mark.parametrize(
    "text",
    [
        "", "c2sp.org/tlog-proof@v1\n", FILE.replace("@v1", "@v2"), f"\n{FILE}", f" {FILE}",
        FILE.replace("index 2\n", ""), FILE.replace("index 2", "index 02"),
        FILE.replace("index 2", "index  2"), FILE.replace("index 2", "index"),
        FILE.replace("index 2", "Index 2"), FILE.replace("index 2", "index -1"),
        FILE.replace("index 2", f"index {2**63}"),
        FILE.replace("index 2", "index 2\nindex 2"),
        FILE.replace("index 2", "extra \nindex 2"),
        FILE.replace("index 2", "extra YR==\nindex 2"),
        FILE.replace("index 2", "extra YQ==\nextra YQ==\nindex 2"),
        FILE.replace("index 2", "index 2\nextra YQ=="),
        FILE.replace(HASH_LINE, HASH_LINE[:-1]), FILE.replace(HASH_LINE, "YQ=="),
        FILE.replace(HASH_LINE, "\n".join([HASH_LINE] * 65)),
        FILE.replace(f"{HASH_LINE}\n\n", f"{HASH_LINE}\n"),
        FILE.replace("\n", "\r\n"), FILE[:-1], f"{FILE}\n", FILE + "x",
    ],
    ids=lambda text: ascii(text[23:60]),
)  # fmt: skip
def test_what_is_not_a_proof_file_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        ProofFile.parse(text)


def test_a_value_that_has_no_file_cannot_be_made() -> None:
    good = proof_file(2)
    for wrong in (
        {"index": -1}, {"index": 2**63}, {"hashes": (b"short",)},
        {"hashes": (bytes(32),) * 65}, {"extra": bytes(65_537)},
    ):  # fmt: skip
        with pytest.raises(FormatError):
            replace(good, **wrong)  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=64),
    st.binary(max_size=40),
)
def test_parse_undoes_format(index: int, hashes: list[bytes], extra: bytes) -> None:
    file = ProofFile(index=index, hashes=tuple(hashes), checkpoint=NOTE, extra=extra)

    assert ProofFile.parse(file.format()) == file


def test_the_largest_proof_file_still_parses() -> None:
    big = Note(text="t" * 999_000 + "\n", signatures=NOTE.signatures)
    file = ProofFile(
        index=2**63 - 1,
        hashes=(bytes(32),) * 64,
        checkpoint=big,
        extra=bytes(65_536),
    )

    assert ProofFile.parse(file.format()) == file


_PIECES = [
    "c2sp.org/tlog-proof@v1\n", "index 2\n", "index 0", "extra YQ==\n", f"{HASH_LINE}\n",
    "\n", NOTE.format(), FILE,
]  # fmt: skip
_PROOF_LIKE = st.lists(
    st.sampled_from(_PIECES) | st.text(st.characters(), max_size=3), max_size=8
).map("".join)


@settings(deadline=None, max_examples=300)
@given(_PROOF_LIKE | st.binary(max_size=80))
def test_any_text_gives_a_file_that_formats_back_or_our_error(
    text: str | bytes,
) -> None:
    given_bytes = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    with suppress(FormatError):
        assert ProofFile.parse(text).format().encode() == given_bytes


@settings(deadline=None)
@given(st.integers(0, len(FILE.encode()) - 1), st.integers(1, 255))
def test_no_changed_byte_of_a_proof_file_passes(place: int, change: int) -> None:
    data = bytearray(FILE.encode())
    data[place] ^= change

    with pytest.raises((FormatError, VerificationError)):
        verify_proof_file(bytes(data), leaf_bytes=ENTRIES[2], vkeys=VKEYS)
