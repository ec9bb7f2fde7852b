"""`policyguard policy test` and `policy mutate`: what they say, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from integration.program import run
from unit.testing.own_policy import RULES, STRONG, WEAK, written


@pytest.fixture(autouse=True)
def _as_wide_as_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_tests_that_hold_are_counted(tmp_path: Path) -> None:
    written(tmp_path)

    done = run("policy", "test", str(tmp_path))

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("6 passed in ")


def test_a_test_that_does_not_hold_is_explained(tmp_path: Path) -> None:
    written(tmp_path, rules=RULES.replace("<", "<="))

    done = run("policy", "test", str(tmp_path))

    assert done.exit_code == 1
    assert (
        "FAILED test_allowed[ten is too much]\nown_test.rego:14: does not hold"
        in done.stdout
    )
    assert "1 failed" in done.stdout


def test_the_document_has_each_test_and_the_coverage(tmp_path: Path) -> None:
    written(tmp_path, tests=WEAK.partition("test_iran")[0])

    done = run("policy", "test", str(tmp_path), "--json", "--coverage")

    document = json.loads(done.stdout)
    assert [(item["name"], item["state"]) for item in document["tests"]] == [
        ("test_small_amounts_in_germany", "passed")
    ]
    assert document["coverage"]["missed"] == {"own.rego": [12, 14]}


def test_too_little_coverage_is_a_no(tmp_path: Path) -> None:
    written(tmp_path, tests=WEAK.partition("test_iran")[0])

    done = run("policy", "test", str(tmp_path), "--min-coverage", "100")

    assert done.exit_code == 1
    assert done.stdout.rstrip().endswith("100 % are demanded")


def test_no_test_at_all_is_a_no(tmp_path: Path) -> None:
    written(tmp_path)

    assert run("policy", "test", str(tmp_path), "--run", "nothing").exit_code == 1


def test_a_policy_that_does_not_parse_cannot_be_answered(tmp_path: Path) -> None:
    written(tmp_path, rules="package own\n\nallow if {\n")

    done = run("policy", "test", str(tmp_path))

    assert done.exit_code == 2
    assert "own.rego:4:1" in done.stderr


def test_survivors_are_shown_with_an_input_that_tells_them_apart(
    tmp_path: Path,
) -> None:
    written(tmp_path, tests=WEAK)

    done = run("policy", "mutate", str(tmp_path), "--min-score", "95")

    assert done.exit_code == 1
    assert "SURVIVED own.rego:9: relation changed: changed `<` to `<=`" in done.stdout
    assert "  the rule answers own.allow = false" in done.stdout


def test_a_score_that_is_high_enough_is_a_yes(tmp_path: Path) -> None:
    written(tmp_path, tests=STRONG)

    done = run("policy", "mutate", str(tmp_path), "--min-score", "95", "--json")

    document = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (document["score"], document["survivors"]) == (1, [])


def test_a_kind_of_fault_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    written(tmp_path)

    done = run("policy", "mutate", str(tmp_path), "--operator", "sabotage")

    assert done.exit_code == 2
    assert "there is no kind of fault `sabotage`" in done.stderr
