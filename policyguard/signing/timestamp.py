"""Time stamps of RFC 3161: ask in the right form, and verify what was answered.

Needs the extra `timestamp` (rfc3161-client). A time-stamping authority signs a digest
and the time at which it saw it: proof that the bytes existed then, from somebody who
knows nothing else of them. Bytes only; who is asked is elsewhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from policyguard.errors import ConfigurationError, FormatError, InvalidSignatureError

QUERY_TYPE: Final = "application/timestamp-query"
REPLY_TYPE: Final = "application/timestamp-reply"
MAX_REPLY_BYTES: Final = 65_536
MAX_ROOTS_BYTES: Final = 1_000_000
_SHA256: Final = "2.16.840.1.101.3.4.2.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StampRequest:
    """Is a question to an authority, with a nonce that its answer has to repeat."""

    body: bytes
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRoots:
    """Is the certificates of authorities that are trusted to tell the time."""

    certificates: tuple[Any, ...]

    @classmethod
    def parse(cls, pem: bytes) -> TimeRoots:
        """Read certificates in PEM.

        Raises:
            ConfigurationError: there is none, or one cannot be read.
        """
        from cryptography.x509 import load_pem_x509_certificates

        try:
            found = load_pem_x509_certificates(pem)
        except ValueError as cause:
            raise ConfigurationError(
                f"the authority's certificates are not PEM: {cause}"
            ) from cause
        return cls(certificates=tuple(found))


def stamp_request(message: bytes) -> StampRequest:
    """Return what to ask for a time stamp over SHA-256 of a message.

    Raises:
        ConfigurationError: the extra is missing.
    """
    client = _client()
    made = (
        client.TimestampRequestBuilder()
        .data(message)
        .hash_algorithm(client.HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    return StampRequest(body=made.as_bytes(), nonce=made.nonce)


def verify_stamp(
    reply: bytes, *, message: bytes, roots: TimeRoots, nonce: int | None = None
) -> datetime:
    """Verify a time stamp, and return the time in it, in UTC.

    Args:
        reply: The authority's whole answer in DER.
        message: What was stamped.
        roots: Whose time stamps are trusted.
        nonce: The one that was sent; without it a stored answer is verified.

    Raises:
        FormatError: it is not an answer.
        InvalidSignatureError: it was refused, is over other bytes, has another nonce,
            or no trusted authority has signed it.
        ConfigurationError: the extra is missing.
    """
    client = _client()
    decoded = _decoded(reply)
    _require_imprint(decoded, message=message)
    builder = client.VerifierBuilder(roots=list(roots.certificates), nonce=nonce)
    try:
        builder.build().verify_message(decoded, message)
    except (client.VerificationError, ValueError) as cause:
        raise InvalidSignatureError(f"the time stamp does not hold: {cause}") from cause
    return _utc(decoded.tst_info.gen_time)


def stated_time(reply: bytes, *, message: bytes) -> datetime:
    """Return the time that an answer states for a message; nothing vouches for it.

    Raises:
        FormatError: it is not an answer.
        InvalidSignatureError: it was refused, or is over other bytes.
        ConfigurationError: the extra is missing.
    """
    decoded = _decoded(reply)
    _require_imprint(decoded, message=message)
    return _utc(decoded.tst_info.gen_time)


def _decoded(reply: bytes) -> Any:
    if len(reply) > MAX_REPLY_BYTES:
        raise FormatError(f"the time stamp is longer than {MAX_REPLY_BYTES:,} bytes")
    client = _client()
    try:
        decoded = client.decode_timestamp_response(reply)
        status = int(decoded.status)
        granted = status == int(client.PKIStatus.GRANTED)
    except ValueError as cause:
        raise FormatError(f"the time stamp is not one of RFC 3161: {cause}") from cause
    if not granted:
        raise InvalidSignatureError(f"the authority refused to stamp: status {status}")
    return decoded


def _require_imprint(decoded: Any, *, message: bytes) -> None:
    try:
        imprint = decoded.tst_info.message_imprint
        algorithm, digest = imprint.hash_algorithm.dotted_string, imprint.message
    except ValueError as cause:
        raise FormatError(f"the time stamp has no token: {cause}") from cause
    if (algorithm, digest) != (_SHA256, hashlib.sha256(message).digest()):
        raise InvalidSignatureError("the time stamp is over other bytes")


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _client() -> Any:
    try:
        import rfc3161_client
    except ImportError as cause:
        raise ConfigurationError(
            "time stamps need rfc3161-client: install `policyguard-ai[timestamp]`"
        ) from cause
    return rfc3161_client
