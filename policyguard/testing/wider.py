"""Holds the tests of other modules that reach one: who else would notice its faults.

What a module of helpers computes is mostly looked at by the tests of what uses it. They
take longer than those beside it, so only what these do not notice is tried on them, and
what they need is made when the first mutant asks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from policyguard.engines.tree import FINDINGS, Module, Path
from policyguard.testing.mutants import Mutant
from policyguard.testing.rego_tests import RegoTest
from policyguard.testing.world import (
    Cases,
    Ground,
    World,
    contributing,
    holding,
    path_of,
    tests_beside,
    world_on,
)

MOST_TESTS: Final = 240
"""How many tests of other modules a mutant is tried on at most."""
_BATCH: Final = 40
"""How many of them share a world: the rules that they look at are evaluated in each."""


class WiderWorld:
    """Tries mutants of one module on the tests of others; belongs to one thread.

    Args:
        ground: The policy, as it was read.
        module: The module.
        most: On how many tests at most, from as many files as there are.
    """

    def __init__(
        self, ground: Ground, module: Module, *, most: int = MOST_TESTS
    ) -> None:
        self._ground = ground
        self._module = module
        self._most = most
        self._worlds: list[World] = []
        self._left: list[tuple[RegoTest, ...]] | None = None
        self._files: dict[str, str] = {}

    def killer_of(self, mutant: Mutant) -> tuple[str, str] | None:
        """Return a test that does not hold with a mutant, and its file, if one does not.

        Who noticed last is asked first, and nobody is made ready before others have failed
        to notice.

        Raises:
            BundleError: a test stops holding when what it reaches is taken alone.
            EngineLoadError: the policy does not load.
        """
        for world in self._ready():
            # What does not compile among more modules is no fault that a test noticed.
            killer = world.killer_of(mutant)
            if killer:
                self._worlds.remove(world)
                self._worlds.insert(0, world)
                return killer, self._files[killer]
        return None

    def _ready(self) -> Iterator[World]:
        """Yield the worlds that there are, and then those that are made for it."""
        yield from list(self._worlds)
        if self._left is None:
            chosen = _spread(_reaching(self._ground, self._module), self._most)
            self._files = {test.name: test.file for test in chosen}
            self._left = [
                tuple(chosen[start : start + _BATCH])
                for start in range(0, len(chosen), _BATCH)
            ]
        while self._left:
            world = self._made(self._left.pop(0))
            if world is not None:
                self._worlds.append(world)
                yield world

    def _made(self, chosen: tuple[RegoTest, ...]) -> World | None:
        files = {test.file for test in chosen}
        given = contributing(self._ground, self._module, files=files)
        tests: dict[Path, Cases] = {}
        for test in chosen:
            cases = () if test.case is None else (test.case,)
            tests[path_of(test)] = tests.get(path_of(test), ()) + cases
        # A test that fails as it is would seem to notice everything.
        tests = holding(self._ground, self._module, tests, given)
        return world_on(self._ground, self._module, tests, given) if tests else None


def _spread(tests: Iterable[RegoTest], most: int) -> list[RegoTest]:
    """Return so many tests at most, from as many files as there are, file by file."""
    by_file: dict[str, list[RegoTest]] = {}
    for test in tests:
        by_file.setdefault(test.file, []).append(test)
    rounds = itertools.zip_longest(*by_file.values())
    turns = (test for turn in rounds for test in turn if test is not None)
    chosen = set(itertools.islice(turns, most))
    return [test for found in by_file.values() for test in found if test in chosen]


def _reaching(ground: Ground, module: Module) -> Iterator[RegoTest]:
    """Yield the tests of other modules that reach one, those of short files first.

    All findings are in one set: a test looks at those of the rules that its file names.
    """
    mine = {head.path for head in module.heads if head.path[-1] != FINDINGS}
    beside = tests_beside(ground, module)
    texts = ground.policy.tests
    given: dict[str, AbstractSet[str]] = {}
    for test in sorted(
        ground.tests, key=lambda item: (len(texts[item.file]), item.file)
    ):
        if test.todo or path_of(test) in beside:
            continue
        if test.file not in given:
            given[test.file] = contributing(ground, None, files={test.file})
        names = given[test.file]
        if module.name in names or not mine.isdisjoint(
            ground.uses.reached([path_of(test)], contributing=names)
        ):
            yield test
