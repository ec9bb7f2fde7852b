"""Runs `*_test.rego` under pytest: one item for each test, and for each case of it.

pytest loads this in every project that has policyguard installed, so nothing is
imported here until a `*_test.rego` is collected. With `pytest-xdist` each worker has
its own engine, and what their tests reach is added up.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

from policyguard.testing.budget import NOT_LOOKED_AT, Budget, set_budget

if TYPE_CHECKING:
    from policyguard.testing.coverage import Coverage, FileCoverage
    from policyguard.testing.gates import Gates
    from policyguard.testing.rego_tests import RegoRunner, RegoTest

# The part that reads trails stands above this one: it is named, and not imported.
pytest_plugins = ("policyguard.replay.pytest_impact",)
SUFFIX: Final = "_test.rego"
_STASH: Final = pytest.StashKey["_Session"]()
_COVERED: Final = "policyguard_covered"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, which go before `[tool.policyguard]`."""
    group = parser.getgroup("policyguard", "tests of Rego policies")
    group.addoption(
        "--policy-cov",
        action="store_true",
        help="show which lines and rules the tests beside them reach",
    )
    group.addoption(
        "--policy-cov-min",
        type=float,
        metavar="PERCENT",
        help="fail if the tests reach fewer of the lines",
    )
    group.addoption(
        "--policy-mutation-min",
        type=float,
        metavar="PERCENT",
        help="fail if the tests kill fewer of the non-equivalent mutants (takes longer)",
    )
    group.addoption(
        "--policy-against",
        metavar="REVISION",
        help="fail if a call is allowed that was not in this revision of git",
    )
    group.addoption(
        "--policy-accept-new-access",
        action="store_true",
        help="expect what a revision or a trail did not allow, instead of failing (-rx shows it)",
    )
    group.addoption(
        "--policy-golden-update",
        action="store_true",
        help="write the golden tables anew instead of comparing with them",
    )
    group.addoption(
        "--policy-budget",
        type=_seconds,
        metavar="SECONDS",
        help="skip what laws and gates have not looked at after so many seconds, and say so",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Remember that no policy has been read yet; make the profile that is asked for."""
    if config.getoption("--hypothesis-profile", default=None) == "nightly":
        importlib.import_module("policyguard.testing.laws")
    seconds = config.getoption("--policy-budget")
    set_budget(None if seconds is None else Budget(seconds))
    config.stash[_STASH] = _Session(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Count no time any more."""
    del config
    set_budget(None)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> RegoFile | None:
    """Collect a file of tests."""
    if not file_path.name.endswith(SUFFIX):
        return None
    return RegoFile.from_parent(parent, path=file_path)


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add what is demanded beside tests as items: tables, mutation score, no new access."""
    state = config.stash[_STASH]
    files = [item for item in items if isinstance(item, RegoItem)]
    roots = dict.fromkeys(item.root for item in files)
    against, least = state.against(), state.least_mutation_score()
    if files and against is not None:
        from policyguard.testing.gate_items import AgainstItem

        items.extend(
            AgainstItem.from_parent(
                session,
                name=f"{root.name}: no new access",
                root=root,
                revision=against,
            )
            for root in roots
        )
    if files and state.gates().golden:
        from policyguard.testing.golden_item import golden_items

        items.extend(golden_items(session, roots, state.gates().golden))
    if files and least is not None:
        from policyguard.testing.gate_items import MutationItem

        items.extend(
            MutationItem.from_parent(
                session, name=f"{root.name}: mutation score", root=root, least=least
            )
            for root in roots
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give what was reached to the controller, or fail where it is too little."""
    state = session.config.stash[_STASH]
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_COVERED] = json.dumps(state.covered())
        return
    if state.shortfalls() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what a worker of `pytest-xdist` has reached."""
    del error
    found = getattr(node, "workeroutput", {}).get(_COVERED)
    if found:
        node.config.stash[_STASH].add(json.loads(found))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show what was stopped, and what the tests reach."""
    stopped = [
        report
        for report in terminalreporter.stats.get("skipped", ())
        if NOT_LOOKED_AT in str(report.longrepr)
    ]
    if stopped:
        terminalreporter.section("what laws and gates have not looked at")
    for report in stopped:
        terminalreporter.write_line(
            f"NOT LOOKED AT {report.nodeid}: {report.longrepr[2]}", yellow=True
        )
    state = config.stash[_STASH]
    if not state.measures():
        return
    for root, coverage in state.coverages():
        terminalreporter.section(f"coverage of {root}")
        for file in coverage.files:
            if file.missed:
                terminalreporter.write_line(f"{file.file}: {_ranges(file.missed)}")
        terminalreporter.write_line(
            f"{coverage.lines:.1%} of the lines, {coverage.whole_rules:.1%} of"
            f" {coverage.rules} rules"
        )
    for shortfall in state.shortfalls():
        terminalreporter.write_line(f"FAILED {shortfall}", red=True)


class RegoFile(pytest.File):
    """Is one `*_test.rego`."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield its tests.

        Raises:
            pytest.Collector.CollectError: the policy does not load; says where.
        """
        from policyguard.errors import PolicyGuardError

        state = self.config.stash[_STASH]
        try:
            root = state.root_of(self.path)
            name = self.path.relative_to(root).as_posix()
            tests = [test for test in state.tests(root) if test.file == name]
        except PolicyGuardError as error:
            raise self.CollectError(str(error)) from None
        for test in tests:
            yield RegoItem.from_parent(self, name=test.short, test=test, root=root)


