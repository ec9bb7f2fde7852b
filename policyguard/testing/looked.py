"""Says at which cells of a matrix no rule of the law looked.

A rule looks at a fact where it comes past a condition on it: one that asks for people in
the EU has looked at `DE`, and not at `BR`, where nothing that it says next was reached. The
engine itself says what it reached in one evaluation. An expression that reads two of the
facts that a matrix varies has looked at both, whether it holds or not.

INVARIANT: where it is not known what a condition reads, it has looked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Module, Node, Path, PolicyTree, read_tree
from policyguard.testing.answers import Answer
from policyguard.testing.evaluating import VIEW
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.relevant import also_read
from policyguard.testing.slice_forms import SHAPE, THERE, Definition
from policyguard.testing.sliced import LOOKED_UP
from policyguard.testing.slices import Slicer
from policyguard.testing.space import Dim, concerned
from policyguard.testing.tables import SETS
from policyguard.testing.uses import uses_of

_KINDS: Final = frozenset({SHAPE, THERE})
_BINDS: Final = frozenset({"SomeVars", "SomeIn"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Condition:
    """Is one statement of a body that reads facts which a matrix varies."""

    finding: str | None
    """The rule whose finding the body makes, where it makes one."""
    binds: bool
    """Whether it gives a variable a value, and asks nothing."""
    several: bool
    """Whether it reads more than one of them, or nobody knows what."""
    line: int
    later: frozenset[int] | None
    """The lines of what comes after it; nothing where one shares its line."""
    last: bool


@dataclass(slots=True, kw_only=True)
class Lookout:
    """Sees where rules look, for one matrix; belongs to one thread."""

    policy: PolicySet
    conditions: Mapping[str, Sequence[_Condition]] = field(repr=False)
    """By module."""
    findings: Mapping[str, frozenset[str]] = field(repr=False)
    """By module, the rules whose findings it makes."""
    engine: Any = field(repr=False)

    @classmethod
    def of(cls, policy: PolicySet, axes: Sequence[Sequence[Dim]]) -> Lookout:
        """Return who sees whether rules look at what a matrix varies.

        Args:
            policy: Rules and catalog, every rule in its rulebook.
            axes: The facts of each row and column that a person chose.
        """
        engine = compile_modules(policy.modules)
        engine.add_data_json(orjson.dumps(dict(policy.data)).decode("utf-8"))
        tree = read_tree(syntax_tree(engine))
        reading = _Reading(policy, tree, axes)
        # Rules are arranged by the first evaluation, which each clone had to repeat.
        engine.set_input_json("{}")
        answer_of(engine, policy.entrypoint)
        engine.set_enable_coverage(True)
        return cls(
            policy=policy,
            engine=engine,
            conditions={
                module.name: tuple(reading.conditions(module))
                for module in _of_rules(tree)
            },
            findings={
                module.name: frozenset(h.finding for h in module.heads if h.finding)
                for module in tree.modules
            },
        )

    def looks(self, call: Mapping[str, Any], answer: Answer) -> bool:
        """Say whether some rule in force looks at what a matrix varies, in one call.

        Args:
            call: The call.
            answer: What the policy says of it.
        """
        engine = self.engine.clone()
        engine.set_input_json(orjson.dumps(call).decode("utf-8"))
        _, message = answer_of(engine, self.policy.entrypoint)
        if message:
            return True
        silent = self._silent(call)
        for file in orjson.loads(engine.get_coverage_report_as_json())["files"]:
            rules = self.findings.get(file["path"], frozenset())
            if rules and rules <= silent:
                continue
            reached = frozenset(file["covered"])
            for condition in self.conditions.get(file["path"], ()):
                if _looks(condition, reached, answer):
                    return True
        return False

    def _silent(self, call: Mapping[str, Any]) -> frozenset[str]:
        """Return the rules that are not in force when a call is made."""
        own: Any = self.policy.data.get("policyguard") or {}
        book = own.get("rulebook")
        if not book:
            return frozenset()
        at = datetime.fromisoformat(call["at"]).timestamp()
        place = sum(edge <= at for edge in book["boundaries"])
        now = book["intervals"][place]
        return frozenset(rule for rule in book["rules"] if now.get(rule) is None)


def _looks(condition: _Condition, reached: frozenset[int], answer: Answer) -> bool:
    if condition.line not in reached:
        return False
    if condition.several or condition.later is None:
        return condition.several or not condition.binds
    if condition.binds:
        return False
    if condition.last:
        # Of a helper, whoever asks it says whether it held.
        return condition.finding is not None and condition.finding in answer.effects
    return bool(condition.later & reached)


def _of_rules(tree: PolicyTree) -> list[Module]:
    """Return the modules that findings depend on, but the view's."""
    uses = uses_of(tree)
    needed = {
        module.name
        for module in tree.modules
        if any(head.finding and head.path in SETS for head in module.heads)
    }
    while True:
        own = [h.path for m in tree.modules if m.name in needed for h in m.heads]
        reached = uses.reached(own, contributing=needed)
        more = uses.modules(reached, contributing=needed)
        if more <= needed:
            return [module for module in tree.modules if module.name in needed]
        needed |= more


