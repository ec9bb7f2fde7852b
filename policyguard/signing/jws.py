"""JSON Web Signatures over bytes, in the compact form that OPA bundles carry.

The algorithm is the key's, never the token's: a header may only agree with it. So
neither `none` nor a public key that is taken for a shared secret has a way in.

Specification: RFC 7515, RFC 7518 section 3, RFC 8037 section 3.1.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from policyguard.errors import ConfigurationError, FormatError, InvalidSignatureError
from policyguard.signing.text import excerpt

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

ALGORITHMS: Final = (
    "EdDSA",
    *(f"{kind}{bits}" for kind in ("ES", "RS", "PS", "HS") for bits in (256, 384, 512)),
)
MAX_TOKEN_CHARACTERS: Final = 4 << 20
_CURVES: Final = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_LEAST_RSA_BITS: Final = 2_048
_LEAST_SECRET_BYTES: Final = 32
_MAX_KEY_BYTES: Final = 16_384
_PART: Final = re.compile(r"[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class JwsKey:
    """Is a key with the one algorithm that it is used with."""

    id: str
    algorithm: str
    material: bytes = field(repr=False)
    """PEM: a public key (SPKI or PKCS#1) or certificate to verify, a private key to
    sign. Of `HS…` the shared secret itself."""

    def __post_init__(self) -> None:
        """Refuse what could never verify.

        Raises:
            ConfigurationError: an unknown algorithm, or a key that is too long or, as
                a secret, too short.
        """
        if self.algorithm not in ALGORITHMS:
            raise ConfigurationError(
                f"`{excerpt(self.algorithm)}` is no algorithm of bundle signatures: known"
                f" are {', '.join(ALGORITHMS)}"
            )
        if len(self.material) > _MAX_KEY_BYTES:
            raise ConfigurationError(
                f"the key `{excerpt(self.id)}` is no key: too long"
            )
        if self.algorithm.startswith("HS") and len(self.material) < _LEAST_SECRET_BYTES:
            raise ConfigurationError(
                f"the secret of `{excerpt(self.id)}` is shorter than"
                f" {_LEAST_SECRET_BYTES} bytes: make a longer one"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Is a token that has been taken apart and not been verified."""

    header: Mapping[str, Any]
    payload: bytes
    signed: bytes
    """What the signature is over."""
    signature: bytes


def parse_jws(text: str) -> Token:
    """Take a compact token apart.

    Raises:
        FormatError: it has not three parts of canonical base64url, or a header that
            is no JSON object or demands what is unknown here.
    """
    if len(text) > MAX_TOKEN_CHARACTERS:
        raise FormatError(f"the token is longer than {MAX_TOKEN_CHARACTERS} characters")
    parts = text.split(".")
    if len(parts) != 3:  # noqa: PLR2004 -- header, payload, signature
        raise FormatError("the token has not three parts")
    header = _header(_decoded(parts[0]))
    return Token(
        header=header,
        payload=_decoded(parts[1]),
        signed=f"{parts[0]}.{parts[1]}".encode("ascii"),
        signature=_decoded(parts[2]),
    )


def verify_jws(token: Token, *, key: JwsKey) -> None:
    """Verify the signature of a token with a key and the key's own algorithm.

    Raises:
        InvalidSignatureError: it does not hold, or the header names another algorithm.
        ConfigurationError: the key is none of that algorithm.
    """
    if token.header.get("alg") != key.algorithm:
        raise InvalidSignatureError(
            f"the signature says algorithm `{excerpt(str(token.header.get('alg')))}`,"
            f" and the key `{excerpt(key.id)}` is for `{key.algorithm}`"
        )
    try:
        _verify(token, key)
    except _invalid_signature() as cause:
        raise InvalidSignatureError(
            f"the signature does not hold under the key `{excerpt(key.id)}`"
        ) from cause


def sign_jws(payload: bytes, *, key: JwsKey) -> str:
    """Return a compact token over some bytes.

    Raises:
        ConfigurationError: the key is no private key of that algorithm.
    """
    header: dict[str, str] = {"alg": key.algorithm, "kid": key.id, "typ": "JWT"}
    head = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    signed = f"{_encoded(head)}.{_encoded(payload)}"
    return f"{signed}.{_encoded(_sign(signed.encode('ascii'), key))}"


def _verify(token: Token, key: JwsKey) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    signature, kind = token.signature, key.algorithm[:2]
    if kind == "HS":
        name = f"sha{key.algorithm[2:]}"
        expected = hmac.digest(key.material, token.signed, name)
        if not hmac.compare_digest(expected, signature):
            raise InvalidSignature
        return
    public = _public(key)
    if kind == "Ed" and isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(signature, token.signed)
    elif kind == "ES" and _is_on_curve(public, key.algorithm):
        curve = cast("ec.EllipticCurvePublicKey", public)
        size = (curve.key_size + 7) // 8
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = (int.from_bytes(half) for half in (signature[:size], signature[size:]))
        der = encode_dss_signature(r, s)
        curve.verify(der, token.signed, ec.ECDSA(_hash(key.algorithm)))
    elif isinstance(public, rsa.RSAPublicKey) and kind in {"RS", "PS"}:
        if public.key_size < _LEAST_RSA_BITS:
            raise _wrong_key(key)
        how = padding.PKCS1v15() if kind == "RS" else _pss(key.algorithm)
        public.verify(signature, token.signed, how, _hash(key.algorithm))
    else:
        raise _wrong_key(key)


def _sign(message: bytes, key: JwsKey) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    kind = key.algorithm[:2]
    if kind == "HS":
        return hmac.digest(key.material, message, f"sha{key.algorithm[2:]}")
    private = _private(key)
    if kind == "Ed" and isinstance(private, ed25519.Ed25519PrivateKey):
        return private.sign(message)
    if kind == "ES" and _is_on_curve(private, key.algorithm):
        curve = cast("ec.EllipticCurvePrivateKey", private)
        size = (curve.key_size + 7) // 8
        r, s = decode_dss_signature(curve.sign(message, ec.ECDSA(_hash(key.algorithm))))
        return r.to_bytes(size) + s.to_bytes(size)
    if isinstance(private, rsa.RSAPrivateKey) and kind in {"RS", "PS"}:
        if private.key_size < _LEAST_RSA_BITS:
            raise _wrong_key(key)
        how = padding.PKCS1v15() if kind == "RS" else _pss(key.algorithm)
        return private.sign(message, how, _hash(key.algorithm))
    raise _wrong_key(key)


def _is_on_curve(key: object, algorithm: str) -> bool:
    curve = getattr(key, "curve", None)
    return getattr(curve, "name", None) == _CURVES[algorithm]


def _hash(algorithm: str) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes

    known: Mapping[str, HashAlgorithm] = {
        "256": hashes.SHA256(),
        "384": hashes.SHA384(),
        "512": hashes.SHA512(),
    }
    return known[algorithm[2:]]


def _pss(algorithm: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import padding

    used = _hash(algorithm)
    return padding.PSS(mgf=padding.MGF1(used), salt_length=used.digest_size)


def _public(key: JwsKey) -> object:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        if b"-----BEGIN CERTIFICATE-----" in key.material:
            return x509.load_pem_x509_certificate(key.material).public_key()
        return load_pem_public_key(key.material)
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise _wrong_key(key) from cause


def _private(key: JwsKey) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(key.material, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as cause:
        raise _wrong_key(key) from cause


def _invalid_signature() -> type[Exception]:
    from cryptography.exceptions import InvalidSignature

    return InvalidSignature


def _wrong_key(key: JwsKey) -> ConfigurationError:
    return ConfigurationError(
        f"the key `{excerpt(key.id)}` is no key for `{key.algorithm}`: give a PEM of that"
        f" kind, and an RSA key of {_LEAST_RSA_BITS} bits or more"
    )


def _header(data: bytes) -> Mapping[str, Any]:
    try:
        header = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as cause:
        raise FormatError("the token's header is no JSON") from cause
    if not isinstance(header, dict) or "crit" in header or "b64" in header:
        raise FormatError("the token's header is none that is understood here")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    if _PART.fullmatch(text) is None or len(text) % 4 == 1:
        raise FormatError("a part of the token is not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # Spare bits of the last character would give one token several spellings.
    if _encoded(data) != text:
        raise FormatError("a part of the token is not canonical base64url")
    return data
