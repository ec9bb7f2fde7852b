"""Calls of which a rule finds something else than before, and how the two compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from policyguard.canonical import Json
from policyguard.testing.composition import RANK
from policyguard.testing.rule_table import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """Is one call of which a rule finds something else than before."""

    call: Json = field(repr=False)
    facts: Mapping[str, Json]
    """What differs from a call of which nothing is said."""
    before: tuple[str, ...]
    after: tuple[str, ...]
    access: bool
    """Whether something objected before, and nothing does now."""


def smallest(flips: Sequence[Flip]) -> tuple[Flip, ...]:
    """Return the smallest call that opens access, and the smallest that does not."""
    ordered = sorted(flips, key=lambda flip: (not flip.access, len(flip.facts)))
    return tuple(
        next(flip for flip in ordered if flip.access == access)
        for access in (True, False)
        if any(flip.access == access for flip in ordered)
    )


def how_of(before: Found, after: Found) -> str:
    """Say how what is found now is to what was found: as in `Relation`, or `otherwise`."""
    if before == after:
        return "equivalent"
    one, other = (
        max((RANK.get(effect, 0) for _, effect in found), default=0)
        for found in (before, after)
    )
    return "otherwise" if one == other else "stricter" if other > one else "looser"
