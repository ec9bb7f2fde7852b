"""Says what was found of a policy, and how sure each claim is.

PROVED    every view that the space can show the rule was decided
CHECKED   every view was decided, and the rule does fall silent; in each call that was
drawn from those, another rule objects
SAMPLED   calls were drawn at random; with 95 % confidence fewer than the share that
is named break the property
VIOLATED  a call breaks it: the smallest that was found is shown
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from policyguard.canonical import Json

Progress: TypeAlias = Callable[[str, int, int], None]
"""Is told the stage, how much of it is done, and how much there is."""
Tier: TypeAlias = Literal["PROVED", "CHECKED", "SAMPLED", "VIOLATED"]
REACHABLE: Final = "reachable"
ALLOW: Final = "allow_iff_nothing_objects"
DEAD: Final = "no_dead_condition"
UNCOVERED: Final = "no_uncovered"
COMPOSITION: Final = "policyguard.main"
"""Stands in the place of a rule where a claim is of what becomes of findings."""
DECIDED: Final = (
    ALLOW,
    "fail_closed",
    "monotone_classes",
    "monotone_lists",
    REACHABLE,
)
"""Properties that are decided where none are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Says how much is done before a claim is made with less certainty."""

    views: int = 25_000
    """The most views on which one part of a rule is asked; of more, calls are drawn."""
    samples: int = 400
    """How many calls are drawn for a rule that tells more views apart, or that falls silent
    where it is not known who else objects."""
    crosschecks: int = 5_000
    """How many whole evaluations the tables are compared with."""
    kinds: int = 3
    """How many kinds of counterexample are shown of one claim at most."""
    seed: int = 0
    """What the draws depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """Is one call that breaks a property, and the change that shows it."""

    call: Json = field(repr=False)
    facts: Mapping[str, Json]
    """What differs from a call of which nothing is said."""
    changed: str | None = None
    """The fact that is changed."""
    value: Json = None
    """What it is changed to."""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    cases: int | None = None
    """How many cases are of its kind: the same fact is changed, and the same was found
    before; nothing where that was not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Is what was found of one property of one rule."""

    property: str
    rule: str
    tier: Tier
    cases: int
    """How many views were decided, or how many calls were drawn."""
    broken: int = 0
    """How many cases break it, where that was counted."""
    bound: float | None = None
    """The share of calls that may break it, with 95 % confidence."""
    why: str = ""
    """Why it is not proved."""
    counterexample: Counterexample | None = None
    """The smallest that was found."""
    others: tuple[Counterexample, ...] = ()
    """The smallest of each other kind, which changes another fact or another finding."""

    def counterexamples(self) -> tuple[Counterexample, ...]:
        """Return all that are shown, the smallest first."""
        return (*([self.counterexample] if self.counterexample else []), *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Is all that was claimed of one policy over one space."""

    claims: tuple[Claim, ...]
    bundle_digest: str
    catalog_digest: str
    space_digest: str
    calls: int
    """How many calls the space has."""
    dims: int
    evaluations: int
    crosschecks: int
    seconds: float

    @property
    def violated(self) -> tuple[Claim, ...]:
        """Return the claims that do not hold."""
        return tuple(claim for claim in self.claims if claim.tier == "VIOLATED")

    @property
    def undecided(self) -> tuple[Claim, ...]:
        """Return the claims that are neither proved nor broken."""
        return tuple(c for c in self.claims if c.tier in {"CHECKED", "SAMPLED"})
