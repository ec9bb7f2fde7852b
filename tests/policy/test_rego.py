"""Runs the rules' own tests (`*_test.rego`) on the embedded engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import regorus

POLICIES = Path(__file__).parents[2] / "policies"
MODULES = sorted((POLICIES / "policyguard").rglob("*.rego"))


def _engine() -> tuple[regorus.Engine, list[str]]:
    engine = regorus.Engine()
    engine.set_rego_v0(False)
    for file in MODULES:
        engine.add_policy(str(file.relative_to(POLICIES)), file.read_text("utf-8"))
    rulebook = POLICIES / "policyguard" / "rulebook" / "data.json"
    engine.add_data_json(
        json.dumps({"policyguard": {"rulebook": json.loads(rulebook.read_text("utf-8"))}})
    )
    tests = []
    for file in json.loads(engine.get_ast_as_json()):
        package = _package(file)
        tests += [f"{package}.{name}" for name in _tests(file)]
    return engine, tests


def _package(file: dict) -> str:
    import re

    source = file["source"]["contents"] if "source" in file else ""
    return "data." + re.search(r"^package ([\w.]+)", source, re.M).group(1)


def _tests(file: dict) -> list[str]:
    import re

    return re.findall(r"^(test_\w+)", file["source"]["contents"], re.M)


ENGINE, TESTS = _engine() if MODULES else (None, [])


def test_there_are_tests_and_no_two_have_one_name() -> None:
    assert TESTS
    assert sorted(set(TESTS)) == sorted(TESTS)


@pytest.mark.parametrize("name", TESTS)
def test_rule(name: str) -> None:
    clone = ENGINE.clone()
    clone.set_input_json("{}")

    assert json.loads(clone.eval_rule_as_json(name)) is True
