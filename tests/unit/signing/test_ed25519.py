"""Ed25519 keys: the RFC's vectors, PEM in and out, what is refused and why."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import policyguard.errors
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    InvalidSignatureError,
    PolicyGuardError,
)
from policyguard.signing.ed25519 import (
    Ed25519Signer,
    format_public_pem,
    parse_public_pem,
    verify_ed25519,
)
from policyguard.signing.signer import Signer

NAME = "acme.example/log"
# RFC 8032, section 7.1: seed, public key, message, signature.
RFC_8032 = {
    "test 1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "test 2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
}


def signer_of(seed: int, *, name: str = NAME) -> Ed25519Signer:
    return Ed25519Signer.from_seed(bytes([seed]) * 32, key_name=name)


@pytest.mark.parametrize("vector", RFC_8032.values(), ids=RFC_8032.keys())
def test_signatures_are_those_of_the_rfc(vector: tuple[str, str, str, str]) -> None:
    seed, public_key, message, signature = map(bytes.fromhex, vector)

    signer = Ed25519Signer.from_seed(seed, key_name=NAME)

    assert signer.public_key == public_key
    assert signer.sign(message) == signature
    verify_ed25519(public_key=public_key, signature=signature, message=message)


def test_a_signature_of_another_key_message_or_length_is_refused() -> None:
    signer = signer_of(1)
    good = signer.sign(b"message")
    flipped = bytes([good[0] ^ 1]) + good[1:]

    for public_key, signature, message in (
        (signer_of(2).public_key, good, b"message"),
        (signer.public_key, good, b"Message"),
        (signer.public_key, flipped, b"message"),
        (signer.public_key, good[:-1], b"message"),
        (signer.public_key, b"", b"message"),
        (signer.public_key[:-1], good, b"message"),
    ):
        with pytest.raises(InvalidSignatureError):
            verify_ed25519(public_key=public_key, signature=signature, message=message)


def test_two_generated_keys_differ_and_are_signers() -> None:
    first = Ed25519Signer.generate(key_name=NAME)
    second = Ed25519Signer.generate(key_name=NAME)

    assert first.public_key != second.public_key
    assert isinstance(first, Signer)
    assert (first.key_name, first.alg) == (NAME, "ed25519")


def test_the_repr_of_a_signer_shows_no_private_key() -> None:
    signer = signer_of(1)

    assert repr(signer) == (
        f"Ed25519Signer(key_name={NAME!r}, public_key={signer.public_key!r})"
    )


def test_a_seed_of_another_length_or_a_wrong_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="32 bytes, this one 31"):
        Ed25519Signer.from_seed(bytes(31), key_name=NAME)
    with pytest.raises(FormatError, match="key name"):
        Ed25519Signer.from_seed(bytes(32), key_name="a b")


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_saved_key_loads_as_the_same_key(
    tmp_path: Path, passphrase: bytes | None
) -> None:
    signer = signer_of(1)
    path = tmp_path / "log.pem"

    signer.save(path, passphrase=passphrase)
    loaded = Ed25519Signer.load(path, key_name=NAME, passphrase=passphrase)

    assert loaded == signer
    assert loaded.sign(b"x") == signer.sign(b"x")
    assert path.read_bytes().startswith(
        b"-----BEGIN PRIVATE KEY-----"
        if passphrase is None
        else b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
    )


@pytest.mark.parametrize(
    ("saved_with", "loaded_with", "message"),
    [
        (b"right", None, "the private key is encrypted: give its passphrase"),
        (b"right", b"wrong", "or its passphrase is wrong"),
        (None, b"right", "the private key is not encrypted: leave the passphrase"),
    ],
)
def test_a_passphrase_that_does_not_fit_is_named_as_the_cause(
    tmp_path: Path, saved_with: bytes | None, loaded_with: bytes | None, message: str
) -> None:
    path = tmp_path / "log.pem"
    signer_of(1).save(path, passphrase=saved_with)

    with pytest.raises(ConfigurationError, match=message) as caught:
        Ed25519Signer.load(path, key_name=NAME, passphrase=loaded_with)

    assert str(path) in str(caught.value)


def test_an_empty_passphrase_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="passphrase cannot be used"):
        signer_of(1).save(tmp_path / "log.pem", passphrase=b"")

    assert list(tmp_path.iterdir()) == []


def test_a_private_key_of_another_algorithm_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    with pytest.raises(ConfigurationError, match="not an Ed25519 key"):
        Ed25519Signer.from_pem(pem, key_name=NAME)


def test_a_public_key_has_one_pem_form_that_parses_back() -> None:
    public_key = bytes.fromhex(RFC_8032["test 1"][1])

    pem = format_public_pem(public_key)

    assert pem == (
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
        "-----END PUBLIC KEY-----\n"
    )
    assert parse_public_pem(pem) == public_key
    with pytest.raises(FormatError, match="32 bytes, this one 31"):
        format_public_pem(public_key[:-1])


def test_a_public_key_of_another_algorithm_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    with pytest.raises(FormatError, match="not an Ed25519 key"):
        parse_public_pem(pem)


_PEM_LIKE = st.binary(max_size=120) | st.binary(max_size=80).map(
    lambda body: (
        b"-----BEGIN PUBLIC KEY-----\n" + body + b"\n-----END PUBLIC KEY-----\n"
    )
)


@settings(deadline=None)
@given(_PEM_LIKE)
def test_pem_parsers_raise_only_errors_of_the_project(data: bytes) -> None:
    private = data.replace(b"PUBLIC", b"PRIVATE")
    with pytest.raises(PolicyGuardError):
        parse_public_pem(data)
    for passphrase in (None, b"x"):
        with pytest.raises(PolicyGuardError):
            Ed25519Signer.from_pem(private, key_name=NAME, passphrase=passphrase)


@settings(deadline=None)
@given(st.integers(min_value=0), st.integers(min_value=0, max_value=255))
def test_a_damaged_public_pem_gives_a_key_or_our_error(place: int, byte: int) -> None:
    pem = bytearray(format_public_pem(bytes(range(32))).encode())
    pem[place % len(pem)] = byte

    with suppress(FormatError):
        assert len(parse_public_pem(bytes(pem))) == 32


def test_importing_signing_and_tlog_does_not_import_cryptography() -> None:
    # Under an empty package root: what others import is not this test's business.
    code = (
        "import sys, types\n"
        "root = types.ModuleType('policyguard')\n"
        "root.__path__ = [sys.argv[1]]\n"
        "sys.modules['policyguard'] = root\n"
        "import policyguard.signing, policyguard.tlog\n"
        "sys.exit('cryptography' in sys.modules)\n"
    )
    package = Path(policyguard.errors.__file__).parent

    done = subprocess.run([sys.executable, "-c", code, str(package)], check=False)

    assert done.returncode == 0
