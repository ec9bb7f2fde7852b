"""Tests beside rules are found, run, and explained where they do not hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.testing.own_policy import RULES, STRONG, written

from policyguard.errors import BundleError, EngineLoadError
from policyguard.testing.failures import explain_failure
from policyguard.testing.rego_tests import RegoRunner
from policyguard.testing.sources import read_policy


def states(runner: RegoRunner) -> dict[str, str]:
    return {test.short: runner.run(test).state for test in runner.tests()}


def test_each_case_of_a_test_is_a_test(tmp_path: Path) -> None:
    assert states(RegoRunner(written(tmp_path))) == {
        "test_allowed[elsewhere]": "passed",
        "test_allowed[french]": "passed",
        "test_allowed[german]": "passed",
        "test_allowed[ten is too much]": "passed",
        "test_any_hop_is_looked_at": "passed",
        "test_a_good_hop_is_no_finding": "passed",
    }


def test_the_case_that_does_not_hold_is_the_one_that_fails(tmp_path: Path) -> None:
    policy = written(tmp_path, rules=RULES.replace("<", "<="))

    failed = {
        name for name, state in states(RegoRunner(policy)).items() if state == "failed"
    }

    assert failed == {"test_allowed[ten is too much]"}


def test_a_failure_shows_both_sides_the_case_and_what_was_put_in_place(
    tmp_path: Path,
) -> None:
    runner = RegoRunner(written(tmp_path, rules=RULES.replace("<", "<=")))
    test = next(test for test in runner.tests() if test.case == "ten is too much")

    failure = explain_failure(runner, test)

    assert (failure.line, failure.statement) == (
        14,
        "own.allow == case.allow with input as case.in",
    )
    assert failure.values["left"] == ("true",)
    assert failure.values["right"] == ("false",)
    assert failure.values["input"] == ('{"amount":10,"country":"FR","hops":[]}',)


def test_a_failure_shows_the_rules_that_fired_and_the_facts_that_decided(
    tmp_path: Path,
) -> None:
    tests = STRONG.replace("count(own.findings) == 0", "count(own.findings) == 7")
    runner = RegoRunner(
        written(tmp_path, tests=tests.replace('"DE"}]}\n}', '"IR"}]}\n}'))
    )
    test = next(t for t in runner.tests() if t.short == "test_a_good_hop_is_no_finding")

    failure = explain_failure(runner, test)

    assert [(item.id, item.effect, dict(item.facts)) for item in failure.fired] == [
        ("OWN-1", "deny", {"country": "IR"})
    ]
    assert failure.input == {"hops": [{"country": "IR"}]}
    assert '    OWN-1 deny\n      country = "IR"' in failure.text()


def test_of_two_statements_the_one_that_does_not_hold_is_shown(tmp_path: Path) -> None:
    runner = RegoRunner(written(tmp_path, rules=RULES.replace('"deny"', '"advise"')))
    test = next(t for t in runner.tests() if t.short == "test_any_hop_is_looked_at")

    failure = explain_failure(runner, test)

    assert (failure.line, failure.values["left"]) == (19, ('["advise"]',))


def test_a_test_marked_as_still_to_do_is_passed_over(tmp_path: Path) -> None:
    runner = RegoRunner(
        written(tmp_path, tests="package own_test\n\ntodo_test_later if false\n")
    )

    assert states(runner) == {"todo_test_later": "skipped"}


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ("test_x if 1 == 2", "failed"),
        ("test_x := 0", "failed"),
        ("test_x if data.nowhere.is == 1", "failed"),
        ("test_x if 1 / 0 == 1", "error"),
    ],
)
def test_what_is_not_true_does_not_hold(tmp_path: Path, body: str, state: str) -> None:
    runner = RegoRunner(written(tmp_path, tests=f"package own_test\n\n{body}\n"))

    assert states(runner) == {"test_x": state}


def test_cases_whose_names_nothing_binds_are_refused(tmp_path: Path) -> None:
    tests = "package own_test\n\ntest_x[name] if {\n\tfalse\n}\n"

    with pytest.raises(EngineLoadError, match=r"own_test.rego:3: .*`name`"):
        RegoRunner(written(tmp_path, tests=tests)).tests()


def test_a_module_that_does_not_parse_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(EngineLoadError, match=r"own.rego:4"):
        RegoRunner(written(tmp_path, rules="package own\n\nallow if {\n"))


def test_a_directory_without_rego_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"holds no `\*.rego`"):
        read_policy(tmp_path)
