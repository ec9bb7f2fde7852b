"""Asks the engine about one policy: the view of calls, and parts of rules.

A part of a rule is asked with as much of the view as it reads and nothing more, so that
a fact which the slice forgot would be missing, and not be wrong by luck.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.compiled.checked import compiled_or_not, translated_or_not
from policyguard.engines.compiled.names import Names
from policyguard.engines.compiled.program import Running
from policyguard.engines.joined import join_modules
from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.protocol import PolicySet
from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import Module, Path, PolicyTree
from policyguard.errors import EvaluationError
from policyguard.testing.bodies import cut
from policyguard.testing.open_views import OpenProgram
from policyguard.testing.parts import Part
from policyguard.testing.rego_tests import answer_of

VIEW: Final[Path] = ("policyguard", "facts", "view")
POINTWISE: Final = frozenset({"groups", "countries"})
"""Parts of the view that are looked up by country: of an instant the same in each call."""
_FACTS: Final = "policyguard/facts/"
_PARTS: Final = "policyguard_kit_parts.rego"
_PROBE: Final = "policyguard_kit.rego"
_BATCH: Final = 400
_FIXED: Final = """
fixed := [object.union(known, {"groups": groups}) |
some known in data.policyguard_kit.constants
groups := {g: {c | some c in cs} | some g, cs in object.get(known, "groups", {})}
]

