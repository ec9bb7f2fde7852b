"""Combines what parts of a rule find: numbers for what is found, in diagrams."""

from __future__ import annotations

from typing import Any, Final

from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.parts import Case
from policyguard.testing.rule_table import Found

NO_VIEW: Final[Found] = frozenset({("view", "deny")})
FAILED: Final[Found] = frozenset({("evaluation", "deny")})
HOLDS: Final = "holds"


class Outcomes:
    """Gives what is found numbers, and combines them; lives for one rule."""

    def __init__(self) -> None:
        self.founds: list[Found] = []
        self._places: dict[Found, int] = {}

    def place(self, found: Found) -> int:
        """Return the number of what is found."""
        place = self._places.setdefault(found, len(self.founds))
        if place == len(self.founds):
            self.founds.append(found)
        return place

    def either(self, diagrams: Diagrams, text: str) -> Root:
        """Return a part that may hold or not, whatever the facts, as one fact more.

        Args:
            diagrams: Gets that fact.
            text: The part.

        Raises:
            OverflowError: it says what the effect is.
        """
        if "kit_effect := true" not in text:
            raise OverflowError("an effect that depends on more than is decided")
        ways = (frozenset[tuple[str, str]](), frozenset({(HOLDS, "")}))
        level = diagrams.added(len(ways))
        return diagrams.choose(
            level,
            [(diagrams.leaf(self.place(way)), 1 << i) for i, way in enumerate(ways)],
        )

    def conjunction(self, one: int, other: int) -> int:
        """Return what two parts of a body find together."""
        left, right = self.founds[one], self.founds[other]
        for worst in (NO_VIEW, FAILED):
            if worst in {left, right}:
                return self.place(worst)
        if not left or not right:
            return self.place(frozenset())
        effects = {item for item in left | right if item[0] != HOLDS}
        return self.place(frozenset(effects or {(HOLDS, "")}))

    def guarded(self, before: int, after: int) -> int:
        """Return what a part finds where one before it may find nothing."""
        guards = self.founds[after] == FAILED and not self.founds[before]
        return before if guards else after

    def of(self, case: Case, place: int) -> int:
        """Return what a case finds, where its parts together find something."""
        found = self.founds[place]
        if not found or found in {NO_VIEW, FAILED}:
            return place
        effects = {case.effect} if case.effect is not None else {e for _, e in found}
        return self.place(frozenset((case.finding, str(e)) for e in effects))

    def union(self, one: int, other: int) -> int:
        """Return what two cases find."""
        return self.place(self.founds[one] | self.founds[other])


def answered(answer: Any) -> Found:
    """Return what a part finds, as the engine answers it."""
    if answer is None:
        return FAILED
    return frozenset(
        (HOLDS, "") if effect is True else ("effect", str(effect)) for effect in answer
    )
