"""Decides a rule for every call of a space, on the engine itself.

Each body of a rule is split into parts that share no variable. A part is asked on every
view that a call can show it, and what it finds is a function of few facts; the functions
of the parts together are what the rule finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Module, Path, PolicyTree, read_tree
from policyguard.errors import EvaluationError
from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.evaluating import POINTWISE, VIEW, Evaluator
from policyguard.testing.outcomes import FAILED, HOLDS, NO_VIEW, Outcomes, answered
from policyguard.testing.part_views import PartViews
from policyguard.testing.part_walks import PartWalks, Walked
from policyguard.testing.parts import Case, Part, cases_of
from policyguard.testing.path_values import PathValues
from policyguard.testing.relevant import Relevance, also_read, slice_of
from policyguard.testing.rule_table import Found, Sample, Table
from policyguard.testing.slice_forms import Reads
from policyguard.testing.sliced import LOOKED_UP, Slice
from policyguard.testing.slices import Slicer
from policyguard.testing.space import Space, concerned
from policyguard.testing.uses import uses_of
from policyguard.testing.whole_calls import WholeCalls

SETS: Final[tuple[Path, ...]] = (
    ("policyguard", "rules", "findings"),
    ("policyguard", "tenant", "findings"),
)
"""To which shipped rules contribute, and a tenant's own."""