"""
"""Groups are sets, which JSON has not."""


class Evaluator:
    """Asks the engine about one policy; belongs to one thread.

    Args:
        policy: Rules and catalog, as an engine takes them.
        tree: The parsed policy.
    """

    def __init__(self, policy: PolicySet, tree: PolicyTree) -> None:
        self._policy = policy
        self._data = orjson.dumps(dict(policy.data)).decode("utf-8")
        self._fields = _view_fields(policy, tree)
        self._fields_of: dict[str, tuple[Running | None, NativeEngine]] = {}
        self.evaluations = 0

    def views(self, top: str, calls: Sequence[Json]) -> list[str | None]:
        """Return one field of the view of each call as text; of none, nothing.

        Args:
            top: The field.
            calls: What the guard would ask.
        """
        if top not in self._fields_of:
            self._fields_of[top] = self._field(top)
        running, engine = self._fields_of[top]
        self.evaluations += len(calls)
        found: list[str | None] = []
        for call in calls:
            answer = None if running is None else running.answer(call)
            if answer is None:
                # Compiled policy is not sure: the interpreter says.
                answers = self._asked(engine, "policyguard_kit.parts.answers", [call])
                found.append(answers[0][0] if answers[0] else None)
            else:
                found.append(orjson.dumps(answer["part"]).decode("utf-8"))
        return found

    def _field(self, top: str) -> tuple[Running | None, NativeEngine]:
        """Return what gives one field of the view: as compiled, and as interpreted."""
        modules = {
            name: text
            for name, text in self._policy.modules.items()
            if name.startswith(_FACTS)
        }
        modules["policyguard_kit_part.rego"] = (
            f"package policyguard.facts\n\nkit_part := {self._fields[top]}\n\n"
            'kit_field := {"part": kit_part}\n'
        )
        engine = self._loaded(
            modules,
            "package policyguard_kit.parts\n\nanswers := [part |\n"
            "some given in input.cases\npart := [json.marshal(x) |\n"
            "x := data.policyguard.facts.kit_part with input as given]\n]\n",
        )
        entry = "data.policyguard.facts.kit_field"
        document = syntax_tree(compile_modules(join_modules(modules).modules))
        compiled = compiled_or_not(translated_or_not(document, entrypoint=entry))
        return None if compiled is None else compiled.on(self._policy.data), engine

    def parts(
        self,
        module: Module,
        texts: Mapping[str, str],
        parts: Sequence[Part],
        constants: Sequence[Json],
    ) -> NativeEngine:
        """Return an engine that answers parts of one module's rules.

        Args:
            module: The module.
            texts: The modules that it depends on.
            parts: The parts, answered by their places.
            constants: What is looked up by country; each view has the place of its own.
        """
        package = ".".join(module.package)
        answers = "".join(
            f"answers_{number} := [found |\nsome given in input.cases\n"
            "view := object.union(fixed[given[0]], given[1])\n"
            f"found := data.{package}.kit_{number} with input as view\n]\n\n"
            for number in range(len(parts))
        )
        return self._loaded(
            {**texts, _PARTS: self._text_of(module, parts)},
            f"package policyguard_kit.table\n\n{_FIXED}{answers}",
            constants=constants,
        )

    def program(
        self, module: Module, texts: Mapping[str, str], parts: Sequence[Part]
    ) -> tuple[OpenProgram, list[int]] | None:
        """Return a program of parts of one module's rules, with the number of each.

        Args:
            module: The module.
            texts: The modules that it depends on.
            parts: The parts.

        Returns:
            Nothing if a form in them is left to the interpreter.
        """
        every = ", ".join(f"kit_{number}" for number in range(len(parts)))
        joined = join_modules({**texts, _PARTS: self._text_of(module, parts)}).modules
        probe = f"package {'.'.join(module.package)}\n\nkit_all := [{every}]\n"
        document = syntax_tree(compile_modules({**joined, _PROBE: probe}))
        entry = ".".join(("data", *module.package, "kit_all"))
        compiled = compiled_or_not(translated_or_not(document, entrypoint=entry))
        if compiled is None:
            return None
        rules = Names(document).rules
        return OpenProgram(compiled, self._policy.data), [
            rules[*module.package, f"kit_{number}"].number
            for number in range(len(parts))
        ]

    def _text_of(self, module: Module, parts: Sequence[Part]) -> str:
        imports = "\n".join(
            cut(self._policy.modules[module.name].encode("utf-8"), item["span"])
            for item in module.tree["imports"]
        )
        bodies = "".join(
            f"kit_{number} contains kit_effect if {{\n{part.text}\n}}\n\n"
            for number, part in enumerate(parts)
        )
        return f"package {'.'.join(module.package)}\n\n{imports}\n\n{bodies}"

    def part(
        self, engine: NativeEngine, number: int, views: Sequence[tuple[int, Json]]
    ) -> list[Any]:
        """Return what a part finds on each view; nothing where evaluation fails.

        Args:
            engine: Of the module's parts.
            number: The place of the part.
            views: Places of constants, each with the rest of the view.
        """
        return self._all(engine, f"policyguard_kit.table.answers_{number}", views)

    def _loaded(
        self,
        modules: Mapping[str, str],
        probe: str,
        *,
        constants: Sequence[Json] | None = None,
    ) -> NativeEngine:
        joined = join_modules(modules).modules
        engine = compile_modules({**joined, _PROBE: probe})
        engine.add_data_json(self._data)
        if constants is not None:
            engine.add_data_json(
                orjson.dumps({"policyguard_kit": {"constants": constants}}).decode()
            )
        return engine

    def _all(self, engine: NativeEngine, name: str, cases: Sequence[Json]) -> list[Any]:
        found: list[Any] = []
        for batch in _batches(iter(cases)):
            found += self._asked(engine, name, batch)
        return found

    def _asked(
        self, engine: NativeEngine, name: str, cases: Sequence[Json]
    ) -> list[Any]:
        """Return one answer a case; `None` where the engine fails on it."""
        self.evaluations += len(cases)
        engine.set_input_json(orjson.dumps({"cases": cases}).decode("utf-8"))
        answer, message = answer_of(engine, f"data.{name}")
        if not message:
            found: list[Any] = orjson.loads(answer)
            if len(found) == len(cases):
                return found
        if len(cases) == 1:
            return [None]
        half = len(cases) // 2
        return [
            *self._asked(engine, name, cases[:half]),
            *self._asked(engine, name, cases[half:]),
        ]


def _view_fields(policy: PolicySet, tree: PolicyTree) -> dict[str, str]:
    """Return the expression of each part of the view, as it is written."""
    for module in tree.modules:
        for head, node in zip(module.heads, module.tree["rules"], strict=True):
            if head.path == VIEW:
                data = policy.modules[module.name].encode("utf-8")
                fields = node["Spec"]["head"]["Compr"]["assign"]["value"]["Object"]
                return {
                    str(name["String"]["value"]): cut(data, span)
                    .partition(":")[2]
                    .strip()
                    .rstrip(",")
                    for span, name, _ in fields["fields"]
                }
    raise EvaluationError("the policy has no `policyguard.facts.view`")


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(itertools.islice(items, _BATCH)):
        yield batch
