"""A written suite notices what it promises, under our runner and under `opa test`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from house.repository import ROOT
from hypothesis import given
from hypothesis import strategies as st
from integration.program import refused, run
from opa import opa_program
from unit.testing.own_policy import RULES, WEAK, written

from policyguard.errors import BundleError
from policyguard.testing.mutate import mutate
from policyguard.testing.sources import read_policy
from policyguard.testing.suite import SUITE, Suite, fewest, suite

MANY = 120
"""Inputs of a rule that are looked at."""
kills = st.dictionaries(st.integers(0, 30), st.sets(st.integers(0, 20)), max_size=12)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Suite]:
    directory = tmp_path_factory.mktemp("suite") / "own"
    return directory, suite(written(directory, tests=WEAK), inputs=300)


def alone(directory: Path, rules: str, text: str) -> Path:
    """Write the rules with the suite as their only tests."""
    directory.mkdir()
    (directory / "own.rego").write_text(rules, "utf-8")
    (directory / SUITE).write_text(text, "utf-8")
    (directory / "data.json").write_text('{"limits": {"most": 10}}', "utf-8")
    return directory


@given(kills)
def test_few_inputs_notice_all_and_none_of_them_is_idle(
    kills: dict[int, set[int]],
) -> None:
    chosen = fewest(kills)

    assert set().union(*(kills[i] for i in chosen)) == set().union(*kills.values())
    for index in chosen:
        rest = set().union(*(kills[other] for other in chosen if other != index))
        assert not kills[index] <= rest


def test_a_suite_gives_the_documents_that_the_tests_gave(tmp_path: Path) -> None:
    (tmp_path / "own.rego").write_text(
        'package own\n\nlow := input.level < data.limits["at-most"]\n', "utf-8"
    )
    (tmp_path / "own_test.rego").write_text(
        """package own_test

test_low if data.own.low with input as {"level": 9} with data.limits["at-most"] as 10
""",
        "utf-8",
    )

    found = suite(read_policy(tmp_path))

    assert (found.killed != (), found.missed) == (True, ())
    assert 'with data.limits["at-most"] as case.data[' in found.text


def test_few_cases_notice_each_fault_that_any_input_shows(
    made: tuple[Path, Suite], tmp_path: Path
) -> None:
    _, found = made

    assert found.missed == ()
    assert len(found.cases) < len(found.killed) / 3
    report = mutate(read_policy(alone(tmp_path / "own", RULES, found.text)))
    assert report.score == 1.0
    assert report.count("killed") == len(found.killed)


def test_opa_says_of_rule_and_mutants_what_our_runner_says(
    made: tuple[Path, Suite], tmp_path: Path
) -> None:
    _, found = made
    program = opa_program()

    def passes(number: int, rules: str) -> bool:
        directory = alone(tmp_path / str(number), rules, found.text)
        done = subprocess.run(
            [program, "test", str(directory)], capture_output=True, check=False
        )
        return done.returncode == 0

    assert passes(0, RULES)
    noticed = [m for n, m in enumerate(found.killed[:12], 1) if not passes(n, m.text)]
    assert noticed == list(found.killed[:12])


def test_a_suite_of_a_shipped_rule_is_kept_beside_its_tests_and_notices_the_rest() -> (
    None
):
    rule = "policyguard/rules/sector/rbi_01.rego"
    whole = read_policy(ROOT / "policies")
    tests = rule.replace(".rego", "_test.rego")
    # All of them leave nothing for a suite to notice: without the last two they do.
    few, _, _ = whole.tests[tests].partition("\ntest_rbi_01_where_nothing_is_stored")
    policy = whole.with_tests({**whole.tests, tests: few}, {})
    found = suite(policy, files=[rule], inputs=MANY)
    beside = rule.replace(".rego", "_suite_test.rego")
    kept = policy.with_tests({**policy.tests, beside: found.text}, {})

    before = mutate(policy, files=[rule], compared_on=MANY)
    after = mutate(kept, files=[rule], compared_on=MANY)

    # What does not compile fails on every input, and is promised to nobody.
    assert found.missed == ()
    assert before.count("stillborn") > 0
    assert len(found.cases) < 20
    assert before.count("survived") > 0
    assert after.survivors == ()


def test_what_is_no_module_or_has_no_input_is_refused(tmp_path: Path) -> None:
    policy = written(
        tmp_path / "own", tests="package own_test\n\ntest_nothing if true\n"
    )

    with pytest.raises(BundleError, match="is no module"):
        suite(policy, files=["nope.rego"])
    with pytest.raises(BundleError, match="write one test first"):
        suite(policy, files=["own.rego"])


def test_the_command_writes_the_file_says_what_it_notices_and_keeps_what_is_there(
    tmp_path: Path,
) -> None:
    written(tmp_path / "own", tests=WEAK)
    file = tmp_path / "own" / "own_suite_test.rego"
    asked = ("policy", "mutate", tmp_path / "own", "--suite", file, "--inputs", 200)

    done = run(*asked)

    assert done.exit_code == 0, done.stderr
    assert "notice" in done.stdout
    assert run("policy", "test", tmp_path / "own").exit_code == 0
    refused(run(*asked), says="is there already")
    refused(
        run("policy", "mutate", tmp_path / "own", "--suite", tmp_path / "x.rego"),
        says="_test.rego",
    )
