"""What listed owners hold of a party, at any remove.

The ownership tests of each regime mean their own kind of owner and have their own
threshold; rules compare. Sources: the BIS Affiliates Rule, OFAC's 50 % rule, 28 CFR
202.211. A party counts as its owner does when owners of the kind hold half of it
together; chains are followed for three steps, and what is longer is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

Entry: TypeAlias = Mapping[str, Any]

WHOLE: Final = 10_000
"""All of a party, in hundredths of a percent."""
HALF: Final = 5_000
STEPS: Final = 3
KINDS: Final[Mapping[str, frozenset[str]]] = {
    "bis": frozenset({"bis-entity-list", "bis-meu", "ofac-sdn"}),
    "dsp": frozenset({"dsp-covered-persons"}),
    "ofac": frozenset({"ofac-sdn"}),
}
"""The lists that make an owner one of a kind: `bis` is whom the Affiliates Rule means,
`ofac` whom the 50 % rule of sanctions means, `dsp` covered persons."""
CONCERN: Final = "dsp-countries-of-concern"
"""The list of countries whose owners count for `dsp`."""


class Ownership:
    """Answers who holds what at one instant.

    Args:
        entry: Returns the catalog's entry of a party, or `None`.
        shares: Returns the owners of an entry that hold at the instant.
        listed: Says whether a list names a party at the instant.
        of_concern: Says whether a country is one of concern at the instant.
    """

    def __init__(
        self,
        *,
        entry: Callable[[str], Entry | None],
        shares: Callable[[Entry], list[Entry]],
        listed: Callable[[str, str], bool],
        of_concern: Callable[[str | None], bool],
    ) -> None:
        self._entry = entry
        self._active = shares
        self._listed = listed
        self._of_concern = of_concern

    def held(
        self, key: str, *, known: bool, shares: list[Entry], parent_known: bool
    ) -> Entry:
        """Return what owners of each kind hold of a party, in hundredths of a percent.

        Args:
            key: The party.
            known: Whether it is known who owns it.
            shares: Its owners at the instant.
            parent_known: Whether its ultimate parent's country is known.
        """
        if known and shares:
            chain = self._chain(key)
            return {kind: self._held_by(kind, shares, chain) for kind in KINDS}
        perhaps = 0 if known or parent_known else WHOLE
        return {kind: {"surely": 0, "perhaps": perhaps, "owners": []} for kind in KINDS}

    def _held_by(self, kind: str, shares: list[Entry], chain: set[str]) -> Entry:
        of_kind = {key for key in chain if self._is_of(kind, key)}
        sure = self._closed(kind, of_kind, chain)
        perhaps = {key for key in chain if self._may_be_of(key, chain)}
        possible = self._closed(kind, sure | perhaps, chain)
        surely = self._sum(kind, shares, sure)
        at_most = self._sum(kind, shares, possible) + _rest(shares)
        return {
            "surely": surely,
            "perhaps": min(WHOLE, max(surely, at_most)),
            "owners": [
                share["owner"] for share in shares if self._counts(kind, share, sure)
            ],
        }

    def _chain(self, key: str) -> set[str]:
        chain: set[str] = set()
        step = {key}
        for _ in range(STEPS):
            step = self._owners_of(step)
            chain |= step
        return chain

    def _owners_of(self, keys: Iterable[str]) -> set[str]:
        return {
            share["party"]
            for key in keys
            for share in self._shares(key)
            if share["party"] is not None
        }

    def _shares(self, key: str) -> list[Entry]:
        entry = self._entry(key)
        if entry is None or entry["owners"] is None:
            return []
        return self._active(entry)

    def _closed(self, kind: str, members: set[str], chain: set[str]) -> set[str]:
        """Add whom members of a kind hold by half; no chain is longer than the steps."""
        for _ in range(STEPS):
            members = members | {
                key
                for key in chain
                if self._sum(kind, self._shares(key), members) >= HALF
            }
        return members

    def _is_of(self, kind: str, key: str) -> bool:
        if any(self._listed(name, key) for name in sorted(KINDS[kind])):
            return True
        entry = self._entry(key)
        return (
            kind == "dsp" and entry is not None and self._of_concern(entry["country"])
        )

    def _may_be_of(self, key: str, chain: set[str]) -> bool:
        """Say whether nobody has said who owns it, or the chain goes on further."""
        entry = self._entry(key)
        if entry is not None and entry["owners"] is None:
            parent = entry.get("control_country", entry.get("parent_country"))
            if parent is None:
                return True
        return bool(self._owners_of({key}) - chain)

    def _sum(self, kind: str, shares: list[Entry], members: set[str]) -> int:
        return sum(
            share["share_bp"]
            for share in shares
            if share["share_bp"] is not None and self._counts(kind, share, members)
        )

    def _counts(self, kind: str, share: Entry, members: set[str]) -> bool:
        return (
            share["party"] in members
            or bool(KINDS[kind] & set(share["listed"] or ()))
            or (kind == "dsp" and self._of_concern(share["country"]))
        )


def _rest(shares: list[Entry]) -> int:
    """Return what is held in shares of unknown size, or by whom nobody has screened."""
    sized = [share for share in shares if share["share_bp"] is not None]
    unscreened: int = sum(
        share["share_bp"]
        for share in sized
        if share["party"] is None and share["listed"] is None
    )
    whole: int = sum(share["share_bp"] for share in sized)
    return unscreened + (WHOLE - whole if len(sized) < len(shares) else 0)
