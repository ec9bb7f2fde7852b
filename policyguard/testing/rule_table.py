"""Holds what a rule finds for every view that a space can show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias

from policyguard.engines.tree import Path
from policyguard.testing.space import Choice, Space
from policyguard.testing.units import Component

OBJECTS: Final = frozenset({"deny", "unavailable", "require_approval", "indeterminate"})
"""Effects that are no permission."""

Found: TypeAlias = frozenset[tuple[str, str]]
"""What a rule finds: ids with effects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Is a rule decided for every view that a space can show it."""

    rule: str
    space: Space
    components: tuple[Component, ...] = field(repr=False)
    outcomes: tuple[Found, ...] = field(repr=False)
    """One for each combination, the last component fastest."""
    evaluations: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Return how many classes each component has."""
        return tuple(len(component.met) for component in self.components)

    def outcome(self, choice: Choice) -> Found:
        """Return what the rule finds for a choice of the table's own space."""
        index = 0
        for component, size in zip(self.components, self.shape, strict=True):
            index = index * size + component.index[component.classes(choice)]
        return self.outcomes[index]

    def choice(self, index: int) -> Choice:
        """Return a choice that has one combination."""
        found: dict[Path, int] = {}
        for component, size in zip(
            reversed(self.components), reversed(self.shape), strict=True
        ):
            index, own = divmod(index, size)
            found |= list(component.met.values())[own]
        return found


@dataclass(frozen=True, slots=True)
class Sample:
    """Is a rule asked on calls drawn at random, as there are too many to ask all."""

    rule: str
    space: Space
    """The part of the space that the rule can tell apart."""
    why: str


def objects(found: Found) -> bool:
    """Say whether something is found that is no permission."""
    return any(effect in OBJECTS for _, effect in found)


def drawn(space: Space, *, count: int, seed: int) -> Iterator[Choice]:
    """Yield choices at random, the same for the same seed."""
    chooser = Random(seed)  # noqa: S311 -- the same calls each time, no secret
    for _ in range(count):
        yield space.draw(chooser)
