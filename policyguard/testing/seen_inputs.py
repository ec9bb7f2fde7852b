"""Collects what tests put before a module, and varies it: inputs to compare mutants on.

Each evaluation of the mutated module while its policy's tests run is written down, with
the documents of `data` that tests replace and the module reads. Then one fact at a time
is forgotten, removed, or taken from another input, which is what tells a missing
condition from one that says nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.native import compile_modules
from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import FINDINGS, Module, Path
from policyguard.errors import BundleError, EngineLoadError
from policyguard.testing.asked import (
    Replaced,
    asked_on,
    asking,
    contributing_to,
    document,
    name_of,
    replaced_by_tests,
)
from policyguard.testing.combined import combinations
from policyguard.testing.mutants import Mutant
from policyguard.testing.pruning import pruned
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.varied import Asked, literals_of, varied
from policyguard.testing.witnesses import Witness
from policyguard.testing.world import Ground, path_of, tests_beside

MAX_SEEN: Final = 200
MAX_INPUTS: Final = 600
_GROUP: Final = re.compile(r"\binput\.(\w+)")
_WHOLE: Final = re.compile(r"\binput\b(?!\.\w)")
"""Where a module may read any fact."""
_FIRST: Final = 20
_BATCH: Final = 250
_FAILS: Final = "evaluation fails"
_PROBE: Final = "data.policyguard_kit.compared.answers"
_NOT_COMPARED: Final = Witness(input=None, rule=None, mutant=None)


@dataclass(slots=True)
class SeenInputs:
    """Compares mutants on the inputs of tests and variations of them.

    Args:
        ground: The policy, as it was read.
        most: How many inputs of each module at most.
        strength: Of how many facts each combination of the values that tests give is in
            an input, which then has no more than the module reads; 0: of none.
    """

    ground: Ground
    most: int = MAX_INPUTS
    strength: int = 0
    _by_file: dict[str, _Compared | None] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Return how many inputs there are at most for one module."""
        return self.most

    def difference(self, mutant: Mutant) -> Witness | None:
        """Return an input that tells a mutant from its rule, if one does.

        A module that nobody asks by itself, or that answers nothing on any input, cannot
        be compared: whatever a mutant of it does differently is then taken to matter.
        """
        if mutant.file not in self._by_file:
            self._by_file[mutant.file] = self._collected(mutant.file)
        compared = self._by_file[mutant.file]
        if compared is None:
            return _NOT_COMPARED
        return compared.difference(mutant)

    def inputs(self, file: str) -> list[Asked]:
        """Return what a module is asked on; nothing where nobody asks it by itself."""
        if file not in self._by_file:
            self._by_file[file] = self._collected(file)
        compared = self._by_file[file]
        return [] if compared is None else compared.inputs

    def combined(self, file: str) -> int:
        """Return how many of a module's inputs, the first ones, combine values."""
        self.inputs(file)
        compared = self._by_file[file]
        return 0 if compared is None else compared.combined

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
        targets = replaced_by_tests(self.ground, module, observed=observed)
        seen, targets = _told(self._seen(module, observed, targets), targets)
        if not seen:
            return None
        compared = _Compared(
            ground=self.ground,
            module=module,
            observed=observed,
            replaced=tuple(target for target, _ in targets),
        )
        rows: list[Asked] = []
        if self.strength:
            # Many cases are read only if each is short.
            seen = compared.read_of(seen)
            rows = self._combined(seen, compared)
        literals = literals_of(module.tree, self.ground.policy.data)
        others = varied(seen, literals, most=self.most - len(seen))
        compared.inputs, compared.combined = [*rows, *seen, *others], len(rows)
        return compared

    def _combined(self, seen: Sequence[Asked], compared: _Compared) -> list[Asked]:
        found = combinations(seen, strength=self.strength, alike=compared.alike)
        rows = list(islice(found, self.most + 1))
        if len(rows) > self.most:
            raise BundleError(
                f"{compared.module.name}: more than {self.most:,} inputs combine the"
                f" values of {self.strength} facts: raise --inputs, or combine fewer"
            )
        return rows

    def _seen(
        self, module: Module, observed: Sequence[Path], targets: Sequence[Replaced]
    ) -> list[Any]:
        """Return each input that the tests of the policy give to a module, once."""
        texts = asking(
            self.ground,
            module,
            observed=observed,
            read=[part for _, parts in targets for part in parts],
        )
        engine = _loaded(texts, self.ground.policy.data)
        tests = tests_beside(self.ground, module)
        known: dict[str, None] = {}
        for test in self.ground.tests:
            if test.todo or path_of(test) not in tests:
                continue
            clone = engine.clone()
            clone.set_input_json("{}")
            answer_of(clone, test.name)
            known |= dict.fromkeys(asked_on(clone.take_prints()))
            if len(known) >= MAX_SEEN:
                break
        return [json.loads(text) for text in known]


