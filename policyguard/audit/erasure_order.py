"""The order to erase: a record that says who ordered what, and signs it.

Pure. It stands in the log, so it has pseudonyms and ids alone, and its
reason is one of a closed list: no text in which somebody could be named.

INVARIANT: the signature covers every field but itself, under a prefix that no other
signature has: neither a checkpoint nor a cosignature can be taken for an order.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from policyguard.canonical import canonical_bytes
from policyguard.errors import FormatError, InvalidSignatureError
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.signer import Signer
from policyguard.signing.text import decode_base64, encode_base64
from policyguard.vocabulary.record import EraseRecord

_PREFIX: Final = b"policyguard.audit.erase.v1\n"


def signed_order(order: EraseRecord, *, signer: Signer) -> EraseRecord:
    """Return an order with the name of a key, and its signature."""
    named = order.model_copy(update={"by": VerifierKey.of_signer(signer).format()})
    signature = encode_base64(signer.sign(_signed_bytes(named)))
    return named.model_copy(update={"signature": signature})


def verify_order(order: EraseRecord, *, trail: str) -> VerifierKey:
    """Verify that the key that an order names has signed it; return the key.

    Args:
        order: The order.
        trail: The name of the trail that it stands in.

    Raises:
        InvalidSignatureError: it has not, or the order is for another trail.
    """
    if order.trail != trail:
        raise InvalidSignatureError(
            f"the order is for the trail `{order.trail}` and counts for nothing here"
        )
    try:
        key = VerifierKey.parse(order.by)
        signature = decode_base64(order.signature, what="the order's signature")
    except FormatError as error:
        raise InvalidSignatureError(f"the order is not signed: {error}") from error
    key.verify(signature=signature, message=_signed_bytes(order))
    return key


def require_order(
    order: EraseRecord, *, trail: str, erasers: Collection[VerifierKey]
) -> VerifierKey:
    """Refuse an order that no key has signed that may erase; return the key.

    Raises:
        InvalidSignatureError: the signature does not hold or is a stranger's, or the
            order is for another trail.
    """
    key = verify_order(order, trail=trail)
    if key not in erasers:
        raise InvalidSignatureError(
            f"the key `{order.by}` may not erase: if it may, add it to `erasers` under"
            " [trail] or as `eraser` to the file of people"
        )
    return key


def _signed_bytes(order: EraseRecord) -> bytes:
    return _PREFIX + canonical_bytes(
        order.model_dump(mode="json", exclude={"signature"})
    )
