"""Finds and runs the tests that stand beside rules, without an OPA binary.

A test is a rule whose name begins with `test_`, in any module named `*_test.rego`; it
holds if it is true, as under `opa test`. `todo_test_` is passed over. A test with
cases, `test_x[name] if { some name, case in cases; … }`, holds if each case does:
regorus cannot say which case was not reached, so the cases are asked for by the part of
the body that binds their names.

Specification: OPA, "Policy Testing".
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import orjson

from policyguard.canonical import Json
from policyguard.engines.native import compile_modules
from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import Head, Module, PolicyTree
from policyguard.errors import EngineLoadError
from policyguard.testing.bodies import Rule, rules_of
from policyguard.testing.sources import PolicySource

State: TypeAlias = Literal["passed", "failed", "error", "skipped"]

KIT: Final = "policyguard_kit.rego"
"""A module of the kit's own, which is no part of any report."""

_READY: Final = "package policyguard_kit\n\nready := true\n"
_PREFIX: Final = "test_"
_TODO: Final = "todo_test_"
_UNDEFINED: Final = '"<undefined>"'


@dataclass(frozen=True, slots=True, kw_only=True)
class RegoTest:
    """Is one test, or one case of it."""

    file: str
    line: int
    name: str
    """As `data.policyguard.rules_test.test_ear_01_…`."""
    case: str | None = None
    """The name of the case; none where the test has no cases."""
    todo: bool = False

    @property
    def short(self) -> str:
        """Return the name without its package, and the case in brackets."""
        short = self.name.rpartition(".")[2]
        return short if self.case is None else f"{short}[{self.case}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegoResult:
    """Is what became of one test."""

    test: RegoTest
    state: State
    seconds: float
    message: str = ""
    """Why an error is one: module, line and the engine's reason."""


class RegoRunner:
    """Runs tests on one engine; it belongs to the thread that made it.

    Args:
        policy: Modules, tests and data.
        coverage: Whether the lines that tests reach are kept count of.

    Raises:
        EngineLoadError: a module does not parse.
    """

    def __init__(self, policy: PolicySource, *, coverage: bool = False) -> None:
        self.policy = policy
        self.tree: PolicyTree = policy.tree()
        self.base = _loaded(policy, coverage=coverage)
        self._covered = coverage

    def tests(self) -> tuple[RegoTest, ...]:
        """Return every test by file and line, one for each case."""
        return tests_of(self.policy, self.tree, self.base)

    def run(self, test: RegoTest) -> RegoResult:
        """Run one test or one case."""
        if test.todo:
            return RegoResult(test=test, state="skipped", seconds=0.0, message="todo")
        start = time.perf_counter()
        answer, message = answer_of(self.engine(), test.name)
        seconds = time.perf_counter() - start
        if message:
            return RegoResult(
                test=test, state="error", seconds=seconds, message=message
            )
        held = holds(answer, case=test.case)
        return RegoResult(
            test=test, state="passed" if held else "failed", seconds=seconds
        )

    def engine(self) -> NativeEngine:
        """Return the engine to ask: with coverage always the same one."""
        engine = self.base if self._covered else self.base.clone()
        engine.set_input_json("{}")
        return engine


def tests_of(
    policy: PolicySource, tree: PolicyTree, engine: NativeEngine
) -> tuple[RegoTest, ...]:
    """Return every test of a policy by file and line, one for each case.

    Args:
        policy: Modules and tests.
        tree: What they define.
        engine: An engine that has parsed them, which names the cases.

    Raises:
        EngineLoadError: the name of a test's cases is bound nowhere.
    """
    return tuple(
        test
        for module in tree.modules
        if module.name in policy.tests
        for test in _in_module(module, policy.tests[module.name], engine)
    )


def _in_module(module: Module, text: str, engine: NativeEngine) -> Iterator[RegoTest]:
    seen: set[str] = set()
    for head, rule in zip(module.heads, rules_of(module, text), strict=True):
        name = _name(module, head)
        if head.function or not name.startswith((_PREFIX, _TODO)) or name in seen:
            continue
        seen.add(name)
        test = RegoTest(
            file=module.name,
            line=head.line,
            name=".".join(("data", *module.package, name)),
            todo=name.startswith(_TODO),
        )
        cases = _cases(engine, module, rule)
        if cases is None:
            yield test
        for case in cases or ():
            yield replace(test, case=case)


def answer_of(engine: NativeEngine, name: str) -> tuple[str, str]:
    """Return the answer of a rule as JSON text, and what failed instead, if it did."""
    try:
        return engine.eval_rule_as_json(name), ""
    except BaseException as error:
        if (
            not isinstance(error, Exception)
            and type(error).__name__ != "PanicException"
        ):
            raise
        return "", reason_of(error)


def reason_of(error: BaseException) -> str:
    """Return what an engine's error says, on one line and without its backtrace."""
    text = str(error).split("Stack backtrace", 1)[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    place = next((line[4:] for line in lines if line.startswith("--> ")), "")
    cause = next((line for line in lines if line.startswith("error:")), "")
    found = f"{place}: {cause.removeprefix('error:').strip()}" if cause else ""
    return found or " ".join(lines) or "the engine panicked"


def holds(answer: str, *, case: str | None) -> bool:
    """Say whether the answer of a test's rule is that it holds.

    Args:
        answer: JSON text as the engine writes it.
        case: The case that is asked for.
    """
    if answer == _UNDEFINED:
        return False
    value: Json = orjson.loads(answer)
    if case is None:
        return value is True
    return isinstance(value, Mapping) and value.get(case) is True


def _name(module: Module, head: Head) -> str:
    own = head.path[len(module.package) :]
    return own[0] if own and head.path[: len(module.package)] == module.package else ""


def _loaded(policy: PolicySource, *, coverage: bool) -> NativeEngine:
    engine = compile_modules({**policy.texts, KIT: _READY})
    engine.add_data_json(orjson.dumps(policy.data).decode("utf-8"))
    engine.set_input_json("{}")
    if coverage:
        engine.set_enable_coverage(True)
    # A clone of an engine that never ran prepares itself at each evaluation.
    engine.eval_rule_as_json("data.policyguard_kit.ready")
    return engine


def _cases(base: NativeEngine, module: Module, rule: Rule) -> tuple[str, ...] | None:
    """Return the names of a test's cases; none if it has no cases."""
    if rule.case is None:
        return None
    names: dict[str, None] = {}
    for query in rule.bodies:
        prefix = query.binding(rule.case)
        if prefix is None:
            raise EngineLoadError(
                f"{module.name}:{rule.line}: nothing binds the name `{rule.case}` of"
                f" the cases: write `some {rule.case}, case in …` first"
            )
        engine = base.clone()
        engine.set_input_json("{}")
        engine.add_policy(
            f"{module.name}.cases.rego",
            f"package {'.'.join(module.package)}\n\n{rule.imports}\n\n"
            f"policyguard_cases contains {rule.case} if {{\n{prefix}\n}}\n",
        )
        text, message = answer_of(
            engine, ".".join(("data", *module.package, "policyguard_cases"))
        )
        if message:
            raise EngineLoadError(f"{module.name}:{rule.line}: {message}")
        names |= dict.fromkeys(str(item) for item in orjson.loads(text))
    return tuple(names)
