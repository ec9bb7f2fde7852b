"""Holds what one module's tests need, so that a mutant of it is tried in milliseconds.

Of the policy only what the tests reach is loaded, and their slow helpers are answered
from a table. Both are dropped where a test does not hold on them unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import orjson

from policyguard.engines.native import compile_modules
from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import FINDINGS, Module, Path, PolicyTree
from policyguard.errors import BundleError, EngineLoadError
from policyguard.testing.lookups import (
    LIBRARY,
    LIBRARY_TEXT,
    MISSED,
    NO_TABLE,
    Table,
    table_of,
)
from policyguard.testing.mutants import Mutant
from policyguard.testing.pruning import pruned
from policyguard.testing.rego_tests import RegoTest, answer_of, holds, tests_of
from policyguard.testing.sources import PolicySource
from policyguard.testing.tabling import constants, helpers, looking_up, printing
from policyguard.testing.uses import Uses, uses_of

_UNBORN: Final = ("unsafe", "undefined variable", "could not find function", "expected")


Cases: TypeAlias = tuple[str, ...]
"""The names of a test's cases; none where it has no cases."""
Expected: TypeAlias = Mapping[str, Cases]
"""What must hold: tests by name, as `data.policyguard.rules_test.test_…`."""


class World:
    """Runs the tests of one module on mutants of it; belongs to one thread.

    Args:
        base: What the tests reach, but for the module.
        file: The module.
        tests: Its tests.
        whole: Who is asked where a table of this one has no answer.
    """

    def __init__(
        self,
        *,
        base: NativeEngine,
        file: str,
        tests: Expected,
        whole: World | None = None,
    ) -> None:
        self._base = base
        self._file = file
        self._tests = tests
        self._whole = whole
        self._order = list(tests)

    def failing(self, text: str) -> str | None:
        """Return the first test that does not hold with a text of the module.

        Returns:
            Its name, an empty text if all hold, or nothing if the text does not
            compile.
        """
        engine = self._engine(text)
        slow: NativeEngine | None = None
        if engine is None:
            return None
        for test in self._order:
            answer, message = answer_of(engine, test)
            if self._whole is not None and _has_missed(engine):
                slow = slow or self._whole._engine(text)  # noqa: SLF001 -- another of us
                if slow is None:
                    return None
                answer, message = answer_of(slow, test)
            if message and any(mark in message for mark in _UNBORN):
                return None
            if message or not _all_hold(answer, self._tests[test]):
                return test
        return ""

    def _engine(self, text: str) -> NativeEngine | None:
        """Return an engine with a text of the module; none if it does not compile."""
        engine = self._base.clone()
        try:
            engine.add_policy(self._file, text)
        except Exception:  # noqa: BLE001 -- whatever it says, it did not compile
            return None
        engine.set_input_json("{}")
        return engine

    def killer_of(self, mutant: Mutant) -> str | None:
        """Do the same for a mutant; who killed last is asked first.

        Mutants come in the order of their lines, and what notices one fault of a line
        mostly notices the next.
        """
        killer = self.failing(mutant.text)
        if killer:
            self._order.remove(killer)
            self._order.insert(0, killer)
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
    given = contributing(ground, module, files=files_beside(module))
    return world_on(ground, module, own, given)


def world_on(
    ground: Ground,
    module: Module,
    own: Mapping[Path, Cases],
    given: AbstractSet[str],
) -> World:
    """Return the world of a module and some tests.

    Args:
        ground: The policy, as it was read.
        module: The module.
        own: The tests, with their cases.
        given: The modules whose findings they look at.

    Raises:
        BundleError: a test fails on the module as it is.
    """
    tests = _expected(own)
    few = _few(ground, module, own, given)
    quick = _quick(ground, module, few, tests, given)
    if quick is not None:
        return quick
    failing: str | None = ""
    for texts in (few, dict(ground.policy.texts)):
        world = _whole(ground, module, texts, tests)
        failing = world.failing(texts[module.name])
        if failing == "":
            return world
    raise BundleError(
        f"{module.name}: the test `{failing}` does not hold: mutants are tried on tests"
        " that do"
    )


def holding(
    ground: Ground,
    module: Module,
    own: Mapping[Path, Cases],
    given: AbstractSet[str],
) -> dict[Path, Cases]:
    """Return those of some tests that hold with what they reach."""
    engine = _loaded(_few(ground, module, own, given), ground.policy)
    engine.set_input_json("{}")
    found: dict[Path, Cases] = {}
    for path, cases in own.items():
        answer, message = answer_of(engine, _name(path))
        if not message and _all_hold(answer, cases):
            found[path] = cases
    return found


def _expected(own: Mapping[Path, Cases]) -> Expected:
    return {_name(path): cases for path, cases in own.items()}


