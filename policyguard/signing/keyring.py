"""Public keys with names, and their one-line form, the vkey.

A vkey is `<name>+<hex key id>+<base64(type || public key)>`, and the key id is
`SHA-256(name || 0x0A || type || public key)[:4]`: https://c2sp.org/signed-note.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from policyguard.errors import ConfigurationError, FormatError
from policyguard.signing.ed25519 import ALG as ED25519_ALG
from policyguard.signing.ed25519 import verify_ed25519
from policyguard.signing.text import (
    decode_base64,
    decode_text,
    encode_base64,
    excerpt,
    validate_key_name,
)

if TYPE_CHECKING:
    from policyguard.signing.signer import Signer

KEY_ID_BYTES: Final = 4
_MAX_VKEY_BYTES: Final = 4_096
_VKEY_PARTS: Final = 3
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)


class SignatureType(IntEnum):
    """What a key's signatures are over: the type bytes of signed-note."""

    ED25519 = 0x01
    """Ed25519 over the note text; the type of our logs' keys."""
    ED25519_COSIGNATURE = 0x04
    """A witness's timestamped Ed25519 cosignature (c2sp.org/tlog-cosignature)."""
    ML_DSA_44 = 0x06
    """ML-DSA-44 (c2sp.org/tlog-cosignature); kept, not verified here."""


_ALG: Final = {
    SignatureType.ED25519: ED25519_ALG,
    SignatureType.ED25519_COSIGNATURE: "ed25519-cosignature",
    SignatureType.ML_DSA_44: "ml-dsa-44",
}
_PUBLIC_KEY_BYTES: Final = {
    SignatureType.ED25519: 32,
    SignatureType.ED25519_COSIGNATURE: 32,
    SignatureType.ML_DSA_44: 1_312,
}


_REFUSED: Final = {
    0x02: "ECDSA, with which C2SP defines no cosignature: ask for the witness's Ed25519"
    " key, of type 0x04",
    0x05: "a tree head of RFC 6962, which is no checkpoint: ask for an Ed25519 key",
}
"""Types that foreign files have, and why they count for nothing here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key under a name; a `Verifier` for Ed25519 note signatures."""

    key_name: str
    public_key: bytes
    signature_type: SignatureType = SignatureType.ED25519

    def __post_init__(self) -> None:
        """Refuse a name or a key of a form that has no vkey."""
        validate_key_name(self.key_name)
        wanted = _PUBLIC_KEY_BYTES[self.signature_type]
        if len(self.public_key) != wanted:
            raise FormatError(
                f"the public key of `{excerpt(self.key_name)}` has "
                f"{len(self.public_key)} bytes, not {wanted}"
            )

    @classmethod
    def of_signer(cls, signer: Signer) -> VerifierKey:
        """Return the public side of a signer.

        Raises:
            ConfigurationError: notes have no signature type for its algorithm.
        """
        if signer.alg != ED25519_ALG:
            raise ConfigurationError(
                f"key `{signer.key_name}` signs with `{signer.alg}`: "
                f"notes are signed with `{ED25519_ALG}`"
            )
        return cls(key_name=signer.key_name, public_key=signer.public_key)

    @classmethod
    def parse(cls, vkey: str | bytes) -> VerifierKey:
        """Read a vkey, and check its key id against its name and key.

        Raises:
            FormatError: it is not a vkey, its key id does not fit, or its type is
                not one of `SignatureType`.
        """
        text = decode_text(vkey, what="the vkey", limit=_MAX_VKEY_BYTES)
        parts = text.split("+", 2)
        if len(parts) != _VKEY_PARTS:
            raise FormatError(
                f"vkey `{excerpt(text)}` is not `<name>+<key id>+<base64>`: "
                "print one with `policyguard keys show`"
            )
        name, key_id, encoded = parts
        data = decode_base64(encoded, what="the key of the vkey")
        key = cls(
            key_name=name,
            public_key=data[1:],
            signature_type=_signature_type(data[:1], vkey=text),
        )
        if _KEY_ID.fullmatch(key_id) is None or bytes.fromhex(key_id) != key.key_id:
            raise FormatError(
                f"vkey `{excerpt(text)}` has the key id `{excerpt(key_id)}`, but its "
                f"name and key give `{key.key_id.hex()}`: copy the whole line as it was "
                "printed; for another name print another one"
            )
        return key

    @property
    def alg(self) -> str:
        """The algorithm, such as `ed25519`."""
        return _ALG[self.signature_type]

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        named = self.key_name.encode("utf-8") + b"\n"
        return hashlib.sha256(named + self._typed_key).digest()[:KEY_ID_BYTES]

    @property
    def _typed_key(self) -> bytes:
        return bytes([self.signature_type]) + self.public_key

    def format(self) -> str:
        """Return the vkey, without a line end."""
        return f"{self.key_name}+{self.key_id.hex()}+{encode_base64(self._typed_key)}"

    def verify(self, *, signature: bytes, message: bytes) -> None:
        """Verify a signature over exactly these bytes.

        Raises:
            InvalidSignatureError: the signature does not hold.
            ConfigurationError: this is not a key of type Ed25519 (0x01).
        """
        if self.signature_type is not SignatureType.ED25519:
            raise ConfigurationError(
                f"key `{self.key_name}` is of type `{self.alg}`: only `{ED25519_ALG}` "
                "keys verify note signatures"
            )
        verify_ed25519(public_key=self.public_key, signature=signature, message=message)


def _signature_type(type_byte: bytes, *, vkey: str) -> SignatureType:
    try:
        return SignatureType(int.from_bytes(type_byte, "big"))
    except ValueError as cause:
        number = int.from_bytes(type_byte, "big")
        if number in _REFUSED:
            raise FormatError(
                f"vkey `{excerpt(vkey)}` has the signature type `0x{number:02x}`,"
                f" {_REFUSED[number]}"
            ) from cause
        known = ", ".join(f"0x{member:02x}" for member in SignatureType)
        raise FormatError(
            f"vkey `{excerpt(vkey)}` has the signature type `0x{type_byte.hex()}`: "
            f"known are {known}"
        ) from cause
