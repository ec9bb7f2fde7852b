"""Holds what one module answers on its inputs, and compares its mutants by that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.native import compile_modules
from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import Module, Path
from policyguard.errors import EngineLoadError
from policyguard.testing.asked import contributing_to, name_of
from policyguard.testing.mutants import Mutant
from policyguard.testing.pruning import pruned
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.varied import Asked
from policyguard.testing.witnesses import Witness
from policyguard.testing.world import Ground

_GROUP: Final = re.compile(r"\binput\.(\w+)")
_WHOLE: Final = re.compile(r"\binput\b(?!\.\w)")
"""Where a module may read any fact."""
_FIRST: Final = 20
_BATCH: Final = 250
_FAILS: Final = "evaluation fails"
_PROBE: Final = "data.policyguard_kit.compared.answers"
NOT_COMPARED: Final = Witness(input=None, rule=None, mutant=None)
"""Stands for an input on which a mutant may differ, where it cannot be compared."""


@dataclass(slots=True)
class Compared:
    """Holds the answers of one module on its inputs; belongs to one thread.

    Args:
        ground: The policy, as it was read.
        module: The module.
        observed: The rules by which others ask it.
        replaced: The documents of `data` that each input gives it.
    """

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
        """Return an input that tells a mutant from its rule, if one does."""
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
        return None if self._says_something() else NOT_COMPARED

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
        """Return what the module answers on its inputs, with some text.

        Args:
            text: Its own text, or a mutant's.
            count: Of how many inputs, the first ones.

        Raises:
            EngineLoadError: the text does not compile.
        """
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
        return loaded(texts, self.ground.policy.data)

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


def loaded(texts: Mapping[str, str], data: Mapping[str, Json]) -> NativeEngine:
    """Return an engine with some modules and documents.

    Args:
        texts: The modules.
        data: The base documents.
    """
    engine = compile_modules(texts)
    engine.add_data_json(orjson.dumps(dict(data)).decode("utf-8"))
    return engine
