"""Coverage: the lines and rules that tests reach."""

from __future__ import annotations

from pathlib import Path

from unit.testing.own_policy import STRONG, WEAK, written

from policyguard.testing.coverage import Coverage, FileCoverage, coverage_of
from policyguard.testing.rego_tests import RegoRunner


def covered(directory: Path, tests: str) -> Coverage:
    runner = RegoRunner(written(directory, tests=tests), coverage=True)
    for test in runner.tests():
        runner.run(test)
    return coverage_of(runner.base, runner.tree, modules=runner.policy.modules)


def test_strong_tests_reach_every_line_and_rule(tmp_path: Path) -> None:
    found = covered(tmp_path, STRONG)

    assert (found.lines, found.whole_rules, found.rules) == (1, 1, 3)
    assert [file.file for file in found.files] == ["own.rego"]


def test_a_rule_that_no_test_reaches_is_named(tmp_path: Path) -> None:
    found = covered(tmp_path, WEAK.partition("test_iran")[0])

    assert found.missed_rules == ("own.rego:12 OWN-1",)
    assert found.files[0].missed == (12, 14)


def test_a_module_that_nothing_came_to_is_missed_whole(tmp_path: Path) -> None:
    found = covered(tmp_path, "package own_test\n\ntest_x if 1 == 1\n")

    assert (found.lines, found.whole_rules) == (0, 0)
    assert found.files[0].missed == (5, 7, 8, 9, 12, 13, 14)


def test_what_another_process_reached_counts(tmp_path: Path) -> None:
    runner = RegoRunner(written(tmp_path, tests="package own_test\n"), coverage=True)
    other = FileCoverage(file="own.rego", reached=(5, 8, 9), missed=(12, 13))

    found = coverage_of(
        runner.base, runner.tree, modules=runner.policy.modules, elsewhere=[other]
    )

    assert found.files == (other,)