class _Reading:
    """Finds the conditions that read what a matrix varies; lives for one of them."""

    def __init__(
        self, policy: PolicySet, tree: PolicyTree, axes: Sequence[Sequence[Dim]]
    ) -> None:
        self._texts, self._axes = policy.modules, axes
        self._slicer = Slicer(
            tree, policy.modules, total=[VIEW[:-1]], looked_up=LOOKED_UP
        )
        self._known: dict[Path, frozenset[int] | None] = {}

    def conditions(self, module: Module) -> Iterator[_Condition]:
        """Yield the conditions of a module's bodies that read one of the facts."""
        text = self._texts[module.name].encode("utf-8")
        for head, node in zip(module.heads, module.tree["rules"], strict=True):
            ((kind, inner),) = node.items()
            definition = Definition(module=module, node=node, text=text)
            for body in () if kind == "Default" else inner["bodies"]:
                yield from self._of_body(definition, body["query"], head.finding)

    def _of_body(
        self, definition: Definition, query: Node, finding: str | None
    ) -> Iterator[_Condition]:
        lines = [int(item["span"]["line"]) for item in query["stmts"]]
        for place, item in enumerate(query["stmts"]):
            reads = self._slicer.reads_of_part(definition, query, [item]).facts
            axes = self._axes_of(reads)
            if axes == frozenset():
                continue
            after = frozenset(lines[place + 1 :])
            yield _Condition(
                finding=finding,
                binds=_binds(item["literal"]),
                several=axes is None
                or (len(axes) > 1 and not _is_helper(item["literal"])),
                line=lines[place],
                later=None if lines[place] in after else after,
                last=place == len(lines) - 1,
            )

    def _axes_of(self, reads: frozenset[Path]) -> frozenset[int] | None:
        """Return which axes some reads of the view depend on; nothing if unknown."""
        found: frozenset[int] = frozenset()
        for path in reads:
            if path not in self._known:
                self._known[path] = self._axes_below(path)
            below = self._known[path]
            if below is None:
                return None
            found |= below
        return found

    def _axes_below(self, path: Path) -> frozenset[int] | None:
        if not path:
            return None
        deep = self._slicer.reads(VIEW, path).facts
        if () in deep:
            return None
        # That a fact is known, and of what kind, says nothing of which it is.
        return frozenset(
            number
            for number, dims in enumerate(self._axes)
            for read in also_read(deep)
            if read[-1] not in _KINDS and any(concerned(dims, read))
        )


def _is_helper(literal: Node) -> bool:
    """Say whether a statement asks a rule by its name, whose own conditions are seen."""
    ((kind, inner),) = literal.items()
    return kind in {"Expr", "NotExpr"} and "Var" in inner["expr"]


def _binds(literal: Node) -> bool:
    ((kind, inner),) = literal.items()
    if kind in _BINDS:
        return True
    assigned = inner["expr"].get("AssignExpr") if kind == "Expr" else None
    return assigned is not None and assigned["op"] == "ColEq"
