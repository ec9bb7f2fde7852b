"""Ed25519 keys and signatures (RFC 8032), in PKCS#8 and SPKI PEM (RFC 8410).

The only module that knows pyca/cryptography's Ed25519 and PEM code. It is imported
when the first key is used: it costs tens of milliseconds, which a process that only
asks for help or a version should not pay.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from policyguard.errors import ConfigurationError, FormatError, InvalidSignatureError
from policyguard.signing.key_file import create_key_file, read_key_file
from policyguard.signing.text import decode_text, validate_key_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALG: Final = "ed25519"
PUBLIC_KEY_BYTES: Final = 32
SEED_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_MAX_PEM_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519Signer:
    """Signs with an Ed25519 private key that is held in this process.

    Make one with `generate`, `from_seed`, `from_pem` or `load`. Its `repr` and its
    comparison show the public key only.
    """

    key_name: str
    public_key: bytes
    private_key: Ed25519PrivateKey = field(repr=False, compare=False)

    @property
    def alg(self) -> str:
        """The algorithm, `ed25519`."""
        return ALG

    @classmethod
    def generate(cls, *, key_name: str) -> Ed25519Signer:
        """Make a new key from the operating system's randomness.

        Raises:
            FormatError: the name cannot stand in a signature line.
        """
        return cls.from_seed(os.urandom(SEED_BYTES), key_name=key_name)

    @classmethod
    def from_seed(cls, seed: bytes, *, key_name: str) -> Ed25519Signer:
        """Make the key of a seed of 32 secret bytes (RFC 8032, section 5.1.5).

        Raises:
            FormatError: the name cannot stand in a signature line.
            ConfigurationError: the seed has another length.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (
            Ed25519PrivateKey,
        )

        if len(seed) != SEED_BYTES:
            raise ConfigurationError(
                f"an Ed25519 seed has {SEED_BYTES} bytes, this one {len(seed)}"
            )
        return _signer(Ed25519PrivateKey.from_private_bytes(seed), key_name=key_name)

    @classmethod
    def from_pem(
        cls, pem: bytes, *, key_name: str, passphrase: bytes | None = None
    ) -> Ed25519Signer:
        """Read a private key in PKCS#8 PEM, encrypted or not.

        Raises:
            FormatError: the name cannot stand in a signature line.
            ConfigurationError: this is not an Ed25519 private key, or the
                passphrase is missing, wrong or not needed.
        """
        return _signer(_parse_private_pem(pem, passphrase), key_name=key_name)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        key_name: str,
        passphrase: bytes | None = None,
    ) -> Ed25519Signer:
        """Read the key file at `path`, which only its owner may read (0600).

        Raises:
            FormatError: the name cannot stand in a signature line.
            ConfigurationError: there is no such file, others may read it, it holds
                no Ed25519 key, or the passphrase does not fit.
        """
        pem = read_key_file(path)
        try:
            return cls.from_pem(pem, key_name=key_name, passphrase=passphrase)
        except ConfigurationError as cause:
            raise ConfigurationError(
                f"key file `{os.fspath(path)}`: {cause}"
            ) from cause

    def save(
        self, path: str | os.PathLike[str], *, passphrase: bytes | None = None
    ) -> None:
        """Create a key file in PKCS#8 PEM with mode 0600; never overwrite one.

        Raises:
            ConfigurationError: the path exists or cannot be written, or the
                passphrase cannot be used.
        """
        create_key_file(path, data=self.to_pem(passphrase=passphrase))

    def to_pem(self, *, passphrase: bytes | None = None) -> bytes:
        """Return the private key in PKCS#8 PEM, encrypted if there is a passphrase.

        Raises:
            ConfigurationError: the passphrase cannot be used.
        """
        return _format_private_pem(self.private_key, passphrase)

    def sign(self, message: bytes, /) -> bytes:
        """Return the 64 bytes of the signature over `message` (RFC 8032, 5.1.6)."""
        return self.private_key.sign(message)


def verify_ed25519(*, public_key: bytes, signature: bytes, message: bytes) -> None:
    """Verify an Ed25519 signature (RFC 8032, section 5.1.7).

    Raises:
        InvalidSignatureError: the signature does not hold, or key or signature
            have another length.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PublicKey,
    )

    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(signature, message)
    except (InvalidSignature, ValueError) as cause:
        raise InvalidSignatureError(
            "the Ed25519 signature does not hold for this key and these bytes"
        ) from cause


def format_public_pem(public_key: bytes) -> str:
    """Return a raw public key of 32 bytes as SPKI PEM, as OpenSSL reads it.

    Raises:
        FormatError: the key has another length.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
    )

    if len(public_key) != PUBLIC_KEY_BYTES:
        raise FormatError(
            f"an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, "
            f"this one {len(public_key)}"
        )
    key = Ed25519PublicKey.from_public_bytes(public_key)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode("ascii")


def parse_public_pem(text: str | bytes) -> bytes:
    """Return the 32 raw bytes of an Ed25519 public key in SPKI PEM.

    Raises:
        FormatError: the text is anything else.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.serialization import (
        load_pem_public_key,
    )

    pem = decode_text(text, what="the public key", limit=_MAX_PEM_BYTES)
    try:
        key = load_pem_public_key(pem.encode("utf-8"))
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise FormatError("the public key is not SPKI PEM") from cause
    if not isinstance(key, Ed25519PublicKey):
        raise FormatError("the public key is not an Ed25519 key")
    return key.public_bytes_raw()


def _signer(key: Ed25519PrivateKey, *, key_name: str) -> Ed25519Signer:
    validate_key_name(key_name)
    return Ed25519Signer(
        key_name=key_name,
        public_key=key.public_key().public_bytes_raw(),
        private_key=key,
    )


def _parse_private_pem(pem: bytes, passphrase: bytes | None) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(pem, password=passphrase)
    except TypeError as cause:
        advice = (
            "the private key is encrypted: give its passphrase"
            if passphrase is None
            else "the private key is not encrypted: leave the passphrase away"
        )
        raise ConfigurationError(advice) from cause
    except (ValueError, UnsupportedAlgorithm) as cause:
        reason = "" if passphrase is None else ", or its passphrase is wrong"
        raise ConfigurationError(
            f"this is not a private key in PKCS#8 PEM{reason}: create one with "
            "`policyguard keys generate` or `openssl genpkey -algorithm ed25519`"
        ) from cause
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(
            "the private key is not an Ed25519 key: create one with "
            "`policyguard keys generate` or `openssl genpkey -algorithm ed25519`"
        )
    return key


def _format_private_pem(key: Ed25519PrivateKey, passphrase: bytes | None) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        KeySerializationEncryption,
        NoEncryption,
        PrivateFormat,
    )

    try:
        encryption: KeySerializationEncryption = (
            NoEncryption()
            if passphrase is None
            else BestAvailableEncryption(passphrase)
        )
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    except ValueError as cause:
        raise ConfigurationError(f"the passphrase cannot be used: {cause}") from cause
