"""Holds what a rule finds for every call of a space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias

from policyguard.engines.tree import Path
from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.space import Choice, Space

OBJECTS: Final = frozenset({"deny", "unavailable", "require_approval", "indeterminate"})
"""Effects that are no permission."""

Found: TypeAlias = frozenset[tuple[str, str]]
"""What a rule finds: ids with effects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Is a rule decided for every call that it can tell from others."""

    rule: str
    space: Space
    """The part of the space that the rule can tell apart."""
    diagrams: Diagrams = field(repr=False)
    root: Root
    """What the rule finds, as a function of the dimensions: places in `outcomes`."""
    outcomes: tuple[Found, ...] = field(repr=False)

    @property
    def objecting(self) -> Root:
        """Return where the rule objects, as a function that is 1 there and else 0."""
        return self.diagrams.mapped(
            self.root, lambda place: int(objects(self.outcomes[place]))
        )

    def outcome(self, choice: Choice) -> Found:
        """Return what the rule finds for a choice of the table's own space."""
        values = [choice[dim.path] for dim in self.space.dims]
        return self.outcomes[self.diagrams.value(self.root, values)]

    def possible(self, choice: Choice) -> frozenset[Found]:
        """Return what the rule may find for a choice, whatever comes of loose parts."""
        root = self.root
        for level, dim in enumerate(self.space.dims):
            root = self.diagrams.at(root, level, choice[dim.path])
        return frozenset(self.outcomes[leaf] for leaf in self.diagrams.leaves(root))


@dataclass(frozen=True, slots=True)
class Sample:
    """Is a rule asked on calls drawn at random, as there are too many to ask all."""

    rule: str
    space: Space
    """The part of the space that the rule can tell apart."""
    why: str
    rest: Table | None = None
    """The rule, if each part that is too much to decide may hold or not in each call."""
    loose: frozenset[Path] = frozenset()
    """Facts on which those parts depend."""


def objects(found: Found) -> bool:
    """Say whether something is found that is no permission."""
    return any(effect in OBJECTS for _, effect in found)


def drawn(space: Space, *, count: int, seed: int) -> Iterator[Choice]:
    """Yield choices at random, the same for the same seed."""
    chooser = Random(seed)  # noqa: S311 -- the same calls each time, no secret
    for _ in range(count):
        yield space.draw(chooser)
