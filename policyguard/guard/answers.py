"""Commits to the bytes of an answer while they pass, without keeping them.

Whoever has kept an answer can show later that it is the one that was recorded: with the
salt from the vault, HMAC-SHA256 (RFC 2104) of its bytes is the value in the leaf.

Owner: the process has one secret, made at import and never written. The salt of an
answer follows from it and from the decision's id; it is kept with the content of the
decision, and erased with it. Until the process ends, its memory could make it again.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import Final

from policyguard.audit.vault import Keyed, commitment_value
from policyguard.vocabulary.record import Commitment

_RECENT: Final = 64
"""So many salts are remembered: what is decided now is answered next."""
_SECRET: Final = secrets.token_bytes(32)


@lru_cache(maxsize=_RECENT)
def answer_salt(decision: str) -> bytes:
    """Return the 32 bytes under which the answer to a decided call is committed to.

    Args:
        decision: The decision's id.
    """
    value = commitment_value(decision.encode("ascii"), salt=_SECRET)
    return bytes.fromhex(value)


class Committing:
    """Takes the bytes of one answer, a part after the other."""

    __slots__ = ("_bytes", "_mac")

    def __init__(self, decision: str) -> None:
        """Begin.

        Args:
            decision: The id of the decision that allowed the call.
        """
        self._mac = Keyed(answer_salt(decision))
        self._bytes = 0

    def feed(self, part: bytes) -> None:
        """Take the next bytes."""
        self._mac.feed(part)
        self._bytes += len(part)

    def commitment(self) -> Commitment:
        """Return what the record says of all bytes so far."""
        return Commitment(bytes=self._bytes, value=self._mac.value())
