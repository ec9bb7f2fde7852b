"""Vkeys: their one-line form, their key ids, and what is refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.errors import (
    ConfigurationError,
    FormatError,
    InvalidSignatureError,
    PolicyGuardError,
)
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import SignatureType, VerifierKey
from policyguard.signing.signer import Verifier

# Published keys: the documentation of Go's note package, and Go's checksum database.
PUBLISHED = {
    "Go documentation": (
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    ),
    "Go checksum database": (
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    ),
}
OURS = "acme.example/policyguard/web-1+49570613+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"


@pytest.mark.parametrize("vkey", PUBLISHED.values(), ids=PUBLISHED.keys())
def test_a_published_vkey_parses_and_formats_back(vkey: str) -> None:
    key = VerifierKey.parse(vkey)

    assert key.format() == vkey
    assert [key.key_name, key.key_id.hex()] == vkey.split("+", 2)[:2]


def test_a_signers_vkey_has_the_bytes_of_the_specification() -> None:
    signer = Ed25519Signer.from_seed(
        bytes(range(32)), key_name="acme.example/policyguard/web-1"
    )

    key = VerifierKey.of_signer(signer)

    named = b"acme.example/policyguard/web-1\n\x01" + signer.public_key
    assert key.key_id == hashlib.sha256(named).digest()[:4]
    assert key.format() == OURS
    assert VerifierKey.parse(OURS.encode()) == key
    assert isinstance(key, Verifier)
    assert key.alg == signer.alg


@pytest.mark.parametrize(
    ("vkey", "message"),
    [
        ("", "is not `<name>"),
        ("name", "is not `<name>"),
        ("name+00000000", "is not `<name>"),
        (OURS.replace("+49570613+", "+49570614+"), "its name and key give `49570613`"),
        (OURS.replace("+49570613+", "+49570613A+"), "its name and key give"),
        (OURS.replace("web-1", "web-2"), "its name and key give"),
        (PUBLISHED["Go documentation"].replace("c74f20a3", "C74F20A3"), "name and key"),
        (OURS + "\n", "base64"),
        (" " + OURS, "key name"),
        (OURS[:-4], "has 29 bytes, not 32"),
        (OURS.replace("+AQ", "+AA"), "signature type `0x00`"),
        ("a+00000000+", "signature type `0x`"),
        (OURS.replace("+AQ", "+Ag"), "ECDSA, with which C2SP defines no cosignature"),
        (OURS.replace("+AQ", "+BQ"), "a tree head of RFC 6962"),
        ("+49570613+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4", "name is empty"),
    ],
)
def test_a_wrong_vkey_is_refused_with_its_cause(vkey: str, message: str) -> None:
    with pytest.raises(FormatError, match="(?s)" + message.replace("+", r"\+")):
        VerifierKey.parse(vkey)


def test_one_key_under_two_names_or_types_has_different_ids() -> None:
    public_key = bytes(range(32))
    keys = [
        VerifierKey(key_name="a", public_key=public_key),
        VerifierKey(key_name="b", public_key=public_key),
        VerifierKey(
            key_name="a",
            public_key=public_key,
            signature_type=SignatureType.ED25519_COSIGNATURE,
        ),
    ]

    assert len({key.key_id for key in keys}) == 3
    assert [VerifierKey.parse(key.format()) for key in keys] == keys


def test_verify_returns_none_or_raises() -> None:
    signer = Ed25519Signer.from_seed(bytes(32), key_name="a")
    key = VerifierKey.of_signer(signer)

    key.verify(signature=signer.sign(b"x"), message=b"x")
    with pytest.raises(InvalidSignatureError):
        key.verify(signature=signer.sign(b"x"), message=b"y")


def test_a_key_of_another_type_verifies_nothing() -> None:
    signer = Ed25519Signer.from_seed(bytes(32), key_name="a")
    key = VerifierKey(
        key_name="a",
        public_key=signer.public_key,
        signature_type=SignatureType.ED25519_COSIGNATURE,
    )

    with pytest.raises(ConfigurationError, match="type `ed25519-cosignature`"):
        key.verify(signature=signer.sign(b"x"), message=b"x")


def test_a_signer_of_another_algorithm_has_no_vkey() -> None:
    @dataclass
    class OtherSigner:
        key_name: str = "a"
        alg: str = "ecdsa-p256"
        public_key: bytes = bytes(32)

        def sign(self, message: bytes, /) -> bytes:
            return message

    with pytest.raises(ConfigurationError, match="`ecdsa-p256`"):
        VerifierKey.of_signer(OtherSigner())


_NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"],
                  exclude_characters="+"),
    min_size=1, max_size=20,
)  # fmt: skip
_TYPES = {
    SignatureType.ED25519: 32,
    SignatureType.ED25519_COSIGNATURE: 32,
    SignatureType.ML_DSA_44: 1312,
}


@settings(deadline=None)
@given(_NAMES, st.sampled_from(list(_TYPES)), st.randoms(use_true_random=False))
def test_parse_undoes_format(name: str, kind: SignatureType, random: object) -> None:
    key = VerifierKey(
        key_name=name,
        public_key=random.randbytes(_TYPES[kind]),  # type: ignore[attr-defined]
        signature_type=kind,
    )

    assert VerifierKey.parse(key.format()) == key


@settings(deadline=None)
@given(st.binary(max_size=80) | st.text(st.characters(), max_size=80))
def test_any_bytes_give_our_error(data: bytes | str) -> None:
    with pytest.raises(PolicyGuardError):
        VerifierKey.parse(data)


@settings(deadline=None)
@given(st.integers(0, len(OURS.encode()) - 1), st.integers(1, 255))
def test_no_changed_byte_of_a_vkey_gives_another_key(place: int, change: int) -> None:
    data = bytearray(OURS.encode())
    data[place] ^= change

    with pytest.raises(FormatError):
        VerifierKey.parse(bytes(data))
