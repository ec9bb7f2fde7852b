"""Mutants of a policy: strong tests notice all of them, weak ones are told of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.testing.own_policy import RULES, STRONG, WEAK, written

from policyguard.errors import BundleError, ConfigurationError
from policyguard.testing.mutants import mutants_of, shown_only
from policyguard.testing.mutate import mutate
from policyguard.testing.sources import read_policy

KINDS = {
    "condition dropped",
    "condition negated",
    "effect softened",
    "fact that is never there",
    "first element only",
    "member dropped",
    "neighbouring fact",
    "relation changed",
    "rule dropped",
    "text changed",
    "truth turned round",
}


def test_strong_tests_notice_every_mutant(tmp_path: Path) -> None:
    report = mutate(written(tmp_path))

    assert report.survivors == ()
    assert report.score == 1
    assert {result.mutant.operator for result in report.results} == KINDS


def test_weak_tests_are_shown_what_they_do_not_notice(tmp_path: Path) -> None:
    report = mutate(written(tmp_path, tests=WEAK))

    titles = {item.mutant.title for item in report.survivors}
    assert "own.rego:9: relation changed: changed `<` to `<=`" in titles
    assert (
        "own.rego:13: first element only: changed `some hop in input.hops` to"
        " `hop := [item | some item in input.hops][0]`"
    ) in titles
    assert report.score < 0.7


def test_a_survivor_comes_with_an_input_on_which_it_differs(tmp_path: Path) -> None:
    report = mutate(written(tmp_path, tests=WEAK), operators=["first element only"])

    (survivor,) = report.survivors
    assert survivor.witness is not None
    assert survivor.witness.rule != survivor.witness.mutant
    assert "OWN-1 deny" in survivor.witness.text()


def test_what_finds_the_same_on_every_input_does_not_count(tmp_path: Path) -> None:
    rules = RULES.replace(
        "\tinput.amount < known.most\n",
        '\tinput.amount < known.most\n\tinput.country != "US"\n',
    )

    report = mutate(written(tmp_path, rules=rules), operators=["condition dropped"])

    equivalent = [item.mutant for item in report.results if item.state == "equivalent"]
    assert [(item.line, item.before) for item in equivalent] == [
        (10, 'input.country != "US"')
    ]


def test_without_inputs_to_compare_nothing_counts_as_equivalent(tmp_path: Path) -> None:
    report = mutate(written(tmp_path, tests=WEAK), compared_on=0)

    assert report.count("equivalent") == 0
    assert report.survivors != ()


def test_tests_that_fail_already_are_refused(tmp_path: Path) -> None:
    policy = written(tmp_path, rules=RULES.replace("<", "<="))

    with pytest.raises(
        BundleError, match=r"own.rego: the test `.*test_allowed` does not"
    ):
        mutate(policy)


def test_a_module_that_no_test_reaches_is_named_and_not_mutated(tmp_path: Path) -> None:
    (tmp_path / "lonely.rego").write_text("package lonely\n\nx := 1\n", "utf-8")

    report = mutate(written(tmp_path))

    assert report.untested == ("lonely.rego",)


def test_a_file_that_is_no_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"`other.rego` is no module of the policy"):
        mutate(written(tmp_path), files=["other.rego"])


def test_helpers_that_are_tests_own_are_answered_from_a_table(tmp_path: Path) -> None:
    # The helper reaches another module than the mutated one, and is asked twice.
    (tmp_path / "places.rego").write_text(
        'package places\n\nof(x) := {"country": x, "amount": 9, "hops": [], "s": {1}}\n',
        "utf-8",
    )
    tests = STRONG.replace(
        '_asked(country, amount) := {"country": country, "amount": amount, "hops": []}',
        "_asked(country, amount) := object.union(data.places.of(country),"
        ' {"amount": amount})',
    )

    report = mutate(written(tmp_path, tests=tests), files=["own.rego"])

    assert report.survivors == ()


LIMIT = "package limit\n\nreached if input.amount >= 10\n"
LOOSE = """package limit_test

test_much if data.limit.reached with input as {"amount": 11}

test_little if not data.limit.reached with input as {"amount": 1}
"""
USING = """package uses_test

