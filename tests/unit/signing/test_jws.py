"""Tests of JSON Web Signatures: every algorithm, and every way to cheat with one."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from policyguard.errors import ConfigurationError, FormatError, InvalidSignatureError
from policyguard.signing.jws import (
    ALGORITHMS,
    JwsKey,
    parse_jws,
    sign_jws,
    verify_jws,
)

SECRET = b"s" * 64
PAYLOAD = b'{"files":[]}'


@cache
def pair(kind: str) -> tuple[bytes, bytes]:
    """Make a private and a public key in PEM."""
    made: Any = {
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
        "RSA": lambda: rsa.generate_private_key(65_537, 2_048),
        "SHORT": lambda: rsa.generate_private_key(65_537, 1_024),
    }[kind]()
    return (
        made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )


def keys(algorithm: str) -> tuple[JwsKey, JwsKey]:
    if algorithm.startswith("HS"):
        key = JwsKey(id="k", algorithm=algorithm, material=SECRET)
        return key, key
    private, public = pair("RSA" if algorithm[:2] in {"RS", "PS"} else algorithm)
    return (
        JwsKey(id="k", algorithm=algorithm, material=private),
        JwsKey(id="k", algorithm=algorithm, material=public),
    )


def encoded(value: Mapping[str, Any] | bytes) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_signed_verifies(algorithm: str) -> None:
    private, public = keys(algorithm)
    token = parse_jws(sign_jws(PAYLOAD, key=private))

    verify_jws(token, key=public)

    assert (token.payload, token.header) == (
        PAYLOAD,
        {"alg": algorithm, "kid": "k", "typ": "JWT"},
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_payload_does_not(algorithm: str) -> None:
    private, public = keys(algorithm)
    head, _, signature = sign_jws(PAYLOAD, key=private).split(".")
    forged = parse_jws(f"{head}.{encoded(b'{}')}.{signature}")

    with pytest.raises(InvalidSignatureError, match="does not hold"):
        verify_jws(forged, key=public)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("signature", [b"", b"\0", b"\0" * 64, b"\xff" * 64])
def test_an_odd_signature_does_not(algorithm: str, signature: bytes) -> None:
    private, public = keys(algorithm)
    head, payload, _ = sign_jws(PAYLOAD, key=private).split(".")

    with pytest.raises(InvalidSignatureError):
        verify_jws(parse_jws(f"{head}.{payload}.{encoded(signature)}"), key=public)


@pytest.mark.parametrize(
    "alg", ["none", "None", "", "HS256", "RS256", None, 1, ["EdDSA"]]
)
def test_the_header_does_not_choose_the_algorithm(alg: object) -> None:
    _, public = keys("EdDSA")
    token = parse_jws(f"{encoded({'alg': alg})}.{encoded(PAYLOAD)}.")

    with pytest.raises(InvalidSignatureError, match="says algorithm"):
        verify_jws(token, key=public)


def test_a_public_key_is_no_shared_secret() -> None:
    _, public = keys("RS256")
    forged = sign_jws(
        PAYLOAD, key=JwsKey(id="k", algorithm="HS256", material=public.material)
    )

    with pytest.raises(InvalidSignatureError, match="says algorithm"):
        verify_jws(parse_jws(forged), key=public)


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("EdDSA", "ES256"),
        ("ES256", "ES384"),
        ("ES256", "EdDSA"),
        ("RS256", "ES256"),
        ("PS512", "EdDSA"),
        ("RS256", "SHORT"),
        ("PS256", "SHORT"),
    ],
)
def test_a_key_of_another_kind_is_refused(algorithm: str, kind: str) -> None:
    private, _ = keys(algorithm)
    token = parse_jws(sign_jws(PAYLOAD, key=private))
    other_private, other = pair(kind)

    with pytest.raises(ConfigurationError, match=f"no key for `{algorithm}`"):
        verify_jws(token, key=JwsKey(id="k", algorithm=algorithm, material=other))
    with pytest.raises(ConfigurationError, match=f"no key for `{algorithm}`"):
        sign_jws(b"", key=JwsKey(id="k", algorithm=algorithm, material=other_private))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d",
        f"{encoded(b'[]')}.e30.e30",
        f"{encoded(b'{')}.e30.e30",
        f"{encoded({'alg': 'EdDSA', 'crit': ['x']})}.e30.e30",
        f"{encoded({'alg': 'EdDSA', 'b64': False})}.e30.e30",
        encoded(b'{"alg":"EdDSA","alg":"none"}') + ".e30.e30",
        f"{encoded(b'{}')}=.e30.e30",
        f"{encoded(b'{}')}.e 30.e30",
        f"{encoded(b'{}')}.e3+.e30",
        f"{encoded(b'{}')}.e31.e31",
        f"{encoded(b'{}')}.e.e30",
        "é.e30.e30",
    ],
)
def test_a_token_has_one_spelling(text: str) -> None:
    with pytest.raises(FormatError):
        parse_jws(text)


@pytest.mark.parametrize("algorithm", ["none", "", "RS1", "HS128", "ES256K"])
def test_an_unknown_algorithm_is_refused(algorithm: str) -> None:
    with pytest.raises(ConfigurationError, match="is no algorithm"):
        JwsKey(id="k", algorithm=algorithm, material=SECRET)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="shorter than 32 bytes"):
        JwsKey(id="k", algorithm="HS256", material=b"s" * 31)


def test_what_is_shown_of_a_key_is_no_secret() -> None:
    assert "ssss" not in repr(JwsKey(id="k", algorithm="HS256", material=SECRET))


@pytest.mark.parametrize("material", [b"", b"x", b"-----BEGIN PUBLIC KEY-----\n"])
def test_what_is_no_key_is_refused(material: bytes) -> None:
    private, _ = keys("EdDSA")
    token = parse_jws(sign_jws(PAYLOAD, key=private))

    with pytest.raises(ConfigurationError):
        verify_jws(token, key=JwsKey(id="k", algorithm="EdDSA", material=material))
