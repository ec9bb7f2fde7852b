"""Counts of distinct people over time: what earlier calls add up to.

Owner: all processes of a trail share its counts, in a file or in tables of a server.
People are kept as HMAC-SHA256 (RFC 2104) under a key that is kept apart: the counts
name nobody, and without the key nobody can be looked up. Whoever can write the store can
lower a count.

INVARIANT: what a call would add is reserved in the transaction that reads what was
there, before the call. So of calls at once each sees the others, and no two of them pass
a threshold together. A reservation counts until it is released; a crash leaves it, and
it counts as a call that was made.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from policyguard.audit.stores.protocol import CountStore

KEY_BYTES: Final = 32
_PERSON_BYTES: Final = 16
SETTLED: Final = ""
"""The reservation of all that counts for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Is what one call adds to one count, and since when that count runs."""

    scope: str
    """Whose count it is, as a tenant and a counterparty."""
    category: str
    since: int
    """Seconds since 1970, UTC; what was at this second or before counts no more."""
    persons: frozenset[bytes] = frozenset()
    """Pseudonyms, as `pseudonyms` returns them."""
    unnamed: int = 0
    """People of whom only the number is known: each counts as somebody new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Counts distinct people of a trail."""

    store: CountStore

    def pseudonyms(self, persons: Iterable[str]) -> frozenset[bytes]:
        """Return what is kept in the place of people's ids.

        Raises:
            TrailError: the key cannot be read or made.
        """
        key = self.store.key()
        return frozenset(
            hmac.digest(key, person.encode("utf-8"), hashlib.sha256)[:_PERSON_BYTES]
            for person in persons
        )

    def reserve(
        self,
        shares: Sequence[Share],
        *,
        reservation: str,
        call: str,
        at: int,
        keep: bool = True,
    ) -> Mapping[tuple[str, str], int]:
        """Return what is counted beside the people of a call, and count them, too.

        Args:
            shares: What the call adds, for each count that it is asked about.
            reservation: The name under which it is settled or released.
            call: The id of the call: its own earlier attempts are not counted twice.
            at: The instant of the call, in seconds since 1970, UTC.
            keep: Whether to reserve; else it is only read.

        Raises:
            TrailError: the counters cannot be reached.
        """
        return self.store.reserve(
            shares, reservation=reservation, call=call, at=at, keep=keep
        )

    def settle(self, reservation: str) -> None:
        """Let a reservation count for good: its call was made.

        Raises:
            TrailError: the counters cannot be reached; the reservation counts as it is.
        """
        self.store.settle(reservation)

    def release(self, reservation: str) -> None:
        """Forget a reservation: its call was not made.

        Raises:
            TrailError: the counters cannot be reached; the reservation goes on counting.
        """
        self.store.release(reservation)
