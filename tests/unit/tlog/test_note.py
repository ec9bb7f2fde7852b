"""Signed notes: published examples, whom a verifier believes, what is no note."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.errors import (
    ConfigurationError,
    FormatError,
    InvalidSignatureError,
)
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import SignatureType, VerifierKey
from policyguard.tlog.note import (
    MAX_NOTE_BYTES,
    Note,
    NoteSignature,
    open_note,
    sign_note,
    verified_keys,
    verify_note,
)

# The documentation of golang.org/x/mod/sumdb/note has this key and this note.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg"
    "KvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The example of https://c2sp.org/signed-note, whose text has an empty line.
C2SP_NOTE = (
    "Ognuno sta solo sul cuor della terra\n"
    "trafitto da un raggio di sole:\n"
    "\n"
    "ed è subito sera.\n"
    "\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW"
    "9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
ALICE = Ed25519Signer.from_seed(b"a" * 32, key_name="alice.example")
BOB = Ed25519Signer.from_seed(b"b" * 32, key_name="bob.example")
ALICE_KEY, BOB_KEY = VerifierKey.of_signer(ALICE), VerifierKey.of_signer(BOB)
NOTE = sign_note("text\n", signers=(ALICE, BOB))


def test_the_note_of_the_go_documentation_verifies() -> None:
    note = open_note(GO_NOTE, vkeys=[VerifierKey.parse(GO_VKEY)])

    assert note.format() == GO_NOTE
    with pytest.raises(InvalidSignatureError, match="`PeterNeumann`"):
        open_note(GO_NOTE.replace("you", "we"), vkeys=[VerifierKey.parse(GO_VKEY)])


def test_the_example_of_the_specification_parses_and_formats_back() -> None:
    note = Note.parse(C2SP_NOTE.encode())

    assert note.text.count("\n\n") == 1
    assert [
        (s.key_name, s.key_id.hex(), len(s.signature)) for s in note.signatures
    ] == [("quasimodo.example/salvatore", "367ba04b", 64)]
    assert note.format() == C2SP_NOTE


def test_a_signed_note_verifies_with_any_of_its_keys() -> None:
    text = NOTE.format()

    assert open_note(text, vkeys=[ALICE_KEY]) == NOTE
    assert open_note(text.encode(), vkeys=[BOB_KEY]) == NOTE
    assert verified_keys(NOTE, vkeys=[BOB_KEY, ALICE_KEY]) == (ALICE_KEY, BOB_KEY)


def test_a_note_without_a_known_key_is_refused_and_names_both_sides() -> None:
    carol = Ed25519Signer.from_seed(b"c" * 32, key_name="carol.example")

    with pytest.raises(InvalidSignatureError) as caught:
        verify_note(NOTE, vkeys=[VerifierKey.of_signer(carol)])

    assert str(caught.value).startswith(
        "no known key has signed: known are `carol.example`, "
        "signed have `alice.example`, `bob.example`"
    )
    with pytest.raises(InvalidSignatureError, match="known are none"):
        verify_note(NOTE, vkeys=[])


def test_a_key_that_shares_only_its_name_or_only_its_id_is_unknown() -> None:
    impostor = Ed25519Signer.from_seed(b"c" * 32, key_name="alice.example")
    signature = NOTE.signatures[0]
    renamed = NoteSignature(
        key_name="eve.example", key_id=signature.key_id, signature=signature.signature
    )

    with pytest.raises(InvalidSignatureError, match="no known key"):
        verify_note(NOTE, vkeys=[VerifierKey.of_signer(impostor)])
    with pytest.raises(InvalidSignatureError, match="no known key"):
        verify_note(Note(text="text\n", signatures=(renamed,)), vkeys=[ALICE_KEY])


def test_one_bad_signature_of_a_known_key_spoils_the_note() -> None:
    alice, bob = NOTE.signatures
    bad = NoteSignature(key_name=bob.key_name, key_id=bob.key_id, signature=bytes(64))

    for signatures in ((alice, bad), (bad, alice), (alice, bob, bad)):
        note = Note(text=NOTE.text, signatures=signatures)
        with pytest.raises(InvalidSignatureError, match=r"`bob\.example`"):
            verify_note(note, vkeys=[ALICE_KEY, BOB_KEY])
        verify_note(note, vkeys=[ALICE_KEY])


def test_a_bad_signature_of_an_unknown_key_is_ignored() -> None:
    alice, bob = NOTE.signatures
    bad = NoteSignature(key_name=bob.key_name, key_id=bob.key_id, signature=b"\x00")

    verify_note(Note(text=NOTE.text, signatures=(bad, alice)), vkeys=[ALICE_KEY])


def test_a_witness_key_does_not_count_as_a_signer() -> None:
    witness = VerifierKey(
        key_name=ALICE.key_name,
        public_key=ALICE.public_key,
        signature_type=SignatureType.ED25519_COSIGNATURE,
    )
    signed = NoteSignature(
        key_name=ALICE.key_name,
        key_id=witness.key_id,
        signature=ALICE.sign(b"text\n"),
    )

    with pytest.raises(InvalidSignatureError, match="no known key"):
        verify_note(Note(text="text\n", signatures=(signed,)), vkeys=[witness])


def test_two_different_keys_with_one_name_and_id_are_refused() -> None:
    # Four bytes of key id collide after some 2**16 keys.
    seen: dict[bytes, bytes] = {}
    for number in range(2**20):
        public_key = number.to_bytes(32, "big")
        key_id = sha256(b"alice.example\n\x01" + public_key).digest()[:4]
        if key_id in seen:
            break
        seen[key_id] = public_key
    first, second = (
        VerifierKey(key_name="alice.example", public_key=key)
        for key in (seen[key_id], public_key)
    )

    assert first.key_id == second.key_id
    with pytest.raises(ConfigurationError, match="two different keys"):
        verify_note(NOTE, vkeys=[first, second])
    verify_note(NOTE, vkeys=[ALICE_KEY, ALICE_KEY])


LINE = NOTE.signatures[0].format()


@pytest.mark.parametrize(
    "note",
    [
        "", "\n", "\n\n", "text\n", "text\n\n", f"text\n{LINE}\n", f"text\n\n{LINE}",
        f"\n\n{LINE}\n\n", f"text\n\n{LINE}\n\n", f"text\n\n{LINE}\nmore\n",
        f"text\n\n-- {LINE[2:]}\n", f"text\n\n{LINE} \n", f"text\n\n {LINE}\n",
        f"te\txt\n\n{LINE}\n", f"te\rxt\n\n{LINE}\n", f"te\0xt\n\n{LINE}\n",
        f"text\r\n\r\n{LINE}\r\n", f"text\n\n— {LINE}\n",
        "text\n\n— a\n", "text\n\n— a \n", "text\n\n— a AAAA\n", "text\n\n— a AAAAAA==\n",
        "text\n\n—  AAAAAAA=\n", "text\n\n— a+b AAAAAAA=\n", "text\n\n— a b AAAAAAA=\n",
        "text\n\n— a AAAAAAB=\n", "text\n\n— a AAAAAAA\n", "text\n\n— a AAAA\nAAA=\n",
        "text\n\n" + "— a AAAAAAA=\n" * 17,
        "t" * MAX_NOTE_BYTES + f"\n\n{LINE}\n",
    ],
    ids=lambda note: ascii(note[:40]),
)  # fmt: skip
def test_what_is_not_a_note_is_refused(note: str) -> None:
    with pytest.raises(FormatError):
        Note.parse(note)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(FormatError, match="not UTF-8"):
        Note.parse(NOTE.format().encode().replace(b"text", b"te\xffxt"))


def test_sixteen_signatures_are_accepted() -> None:
    text = "text\n\n" + "— a AAAAAAA=\n" * 15 + f"{LINE}\n"

    assert len(open_note(text, vkeys=[ALICE_KEY]).signatures) == 16


@pytest.mark.parametrize(
    "text", ["", "text", "te\txt\n", "\ud800\n", "t" * MAX_NOTE_BYTES]
)
def test_no_key_signs_what_cannot_be_a_note(text: str) -> None:
    with pytest.raises(FormatError):
        sign_note(text, signers=(ALICE,))


def test_a_note_without_signers_is_refused() -> None:
    with pytest.raises(FormatError, match="1 to 16 signatures, not 0"):
        sign_note("text\n", signers=())


_TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], min_codepoint=0x20), max_size=12),
    min_size=1, max_size=5,
).map(lambda lines: "\n".join(lines) + "\n")  # fmt: skip


@settings(deadline=None)
@given(_TEXTS)
def test_parse_undoes_format_and_the_signature_holds(text: str) -> None:
    note = sign_note(text, signers=(ALICE,))

    assert open_note(note.format(), vkeys=[ALICE_KEY]) == note


_NOTE_LIKE = st.lists(
    st.sampled_from(["text\n", "\n", "\n\n", "— ", "a", " ", "AAAAAAA=", LINE, f"{LINE}\n"])
    | st.text(st.characters(), max_size=3),
    max_size=12,
).map("".join)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(_NOTE_LIKE | st.binary(max_size=80))
def test_any_text_gives_a_note_that_formats_back_or_our_error(
    text: str | bytes,
) -> None:
    given_bytes = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    with suppress(FormatError):
        assert Note.parse(text).format().encode() == given_bytes


@settings(deadline=None)
@given(st.integers(0, len(GO_NOTE.encode()) * 8 - 1))
def test_no_flipped_bit_of_a_note_passes(place: int) -> None:
    data = bytearray(GO_NOTE.encode())
    data[place // 8] ^= 1 << place % 8

    with pytest.raises((FormatError, InvalidSignatureError)):
        open_note(bytes(data), vkeys=[VerifierKey.parse(GO_VKEY)])
