"""Compares a mutant with its rule on inputs: what tells them apart is a witness.

The inputs are those that tests give to the mutated module, and those with one fact of
them unknown, missing, or as it is in another input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from policyguard.canonical import Json
from policyguard.engines.tree import FINDINGS
from policyguard.testing.firing import known_of
from policyguard.testing.mutants import Mutant

_MOST: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Is one input on which a mutant finds something else than the rule."""

    input: Json = field(repr=False)
    rule: Json
    mutant: Json
    data: Mapping[str, Json] = field(default_factory=dict, repr=False)
    """Documents that stood in for those of the policy, by name."""

    def text(self) -> str:
        """Return what a person reads."""
        if self.input is None:
            return "nobody asks this module by itself: it was not compared"
        given = "".join(f" with another `{name}`" for name in self.data)
        return (
            f"the rule answers {_said(self.rule)}, the mutant {_said(self.mutant)}\n"
            f"on {_short(known_of(self.input))}{given}"
        )


class Inputs(Protocol):
    """Is what survivors are compared on."""

    @property
    def count(self) -> int:
        """Return how many inputs there are at most for one module."""

    def difference(self, mutant: Mutant) -> Witness | None:
        """Return an input that tells a mutant from its rule, if one does."""


def _said(answer: Json) -> str:
    """Return what a module answers: of findings the effects, of all else the value."""
    if not isinstance(answer, dict):
        return _short(answer)
    parts = []
    for name, values in answer.items():
        value = values[0] if isinstance(values, list) and values else None
        if isinstance(value, list) and name.endswith(FINDINGS):
            found = sorted(f"{item['id']} {item['effect']}" for item in value)
            parts.append(", ".join(found) or "nothing")
        else:
            parts.append(f"{name} = {_short(value)}")
    return "; ".join(parts)


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST else f"{text[:_MOST]} …"