test_ten_is_reached if data.uses.open == false with input as {"amount": 10}
"""


def test_what_only_tests_of_other_modules_notice_is_named_with_their_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "limit.rego").write_text(LIMIT, "utf-8")
    (tmp_path / "limit_test.rego").write_text(LOOSE, "utf-8")
    (tmp_path / "uses.rego").write_text(
        "package uses\n\nopen := false if data.limit.reached\n", "utf-8"
    )
    (tmp_path / "uses_test.rego").write_text(USING, "utf-8")

    report = mutate(read_policy(tmp_path), files=["limit.rego"], compared_on=0)

    found = {
        (item.mutant.after, item.killer, item.elsewhere)
        for item in report.results
        if item.elsewhere
    }
    changes = {">", "11"}
    named = "data.uses_test.test_ten_is_reached", "uses_test.rego"
    assert found == {(after, *named) for after in changes}
    assert report.elsewhere == len(changes)
    assert "2 of them only by tests of other modules" in report.text()


def test_what_is_alike_on_a_shared_modules_own_inputs_is_tried_on_others_tests(
    tmp_path: Path,
) -> None:
    (tmp_path / "limit.rego").write_text(LIMIT, "utf-8")
    (tmp_path / "limit_test.rego").write_text(LOOSE, "utf-8")
    alone = mutate(read_policy(tmp_path), files=["limit.rego"], compared_on=1)
    (tmp_path / "uses.rego").write_text(
        "package uses\n\nopen := false if data.limit.reached\n", "utf-8"
    )
    (tmp_path / "uses_test.rego").write_text(USING, "utf-8")

    used = mutate(read_policy(tmp_path), files=["limit.rego"], compared_on=1)

    fewer = alone.count("equivalent") - used.count("equivalent")
    assert (fewer, alone.elsewhere, used.elsewhere) == (2, 0, 2)


def test_a_test_of_another_module_that_fails_as_it_is_notices_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "limit.rego").write_text(LIMIT, "utf-8")
    (tmp_path / "limit_test.rego").write_text(LOOSE, "utf-8")
    (tmp_path / "uses.rego").write_text(
        "package uses\n\nopen := true if data.limit.reached\n", "utf-8"
    )
    (tmp_path / "uses_test.rego").write_text(USING, "utf-8")

    report = mutate(read_policy(tmp_path), files=["limit.rego"], compared_on=0)

    assert report.elsewhere == 0
    assert report.survivors != ()


def test_two_processes_find_what_one_does(tmp_path: Path) -> None:
    written(tmp_path, tests=WEAK)
    (tmp_path / "other.rego").write_text("package other\n\nx := 1\n", "utf-8")
    (tmp_path / "other_test.rego").write_text(
        "package other_test\n\ntest_x if data.other.x == 1\n", "utf-8"
    )
    (tmp_path / "lonely.rego").write_text("package lonely\n\nx := 1\n", "utf-8")
    policy = read_policy(tmp_path)
    told: list[tuple[str, int, int]] = []

    both = mutate(policy, jobs=2, progress=lambda *seen: told.append(seen))

    assert both == mutate(policy)
    assert sorted(told) == [
        ("lonely.rego", 0, 0),
        ("other.rego", 3, 3),
        ("own.rego", 24, 24),
    ]


def test_what_fails_in_a_process_is_said_as_ever(tmp_path: Path) -> None:
    policy = written(tmp_path, rules=RULES.replace("<", "<="))
    (tmp_path / "other.rego").write_text("package other\n\nx := 1\n", "utf-8")

    with pytest.raises(
        BundleError, match=r"own.rego: the test `.*test_allowed` does not"
    ):
        mutate(read_policy(tmp_path), jobs=2)
    with pytest.raises(ConfigurationError, match="0 processes: at least one is needed"):
        mutate(policy, jobs=0)


def test_shown_facts_and_messages_are_left_alone(tmp_path: Path) -> None:
    rules = RULES.replace('{"country": hop.country}}', "_shown}") + (
        '\n_shown := {"country": input.country, "more": _name}\n\n_name := "x" if input.a > 1\n'
    )
    policy = written(tmp_path, rules=rules)
    module = next(item for item in policy.tree().modules if item.name == "own.rego")

    idle = shown_only([module])
    lines = {m.line for m in mutants_of(module, rules, passed_over=idle)}

    assert idle == {"_shown", "_name"}
    assert max(lines) < rules[: rules.index("_shown :=")].count("\n")


def test_a_private_rule_that_decides_is_mutated_whatever_the_modules_come_in(
    tmp_path: Path,
) -> None:
    rules = "package own\n\nallow if _low\n\n_low if input.level < 3\n"
    (tmp_path / "own.rego").write_text(rules, "utf-8")
    policy = read_policy(tmp_path)

    # A generator can be read once only.
    idle = shown_only(module for module in policy.tree().modules)

    assert idle == frozenset()


def test_every_mutant_differs_from_its_module_in_one_place(tmp_path: Path) -> None:
    policy = written(tmp_path)
    module = next(item for item in policy.tree().modules if item.name == "own.rego")

    texts = [mutant.text for mutant in mutants_of(module, RULES)]

    assert RULES not in texts
    assert len(texts) == len(set(texts))
