"""Holds what one rule reads, and what is looked up by country."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Final

from policyguard.engines.tree import Module, Path
from policyguard.testing.parts import Case
from policyguard.testing.path_values import levels_of
from policyguard.testing.slice_forms import LookedUp, Reads
from policyguard.testing.space import Space

LOOKED_UP: Final[Mapping[Path, LookedUp]] = {
    ("policyguard", "facts", name): LookedUp(
        entries=("catalog", "views", "countries"),
        otherwise=("catalog", "views", "elsewhere"),
        field=field,
    )
    for name, field in (("_countries", ()), ("_groups", ("groups",)))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Is what one rule reads."""

    rule: str
    module: Module
    cases: tuple[Case, ...] = field(repr=False)
    below: Mapping[Path, Reads] = field(repr=False)
    """By path of the view, what it depends on."""
    deep: Reads = field(repr=False)
    """What all of it depends on, in the question and in the catalog."""

    def facts_of(self, texts: Container[str], space: Space) -> frozenset[Path]:
        """Return the facts on which some parts depend.

        Args:
            texts: The parts.
            space: The facts that matter to the rule.
        """
        paths = {
            path
            for case in self.cases
            for part in case.parts
            if part.text in texts
            for path in part.reads.facts
        }
        return frozenset(
            space.dims[level].path
            for path in paths
            for level in levels_of(space, self.below[path])
        )