class RegoItem(pytest.Item):
    """Is one test of a rule, or one case of it."""

    def __init__(self, *, test: RegoTest, root: Path, **rest: Any) -> None:
        super().__init__(**rest)
        self.test = test
        self.root = root

    def runtest(self) -> None:
        """Run it, and say why where it does not hold."""
        from policyguard.testing.failures import explain_failure

        runner = self.config.stash[_STASH].runner(self.root)
        result = runner.run(self.test)
        if result.state == "skipped":
            pytest.skip(result.message)
        if result.state == "error":
            _fail(f"cannot be evaluated: {result.message}")
        if result.state == "failed":
            _fail(explain_failure(runner, self.test).text())

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where the test is written."""
        return self.path, self.test.line - 1, self.test.short


def _seconds(text: str) -> float:
    found = float(text)
    if not 0 <= found < float("inf"):
        raise ValueError(text)
    return found


def _fail(report: str) -> NoReturn:
    # A traceback through the kit says nothing of a rule.
    pytest.fail(report, pytrace=False)


class _Session:
    """Owns the engines of one pytest process; a crash loses nothing but counts."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._gates: Gates | None = None
        self._runners: dict[Path, RegoRunner] = {}
        self._tests: dict[Path, tuple[RegoTest, ...]] = {}
        self._elsewhere: dict[Path, list[FileCoverage]] = {}

    def gates(self) -> Gates:
        if self._gates is None:
            from policyguard.testing.gates import read_gates

            self._gates = read_gates(self._config.rootpath)
        return self._gates

    def root_of(self, file: Path) -> Path:
        """Return the directory of the policy that a test belongs to."""
        from policyguard.bundle.files import MANIFEST

        named = self.gates().policy
        if named is not None:
            root = (self._config.rootpath / named).resolve()
            if file.is_relative_to(root):
                return root
        for folder in file.parents:
            if (folder / MANIFEST).is_file():
                return folder
            if folder == self._config.rootpath:
                break
        return file.parent

    def runner(self, root: Path) -> RegoRunner:
        if root not in self._runners:
            from policyguard.testing.rego_tests import RegoRunner
            from policyguard.testing.sources import read_policy

            self._runners[root] = RegoRunner(
                read_policy(root), coverage=self.measures()
            )
        return self._runners[root]

    def tests(self, root: Path) -> tuple[RegoTest, ...]:
        if root not in self._tests:
            self._tests[root] = self.runner(root).tests()
        return self._tests[root]

    def measures(self) -> bool:
        gates = self.gates()
        return bool(
            self._config.getoption("--policy-cov")
            or self._config.getoption("--policy-cov-min") is not None
            or gates.min_coverage is not None
            or gates.min_rule_coverage is not None
        )

    def against(self) -> str | None:
        given: str | None = self._config.getoption("--policy-against")
        return given or self.gates().against

    def least_mutation_score(self) -> float | None:
        given = self._config.getoption("--policy-mutation-min")
        return given if given is not None else self.gates().min_mutation_score

    def covered(self) -> list[tuple[str, str, list[int], list[int]]]:
        """Return policy, module, and the lines that were reached and missed."""
        if not self.measures():
            return []
        return [
            (str(root), file.file, list(file.reached), list(file.missed))
            for root in self._runners
            for file in self._coverage(root).files
        ]

    def add(self, elsewhere: list[tuple[str, str, list[int], list[int]]]) -> None:
        """Add what another process has reached."""
        from policyguard.testing.coverage import FileCoverage

        for root, name, reached, missed in elsewhere:
            self._elsewhere.setdefault(Path(root), []).append(
                FileCoverage(file=name, reached=tuple(reached), missed=tuple(missed))
            )

    def coverages(self) -> Iterator[tuple[Path, Coverage]]:
        roots = dict.fromkeys([*self._runners, *self._elsewhere])
        for root in roots:
            yield root, self._coverage(root)

    def shortfalls(self) -> list[str]:
        """Return what is demanded and was not reached."""
        if not self.measures():
            return []
        gates = self.gates()
        given = self._config.getoption("--policy-cov-min")
        least = given if given is not None else gates.min_coverage
        found = []
        for root, coverage in self.coverages():
            if least is not None and coverage.lines * 100 < least:
                found.append(
                    f"{root.name}: {coverage.lines:.1%} of the lines are reached,"
                    f" {least:g} % are demanded"
                )
            rules = gates.min_rule_coverage
            if rules is not None and coverage.whole_rules * 100 < rules:
                found.append(
                    f"{root.name}: {coverage.whole_rules:.1%} of the rules are reached in"
                    f" every line, {rules:g} % are demanded"
                )
        return found

    def _coverage(self, root: Path) -> Coverage:
        from policyguard.testing.coverage import coverage_of

        runner = self.runner(root)
        return coverage_of(
            runner.base,
            runner.tree,
            modules=runner.policy.modules,
            elsewhere=self._elsewhere.get(root, ()),
        )


def _ranges(lines: tuple[int, ...]) -> str:
    """Return numbers as `3-5, 9`."""
    parts: list[list[int]] = []
    for line in lines:
        if parts and line == parts[-1][-1] + 1:
            parts[-1].append(line)
        else:
            parts.append([line])
    return ", ".join(
        str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts
    )