def _name(path: Path) -> str:
    return ".".join(("data", *path))


def _whole(
    ground: Ground, module: Module, texts: Mapping[str, str], tests: Expected
) -> World:
    rest = {name: item for name, item in texts.items() if name != module.name}
    return World(base=_loaded(rest, ground.policy), file=module.name, tests=tests)


def _quick(
    ground: Ground,
    module: Module,
    texts: Mapping[str, str],
    tests: Expected,
    given: AbstractSet[str],
) -> World | None:
    """Return a world of what tests reach and no more, if they hold without and in it."""
    tabled, table = _tabled(ground, module, texts, tests)
    if tabled is None:
        return None
    try:
        few = pruned(
            tabled,
            asked=[*(tuple(test.split(".")[1:]) for test in tests), *_names(module)],
            contributing=given,
        )
        few.pop(module.name, None)
        base = _loaded(few, ground.policy)
    except EngineLoadError:
        return None
    base.add_data_json(_document(table))
    world = World(
        base=base,
        file=module.name,
        tests=tests,
        whole=_whole(ground, module, texts, tests),
    )
    return world if world.failing(texts[module.name]) == "" else None


def _tabled(
    ground: Ground, module: Module, texts: Mapping[str, str], tests: Expected
) -> tuple[dict[str, str] | None, Table]:
    """Return modules that look up what their helpers return, and the table.

    There are none if a test does not hold, which is seen on the way.
    """
    functions = helpers(
        ground.tree,
        ground.uses,
        tests=[tuple(name.split(".")[1:]) for name in tests],
        changing=[*_names(module), *_sets(ground.tree)],
    )
    asked = printing(ground.tree, texts, functions).texts
    engine = _loaded({**asked, LIBRARY: LIBRARY_TEXT}, ground.policy)
    engine.set_input_json("{}")
    for test, cases in tests.items():
        answer, message = answer_of(engine, test)
        if message or not _all_hold(answer, cases):
            return None, NO_TABLE
    table = table_of(engine.take_prints())
    looked = looking_up(ground.tree, texts, functions, table).texts
    return {**looked, LIBRARY: LIBRARY_TEXT}, table


def _document(table: Table) -> str:
    found = {"table": table.entries, "large": table.large}
    return orjson.dumps({"policyguard_kit": found}).decode("utf-8")


def _loaded(texts: Mapping[str, str], policy: PolicySource) -> NativeEngine:
    engine = compile_modules(texts)
    engine.add_data_json(orjson.dumps(policy.data).decode("utf-8"))
    return engine


def _few(
    ground: Ground, module: Module, own: Iterable[Path], given: AbstractSet[str]
) -> dict[str, str]:
    """Return the modules that the tests of one reach."""
    paths = ground.uses.reached([*own, *_names(module)], contributing=given)
    needed = ground.uses.modules(paths, contributing=given) | {module.name}
    return {name: text for name, text in ground.policy.texts.items() if name in needed}


def tests_beside(ground: Ground, module: Module) -> dict[Path, Cases]:
    """Return the tests beside a module, or else all that reach it, with their cases."""
    beside = files_beside(module)
    tests = [test for test in ground.tests if not test.todo]
    own = [test for test in tests if test.file in beside]
    if not own:
        mine = frozenset(_names(module))
        own = [
            test
            for test in tests
            if ground.uses.reached([path_of(test)], contributing={module.name}) & mine
        ]
    found: dict[Path, Cases] = {}
    for test in own:
        cases = () if test.case is None else (test.case,)
        found[path_of(test)] = found.get(path_of(test), ()) + cases
    return found


def files_beside(module: Module) -> tuple[str, ...]:
    """Return the tests of a module, and the suite that may have been written for it."""
    stem = module.name.removesuffix(".rego")
    return f"{stem}_test.rego", f"{stem}_suite_test.rego"


def path_of(test: RegoTest) -> Path:
    """Return the names that a test is asked by."""
    return tuple(test.name.split(".")[1:])


def contributing(
    ground: Ground, module: Module | None, *, files: Iterable[str]
) -> frozenset[str]:
    """Return the modules whose findings some tests may look at.

    Args:
        ground: The policy, as it was read.
        module: One that is among them whatever the tests name.
        files: The files of the tests: an id in them is a finding looked at.
    """
    texts = "".join(ground.policy.tests.get(file, "") for file in files)
    return frozenset(
        other.name
        for other in ground.tree.modules
        for head in other.heads
        if head.finding is not None
        and (other is module or f'"{head.finding}"' in texts)
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


def _has_missed(engine: NativeEngine) -> bool:
    return any(MISSED in line for line in engine.take_prints())


def _all_hold(answer: str, cases: Cases) -> bool:
    if not cases:
        return answer.strip() == "true"
    return all(holds(answer, case=name) for name in cases)
