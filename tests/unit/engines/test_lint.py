"""Tests of the lint: what each rule finds, where, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from policyguard.engines.lint.catalogue import LINT_RULES
from policyguard.engines.lint.policy import LintedPolicy, lint_policy
from policyguard.engines.lint.shapes import Shapes

VIEW: dict[str, Any] = {
    "caller": {"id": "alice", "groups": {"staff": []}},
    "data": {"classes": ["pii"], "persons": None},
    "hops": [{"label": "x", "places": ["DE"], "seal": {"bits": 128}}],
    "lists": {"ofac-sdn": "2026-11-01"},
    "stale": ["ofac-sdn"],
}
DESCRIBED = """package policyguard.tenant

# METADATA
# title: Nobody sends code
# custom: {id: ACME-01, severity: high, as_of: 2026-11-25, citation: "Handbook, 4.2",
#   effective: [{from: null, to: null, status: customer_policy, verified: true}]}
findings contains {"id": "ACME-01", "effect": "deny", "msg": input.caller.id} if {
"""
FIRST = DESCRIBED.count("\n") + 1


def found(
    modules: dict[str, str],
    *,
    tests: dict[str, str] | None = None,
    data: dict[str, Any] | None = None,
) -> list[tuple[str, int, str]]:
    report = lint_policy(
        LintedPolicy(
            modules=modules,
            tests=tests or {},
            data=data or {},
            shapes=Shapes(views=(VIEW,), calls=({"model": "glm"},)),
        )
    )
    return [(item.file, item.line, item.rule) for item in report.findings]


def rules_of(body: str) -> list[tuple[int, str]]:
    text = f"{DESCRIBED}{body}\n}}\n"
    return [(line - FIRST, rule) for _, line, rule in found({"acme.rego": text})]


@pytest.mark.parametrize(
    "body",
    [
        'not "pii" in input.data.classes',
        "some hop in input.hops\nnot startswith(hop.label, input.caller.id)",
        "some hop in input.hops\nnot hop.seal.bits in {1, 2}",
        "not input.nothing",
        "not input.nothing.at_all",
        "asked := input.nothing\nnot startswith(asked, `x`)",
        "input.nothing\nnot startswith(input.nothing, `x`)",
        "is_string(input.nothing)\nnot startswith(input.nothing, `x`)",
        "some class in input.data.classes\nnot class in {`a`}",
        "not count([x | some x in input.nothing]) in {1}",
        "count([1 | input.nothing; not input.nothing in {1}]) > 0",
        "not input.caller.groups[`staff`] in {1}",
    ],
)
def test_what_is_defined_may_be_negated(body: str) -> None:
    assert rules_of(body) == []


@pytest.mark.parametrize(
    "body",
    [
        'not "pii" in input.data.clases',
        "not startswith(input.caller.name, `a`)",
        "not input.nothing > 3",
        "not data.blocked[input.nothing]",
        "not input.caller.groups[input.nothing]",
        "some hop in input.hops\nnot hop.sael.bits in {1}",
        "some hop in input.hops\nnot input.caller.groups[hop.label] in {1}",
        "not {input.nothing} == {1}",
        "count([1 | true; not input.nothing in {1}]) > 0",
        "some x in [1 | not input.nothing in {1}]",
    ],
)
def test_what_may_be_undefined_is_bound_before_it_is_negated(body: str) -> None:
    assert [rule for _, rule in rules_of(body)] == ["negation"]


@pytest.mark.parametrize(
    ("helper", "expected"),
    [
        ("names := {1} if input.nothing", ["negation"]),
        ("names(x) := x if input.nothing", ["negation"]),
        ("names := {1}", []),
        ("default names := {1}\nnames := {2} if input.nothing", []),
        ("names contains 1 if input.nothing", []),
        ("names[x] := 1 if some x in input.stale", []),
    ],
)
def test_what_rules_compute_is_defined_by_their_form(
    helper: str, expected: list[str]
) -> None:
    used = "names(1)" if helper.startswith("names(") else "names"
    text = f"{DESCRIBED}\tnot 1 in {used}\n}}\n\n{helper}\n"

    assert [rule for _, _, rule in found({"acme.rego": text})] == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("input.data.persons > 3", ["order"]),
        ("3 >= input.data.persons", ["order"]),
        ("persons := input.data.persons\npersons < 3", ["order"]),
        ("input.caller.id < 3", ["order"]),
        ("is_number(input.data.persons)\ninput.data.persons > 3", []),
        ("persons := input.data.persons\nis_number(persons)\npersons < 3", []),
        ("some hop in input.hops\nhop.seal.bits >= 128", []),
        ("count(input.data.classes) > 0", []),
        ("input.data.persons == 3", []),
    ],
)
def test_only_numbers_are_put_in_order(body: str, expected: list[str]) -> None:
    assert [rule for _, rule in rules_of(body)] == expected


def test_a_finding_mentions_only_what_is_there() -> None:
    text = DESCRIBED.replace("input.caller.id", "input.lists[list]")

    assert found({"acme.rego": f"{text}\tsome list in input.stale\n}}\n"}) == [
        ("acme.rego", 7, "vanishing")
    ]
    assert (
        found(
            {
                "acme.rego": f"{text}\tsome list in input.stale\n"
                "\tinput.lists[list]\n}\n"
            }
        )
        == []
    )


def test_text_that_does_not_parse_is_one_finding_and_hides_no_other() -> None:
    broken = {"a.rego": "package a\nx :=\n", "b.rego": "package b\nx := rand.intn(`a`)"}

    assert found(broken) == [("a.rego", 3, "syntax"), ("b.rego", 2, "call")]


def test_text_that_would_hang_the_parser_is_not_parsed() -> None:
    text = "package a\nx := " + "[" * 40 + "]" * 40

    assert [rule for _, _, rule in found({"a.rego": text})] == ["syntax"]


def test_metadata_has_the_id_of_the_findings_below_it() -> None:
    text = f"{DESCRIBED}\ttrue\n}}\n"
    other = text.replace('"id": "ACME-01"', '"id": "ACME-02"')
    without = 'package policyguard.tenant\n\nfindings contains {"id": "A-01"} if true\n'
    computed = without.replace('"A-01"', "input.caller.id")

    assert found({"a.rego": other}) == [("a.rego", 3, "ids"), ("a.rego", 7, "metadata")]
    assert found({"a.rego": without}) == [("a.rego", 3, "metadata")]
    assert found({"a.rego": computed}) == [("a.rego", 3, "literal-id")]
    assert found({"a.rego": text, "b.rego": text}) == [("b.rego", 3, "ids")]


def test_metadata_is_whole_and_its_windows_do_not_overlap() -> None:
    text = f"{DESCRIBED}\ttrue\n}}\n"
    untitled = text.replace("# title: Nobody sends code\n", "")
    unknown = text.replace("severity: high", "severity: huge")
    window = "{from: null, to: null, status: customer_policy, verified: true}"
    twice = text.replace(window, f"{window}, {window}")
    before = text.replace("from: null, to: null", "from: 2026-02-02, to: 2026-01-01")

    assert found({"a.rego": untitled}) == [("a.rego", 3, "metadata")]
    assert found({"a.rego": unknown}) == [("a.rego", 5, "metadata")]
    assert found({"a.rego": twice}) == [("a.rego", 3, "windows")]
    assert found({"a.rego": before}) == [("a.rego", 3, "windows")]


def test_two_tests_of_one_name_are_found_across_files() -> None:
    test = "package a_test\n\ntest_x if true\n"

    assert found({}, tests={"a_test.rego": test, "b_test.rego": test}) == [
        ("b_test.rego", 3, "duplicate-test")
    ]


def test_tests_may_not_call_what_engines_lack_either() -> None:
    assert found(
        {}, tests={"a_test.rego": "package a\ntest_x if rand.intn(`a`) == 1"}
    ) == [("a_test.rego", 2, "call")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"a": {"b": {"x": 1}}}, [("a.rego", 1, "shadow")]),
        ({"a": {"b": {"x": {"y": 1}}}}, [("a.rego", 1, "shadow")]),
        ({"a": 1}, [("a.rego", 1, "shadow")]),
        ({"a": {"c": 1}, "x": 2}, []),
    ],
)
def test_data_at_the_path_of_a_rule_is_found(
    data: dict[str, Any], expected: list[tuple[str, int, str]]
) -> None:
    assert found({"a.rego": "package a.b\n\nx := 1\n"}, data=data) == expected


def test_a_rulebook_that_the_metadata_does_not_give_is_found() -> None:
    text = f"{DESCRIBED}\ttrue\n}}\n"
    data = {"policyguard": {"rulebook": {"revision": "1", "rules": {}}}}

    assert found({"a.rego": text}, data=data) == [
        ("policyguard/rulebook/data.json", 0, "rulebook")
    ]


@pytest.mark.parametrize(
    "body",
    [
        "# policyguard ignore:order -- a number by its schema\ninput.data.persons > 3",
        "input.data.persons > 3 # policyguard ignore:order -- a number by its schema",
        (
            "# policyguard ignore:order -- a number by its schema\n\n# more\n"
            "input.data.persons > 3"
        ),
    ],
)
def test_a_comment_with_a_reason_exempts_one_line(body: str) -> None:
    assert rules_of(body) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            (
                "# policyguard ignore:order -- a number by its schema\ninput.data.persons > 3"
                "\ninput.data.persons > 4"
            ),
            [(2, "order")],
        ),
        (
            "# policyguard ignore:order -- nothing to exempt here\ninput.caller.id == 3",
            [(0, "exemption")],
        ),
        (
            "input.data.persons > 3 # policyguard ignore:negation -- not what is broken",
            [(0, "exemption"), (0, "order")],
        ),
        (
            "input.data.persons > 3 # policyguard ignore:order",
            [(0, "exemption"), (0, "order")],
        ),
        (
            "input.data.persons > 3 # policyguard ignore:order -- because",
            [(0, "exemption"), (0, "order")],
        ),
        (
            "input.data.persons > 3 # policyguard ignore:all -- I do not like it",
            [(0, "exemption"), (0, "order")],
        ),
        (
            "rand.intn(`a`) == 1 # policyguard ignore:call -- I do not like it",
            [(0, "call"), (0, "exemption")],
        ),
        ('input.caller.id == "# policyguard ignore:order"', []),
    ],
)
def test_an_exemption_is_held_to_its_word(
    body: str, expected: list[tuple[int, str]]
) -> None:
    assert rules_of(body) == expected


def test_each_finding_is_one_line_with_place_rule_and_remedy() -> None:
    report = lint_policy(
        LintedPolicy(
            modules={"a.rego": f"{DESCRIBED}\tnot input.x in {{1}}\n}}\n"},
            tests={},
            data={},
            shapes=Shapes(views=(VIEW,)),
        )
    )

    assert [item.text() for item in report.findings] == [
        (
            "a.rego:8: negation: `input.x` may be undefined under `not`: bind it first:"
            " `x := …` on a line of its own, then `not f(x)`"
        )
    ]
    assert {item.rule for item in report.findings} <= set(LINT_RULES)
