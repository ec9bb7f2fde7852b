"""Collects what tests put before a module, and varies it: inputs to compare mutants on.

Each evaluation of the mutated module while its policy's tests run is written down, with
the documents of `data` that tests replace and the module reads. Then one fact at a time
is forgotten, removed, or taken from another input, which is what tells a missing
condition from one that says nothing.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.native import compile_modules
from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import (
    FINDINGS,
    Module,
    Node,
    Path,
    literal_of,
    walk,
)
from policyguard.errors import EngineLoadError
from policyguard.testing.bodies import rules_of
from policyguard.testing.mutants import Mutant
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.witnesses import Witness
from policyguard.testing.world import Ground, tests_beside

MAX_SEEN: Final = 200
MAX_INPUTS: Final = 600
_MARK: Final = "policyguard-seen "
_MOST_NUMBERS: Final = 60
_OWN: Final = frozenset({"policyguard", "policyguard_kit"})
"""Data of ours, which no input is about."""
_BATCH: Final = 250
_FAILS: Final = "evaluation fails"
_PROBE: Final = "data.policyguard_kit.compared.answers"


@dataclass(slots=True)
class SeenInputs:
    """Compares mutants on the inputs of tests and variations of them.

    Args:
        ground: The policy, as it was read.
        most: How many inputs of each module at most.
    """

    ground: Ground
    most: int = MAX_INPUTS
    _by_file: dict[str, _Compared | None] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Return how many inputs there are at most for one module."""
        return self.most

    def difference(self, mutant: Mutant) -> Witness | None:
        """Return an input that tells a mutant from its rule, if one does.

        A module that nobody asks by itself cannot be compared: whatever a mutant of it
        does differently is then taken to matter.
        """
        if mutant.file not in self._by_file:
            self._by_file[mutant.file] = self._collected(mutant.file)
        compared = self._by_file[mutant.file]
        if compared is None:
            return Witness(input=None, rule=None, mutant=None)
        return compared.difference(mutant)

    def inputs(self, file: str) -> list[Json]:
        """Return the inputs of a module; none where nobody asks it by itself."""
        if file not in self._by_file:
            self._by_file[file] = self._collected(file)
        compared = self._by_file[file]
        return [] if compared is None else compared.inputs

    def answers(self, file: str, text: str) -> list[Json]:
        """Return what a module answers on each of its inputs, with some text.

        Args:
            file: The module.
            text: Its own text, or a mutant's.

        Raises:
            EngineLoadError: the text does not compile.
        """
        count = len(self.inputs(file))
        compared = self._by_file[file]
        return [] if compared is None else compared.all_answers(text, count)

    def _collected(self, file: str) -> _Compared | None:
        module = next(item for item in self.ground.tree.modules if item.name == file)
        observed = _observed(self.ground, module)
        if not observed:
            return None
        seen = list(self._seen(module))
        if not seen:
            return None
        literals = _literals(module.tree, self.ground.policy.data)
        inputs = [*seen, *_varied(seen, literals, most=self.most - len(seen))]
        return _Compared(
            ground=self.ground, module=module, observed=observed, inputs=inputs
        )

    def _seen(self, module: Module) -> Iterator[Json]:
        """Yield each input that the tests of the policy give to a module, once."""
        policy = self.ground.policy
        texts = {
            **policy.texts,
            module.name: _telling(module, policy.modules[module.name]),
        }
        engine = _loaded(texts, policy.data)
        tests = tests_beside(self.ground, module)
        known: set[str] = set()
        for test in self.ground.tests:
            path = tuple(test.name.split(".")[1:])
            if test.todo or path not in tests:
                continue
            clone = engine.clone()
            clone.set_input_json("{}")
            answer_of(clone, test.name)
            for line in clone.take_prints():
                _, mark, text = line.partition(_MARK)
                if mark and text not in known:
                    known.add(text)
                    yield json.loads(text)
            if len(known) >= MAX_SEEN:
                return


@dataclass(slots=True)
class _Compared:
    """Holds the answers of one module on its inputs; belongs to one thread."""

    ground: Ground
    module: Module
    observed: tuple[Path, ...]
    inputs: list[Json]
    _base: NativeEngine | None = None
    _expected: dict[int, dict[str, Json]] = field(default_factory=dict)

    def difference(self, mutant: Mutant) -> Witness | None:
        text = self.ground.policy.modules[self.module.name]
        original: NativeEngine | None = None
        changed = self._with(mutant.text)
        for start in range(0, len(self.inputs), _BATCH):
            if start not in self._expected:
                original = original or self._with(text)
                self._expected[start] = self._answers(original, start)
            answers = self._answers(changed, start)
            for index, expected in self._expected[start].items():
                if answers.get(index) != expected:
                    return Witness(
                        input=self.inputs[int(index)],
                        rule=expected,
                        mutant=answers.get(index),
                    )
        return None

    def all_answers(self, text: str, count: int) -> list[Json]:
        try:
            engine = self._with(text)
        except Exception as error:
            raise EngineLoadError(f"{self.module.name} does not compile") from error
        found: dict[str, Json] = {}
        for start in range(0, count, _BATCH):
            found |= self._answers(engine, start)
        return [found.get(str(index)) for index in range(count)]

    def _with(self, text: str) -> NativeEngine:
        if self._base is None:
            self._base = self._made()
        engine = self._base.clone()
        engine.add_policy(self.module.name, text)
        return engine

    def _made(self) -> NativeEngine:
        uses = self.ground.uses
        contributing = {self.module.name}
        reached = uses.reached(self.observed, contributing=contributing)
        needed = uses.modules(reached, contributing=contributing)
        texts = {
            name: item
            for name, item in self.ground.policy.texts.items()
            if name in needed and name != self.module.name
        }
        texts["policyguard_kit_compared.rego"] = _probe(self.observed)
        return _loaded(texts, self.ground.policy.data)

    def _answers(self, engine: NativeEngine, start: int) -> dict[str, Json]:
        batch = {
            str(start + index): item
            for index, item in enumerate(self.inputs[start : start + _BATCH])
        }
        answer, message = _asked(engine, batch)
        if not message:
            return dict(orjson.loads(answer))
        # One of them fails: each is asked alone, and a failure is an answer too.
        found: dict[str, Json] = {}
        for index, item in batch.items():
            answer, message = _asked(engine, {index: item})
            found[index] = _FAILS if message else orjson.loads(answer).get(index)
        return found