@dataclass(slots=True)
class _Compared:
    """Holds the answers of one module on its inputs; belongs to one thread."""

    ground: Ground
    module: Module
    observed: tuple[Path, ...]
    replaced: tuple[Path, ...]
    inputs: list[Asked] = field(default_factory=list)
    combined: int = 0
    """How many of them, the first ones, combine values."""
    _base: NativeEngine | None = None
    _original: NativeEngine | None = None
    _expected: dict[int, dict[str, Json]] = field(default_factory=dict)

    def difference(self, mutant: Mutant) -> Witness | None:
        text = self.ground.policy.modules[self.module.name]
        original: NativeEngine | None = None
        changed = self._with(mutant.text)
        for start, end in _batches(len(self.inputs)):
            if start not in self._expected:
                original = original or self._with(text)
                self._expected[start] = self._answers(original, start, end)
            answers = self._answers(changed, start, end)
            for index, expected in self._expected[start].items():
                if answers.get(index) != expected:
                    asked = self.inputs[int(index)]
                    return Witness(
                        input=asked.input,
                        data=asked.data,
                        rule=expected,
                        mutant=answers.get(index),
                    )
        # Where the rule itself answers nothing, a mutant that answers nothing is not told.
        return None if self._says_something() else _NOT_COMPARED

    def _says_something(self) -> bool:
        return any(
            isinstance(answer, dict) and any(answer.values())
            for answers in self._expected.values()
            for answer in answers.values()
        )

    def alike(self, inputs: Sequence[Asked]) -> bool:
        """Say whether the module has one and the same answer to some inputs."""
        if self._original is None:
            self._original = self._with(self.ground.policy.modules[self.module.name])
        batch = {str(index): item.document() for index, item in enumerate(inputs)}
        answer, message = _asked(self._original, batch)
        if message:
            return False
        return len(set(map(orjson.dumps, orjson.loads(answer).values()))) == 1

    def read_of(self, inputs: Sequence[Asked]) -> list[Asked]:
        """Return as much of inputs as the module mentions, none twice."""
        text = "\n".join(self._texts().values())
        if _WHOLE.search(text):
            return list(inputs)
        named = set(_GROUP.findall(text))
        found: dict[bytes, Asked] = {}
        for one in inputs:
            given = one.input
            if isinstance(given, dict):
                given = {name: part for name, part in given.items() if name in named}
            short = replace(one, input=given)
            found.setdefault(orjson.dumps(short.document()), short)
        return list(found.values())

    def all_answers(self, text: str, count: int) -> list[Json]:
        try:
            engine = self._with(text)
        except Exception as error:
            raise EngineLoadError(f"{self.module.name} does not compile") from error
        found: dict[str, Json] = {}
        for start, end in _batches(count):
            found |= self._answers(engine, start, end)
        return [found.get(str(index)) for index in range(count)]

    def _with(self, text: str) -> NativeEngine:
        if self._base is None:
            self._base = self._made()
        engine = self._base.clone()
        engine.add_policy(self.module.name, text)
        return engine

    def _texts(self) -> dict[str, str]:
        """Return what the module's answers depend on, itself among them."""
        heads = (head.path for head in self.module.heads)
        return pruned(
            self.ground.policy.modules,
            asked=[*self.observed, *heads],
            contributing=contributing_to(self.ground, self.module),
        )

    def _made(self) -> NativeEngine:
        texts = self._texts()
        del texts[self.module.name]
        texts["policyguard_kit_compared.rego"] = _probe(self.observed, self.replaced)
        return _loaded(texts, self.ground.policy.data)

    def _answers(self, engine: NativeEngine, start: int, end: int) -> dict[str, Json]:
        batch = {str(i): self.inputs[i].document() for i in range(start, end)}
        answer, message = _asked(engine, batch)
        if not message:
            return dict(orjson.loads(answer))
        # One of them fails: each is asked alone, and a failure is an answer too.
        found: dict[str, Json] = {}
        for index, item in batch.items():
            answer, message = _asked(engine, {index: item})
            found[index] = _FAILS if message else orjson.loads(answer).get(index)
        return found


def _batches(count: int) -> Iterator[tuple[int, int]]:
    """Yield where batches begin and end: most faults are told by the first few inputs."""
    bounds = [0, min(_FIRST, count), *range(_FIRST + _BATCH, count, _BATCH), count]
    return pairwise(sorted(set(bounds)))


def _asked(engine: NativeEngine, batch: Mapping[str, Json]) -> tuple[str, str]:
    engine.set_input_json(orjson.dumps(batch).decode("utf-8"))
    return answer_of(engine, _PROBE)


def _probe(observed: Sequence[Path], targets: Sequence[Path]) -> str:
    given = "with input as given.input" + "".join(
        f" with {name} as given.data[{json.dumps(name)}]"
        for name in map(name_of, targets)
    )
    asked = ",\n".join(
        f"{json.dumps('.'.join(path))}: [value | value := {name_of(path)} {given}]"
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


def _told(
    lines: Sequence[Any], targets: Sequence[Replaced]
) -> tuple[list[Asked], list[Replaced]]:
    """Return what was printed, and the documents that can stand in for others.

    A document that is no JSON, or was not there, cannot be given once more as it was.
    """
    targets = [
        (target, parts)
        for target, parts in targets
        if target not in parts or all(said[name_of(target)] for _, said in lines)
    ]
    seen = [
        Asked(
            input=given,
            data={
                name_of(target): document(
                    [
                        (part[len(target) :], value)
                        for part in parts
                        for value in said[name_of(part)]
                    ]
                )
                for target, parts in targets
            },
        )
        for given, said in lines
    ]
    return seen, targets


def _loaded(texts: Mapping[str, str], data: Mapping[str, Json]) -> NativeEngine:
    engine = compile_modules(texts)
    engine.add_data_json(orjson.dumps(dict(data)).decode("utf-8"))
    return engine
