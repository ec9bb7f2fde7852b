"""Collects what tests put before a module, and varies it: inputs to compare mutants on.

Each evaluation of the mutated module while its policy's tests run is written down, with
the documents of `data` that tests replace and the module reads. Then one fact at a time
is forgotten, removed, or taken from another input, which is what tells a missing
condition from one that says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from policyguard.canonical import Json
from policyguard.engines.tree import FINDINGS, Module, Path
from policyguard.errors import BundleError
from policyguard.testing.asked import (
    Replaced,
    asked_on,
    asking,
    document,
    name_of,
    replaced_by_tests,
)
from policyguard.testing.combined import combinations
from policyguard.testing.compared_inputs import NOT_COMPARED, Compared, loaded
from policyguard.testing.mutants import Mutant
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.varied import Asked, literals_of, varied
from policyguard.testing.witnesses import Witness
from policyguard.testing.world import Ground, path_of, tests_beside

MAX_SEEN: Final = 200
MAX_INPUTS: Final = 600


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
    _by_file: dict[str, Compared | None] = field(default_factory=dict)

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
            return NOT_COMPARED
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

    def _collected(self, file: str) -> Compared | None:
        module = next(item for item in self.ground.tree.modules if item.name == file)
        observed = _observed(self.ground, module)
        if not observed:
            return None
        targets = replaced_by_tests(self.ground, module, observed=observed)
        seen, targets = _told(self._seen(module, observed, targets), targets)
        if not seen:
            return None
        compared = Compared(
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

    def _combined(self, seen: Sequence[Asked], compared: Compared) -> list[Asked]:
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
        engine = loaded(texts, self.ground.policy.data)
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
