"""Walks through the parts of one rule, as far as compiled policy answers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import orjson

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.errors import CannotSayError, EvaluationError, NotTranslatedError
from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.open_views import OpenObject, OpenProgram
from policyguard.testing.outcomes import FAILED, NO_VIEW, Outcomes, answered
from policyguard.testing.parts import Part
from policyguard.testing.path_values import PathValues, levels_of
from policyguard.testing.relevant import Relevance
from policyguard.testing.rule_table import Found
from policyguard.testing.slice_forms import Reads
from policyguard.testing.space import Space
from policyguard.testing.walks import Values, Walk

_LESS: Final = 10
_Key: TypeAlias = tuple[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """Is a part that was walked through, over the facts of one rule or of several."""

    diagrams: Diagrams
    root: Root
    levels: tuple[int, ...]
    """The facts on which it may depend."""
    founds: Sequence[Found]
    """What its leaves stand for."""


@dataclass(slots=True, kw_only=True)
class PartWalks:
    """Finds what the parts of one rule find; lives for one rule."""

    values: PathValues
    data: Mapping[str, Json]
    budget: int
    diagrams: Diagrams
    space: Space
    reads: Callable[[Path], Reads]
    """Says what a path of the view depends on."""
    known: Outcomes
    loose: dict[str, str] | None = None
    """By its text, why a part is not decided; nothing: then none of them is."""
    walked: dict[_Key, Walked] = field(default_factory=dict)
    """What was walked through before: by text and by the facts with their values."""
    names: str = ""
    """What the names in the texts of the parts depend on."""
    runs: int = 0
    """How often parts ran."""

    def of(
        self, parts: Sequence[Part], program: OpenProgram, numbers: Sequence[int]
    ) -> dict[str, Root]:
        """Return what parts find, by their text, of those that can be walked through.

        Args:
            parts: The parts.
            program: Answers them.
            numbers: Of each part the rule of the program that it is.

        Raises:
            OverflowError: a part would have to run too often, and has to be decided.
        """
        roots: dict[str, Root] = {}
        for part, number in zip(parts, numbers, strict=True):
            levels = levels_of(self.space, self._deep(part))
            key = self._key(part, levels)
            if key in self.walked:
                roots[part.text] = self._again(self.walked[key], levels)
                continue
            walk = Walk(
                diagrams=self.diagrams,
                reads=part.reads.facts,
                values=self._values_for(part),
                sets=program.set_of,
                # Once a part is not decided, not much is done for the others.
                most=self.budget // _LESS if self.loose else self.budget,
            )
            try:
                root = walk.decided(self._asking(program, number))
            except NotTranslatedError:
                continue
            except OverflowError as error:
                if self.loose is None:
                    raise
                self.loose[part.text] = str(error)
            else:
                roots[part.text] = root
                self.walked[key] = Walked(
                    diagrams=self.diagrams,
                    root=root,
                    levels=tuple(levels),
                    founds=self.known.founds,
                )
            finally:
                self.runs += walk.runs
        return roots

    def _key(self, part: Part, levels: Sequence[int]) -> _Key:
        dims = [self.space.dims[level] for level in levels]
        facts = orjson.dumps([[dim.path, dim.values] for dim in dims])
        return f"{self.names}\n{part.text}", facts

    def _again(self, known: Walked, levels: Sequence[int]) -> Root:
        """Return what was found over other facts, of which these are the same."""
        return self.diagrams.taken(
            known.root,
            known.diagrams,
            dict(zip(known.levels, levels, strict=True)),
            lambda leaf: self.known.place(known.founds[leaf]),
        )

    def _asking(self, program: OpenProgram, rule: int) -> Callable[[OpenObject], int]:
        def run(view: OpenObject) -> int:
            try:
                found = answered(program.members(rule, view))
            except CannotSayError:
                # Perhaps it fails: it decides only where no statement before it does.
                found = FAILED
            except EvaluationError:
                found = NO_VIEW
            return self.known.place(found)

        return run

    def _values_for(self, part: Part) -> Values:
        """Return what gives the paths of the view as one part tells them apart."""
        deep = self._deep(part)
        dims = tuple(self.space.dims[level] for level in levels_of(self.space, deep))
        relevance = Relevance(reads=deep, data=self.data, dims=dims)
        stand_ins = {dim.path: relevance.stand_ins(dim) for dim in dims}

        def values(path: Path) -> tuple[Root, list[Json]]:
            return self.values.diagram(
                self.diagrams, self.space, (path,), self.reads(path), stand_ins
            )

        return values

    def _deep(self, part: Part) -> Reads:
        deep = Reads(data=part.reads.data, texts=part.reads.texts)
        for path in part.reads.facts:
            deep |= self.reads(path)
        return deep
