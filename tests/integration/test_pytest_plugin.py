"""The pytest plugin, in projects of its own: items, gates, and workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pytest_runs import QUIET, Run
from unit.testing.own_policy import RULES, STRONG, WEAK, written

pytest_plugins = ("pytester",)


def apart(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *QUIET, *options],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def project(
    directory: Path, *, tests: str = STRONG, rules: str = RULES, table: str = ""
) -> Path:
    directory.mkdir(exist_ok=True)
    written(directory / "policy", tests=tests, rules=rules)
    (directory / "pyproject.toml").write_text(
        f'[tool.pytest.ini_options]\ntestpaths = ["policy"]\n\n[tool.policyguard]\n{table}\n',
        "utf-8",
    )
    return directory


def test_each_test_and_each_case_is_an_item(tmp_path: Path, ran: Run) -> None:
    done = ran(project(tmp_path), "-v")

    assert done.returncode == 0
    assert "policy/own_test.rego::test_allowed[ten is too much] PASSED" in done.stdout
    assert "6 passed" in done.stdout


def test_a_failure_is_the_report_and_no_traceback(tmp_path: Path, ran: Run) -> None:
    done = ran(project(tmp_path, rules=RULES.replace("<", "<=")))

    assert done.returncode == 1
    assert "own_test.rego:14: does not hold" in done.stdout
    assert "left = true" in done.stdout
    assert "Traceback" not in done.stdout
    assert "pytest_plugin.py" not in done.stdout


def test_a_policy_that_does_not_parse_is_an_error_of_collection(
    tmp_path: Path, ran: Run
) -> None:
    done = ran(project(tmp_path, rules="package own\n\nallow if {\n"))

    assert done.returncode == 2
    assert "own.rego:4:1" in done.stdout


def test_too_little_coverage_fails(tmp_path: Path, ran: Run) -> None:
    weak = WEAK.partition("test_iran")[0]

    low = ran(project(tmp_path / "weak", tests=weak, table="min_coverage = 100"))

    assert low.returncode == 1
    assert "of the lines are reached, 100 % are demanded" in low.stdout


def test_what_two_processes_reach_is_added_up(tmp_path: Path) -> None:
    done = apart(project(tmp_path, table="min_coverage = 100"), "-n", "2")

    assert done.returncode == 0
    assert "100.0% of the lines" in done.stdout


def test_too_low_a_mutation_score_fails_and_shows_what_survived(
    tmp_path: Path, ran: Run
) -> None:
    strong = ran(project(tmp_path / "strong", table="min_mutation_score = 95"), "-v")
    low = ran(project(tmp_path / "weak", tests=WEAK), "--policy-mutation-min", "95")

    assert (strong.returncode, low.returncode) == (0, 1)
    assert "policy: mutation score PASSED" in strong.stdout
    assert "SURVIVED own.rego:9: relation changed" in low.stdout


def test_a_gate_that_nobody_knows_is_refused(tmp_path: Path, ran: Run) -> None:
    done = ran(project(tmp_path, table="min_coverrage = 100"))

    assert done.returncode != 0
    assert "`min_coverrage`" in done.stdout


def test_a_project_without_rego_notices_nothing(tmp_path: Path, ran: Run) -> None:
    (tmp_path / "test_x.py").write_text("def test_x():\n    assert True\n", "utf-8")

    done = ran(tmp_path)

    assert done.returncode == 0
    assert "coverage" not in done.stdout
