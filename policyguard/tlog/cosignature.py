"""Cosignatures: what a witness signs when it has seen a checkpoint, and when.

The format is `cosignature/v1` of https://c2sp.org/tlog-cosignature, with Ed25519 (type
0x04): the signature of a note line is eight bytes of POSIX time, big-endian, and 64
bytes over `cosignature/v1`, the time and the checkpoint's text. By it a witness says
that this is the newest checkpoint of the log that it has seen, and consistent with
every earlier one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policyguard.errors import (
    ConfigurationError,
    InvalidSignatureError,
)
from policyguard.signing.ed25519 import ALG, SIGNATURE_BYTES, verify_ed25519
from policyguard.signing.keyring import SignatureType, VerifierKey
from policyguard.signing.text import DECIMAL_LIMIT, encode_text, excerpt
from policyguard.tlog.note import Note, NoteSignature

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policyguard.signing.signer import Signer

_TIME_BYTES: Final = 8


def witness_key(signer: Signer) -> VerifierKey:
    """Return the public side of a witness's key; never use a log's key as one.

    Raises:
        ConfigurationError: its algorithm is not Ed25519.
    """
    if signer.alg != ALG:
        raise ConfigurationError(
            f"key `{signer.key_name}` signs with `{signer.alg}`: cosignatures here are"
            f" made with `{ALG}`"
        )
    return VerifierKey(
        key_name=signer.key_name,
        public_key=signer.public_key,
        signature_type=SignatureType.ED25519_COSIGNATURE,
    )


def cosign(text: str, *, signer: Signer, time: int) -> NoteSignature:
    """Return a witness's signature line for a checkpoint's text.

    The caller answers for having verified log signature and consistency, and for having
    stored the checkpoint durably before.

    Args:
        text: The note text: all that the log signs.
        signer: The witness's key.
        time: POSIX time in seconds.

    Raises:
        ConfigurationError: the key is not Ed25519, or the time is out of range.
    """
    if not 0 <= time < DECIMAL_LIMIT:
        raise ConfigurationError(f"the time `{time}` is not from 0 to 2**63 - 1")
    key = witness_key(signer)
    return NoteSignature(
        key_name=key.key_name,
        key_id=key.key_id,
        signature=time.to_bytes(_TIME_BYTES, "big")
        + signer.sign(_message(text, time=time)),
    )


def verified_cosignatures(
    note: Note, *, witnesses: Iterable[VerifierKey]
) -> dict[VerifierKey, int]:
    """Verify the cosignatures of all known witnesses; return when each has signed.

    Signatures of others are ignored, and so are witnesses with keys of type ML-DSA-44,
    which are not verified here: they never count. Of several by one witness the latest
    counts.

    Raises:
        InvalidSignatureError: a known witness's cosignature does not hold.
    """
    known = {
        (key.key_name, key.key_id): key
        for key in witnesses
        if key.signature_type is SignatureType.ED25519_COSIGNATURE
    }
    times: dict[VerifierKey, int] = {}
    for line in note.signatures:
        key = known.get((line.key_name, line.key_id))
        if key is not None:
            time = _verified_time(line, key=key, text=note.text)
            times[key] = max(time, times.get(key, 0))
    return times


def _verified_time(line: NoteSignature, *, key: VerifierKey, text: str) -> int:
    time = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if len(line.signature) != _TIME_BYTES + SIGNATURE_BYTES or time >= DECIMAL_LIMIT:
        raise InvalidSignatureError(
            f"the cosignature of `{excerpt(key.key_name)}` has another length, or a time"
            " out of range"
        )
    try:
        verify_ed25519(
            public_key=key.public_key,
            signature=line.signature[_TIME_BYTES:],
            message=_message(text, time=time),
        )
    except InvalidSignatureError as cause:
        raise InvalidSignatureError(
            f"the cosignature of `{excerpt(key.key_name)}` (key id"
            f" `{key.key_id.hex()}`) does not hold: {cause}"
        ) from cause
    return time


def _message(text: str, *, time: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time + encode_text(text)
