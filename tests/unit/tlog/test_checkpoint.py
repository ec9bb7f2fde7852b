"""Checkpoints: their exact bytes, whose signature counts, what is refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.errors import (
    ConfigurationError,
    FormatError,
    InvalidCheckpointError,
    InvalidSignatureError,
    VerificationError,
)
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog.checkpoint import (
    Checkpoint,
    HeadSigner,
    open_checkpoint,
    sign_checkpoint,
)
from policyguard.tlog.merkle import EMPTY_ROOT, Frontier, leaf_hash, root_of
from policyguard.tlog.note import Note, sign_note

ORIGIN = "acme.example/policyguard/web-1"
SIGNER = Ed25519Signer.from_seed(bytes(range(32)), key_name=ORIGIN)
VKEY = VerifierKey.of_signer(SIGNER)
LEAVES = [leaf_hash(b'{"n":%d}' % n) for n in range(3)]
CHECKPOINT = Checkpoint(origin=ORIGIN, size=3, root=root_of(LEAVES))
SIGNED = (
    "acme.example/policyguard/web-1\n"
    "3\n"
    "LP73YnWX4AtWSXV3Stco7yEHBnWfym1kE4xt/By/LNo=\n"
    "\n"
    "— acme.example/policyguard/web-1 SVcGEzo8n0APqsRyer2MBBPHKcr+vBxnKBDaQONBLBxxZpNs"
    "8EpNA7KMAtgC6G9IysTwm+pUTrLMmYmuPxG4dt8Czws=\n"
)
# The example of https://c2sp.org/tlog-checkpoint.
C2SP = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4UR"
    "YN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
ROOT_64 = "LP73YnWX4AtWSXV3Stco7yEHBnWfym1kE4xt/By/LNo="


def test_a_signed_checkpoint_has_these_bytes_and_opens_again() -> None:
    assert sign_checkpoint(CHECKPOINT, signer=SIGNER) == SIGNED
    assert open_checkpoint(SIGNED, vkeys=[VKEY]) == CHECKPOINT
    assert open_checkpoint(SIGNED.encode(), vkeys=[VKEY]) == CHECKPOINT


def test_the_example_of_the_specification_parses() -> None:
    note = Note.parse(C2SP)

    checkpoint = Checkpoint.parse(note.text)

    assert (checkpoint.origin, checkpoint.size) == (
        "example.com/behind-the-sofa",
        20852163,
    )
    assert checkpoint.format() == note.text
    assert note.format() == C2SP


def test_an_empty_log_has_a_checkpoint() -> None:
    empty = Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT)

    assert open_checkpoint(sign_checkpoint(empty, signer=SIGNER), vkeys=[VKEY]) == empty
    with pytest.raises(FormatError, match="not that of the empty tree"):
        Checkpoint(origin=ORIGIN, size=0, root=bytes(32))


def test_extension_lines_are_kept() -> None:
    text = f"{ORIGIN}\n3\n{ROOT_64}\nfirst line\nsecond\n"
    signed = sign_note(text, signers=(SIGNER,)).format()

    checkpoint = open_checkpoint(signed, vkeys=[VKEY])

    assert checkpoint.extensions == ("first line", "second")
    assert checkpoint.format() == text


def test_an_old_key_beside_a_new_one_of_the_origin_opens_with_either() -> None:
    new = Ed25519Signer.from_seed(b"n" * 32, key_name=ORIGIN)
    signed = sign_note(CHECKPOINT.format(), signers=(SIGNER, new)).format()

    for keys in (
        [VKEY],
        [VerifierKey.of_signer(new)],
        [VKEY, VerifierKey.of_signer(new)],
    ):
        assert open_checkpoint(signed, vkeys=keys) == CHECKPOINT


@pytest.mark.parametrize("name", [ORIGIN, "é", "a/" * 100])
def test_one_head_after_another_is_signed_as_one_alone_is(name: str) -> None:
    signer = Ed25519Signer.from_seed(bytes(range(32)), key_name=name)
    heads = HeadSigner(signer)
    frontier = Frontier()

    for number in range(300):
        checkpoint = Checkpoint(origin=name, size=frontier.size, root=frontier.root())
        assert heads.sign(frontier) == sign_checkpoint(checkpoint, signer=signer)
        frontier = frontier.append(leaf_hash(b"%d" % number))


@dataclass(frozen=True, kw_only=True)
class OtherSigner:
    """Signs with nothing."""

    key_name: str = ORIGIN
    alg: str = "ed25519"
    public_key: bytes = bytes(32)

    def sign(self, _message: bytes, /) -> bytes:
        return b""


@pytest.mark.parametrize(
    ("signer", "error"),
    [
        (OtherSigner(alg="ml-dsa-44"), ConfigurationError),
        (OtherSigner(key_name="two words"), FormatError),
        (OtherSigner(key_name=""), FormatError),
        (OtherSigner(key_name="two\nlines"), FormatError),
        (OtherSigner(), FormatError),
    ],
)
def test_what_signs_no_checkpoint_signs_no_head(
    signer: OtherSigner, error: type[Exception]
) -> None:
    with pytest.raises(error):
        sign_checkpoint(replace(CHECKPOINT, origin=signer.key_name), signer=signer)
    with pytest.raises(error):
        HeadSigner(signer).sign(Frontier())


def test_no_key_signs_for_another_origin() -> None:
    other = Ed25519Signer.from_seed(bytes(32), key_name="other.example")

    with pytest.raises(ConfigurationError, match=r"`other\.example` cannot sign"):
        sign_checkpoint(CHECKPOINT, signer=other)


def test_a_known_key_of_another_origin_does_not_make_a_checkpoint_valid() -> None:
    other = Ed25519Signer.from_seed(bytes(32), key_name="other.example")
    forged = sign_note(CHECKPOINT.format(), signers=(other,)).format()

    with pytest.raises(InvalidCheckpointError, match=r"signed by `other\.example`"):
        open_checkpoint(forged, vkeys=[VKEY, VerifierKey.of_signer(other)])


def test_an_unknown_key_does_not_make_a_checkpoint_valid() -> None:
    thief = Ed25519Signer.from_seed(b"t" * 32, key_name=ORIGIN)

    with pytest.raises(InvalidSignatureError, match="no known key"):
        open_checkpoint(sign_checkpoint(CHECKPOINT, signer=thief), vkeys=[VKEY])


def test_a_good_signature_over_what_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(FormatError, match="three lines"):
        open_checkpoint(sign_note("hello\n", signers=(SIGNER,)).format(), vkeys=[VKEY])


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", f"{ORIGIN}\n3\n", f"{ORIGIN}\n3\n{ROOT_64}", f"\n3\n{ROOT_64}\n",
        f"{ORIGIN}\n\n{ROOT_64}\n", f"{ORIGIN}\n03\n{ROOT_64}\n",
        f"{ORIGIN}\n+3\n{ROOT_64}\n", f"{ORIGIN}\n-3\n{ROOT_64}\n",
        f"{ORIGIN}\n 3\n{ROOT_64}\n", f"{ORIGIN}\n3 \n{ROOT_64}\n",
        f"{ORIGIN}\n{2**63}\n{ROOT_64}\n", f"{ORIGIN}\n٣\n{ROOT_64}\n",
        f"{ORIGIN}\n3\n{ROOT_64[:-1]}\n", f"{ORIGIN}\n3\n{ROOT_64} \n",
        f"{ORIGIN}\n3\n\n", f"{ORIGIN}\n3\nYQ==\n", f"{ORIGIN}\n0\n{ROOT_64}\n",
        f"{ORIGIN}\n3\n{ROOT_64[:-2]}p=\n", f"{ORIGIN}\n3\n{ROOT_64}\n\n", f"{ORIGIN}\n3\n{ROOT_64}\next",
        f"{ORIGIN}\n3\n{ROOT_64}\next\n\n", f"{ORIGIN}\n3\n{ROOT_64}\n\next\n",
        f"{ORIGIN}\r\n3\r\n{ROOT_64}\r\n", f"a\tb\n3\n{ROOT_64}\n",
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_not_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "values",
    [
        {"origin": ""}, {"origin": "a\nb"}, {"origin": "a\tb"}, {"origin": "\ud800"},
        {"size": -1}, {"size": 2**63}, {"root": bytes(31)}, {"root": b""},
        {"extensions": ("",)}, {"extensions": ("a\nb",)}, {"extensions": ("\0",)},
    ],
    ids=ascii,
)  # fmt: skip
def test_a_value_that_has_no_text_cannot_be_made(values: dict[str, object]) -> None:
    good = {"origin": ORIGIN, "size": 3, "root": bytes(32)}

    with pytest.raises(FormatError):
        Checkpoint(**{**good, **values})  # type: ignore[arg-type]


_LINES = st.text(
    st.characters(exclude_categories=["Cs"], min_codepoint=0x20),
    min_size=1,
    max_size=20,
)


@settings(deadline=None)
@given(
    _LINES,
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(_LINES, max_size=3),
)
def test_parse_undoes_format(
    origin: str, size: int, root: bytes, extensions: list[str]
) -> None:
    checkpoint = Checkpoint(
        origin=origin, size=size, root=root, extensions=tuple(extensions)
    )

    assert Checkpoint.parse(checkpoint.format()) == checkpoint


_CHECKPOINT_LIKE = st.lists(
    st.sampled_from([ORIGIN, "3", "0", "007", ROOT_64, "\n", "\n", "\n", "— ", SIGNED])
    | st.text(st.characters(), max_size=3),
    max_size=10,
).map("".join)


@settings(deadline=None, max_examples=300)
@given(_CHECKPOINT_LIKE | st.binary(max_size=80))
def test_any_text_gives_a_checkpoint_that_formats_back_or_our_error(
    text: str | bytes,
) -> None:
    given_bytes = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    with suppress(FormatError):
        assert Checkpoint.parse(text).format().encode() == given_bytes
    with suppress(FormatError, VerificationError):
        assert open_checkpoint(text, vkeys=[VKEY]) == CHECKPOINT


@settings(deadline=None)
@given(st.integers(0, len(SIGNED.encode()) - 1), st.integers(1, 255))
def test_no_changed_byte_of_a_signed_checkpoint_passes(place: int, change: int) -> None:
    data = bytearray(SIGNED.encode())
    data[place] ^= change

    with pytest.raises((FormatError, VerificationError)):
        open_checkpoint(bytes(data), vkeys=[VKEY])