class Analyst:
    """Asks the rules of one policy; belongs to one thread.

    Args:
        policy: Rules and catalog, as an engine takes them.
        space: The calls over which something is claimed.
        budget: The most views on which one part of a rule is asked.
    """

    def __init__(
        self, policy: PolicySet, space: Space, *, budget: int = 60_000
    ) -> None:
        self.policy, self.space, self.budget = policy, space, budget
        self.tree: PolicyTree = read_tree(syntax_tree(compile_modules(policy.modules)))
        self._slicer = Slicer(
            self.tree, policy.modules, total=[VIEW[:-1]], looked_up=LOOKED_UP
        )
        self._uses = uses_of(self.tree)
        self._evaluator = Evaluator(policy, self.tree)
        self._values = PathValues(space, policy.data, self._views)
        self._parts: dict[tuple[str, bytes], Walked] = {}
        self._below: dict[Path, Reads] = {}
        self._tables: dict[str, Table | Sample] = {}
        self.rules: dict[str, Module] = {
            head.finding: module
            for module in self.tree.modules
            for head in module.heads
            if head.finding is not None and head.path in SETS
        }
        """The modules that contribute findings, by the id of their rule."""
        self._whole = WholeCalls(policy, map(self.set_of, self.rules.values()))

    def changed(self, name: str, text: str) -> Analyst:
        """Return who asks the policy with another text of one module of rules.

        Args:
            name: The module, which is none of the view's.
            text: Its text.

        Raises:
            EngineLoadError: it does not parse.
        """
        policy = replace(self.policy, modules={**self.policy.modules, name: text})
        other = Analyst(policy, self.space, budget=self.budget)
        # The view is the same, and so is what was evaluated of it.
        other._values = self._values
        return other

    def forget(self) -> None:
        """Forget what was evaluated, so that what comes next is as if it were first."""
        self._values = PathValues(self.space, self.policy.data, self._views)
        self._whole.forget()
        self._tables.clear()
        self._parts.clear()

    @property
    def evaluations(self) -> int:
        """Return how often the engine was asked."""
        return self._evaluator.evaluations + self._whole.evaluations

    def table(self, rule: str) -> Table | Sample:
        """Decide a rule for every call, or say why that is too much."""
        if rule not in self._tables:
            self._tables[rule] = self._table(rule)
        return self._tables[rule]

    def _table(self, rule: str) -> Table | Sample:
        sliced = self.sliced(rule)
        if sliced is None:
            return Sample(rule, self.space, "it may read every fact")
        space = slice_of(self.space, sliced.deep, self.policy.data)
        diagrams = Diagrams([len(dim.values) for dim in space.dims])
        loose: dict[str, str] = {}
        try:
            root, outcomes = self._decided(sliced, space, diagrams, loose)
        except OverflowError as error:
            return Sample(rule, space, f"one of its conditions: {error}")
        table = Table(
            rule=rule, space=space, diagrams=diagrams, root=root, outcomes=outcomes
        )
        if not loose:
            return table
        why = f"one of its conditions: {next(iter(loose.values()))}"
        return Sample(rule, space, why, table, sliced.facts_of(loose, space))

    def joint(self, rules: Sequence[str]) -> tuple[Table, ...] | None:
        """Return tables of rules over all facts that they read; nothing if too many.

        What is too much for one of them alone is too much for all of them.
        """
        if any(isinstance(self.table(rule), Sample) for rule in reversed(rules)):
            return None
        slices = [self.sliced(rule) for rule in rules]
        known = [item for item in slices if item is not None]
        if len(known) < len(slices):
            return None
        deep = Reads()
        for item in known:
            deep |= item.deep
        space = slice_of(self.space, deep, self.policy.data)
        diagrams = Diagrams([len(dim.values) for dim in space.dims])
        try:
            return tuple(self.over(item, space, diagrams) for item in known)
        except OverflowError:
            return None

    def over(self, sliced: Slice, space: Space, diagrams: Diagrams) -> Table:
        """Decide a rule over the facts of some space.

        Args:
            sliced: The rule.
            space: The facts that matter to it, and perhaps more.
            diagrams: Over the dimensions of that space, in their order.

        Raises:
            OverflowError: too many views would have to be asked.
        """
        root, outcomes = self._decided(sliced, space, diagrams)
        return Table(
            rule=sliced.rule,
            space=space,
            diagrams=diagrams,
            root=root,
            outcomes=outcomes,
        )

    def reads(self, module: Module) -> Reads:
        """Return what the findings of a module read of the view."""
        return _read_by(self._cases(module))

    def _cases(self, module: Module) -> list[Case]:
        return [
            case
            for definition in self._slicer.contributions(module.name)
            for case in cases_of(self._slicer, self.tree, definition)
        ]

    def sliced(self, rule: str) -> Slice | None:
        """Return what a rule reads; nothing if that may be everything."""
        module = self.rules[rule]
        cases = tuple(case for case in self._cases(module) if case.finding == rule)
        reads = _read_by(cases)
        below = {
            path: self._reads(path)
            for case in cases
            for part in case.parts
            for path in part.reads.facts
            if path
        }
        deep = Reads(data=reads.data, texts=reads.texts)
        for inner in below.values():
            deep |= inner
        if () in reads.facts or () in deep.facts:
            return None
        return Slice(rule=rule, module=module, cases=cases, below=below, deep=deep)

    def _decided(
        self,
        sliced: Slice,
        space: Space,
        diagrams: Diagrams,
        loose: dict[str, str] | None = None,
    ) -> tuple[Root, tuple[Found, ...]]:
        """Return what a rule finds, as a function, and what its leaves stand for.

        A part that is too much to decide is put among those that are loose, if they are
        given: it is a fact more, which says whether it holds.
        """
        known = Outcomes()
        parts = list(
            {part.text: part for case in sliced.cases for part in case.parts}.values()
        )
        constants: dict[bytes, int] = {}
        views = PartViews(
            values=self._values,
            data=self.policy.data,
            budget=self.budget,
            diagrams=diagrams,
            space=space,
            below=sliced.below,
            constants=constants,
        )
        # What reads most is most likely too much, and then nothing else is asked.
        parts.sort(key=lambda part: -len(part.reads.facts))
        texts = self.texts_of(sliced.module)
        roots = self._walked(sliced, space, diagrams, parts, known, loose)
        for text in loose or ():
            roots[text] = known.either(diagrams, text)
        parts = [part for part in parts if part.text not in roots]
        shown = [views.of(part) for part in parts]
        engine = self._evaluator.parts(
            sliced.module, texts, parts, [orjson.loads(text) for text in constants]
        )
        for number, (part, (root, cases)) in enumerate(zip(parts, shown, strict=True)):
            answers = iter(
                self._evaluator.part(
                    engine, number, [case for case in cases if case is not None]
                )
            )
            given = [
                known.place(NO_VIEW if case is None else answered(next(answers)))
                for case in cases
            ]
            roots[part.text] = diagrams.mapped(root, given.__getitem__)
        whole = diagrams.leaf(known.place(frozenset()))
        for case in sliced.cases:
            root = diagrams.leaf(known.place(frozenset({(HOLDS, "")})))
            for part in case.parts:
                own = roots[part.text]
                # The engine does not come to what stands after a part that fails.
                for before in case.parts:
                    if before.last < part.first:
                        own = diagrams.joined(roots[before.text], own, known.guarded)
                root = diagrams.joined(root, own, known.conjunction)
            root = diagrams.mapped(root, partial(known.of, case))
            whole = diagrams.joined(whole, root, known.union)
        leaves = sorted(diagrams.leaves(whole))
        if any(known.founds[leaf] >= FAILED for leaf in leaves):
            raise OverflowError("it fails on some view")
        return diagrams.mapped(whole, leaves.index), tuple(
            known.founds[leaf] for leaf in leaves
        )

    def _walked(  # noqa: PLR0913, PLR0917 -- what walks need
        self,
        sliced: Slice,
        space: Space,
        diagrams: Diagrams,
        parts: Sequence[Part],
        known: Outcomes,
        loose: dict[str, str] | None,
    ) -> dict[str, Root]:
        """Return what parts find, by their text, of those that can be walked through."""
        texts = self.texts_of(sliced.module)
        program = self._evaluator.program(sliced.module, texts, parts)
        if program is None:
            return {}
        walks = PartWalks(
            values=self._values,
            data=self.policy.data,
            budget=self.budget,
            diagrams=diagrams,
            space=space,
            reads=self._reads,
            known=known,
            loose=loose,
            walked=self._parts,
            names=f"{sliced.module.package} {sorted(sliced.module.aliases.items())}",
        )
        try:
            return walks.of(parts, *program)
        finally:
            self._evaluator.evaluations += walks.runs

    def texts_of(self, module: Module) -> dict[str, str]:
        """Return the modules that the findings of one depend on, but the view's."""
        needed = {module.name}
        # A module is parsed as a whole: what its other rules mention has to be there.
        while True:
            own = [
                head.path
                for other in self.tree.modules
                if other.name in needed
                for head in other.heads
            ]
            reached = self._uses.reached(own, contributing=needed)
            more = self._uses.modules(reached, contributing=needed)
            if more <= needed:
                break
            needed |= more
        return {name: self.policy.modules[name] for name in sorted(needed)}

    @staticmethod
    def set_of(module: Module) -> Path:
        """Return the set to which the rules of a module contribute."""
        return next(
            head.path
            for head in module.heads
            if head.path in SETS and head.finding is not None
        )

    def found(self, call: Json) -> Mapping[str, Found] | None:
        """Return what each rule finds on a whole call; nothing if there is no view.

        Nothing is sliced here: this is what slices are checked against.
        """
        return self._whole.found(call)

    def searched(self, call: Json) -> Mapping[str, Found] | None:
        """Return the same for a search, of which what is shown is asked once more."""
        return self._whole.searched(call)

    def _reads(self, path: Path) -> Reads:
        if path not in self._below:
            self._below[path] = self._slicer.reads(VIEW, path)
        return self._below[path]

    def _views(self, top: str, calls: Sequence[Json]) -> list[str | None]:
        if top not in POINTWISE:
            return self._evaluator.views(top, calls)
        return self._evaluator.views(
            top, [self._of_all_countries(call) for call in calls]
        )

    def _of_all_countries(self, call: Any) -> Json:
        """Return a call that mentions every country, so that the view has them all."""
        countries = self.space.dim("data.subjects").values
        names = [v[0] for v in countries if isinstance(v, list) and v]
        data, caller = call["data"], call["caller"] or {}
        return {
            **call,
            "data": {**data, "subjects": names},
            "caller": {**caller, "citizenships": names},
        }


def _read_by(cases: Iterable[Case]) -> Reads:
    found = Reads()
    for case in cases:
        for part in case.parts:
            found |= part.reads
    return found


def relevance_of(analyst: Analyst, rule: str) -> Relevance:
    """Return what a rule that was decided tells apart.

    Args:
        analyst: Who decided it.
        rule: Its id.

    Raises:
        EvaluationError: it may read every fact, so that it was not decided.
    """
    sliced = analyst.sliced(rule)
    if sliced is None:
        raise EvaluationError(f"{rule} may read every fact")
    reads = sliced.deep
    dims = tuple(
        dim
        for dim in analyst.space.dims
        if any(any(concerned((dim,), path)) for path in also_read(reads.facts))
    )
    return Relevance(reads=reads, data=analyst.policy.data, dims=dims)
