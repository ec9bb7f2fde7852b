"""The rules' own tests (`*_test.rego`), run on the embedded engine; each is one test here.

A line of a rule that no test reaches is a line of which nobody knows what it does, so
coverage has to be whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import regorus

from policyguard.bundle.source import load_directory

POLICIES = Path(__file__).parents[2] / "policies"
MODULES = sorted((POLICIES / "policyguard").rglob("*.rego"))
RULES = [
    path
    for path in (POLICIES / "policyguard/rules").rglob("*.rego")
    if not path.stem.endswith("_test")
]
PACKAGE = re.compile(r"^package ([\w.]+)", re.MULTILINE)
TEST = re.compile(r"^(test_\w+)", re.MULTILINE)


def names_in(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    package = PACKAGE.search(text)
    assert package is not None, path
    for name in TEST.findall(text):
        yield f"data.{package[1]}.{name}"


TESTS = [name for path in MODULES for name in names_in(path)]


@cache
def engine() -> Any:
    made = regorus.Engine()
    made.set_rego_v0(False)
    for path in MODULES:
        made.add_policy(str(path.relative_to(POLICIES)), path.read_text("utf-8"))
    rulebook = json.loads(
        (POLICIES / "policyguard/rulebook/data.json").read_text("utf-8")
    )
    made.add_data_json(json.dumps({"policyguard": {"rulebook": rulebook}}))
    return made


@pytest.mark.parametrize("name", TESTS)
def test_a_rules_own_test_holds(name: str) -> None:
    clone = engine().clone()
    clone.set_input_json("{}")

    assert json.loads(clone.eval_rule_as_json(name)) is True


def test_a_test_that_is_false_or_undefined_would_be_seen() -> None:
    clone = engine().clone()
    clone.set_input_json("{}")
    clone.add_policy(
        "odd_test.rego",
        "package policyguard.odd_test\n\ntest_false if 1 == 2\n\ntest_zero := false\n",
    )

    assert clone.eval_rule_as_json("data.policyguard.odd_test.test_false") != "true"
    assert clone.eval_rule_as_json("data.policyguard.odd_test.test_zero") == "false"


def test_no_two_tests_have_one_name() -> None:
    assert len(TESTS) > 100
    assert sorted(set(TESTS)) == sorted(TESTS)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_a_rule_has_its_test_beside_it(path: Path) -> None:
    beside = path.with_name(f"{path.stem}_test.rego")
    rule = path.stem.upper().replace("_", "-")

    assert rule in beside.read_text("utf-8")
    assert len(list(names_in(beside))) > 1


def test_every_line_of_every_rule_is_reached_by_a_test() -> None:
    covered = regorus.Engine()
    covered.set_rego_v0(False)
    covered.set_enable_coverage(True)
    for path in MODULES:
        covered.add_policy(str(path.relative_to(POLICIES)), path.read_text("utf-8"))
    rulebook = json.loads(
        (POLICIES / "policyguard/rulebook/data.json").read_text("utf-8")
    )
    covered.add_data_json(json.dumps({"policyguard": {"rulebook": rulebook}}))
    covered.set_input_json("{}")
    for name in TESTS:
        covered.eval_rule_as_json(name)

    missed = {
        file["path"]: sorted(file["not_covered"])
        for file in json.loads(covered.get_coverage_report_as_json())["files"]
        if file["not_covered"] and not file["path"].endswith("_test.rego")
    }

    assert missed == {}


def test_every_rule_fires_on_a_golden_vector_and_every_verdict_is_promised() -> None:
    bundle = load_directory(POLICIES)
    vectors = bundle.golden.vectors

    assert {rule for vector in vectors for rule in vector.rules} == set(bundle.rule_ids)
    assert {vector.verdict for vector in vectors} == {
        "allow",
        "deny",
        "require_approval",
        "unavailable",
    }
