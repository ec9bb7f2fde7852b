"""A written suite notices what it promises, under our runner and under `opa test`."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from house.repository import ROOT
from hypothesis import given
from hypothesis import strategies as st
from integration.program import refused, run
from opa import opa_program
from unit.testing.own_policy import RULES, STRONG, WEAK, written

from policyguard.errors import BundleError
from policyguard.testing.combined import covering
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


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=6),
    st.integers(2, 3),
)
def test_each_combination_of_values_is_in_a_row_and_no_row_is_there_twice(
    sizes: list[int], strength: int
) -> None:
    rows = list(covering(sizes, strength=strength))

    facts = range(len(sizes))
    together = list(itertools.combinations(facts, min(strength, len(sizes))))
    for chosen in together:
        wanted = set(itertools.product(*(range(sizes[fact]) for fact in chosen)))
        assert {tuple(row[fact] for fact in chosen) for row in rows} == wanted
    assert len(set(rows)) == len(rows)
    assert all(0 <= row[fact] < sizes[fact] for row in rows for fact in facts)


def test_of_rows_that_do_not_count_as_much_as_can_be_is_in_others() -> None:
    rows = list(covering([2, 2, 2, 3], counts=lambda row: row[:2] != (1, 1)))

    pairs = {(row[0], row[3]) for row in rows} | {(row[1], row[3] + 3) for row in rows}
    assert pairs == {(one, other) for one in (0, 1) for other in range(6)}
    assert {row[:2] for row in rows} == {(0, 0), (0, 1), (1, 0)}


def test_pairs_need_few_rows() -> None:
    assert len(list(covering([2] * 30))) < 30
    assert len(list(covering([5, 4, 4, 3, 3, 3, 2, 2, 2, 2, 2, 2]))) < 30


def test_a_suite_of_strength_two_has_each_pair_of_values_that_tests_give(
    tmp_path: Path,
) -> None:
    policy = written(tmp_path / "own", tests=STRONG)

    found = suite(policy, inputs=300, strength=2)

    asked: list[Any] = [case.asked.input for case in found.cases]
    pairs = {(item.get("country"), item.get("amount")) for item in asked}
    assert set(itertools.product(("DE", "FR", "US", None), (9, 10, None))) <= pairs
    assert found.missed == ()
    assert len(found.killed) == len(suite(policy, inputs=300).killed)
    alone(tmp_path / "kept", RULES, found.text)
    assert run("policy", "test", tmp_path / "kept").exit_code == 0


LIMITED = """package own

low if {
	input.task.level < data.limits.most
	input.status.own != "off"
}
"""
LIMITED_TESTS = """package own_test

_asked(level) := {"task": {"level": level}, "status": {"own": "on"}, "other": {"unread": level}}

test_low if data.own.low with input as _asked(9) with data.limits.most as 10

test_high if not data.own.low with input as _asked(20) with data.limits.most as 20
"""


def test_documents_are_combined_too_and_what_the_rule_does_not_read_is_left_out(
    tmp_path: Path,
) -> None:
    policy = written(tmp_path / "own", rules=LIMITED, tests=LIMITED_TESTS)

    found = suite(policy, strength=2)

    asked: list[Any] = [case.asked for case in found.cases]
    pairs = {
        (item.input["task"]["level"], item.data["data.limits.most"])
        for item in asked
        if item.input["task"]
    }
    assert set(itertools.product((9, 20, None), (10, 20, None))) <= pairs
    assert {key for item in asked for key in item.input} == {"task", "status"}
    assert (found.killed != (), found.missed) == (True, ())


def test_a_rule_that_reads_no_fact_of_a_call_has_a_suite_without_combinations(
    tmp_path: Path,
) -> None:
    rules = "package own\n\nlow if input.status.own\n"
    policy = written(tmp_path / "own", rules=rules, tests=LIMITED_TESTS)

    found = suite(policy, strength=2)

    assert [case.asked.input for case in found.cases] == [{"status": {"own": "on"}}]
    assert found.missed == ()


def test_a_suite_of_more_cases_than_inputs_is_refused(tmp_path: Path) -> None:
    policy = written(tmp_path / "own", tests=STRONG)

    with pytest.raises(BundleError, match="more than 5 inputs combine the values of 2"):
        suite(policy, inputs=5, strength=2)


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


def test_the_command_combines_as_many_facts_as_it_is_told_and_for_a_suite_alone(
    tmp_path: Path,
) -> None:
    written(
        tmp_path / "own",
        rules="package own\n\nall_three if [input.a, input.b, input.c] == [1, 1, 1]\n",
        tests="""package own_test

test_all_three if data.own.all_three with input as {"a": 1, "b": 1, "c": 1}

test_none_of_them if not data.own.all_three with input as {"a": 2, "b": 2, "c": 2}
""",
    )
    asked = ("policy", "mutate", tmp_path / "own", "--json")

    def cases(strength: int) -> int:
        file = tmp_path / f"{strength}_test.rego"
        done = run(*asked, "--suite", file, "--strength", strength)
        return len(json.loads(done.stdout)["cases"])

    pairs, triples = cases(2), cases(3)

    # Of three values each: one, two, and unknown.
    assert (9 <= pairs < 27, triples) == (True, 27)
    refused(run(*asked, "--strength", 2), says="--strength is about the cases")
