"""What rules are asked on: whatever form a rule has, and with the documents of its tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyguard.testing.mutate import mutate
from policyguard.testing.seen_inputs import SeenInputs
from policyguard.testing.sources import PolicySource, read_policy
from policyguard.testing.varied import Asked
from policyguard.testing.world import ground_of

FORMS = {
    "a document": 'found := {"level": input.level}',
    "a text": 'found := "low"',
    "one line": "found := input.level if input.level > 1",
    "one line with else": "found := 1 if input.level > 1 else := 2",
    "braces": "found := 1 if {\n\tinput.level > 1\n}",
    "braces with else": "found := 1 if {\n\tinput.level > 1\n} else := 2",
    "a member": 'found contains "low"',
    "a member on one line": 'found contains "low" if input.level == "x"',
    "a default with another": "default found := 1\n\nfound := 2 if input.level > 1",
    "a comment behind": "found := input.level # which is a number",
    "what asks with other documents": 'found if _low with input.name as "x"\n\n_low := 1',
}


def policy(
    directory: Path, rules: str, tests: str, **others: str
) -> tuple[PolicySource, SeenInputs]:
    """Write a policy of one module and its tests, and read it."""
    (directory / "own.rego").write_text(f"package own\n\n{rules}\n", "utf-8")
    (directory / "own_test.rego").write_text(f"package own_test\n\n{tests}\n", "utf-8")
    for name, text in others.items():
        (directory / f"{name}.rego").write_text(text, "utf-8")
    (directory / "data.json").write_text('{"limits": {"most": 10}}', "utf-8")
    read = read_policy(directory)
    return read, SeenInputs(ground=ground_of(read), most=40)


@pytest.mark.parametrize("rules", FORMS.values(), ids=FORMS)
def test_what_a_rule_is_asked_on_is_seen_whatever_its_form(
    rules: str, tmp_path: Path
) -> None:
    tests = """_found(level) := [value | value := data.own.found with input as {"level": level}]

test_two_levels if count(_found(1)) + count(_found(2)) >= 0
"""

    _, seen = policy(tmp_path, rules, tests)

    assert seen.inputs("own.rego")[:2] == [
        Asked(input={"level": level}) for level in (1, 2)
    ]


def test_documents_that_tests_replace_are_given_once_more(tmp_path: Path) -> None:
    rules = "low := input.level < data.limits.most"
    tests = 'test_low if data.own.low with input as {"level": 11} with data.limits as {"most": 12, "x": 1}'

    _, seen = policy(tmp_path, rules, tests)

    (first, *varied) = seen.inputs("own.rego")
    assert first == Asked(input={"level": 11}, data={"data.limits": {"most": 12}})
    assert {"data.limits": {"most": None}} in [item.data for item in varied]
    assert seen.answers("own.rego", f"package own\n\n{rules}\n")[0] == {
        "own.low": [True]
    }


def test_a_fault_that_only_a_replaced_document_shows_is_no_equivalent(
    tmp_path: Path,
) -> None:
    rules = 'kind := "low" if input.level < data.limits.most else := "high" if data.limits.open'
    tests = """test_low if data.own.kind == "low" with input as {"level": 9} with data.limits as {"most": 10}

test_not_open if {
	not data.own.kind with input as {"level": 11} with data.limits as {"most": 10, "open": false}
}
"""

    read, _ = policy(tmp_path, rules, tests)

    report = mutate(read, operators=["else dropped"])
    (survivor,) = report.survivors
    assert survivor.witness is not None
    assert (survivor.witness.rule, survivor.witness.mutant) == (
        {"own.kind": ["high"]},
        {"own.kind": []},
    )
    assert "with another `data.limits`" in survivor.witness.text()


def test_a_document_that_is_a_set_stays_what_it_is(tmp_path: Path) -> None:
    rules = "mine := {1} | data.theirs"
    tests = 'test_both if data.own.mine == {1, 2} with input as {"x": 1} with data.theirs as {2}'

    _, seen = policy(tmp_path, rules, tests)

    assert seen.inputs("own.rego")[0] == Asked(input={"x": 1})


def test_what_answers_nothing_on_any_input_is_not_compared(tmp_path: Path) -> None:
    # The set cannot be given once more, and without it there is no answer.
    rules = "mine := 1 if input.x in data.theirs"
    tests = 'test_mine if data.own.mine with input as {"x": 2} with data.theirs as {2}'

    read, _ = policy(tmp_path, rules, tests)

    report = mutate(read, operators=["number off by one"])
    assert [item.witness and item.witness.input for item in report.survivors] == [
        None,
        None,
    ]


def test_a_module_of_helpers_is_compared_by_those_that_others_ask(
    tmp_path: Path,
) -> None:
    view = 'package own\n\nview := {"level": _level, "name": input.name}\n'
    rules = (
        "_level := input.level if input.level > 1\n\n_level := 0 if input.level <= 1"
    )
    tests = (
        'test_level if data.own.view.level == 3 with input as {"level": 3, "name": "x"}'
    )

    _, seen = policy(tmp_path, rules, tests, view=view)

    assert seen.inputs("own.rego")[0] == Asked(input={"level": 3, "name": "x"})


def test_findings_of_others_count_for_who_reads_them(tmp_path: Path) -> None:
    rules = 'verdict := "deny" if {\n\tsome finding in data.rules.findings\n\tfinding.id == "R-1"\n} else := "allow"'
    tests = """test_denied if data.own.verdict == "deny" with input as {"x": 1, "id": "R-1"}

test_allowed if data.own.verdict == "allow" with input as {"x": 2}
"""
    others = 'package rules\n\nfindings contains {"id": "R-1"} if input.x == 1\n'

    _, seen = policy(tmp_path, rules, tests, others=others)

    assert seen.answers("own.rego", f"package own\n\n{rules}\n")[:2] == [
        {"own.verdict": ["deny"]},
        {"own.verdict": ["allow"]},
    ]
