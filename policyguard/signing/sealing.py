"""Seals bytes so that they are gone when a key is: AES-256-GCM, HKDF and key wrapping.

AES-GCM is NIST SP 800-38D, HKDF RFC 5869 with SHA-256, key wrapping RFC 3394. Which
keys there are, who has them and when they are destroyed is the vault's matter.

INVARIANT: no key seals twice. Each sealing derives its own from a fresh salt, so a
nonce cannot be repeated under one key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from policyguard.errors import ConfigurationError, InvalidSignatureError

KEY_BYTES: Final = 32
_SALT_BYTES: Final = 32
_NONCE: Final = bytes(12)
"""Of a key that is used once, any nonce is."""
_INFO: Final = b"policyguard.sealing.v1"


def new_key() -> bytes:
    """Return a fresh key of 32 bytes."""
    return secrets.token_bytes(KEY_BYTES)


def seal(content: bytes, *, keys: Sequence[bytes], bound_to: bytes) -> bytes:
    """Seal content so that only whoever has *all* keys can open it.

    Args:
        content: What is sealed.
        keys: Keys of 32 bytes each, in an order that the opener knows.
        bound_to: Authenticated with it, not stored: the opener has to know it.

    Returns:
        A salt of 32 bytes, and ciphertext with its tag.

    Raises:
        ConfigurationError: there is no key, or one of another length.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt = secrets.token_bytes(_SALT_BYTES)
    key = _derived(keys, salt=salt)
    return salt + AESGCM(key).encrypt(_NONCE, content, bound_to)


def unseal(sealed: bytes, *, keys: Sequence[bytes], bound_to: bytes) -> bytes:
    """Open what `seal` made.

    Raises:
        InvalidSignatureError: it was changed, other keys or another binding made it.
        ConfigurationError: there is no key, or one of another length.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, body = sealed[:_SALT_BYTES], sealed[_SALT_BYTES:]
    key = _derived(keys, salt=salt)
    try:
        return AESGCM(key).decrypt(_NONCE, body, bound_to)
    except InvalidTag as error:
        raise InvalidSignatureError(
            "the sealed content does not open with these keys: it was changed, or it"
            " belongs elsewhere"
        ) from error


def wrap_key(key: bytes, *, under: bytes) -> bytes:
    """Return a key wrapped under another one (RFC 3394)."""
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap

    return aes_key_wrap(under, key)


def unwrap_key(wrapped: bytes, *, under: bytes) -> bytes:
    """Return the key that was wrapped.

    Raises:
        InvalidSignatureError: it was changed, or wrapped under another key.
    """
    from cryptography.hazmat.primitives.keywrap import (
        InvalidUnwrap,
        aes_key_unwrap,
    )

    try:
        return aes_key_unwrap(under, wrapped)
    except (InvalidUnwrap, ValueError) as error:
        raise InvalidSignatureError(
            "the wrapped key does not open: it was changed, or wrapped under another key"
        ) from error


def lock_key(key: bytes, *, passphrase: bytes) -> bytes:
    """Return a key locked under a passphrase: scrypt (RFC 7914), key wrapping."""
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap

    salt = secrets.token_bytes(_SALT_BYTES)
    return salt + aes_key_wrap(_stretched(passphrase, salt=salt), key)


def unlock_key(locked: bytes, *, passphrase: bytes) -> bytes:
    """Return the key that was locked.

    Raises:
        InvalidSignatureError: it was changed, or locked under another passphrase.
    """
    salt, wrapped = locked[:_SALT_BYTES], locked[_SALT_BYTES:]
    return unwrap_key(wrapped, under=_stretched(passphrase, salt=salt))


def _stretched(passphrase: bytes, *, salt: bytes) -> bytes:
    # 32 MiB and a third of a second: once in the life of a process.
    return hashlib.scrypt(
        passphrase, salt=salt, n=2**15, r=8, p=3, maxmem=2**26, dklen=KEY_BYTES
    )


def _derived(keys: Sequence[bytes], *, salt: bytes) -> bytes:
    """Return HKDF-SHA256 (RFC 5869) of all keys together; one block is all we need."""
    if not keys or set(map(len, keys)) != {KEY_BYTES}:
        raise ConfigurationError(f"a sealing needs keys of {KEY_BYTES} bytes each")
    extracted = hmac.digest(salt, b"".join(keys), hashlib.sha256)
    return hmac.digest(extracted, _INFO + b"\x01", hashlib.sha256)
