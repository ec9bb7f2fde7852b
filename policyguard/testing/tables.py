"""Decides a rule for every view that a space can show it.

A rule is asked on the engine itself, with as much of the view as it reads and nothing
more, so that a fact which the slice forgot would be missing, and not be wrong by luck.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.joined import join_modules
from policyguard.engines.native import NativeEngine, compile_modules, syntax_tree
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Module, Path, PolicyTree, read_tree
from policyguard.errors import EvaluationError
from policyguard.testing.bodies import cut
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.relevant import also_read, slice_of
from policyguard.testing.rule_table import Found, Sample, Table
from policyguard.testing.slice_forms import Reads
from policyguard.testing.slices import Slicer
from policyguard.testing.space import Space, concerned
from policyguard.testing.units import (
    MAX_UNIT,
    Unit,
    both,
    components_of,
    units_of,
)
from policyguard.testing.uses import uses_of

VIEW: Final[Path] = ("policyguard", "facts", "view")
SETS: Final[tuple[Path, ...]] = (
    ("policyguard", "rules", "findings"),
    ("policyguard", "tenant", "findings"),
)
"""To which shipped rules contribute, and a tenant's own."""
_POINTWISE: Final = frozenset({"groups", "countries", "lists"})
"""Parts of the view that are looked up by country or list: constants of the catalog."""
_LOOKED_UP: Final[Mapping[Path, Path]] = {
    ("policyguard", "facts", "_countries"): ("catalog", "views", "countries")
}
_BATCH: Final = 400
_KEYS: Final = ("id", "effect", "missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Is what one rule reads."""

    module: Module
    below: Mapping[Path, Reads] = field(repr=False)
    """By path of the view, what it depends on."""
    deep: Reads = field(repr=False)
    """What all of it depends on, in the question and in the catalog."""


class Analyst:
    """Asks the rules of one policy; belongs to one thread.

    Args:
        policy: Rules and catalog, as an engine takes them.
        space: The calls over which something is claimed.
        budget: The most views on which one rule is asked.
    """

    def __init__(
        self, policy: PolicySet, space: Space, *, budget: int = 20_000
    ) -> None:
        self.policy, self.space, self.budget = policy, space, budget
        self.tree: PolicyTree = read_tree(syntax_tree(compile_modules(policy.modules)))
        self._slicer = Slicer(
            self.tree, policy.modules, total=[VIEW[:-1]], looked_up=_LOOKED_UP
        )
        self._uses = uses_of(self.tree)
        self._data = orjson.dumps(dict(policy.data)).decode("utf-8")
        self._fields = self._view_fields()
        self._facts: dict[frozenset[str], NativeEngine] = {}
        self._whole: NativeEngine | None = None
        self._constants: str | None = None
        self._units: dict[object, Unit] = {}
        self.evaluations = 0

        self.rules: dict[str, Module] = {
            head.finding: module
            for module in self.tree.modules
            for head in module.heads
            if head.finding is not None and head.path in SETS
        }
        """The modules that contribute findings, by the id of their rule."""

    def reads(self, module: Module) -> Reads:
        """Return what the findings of a module read of the view."""
        found = Reads()
        for definition in self._slicer.contributions(module.name):
            found |= self._slicer.reads_of_finding(definition, keys=_KEYS)
        return found

    def table(self, rule: str) -> Table | Sample:
        """Decide a rule for every view, or say why that is too much."""
        before = self.evaluations
        sliced = self.sliced(rule)
        if sliced is None:
            return Sample(rule, self.space, "it may read every fact")
        space = slice_of(self.space, sliced.deep, self.policy.data)
        units = self.units(sliced, space)
        if isinstance(units, str):
            return Sample(rule, space, units)
        components = components_of(units)
        if components is None:
            return Sample(rule, space, "too many facts depend on others")
        cases = math.prod(len(component.met) for component in components)
        if cases > self.budget:
            return Sample(rule, space, f"it tells {cases:,} views apart")
        documents = [component.documents() for component in components]
        return Table(
            rule=rule,
            space=space,
            components=tuple(components),
            outcomes=self.decided(sliced.module, documents),
            evaluations=self.evaluations - before,
        )

    def sliced(self, rule: str) -> Slice | None:
        """Return what a rule reads; nothing if that may be everything."""
        module = self.rules[rule]
        reads = self.reads(module)
        below = {
            path: self._slicer.reads(VIEW, path)
            for path in reads.facts
            if path and path[0] not in _POINTWISE
        }
        deep = Reads(data=reads.data, texts=reads.texts)
        if any(path[:1] in {("groups",), ("countries",)} for path in reads.facts):
            deep |= Reads(data=frozenset({("catalog", "views", "countries")}))
        for part in below.values():
            deep |= part
        if () in reads.facts or () in deep.facts:
            return None
        return Slice(module=module, below=below, deep=deep)

    def units(self, sliced: Slice, space: Space) -> tuple[Unit, ...] | str:
        """Return the parts of the view that a rule reads, enumerated over a space.

        Returns:
            Why not, if that is too much.
        """
        units = units_of(
            {
                path: frozenset(
                    dim.path
                    for read in also_read(part.facts)
                    for dim in concerned(space.dims, read)
                )
                for path, part in sliced.below.items()
            },
            space,
        )
        largest = max(
            (math.prod(len(d.values) for d in u.dims) for u in units), default=0
        )
        if largest > MAX_UNIT:
            return f"one part of its view has {largest:,} cases"
        return tuple(self._enumerated(unit, space) for unit in units)

    def _enumerated(self, unit: Unit, space: Space) -> Unit:
        """Return a unit with its classes; rules that read the same share them."""
        key = (unit.paths, tuple(dim.path for dim in unit.dims), _values_of(unit))
        known = self._units.get(key)
        if known is None:
            tops = frozenset(path[0] for path in unit.paths)
            unit.enumerate(space, partial(self._views, tops=tops))
            known = self._units[key] = unit
        return known

    def texts_of(self, module: Module) -> dict[str, str]:
        """Return the modules that the findings of one depend on, but the view's."""
        path, contributing = self._set_of(module), {module.name}
        reached = self._uses.reached([path], contributing=contributing)
        needed = self._uses.modules(reached, contributing=contributing)
        return {name: self.policy.modules[name] for name in sorted(needed)}

    def found(self, call: Json) -> Mapping[str, Found] | None:
        """Return what each rule finds on a whole call; nothing if there is no view.

        Nothing is sliced here: this is what slices are checked against.
        """
        if self._whole is None:
            sets = sorted(
                {".".join(self._set_of(module)) for module in self.rules.values()}
            )
            bodies = "".join(
                f"found contains [f.id, f.effect] if {{\n"
                f"view := data.policyguard.facts.view\n"
                f"fs := data.{name} with input as view\nsome f in fs\n}}\n"
                for name in sets
            )
            self._whole = self._loaded(
                dict(self.policy.modules),
                f"package policyguard_kit.whole\n\n{bodies}\n"
                "answers := [x | data.policyguard.facts.view; x := found]\n",
            )
        (answer,) = self._asked(
            self._whole, "policyguard_kit.whole", [call], wrap=False
        )
        if answer is None:
            return None
        by_rule: dict[str, set[tuple[str, str]]] = {}
        for rule, effect in answer:
            by_rule.setdefault(rule, set()).add((rule, effect))
        return {rule: frozenset(items) for rule, items in by_rule.items()}

    def decided(
        self, module: Module, documents: Sequence[Sequence[Json]]
    ) -> tuple[Found, ...]:
        """Return what a rule finds for every combination of parts of the view.

        Args:
            module: The rule's.
            documents: The parts; of the combinations the last part changes fastest.
        """
        path = self._set_of(module)
        engine = self._loaded(
            self.texts_of(module),
            "package policyguard_kit.table\n\nanswers := [found |\n"
            "constants := data.policyguard_kit.constants\n"
            "groups := {g: {c | some c in cs} | some g, cs in constants.groups}\n"
            'fixed := object.union(constants, {"groups": groups})\n'
            "some given in input.cases\nview := object.union(fixed, given)\n"
            f"fs := data.{'.'.join(path)} with input as view\n"
            "found := [x | some f in fs; x := [f.id, f.effect]]\n]\n",
            constants=self._fixed(),
        )
        found: list[Found] = []
        nothing: Found = frozenset({("view", "deny")})
        for batch in _batches(itertools.product(*documents)):
            cases = [None if None in parts else _one(parts) for parts in batch]
            answers = iter(
                self._asked(
                    engine,
                    "policyguard_kit.table",
                    [case for case in cases if case is not None],
                )
            )
            for case in cases:
                if case is None:
                    found.append(nothing)
                    continue
                answer = next(answers)
                found.append(
                    frozenset({("evaluation", "deny")})
                    if answer is None
                    else frozenset((rule, effect) for rule, effect in answer)
                )
        return tuple(found)

    @staticmethod
    def _set_of(module: Module) -> Path:
        return next(
            head.path
            for head in module.heads
            if head.path in SETS and head.finding is not None
        )

    def _views(self, calls: Sequence[Json], *, tops: frozenset[str]) -> list[Json]:
        if tops not in self._facts:
            fields = ", ".join(f'"{top}": {self._fields[top]}' for top in sorted(tops))
            modules = {
                name: text
                for name, text in self.policy.modules.items()
                if name.startswith("policyguard/facts/")
            }
            modules["policyguard_kit_part.rego"] = (
                f"package policyguard.facts\n\nkit_part := {{{fields}}}\n"
            )
            self._facts[tops] = self._loaded(
                modules,
                "package policyguard_kit.parts\n\nanswers := [part |\n"
                "some given in input.cases\n"
                "part := [x | x := data.policyguard.facts.kit_part with input as given]\n"
                "]\n",
            )
        found: list[Json] = []
        for batch in _batches(iter(calls)):
            answers = self._asked(self._facts[tops], "policyguard_kit.parts", batch)
            found += [answer[0] if answer else None for answer in answers]
        return found

    def _fixed(self) -> Json:
        """Return what is looked up by country or list, for all of them."""
        if self._constants is None:
            countries = self.space.dim("data.subjects").values
            names = [v[0] for v in countries if isinstance(v, list) and v]
            call = self.space.call({})
            call["data"]["subjects"] = names
            call["caller"]["citizenships"] = names
            (view,) = self._views([call], tops=_POINTWISE)
            if view is None:
                raise EvaluationError("the catalog gives no view: validate it first")
            self._constants = orjson.dumps(view).decode("utf-8")
        constants: Json = orjson.loads(self._constants)
        return constants

    def _view_fields(self) -> dict[str, str]:
        """Return the expression of each part of the view, as it is written."""
        for module in self.tree.modules:
            for head, node in zip(module.heads, module.tree["rules"], strict=True):
                if head.path == VIEW:
                    data = self.policy.modules[module.name].encode("utf-8")
                    fields = node["Spec"]["head"]["Compr"]["assign"]["value"]["Object"]
                    return {
                        str(name["String"]["value"]): _whole_text(data, span, value)
                        for span, name, value in fields["fields"]
                    }
        raise EvaluationError("the policy has no `policyguard.facts.view`")

    def _loaded(
        self, modules: Mapping[str, str], probe: str, *, constants: Json = None
    ) -> NativeEngine:
        joined = join_modules(modules).modules
        engine = compile_modules({**joined, "policyguard_kit.rego": probe})
        engine.add_data_json(self._data)
        if constants is not None:
            engine.add_data_json(
                orjson.dumps({"policyguard_kit": {"constants": constants}}).decode()
            )
        return engine

    def _asked(
        self,
        engine: NativeEngine,
        package: str,
        cases: Sequence[Json],
        *,
        wrap: bool = True,
    ) -> list[Any]:
        """Return one answer a case; `None` where the engine fails on it."""
        if not cases:
            return []
        self.evaluations += len(cases)
        asked = {"cases": cases} if wrap else cases[0]
        engine.set_input_json(orjson.dumps(asked).decode("utf-8"))
        answer, message = answer_of(engine, f"data.{package}.answers")
        if not message:
            found: list[Any] = orjson.loads(answer)
            if wrap and len(found) == len(cases):
                return found
            if not wrap:
                return found or [None]
        if len(cases) == 1:
            return [None]
        return [self._asked(engine, package, [case], wrap=wrap)[0] for case in cases]


def _values_of(unit: Unit) -> bytes:
    return orjson.dumps([dim.values for dim in unit.dims])


def _whole_text(data: bytes, span: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    """Return a field's value: what stands after its key."""
    del value
    text = cut(data, span)
    return text.partition(":")[2].strip().rstrip(",")


def _one(parts: Sequence[Any]) -> Json:
    found: dict[str, Json] = {}
    for part in parts:
        for key, value in part.items():
            known = found.get(key)
            found[key] = both(known, value) if key in found else value
    return found


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(itertools.islice(items, _BATCH)):
        yield batch