def _asked(engine: NativeEngine, batch: Mapping[str, Json]) -> tuple[str, str]:
    engine.set_input_json(orjson.dumps(batch).decode("utf-8"))
    return answer_of(engine, _PROBE)


def _probe(observed: tuple[Path, ...]) -> str:
    asked = ",\n".join(
        f"{json.dumps('.'.join(path))}: [value | value := data.{'.'.join(path)} with input as given]"
        for path in observed
    )
    return (
        "package policyguard_kit.compared\n\nanswers := {index: answer |\n"
        f"some index, given in input\nanswer := {{\n{asked},\n}}\n}}\n"
    )


def _observed(ground: Ground, module: Module) -> tuple[Path, ...]:
    """Return the names by which others ask a module: those that are not private."""
    own = [
        head.path
        for head in module.heads
        if not head.function and not head.path[-1].startswith("_")
    ]
    if not own:
        mine = frozenset(head.path for head in module.heads)
        own = [
            path
            for path, definitions in ground.uses.by_path.items()
            if path[: len(module.package)] == module.package
            and not path[-1].startswith("_")
            and not any(item.head.function for item in definitions)
            and not any(item.module.endswith("_test.rego") for item in definitions)
            and ground.uses.reached([path], contributing={module.name}) & mine
            and path[-1] != FINDINGS
        ]
    return tuple(dict.fromkeys(own))


def _telling(module: Module, text: str) -> str:
    """Return a module that prints its input at each evaluation of a public rule."""
    data = text.encode("utf-8")
    added = f"print({json.dumps(_MARK)}, json.marshal(input)); "
    for head, rule in reversed(
        list(zip(module.heads, rules_of(module, text), strict=True))
    ):
        if head.function or head.path[-1].startswith("_"):
            continue
        if not rule.bodies or not rule.bodies[0].braced:
            continue
        place = rule.bodies[0].statements[0].start
        data = data[:place] + added.encode("utf-8") + data[place:]
    return data.decode("utf-8")


def _loaded(texts: Mapping[str, str], data: Mapping[str, Json]) -> NativeEngine:
    engine = compile_modules(texts)
    engine.add_data_json(orjson.dumps(dict(data)).decode("utf-8"))
    return engine


def _literals(tree: Node, data: Mapping[str, Json]) -> dict[type, list[Json]]:
    """Return the texts and numbers that a module and its data name, and their neighbours."""
    texts: dict[Json, None] = {}
    numbers: dict[Json, None] = {}
    for node in walk(tree):
        text = literal_of(node) if node.keys() & {"String", "RawString"} else None
        if text is not None:
            texts[text] = None
        number = node.get("Number")
        if number is not None and isinstance(number["value"], int):
            numbers |= dict.fromkeys(number["value"] + step for step in (-1, 0, 1))
    for _, value in _leaves({k: v for k, v in data.items() if k not in _OWN}, ()):
        if type(value) is int and len(numbers) < _MOST_NUMBERS:
            numbers |= dict.fromkeys(value + step for step in (-1, 0, 1))
    return {str: list(texts), int: list(numbers), bool: [True, False]}


def _varied(
    seen: list[Json], literals: Mapping[type, list[Json]], *, most: int
) -> list[Json]:
    """Return inputs of which one fact is unknown, missing, or another's; none twice."""
    chooser = random.Random(0)  # noqa: S311 -- the same inputs each time, no secret
    values: dict[tuple[str, ...], list[Any]] = {}
    for item in seen:
        for path, value in _leaves(item, ()):
            there = values.setdefault(path, [None])
            if value not in there:
                there.append(value)
    found: dict[str, Json] = {}
    for _ in range(most * 3):
        if len(found) >= most:
            break
        item = json.loads(json.dumps(chooser.choice(seen)))
        for _ in range(chooser.choice((1, 1, 2))):
            path, value = chooser.choice(list(_leaves(item, ())))
            known = values.get(path, [None]) + literals.get(type(value), [])
            others = [other for other in known if other != value]
            new = chooser.choice(others or [None])
            if isinstance(value, list) and isinstance(new, list):
                # Two elements are what a rule that looks at the first alone is seen by.
                new = chooser.choice((new, value + new, new + value, value[1:]))
            _set(item, path, new)
        found.setdefault(json.dumps(item, sort_keys=True), item)
    return list(found.values())


def _leaves(
    value: Any, above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each fact with its path; places in lists count as one."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            if key not in {"status", "lists"} or above:
                yield from _leaves(item, (*above, key))
        if above:
            yield above, value
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, item in enumerate(value):
            yield from _leaves(item, (*above, str(index)))
        yield above, value
    else:
        yield above, value


def _set(value: Any, path: tuple[str, ...], new: Any) -> None:
    for part in path[:-1]:
        value = value[int(part)] if isinstance(value, list) else value[part]
    last = path[-1]
    if isinstance(value, list):
        value[int(last)] = new
    else:
        value[last] = new
