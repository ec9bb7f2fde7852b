"""Tests of joined modules: they mean the same, and errors name the files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from policyguard.bundle.shipped import load_shipped
from policyguard.engines.joined import MOST_LINES, join_modules
from policyguard.engines.native import compile_modules, evaluate_on, syntax_tree

FIRST = "# says what it is\n\npackage p\n\n# one\nfound contains 1 if input.a\n"
SECOND = "package p\n\nfound contains 2 if input.b\nother := 3"
THIRD = 'package q\n\nanswer := {"found": data.p.found}\n'


def test_modules_of_one_package_become_one() -> None:
    joined = join_modules({"b.rego": SECOND, "a.rego": FIRST, "q/c.rego": THIRD})

    assert dict(joined.modules) == {
        "p/0.rego": "package p\n\n# one\nfound contains 1 if input.a\n\n"
        "\nfound contains 2 if input.b\nother := 3\n",
        "q/0.rego": 'package q\n\nanswer := {"found": data.p.found}\n\n',
    }


def test_joined_modules_answer_as_the_files_do() -> None:
    files = {"a.rego": FIRST, "b.rego": SECOND, "c.rego": THIRD}
    answers = []
    for modules in (files, join_modules(files).modules):
        base = compile_modules(modules)
        answers.append(
            [
                evaluate_on(base, text, entrypoint="data.q.answer")
                for text in ('{"a":true}', '{"b":true}', '{"a":true,"b":true}', "{}")
            ]
        )

    assert answers[0] == answers[1]
    assert answers[1][2] == {"found": [1, 2]}


def test_a_place_is_told_as_it_is_in_the_file() -> None:
    joined = join_modules({"a.rego": FIRST, "b.rego": SECOND, "c.rego": THIRD})
    text = joined.modules["p/0.rego"].split("\n")

    assert [
        (text[line - 1], joined.original(f"p/0.rego:{line}:7")) for line in (4, 7, 8)
    ] == [
        ("found contains 1 if input.a", "a.rego:6:7"),
        ("found contains 2 if input.b", "b.rego:3:7"),
        ("other := 3", "b.rego:4:7"),
    ]
    assert [joined.original(place) for place in ("x.rego:1:1", "data", "p/0.rego")] == [
        "x.rego:1:1",
        "data",
        "p/0.rego",
    ]


def test_what_imports_or_says_its_package_oddly_stays_alone() -> None:
    odd = {
        "import.rego": "package p\n\nimport data.q\n\nx := q.y\n",
        "dotted.rego": "package p\n.q\n\nx := 1\n",
        "quoted.rego": 'package p["q"]\n\nx := 1\n',
        "noted.rego": "package p # here\n\nx := 1\n",
        "empty.rego": "package p\n",
    }

    assert dict(join_modules(odd).modules) == odd


def test_no_joined_module_is_long_and_no_name_is_taken() -> None:
    long = "package p\n" + "x contains 1\n" * (MOST_LINES - 100)
    joined = join_modules({"1.rego": long, "2.rego": long, "p/0.rego": THIRD})

    assert {name: text.count("\n") for name, text in joined.modules.items()} == {
        "joined/p/0.rego": MOST_LINES - 98,
        "p/1.rego": MOST_LINES - 98,
        "q/0.rego": 4,
    }


def test_the_shipped_bundle_has_the_same_rules_but_findings_when_joined() -> None:
    modules = load_shipped().modules

    assert _rules(join_modules(modules).modules) == _rules(modules)


def _rules(modules: Mapping[str, str]) -> list[str]:
    """Return every rule but findings without its places, as text."""
    rules = [
        json.dumps(_without_places(rule))
        for module in syntax_tree(compile_modules(modules))
        for rule in module["ast"]["rules"]
    ]
    return sorted(rule for rule in rules if '"value": "findings"' not in rule)


def _without_places(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_places(item) for item in node]
    if not isinstance(node, dict):
        return node
    if {"line", "col", "start", "end"} == node.keys():
        return None
    return {
        key: _without_places(value)
        for key, value in node.items()
        if key not in {"span", "eidx", "sidx", "qidx"}
    }
