"""Holds what one module's tests need, so that a mutant of it is tried in milliseconds.

Of the policy only what the tests reach is loaded, and their slow helpers are answered
from a table. Both are dropped where a test does not hold on them unchanged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import orjson

from policyguard.engines.native import NativeEngine, compile_modules
from policyguard.engines.tree import FINDINGS, Module, Path, PolicyTree
from policyguard.errors import BundleError
from policyguard.testing.mutants import Mutant
from policyguard.testing.rego_tests import RegoTest, answer_of, holds, tests_of
from policyguard.testing.sources import PolicySource
from policyguard.testing.tabling import (
    LIBRARY,
    LIBRARY_TEXT,
    constants,
    helpers,
    looking_up,
    printing,
    table_of,
)
from policyguard.testing.uses import Uses, uses_of

_UNBORN: Final = ("unsafe", "undefined variable", "could not find function", "expected")


Cases: TypeAlias = tuple[str, ...]
"""The names of a test's cases; none where it has no cases."""
Expected: TypeAlias = Mapping[str, Cases]
"""What must hold: tests by name, as `data.policyguard.rules_test.test_…`."""


class World:
    """Runs the tests of one module on mutants of it; belongs to one thread."""

    def __init__(self, *, base: NativeEngine, file: str, tests: Expected) -> None:
        self._base = base
        self._file = file
        self._tests = tests
        self._kills: Counter[str] = Counter()

    def failing(self, text: str) -> str | None:
        """Return the first test that does not hold with a text of the module.

        Returns:
            Its name, an empty text if all hold, or nothing if the text does not
            compile.
        """
        engine = self._base.clone()
        try:
            engine.add_policy(self._file, text)
        except Exception:  # noqa: BLE001 -- whatever it says, it did not compile
            return None
        engine.set_input_json("{}")
        for test in sorted(self._tests, key=lambda name: -self._kills[name]):
            answer, message = answer_of(engine, test)
            if message and any(mark in message for mark in _UNBORN):
                return None
            if message or not _all_hold(answer, self._tests[test]):
                return test
        return ""

    def killer_of(self, mutant: Mutant) -> str | None:
        """Do the same for a mutant; who killed often is asked first."""
        killer = self.failing(mutant.text)
        if killer:
            self._kills[killer] += 1
        return killer


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Is what is read of a policy once, for the worlds of all its modules."""

    policy: PolicySource = field(repr=False)
    tree: PolicyTree = field(repr=False)
    uses: Uses = field(repr=False)
    tests: tuple[RegoTest, ...] = field(repr=False)


def ground_of(policy: PolicySource) -> Ground:
    """Read a policy once.

    Raises:
        EngineLoadError: a module does not parse.
    """
    tree = policy.tree()
    engine = _loaded(policy.texts, policy)
    engine.set_input_json("{}")
    tests = tests_of(policy, tree, engine)
    texts, values = constants(tree, policy.tests, engine)
    if values:
        policy = policy.with_tests(texts, {"policyguard_kit": {"constants": values}})
        tree = policy.tree()
    return Ground(policy=policy, tree=tree, uses=uses_of(tree), tests=tests)


def world_of(ground: Ground, module: Module) -> World | None:
    """Return the world of a module's tests; none if it has no test.

    Raises:
        BundleError: a test fails on the module as it is.
    """
    own = tests_beside(ground, module)
    if not own:
        return None
    policy, text = ground.policy, ground.policy.modules[module.name]
    tests: Expected = {".".join(("data", *path)): cases for path, cases in own.items()}
    failing: str | None = ""
    for texts in (_few(ground, module, own), dict(policy.texts)):
        rest = {name: item for name, item in texts.items() if name != module.name}
        world = World(base=_loaded(rest, policy), file=module.name, tests=tests)
        failing = world.failing(text)
        if failing == "":
            tabled = _tabled(ground, module, rest, tests)
            return world if tabled is None or tabled.failing(text) != "" else tabled
    raise BundleError(
        f"{module.name}: the test `{failing}` does not hold: mutants are tried on tests"
        " that do"
    )


def _tabled(
    ground: Ground, module: Module, texts: Mapping[str, str], tests: Expected
) -> World | None:
    policy, tree = ground.policy, ground.tree
    functions = helpers(
        tree,
        ground.uses,
        tests=[tuple(name.split(".")[1:]) for name in tests],
        changing=[*_names(module), *_sets(tree)],
    )
    if not functions:
        return None
    asked = printing(tree, texts, functions).texts
    engine = _loaded({**asked, module.name: policy.modules[module.name]}, policy)
    engine.set_input_json("{}")
    for test in tests:
        answer_of(engine, test)
    table = table_of(engine.take_prints())
    if not table:
        return None
    base = _loaded(
        {**looking_up(tree, texts, functions).texts, LIBRARY: LIBRARY_TEXT}, policy
    )
    base.add_data_json(
        orjson.dumps({"policyguard_kit": {"table": table}}).decode("utf-8")
    )
    return World(base=base, file=module.name, tests=tests)


def _loaded(texts: Mapping[str, str], policy: PolicySource) -> NativeEngine:
    engine = compile_modules(texts)
    engine.add_data_json(orjson.dumps(policy.data).decode("utf-8"))
    return engine


def _few(ground: Ground, module: Module, own: Iterable[Path]) -> dict[str, str]:
    """Return the modules that the tests of one reach."""
    contributing = _contributing(ground.policy, ground.tree, module)
    paths = ground.uses.reached([*own, *_names(module)], contributing=contributing)
    needed = ground.uses.modules(paths, contributing=contributing) | {module.name}
    return {name: text for name, text in ground.policy.texts.items() if name in needed}


def tests_beside(ground: Ground, module: Module) -> dict[Path, Cases]:
    """Return the tests beside a module, or else all that reach it, with their cases."""
    beside = module.name.removesuffix(".rego") + "_test.rego"
    tests = [test for test in ground.tests if not test.todo]
    own = [test for test in tests if test.file == beside]
    if not own:
        mine = frozenset(_names(module))
        own = [
            test
            for test in tests
            if ground.uses.reached([_path(test)], contributing={module.name}) & mine
        ]
    found: dict[Path, Cases] = {}
    for test in own:
        cases = () if test.case is None else (test.case,)
        found[_path(test)] = found.get(_path(test), ()) + cases
    return found


def _path(test: RegoTest) -> Path:
    return tuple(test.name.split(".")[1:])


def _contributing(
    policy: PolicySource, tree: PolicyTree, module: Module
) -> frozenset[str]:
    """Return the modules whose findings the tests of a module may look at."""
    beside = policy.tests.get(module.name.removesuffix(".rego") + "_test.rego", "")
    return frozenset(
        other.name
        for other in tree.modules
        for head in other.heads
        if head.finding is not None
        and (other.name == module.name or f'"{head.finding}"' in beside)
    )


def _names(module: Module) -> list[Path]:
    return [head.path for head in module.heads]


def _sets(tree: PolicyTree) -> list[Path]:
    return [
        head.path
        for module in tree.modules
        for head in module.heads
        if head.path[-1:] == (FINDINGS,)
    ]


def _all_hold(answer: str, cases: Cases) -> bool:
    if not cases:
        return answer.strip() == "true"
    return all(holds(answer, case=name) for name in cases)
