"""Sealed content opens with all keys, in its place, unchanged, and not otherwise."""

from __future__ import annotations

import pytest

from policyguard.errors import ConfigurationError, InvalidSignatureError
from policyguard.signing.sealing import (
    lock_key,
    new_key,
    seal,
    unlock_key,
    unseal,
    unwrap_key,
    wrap_key,
)

ONE, TWO = new_key(), new_key()


@pytest.mark.parametrize("keys", [[ONE], [ONE, TWO]])
@pytest.mark.parametrize("content", [b"", b"canary", b"x" * 100_000])
def test_what_was_sealed_opens(keys: list[bytes], content: bytes) -> None:
    sealed = seal(content, keys=keys, bound_to=b"leaf")

    assert unseal(sealed, keys=keys, bound_to=b"leaf") == content
    assert content == b"" or content not in sealed


@pytest.mark.parametrize("keys", [[ONE], [TWO], [TWO, ONE], [ONE, TWO, TWO]])
def test_all_keys_are_needed_in_their_order(keys: list[bytes]) -> None:
    sealed = seal(b"canary", keys=[ONE, TWO], bound_to=b"leaf")

    with pytest.raises(InvalidSignatureError):
        unseal(sealed, keys=keys, bound_to=b"leaf")


def test_content_opens_in_its_own_place_alone() -> None:
    sealed = seal(b"canary", keys=[ONE], bound_to=b"leaf")

    with pytest.raises(InvalidSignatureError):
        unseal(sealed, keys=[ONE], bound_to=b"another")


def test_no_changed_byte_and_no_cut_opens() -> None:
    sealed = seal(b"canary", keys=[ONE], bound_to=b"leaf")
    flipped = [
        sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        for at in range(len(sealed))
    ]

    for changed in (*flipped, *(sealed[:end] for end in range(len(sealed)))):
        with pytest.raises(InvalidSignatureError):
            unseal(changed, keys=[ONE], bound_to=b"leaf")


def test_nothing_is_sealed_twice_alike() -> None:
    made = {seal(b"canary", keys=[ONE], bound_to=b"leaf") for _ in range(100)}

    assert len(made) == 100


@pytest.mark.parametrize("keys", [[], [b"short"], [ONE, b""]])
def test_a_key_has_32_bytes(keys: list[bytes]) -> None:
    with pytest.raises(ConfigurationError):
        seal(b"", keys=keys, bound_to=b"")


def test_a_wrapped_key_opens_under_its_own_key_alone() -> None:
    wrapped = wrap_key(ONE, under=TWO)

    assert unwrap_key(wrapped, under=TWO) == ONE
    for given in (wrapped[:-1], wrapped + b"x", b"", bytes(len(wrapped))):
        with pytest.raises(InvalidSignatureError):
            unwrap_key(given, under=TWO)
    with pytest.raises(InvalidSignatureError):
        unwrap_key(wrapped, under=ONE)


def test_the_derivation_is_that_of_the_specification() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    sealed = seal(b"canary", keys=[ONE, TWO], bound_to=b"leaf")
    key = HKDF(
        algorithm=SHA256(),
        length=32,
        salt=sealed[:32],
        info=b"policyguard.sealing.v1",
    ).derive(ONE + TWO)

    assert AESGCM(key).decrypt(bytes(12), sealed[32:], b"leaf") == b"canary"


def test_a_locked_key_opens_with_its_passphrase_alone_and_unchanged() -> None:
    locked = lock_key(ONE, passphrase=b"of the fleet")

    assert unlock_key(locked, passphrase=b"of the fleet") == ONE
    assert ONE not in locked
    assert lock_key(ONE, passphrase=b"of the fleet") != locked
    for other, passphrase in (
        (locked, b"of the flee"),
        (locked[:-1] + bytes([locked[-1] ^ 1]), b"of the fleet"),
        (locked[:40], b"of the fleet"),
        (b"", b"of the fleet"),
    ):
        with pytest.raises(InvalidSignatureError):
            unlock_key(other, passphrase=passphrase)
