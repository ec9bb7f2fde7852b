"""Walks through the parts of one rule, as far as compiled policy answers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.errors import CannotSayError, EvaluationError, NotTranslatedError
from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.open_views import OpenObject, OpenProgram
from policyguard.testing.outcomes import FAILED, NO_VIEW, Outcomes, answered
from policyguard.testing.parts import Part
from policyguard.testing.path_values import PathValues, levels_of
from policyguard.testing.relevant import Relevance
from policyguard.testing.slice_forms import Reads
from policyguard.testing.space import Space
from policyguard.testing.walks import Values, Walk

_LESS: Final = 10


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
            walk = Walk(
                diagrams=self.diagrams,
                reads=part.reads.facts,
                values=self._values_for(part),
                sets=program.set_of,
                # Once a part is not decided, not much is done for the others.
                most=self.budget // _LESS if self.loose else self.budget,
            )
            try:
                roots[part.text] = walk.decided(self._asking(program, number))
            except NotTranslatedError:
                continue
            except OverflowError as error:
                if self.loose is None:
                    raise
                self.loose[part.text] = str(error)
            finally:
                self.runs += walk.runs
        return roots

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
        deep = Reads(data=part.reads.data, texts=part.reads.texts)
        for path in part.reads.facts:
            deep |= self.reads(path)
        dims = tuple(self.space.dims[level] for level in levels_of(self.space, deep))
        relevance = Relevance(reads=deep, data=self.data, dims=dims)
        stand_ins = {dim.path: relevance.stand_ins(dim) for dim in dims}

        def values(path: Path) -> tuple[Root, list[Json]]:
            return self.values.diagram(
                self.diagrams, self.space, (path,), self.reads(path), stand_ins
            )

        return values
