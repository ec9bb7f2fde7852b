"""Tests of what policies may define and call."""

from __future__ import annotations

import pytest

from policyguard.engines.capabilities import REFUSED_BUILTINS, SHARED_BUILTINS
from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.tree import MAX_RULE_NAMES, PolicyTree, read_tree
from policyguard.errors import EngineLoadError


def _tree(*bodies: str) -> PolicyTree:
    modules = {
        f"m{number}.rego": body if body.startswith("package") else f"package t\n{body}"
        for number, body in enumerate(bodies)
    }
    return read_tree(syntax_tree(compile_modules(modules)))


def _refusal(*bodies: str) -> str:
    with pytest.raises(EngineLoadError) as caught:
        _tree(*bodies).require_shared_calls()
    return str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        "x := f(1)\nf(y) := y + 1",
        "x := data.t.f(1)\nf(y) := y",
        "x := [f(y) | some y in input.l]\ndefault f(_) := 1",
        'x := sprintf("%v", [count({1})])',
        "import data.lib\nx := lib.f(1)",
        "import data.lib as other\nx := other.f(1)",
        "import data.lib.f as g\nx := g(1)",
        "x := data.lib.deep.f(1)",
        "x if print(1)",
        "x := numbers.range(1, 10)",
        "x := y if { y := z with input as input.view }\nz := 1",
        'x := y if { y := z with input.a as 1 with data.catalog["b"] as {} }\nz := 1',
    ],
)
def test_functions_of_the_policy_and_shared_built_ins_are_called(body: str) -> None:
    library = "package lib\nf(y) := y\ndeep.f(y) := y"

    assert _tree(body, library).require_shared_calls() is None


@pytest.mark.parametrize("name", sorted(REFUSED_BUILTINS))
def test_a_refused_built_in_is_refused_with_its_reason(name: str) -> None:
    assert _refusal(f"x := {name}(1)") == (
        f"m0.rego:2: `{name}` {REFUSED_BUILTINS[name]}"
    )


@pytest.mark.parametrize(
    "body",
    [
        "x := nothing(1)",
        "x := lib.f(1)",
        "import data.lib\nx := lib.g(1)",
        "import input.lib\nx := lib.f(1)",
        "x := data.other.f(1)",
        "x := crypto.sha256(input.a)",
        'x if not io.jwt.verify_hs256(input.a, "k")',
        "x if { some y in input.l; every z in y { unknown(z) } }",
        "x := {y: 1 | y := unknown(1)}",
        "x := 1 if { false } else := unknown(1)",
        "x contains unknown(1)",
        "x[unknown(1)] := 2",
        "x := y if { y := z with input as unknown(1) }\nz := 1",
    ],
)
def test_an_unknown_function_is_refused_wherever_it_stands(body: str) -> None:
    message = _refusal(body, "package lib\nf(y) := y")

    assert "is no function of the policy and no built-in" in message


@pytest.mark.parametrize(
    "body",
    [
        "x if { y with count as z }\nz(_) := 1\ny := count([])",
        "x if { y with time.now_ns as 1 }\ny := 1",
        "x if { y with data.t.f as http.send }\ny := f(1)\nf(z) := z",
        "x if { y with f as g }\ny := f(1)\nf(z) := z\ng(z) := z",
        "x if { y with data.t as {} }\ny := f(1)\nf(z) := z",
    ],
)
def test_no_function_is_replaced(body: str) -> None:
    assert "not functions" in _refusal(body)


@pytest.mark.parametrize("name", ["count", "time.now_ns", "http.send", "startswith"])
def test_no_function_takes_the_name_of_a_built_in(name: str) -> None:
    assert _refusal(f"{name}(y) := y") == (
        f"m0.rego:2: `{name}` is a built-in: rename the function"
    )


@pytest.mark.parametrize("alias", ["time", "count", "http"])
def test_no_import_hides_a_built_in(alias: str) -> None:
    assert _refusal(f"import data.lib as {alias}\nx := {alias}.a") == (
        f"m0.rego: the import `{alias}` hides a built-in: name it with `as`"
    )


@pytest.mark.parametrize("range_", ["1, input.n", "0, 10001", "input.n, 3", "1, 1.5"])
def test_ranges_are_literal_and_short(range_: str) -> None:
    assert _refusal(f"x := numbers.range({range_})") == (
        "m0.rego:2: `numbers.range` needs literal arguments from 0 to 10000"
    )


def test_too_many_rule_names_are_refused() -> None:
    body = "\n".join(f"x{number} := 1" for number in range(MAX_RULE_NAMES + 1))

    assert _refusal(body) == "1001 rule names are more than 1000: join some"


def test_finding_ids_are_the_literals_in_heads() -> None:
    tree = _tree(
        'findings contains {"id": "EAR-01", "effect": "deny"} if input.a',
        "findings contains {`id`: `RES-01`}",
        'other contains {"id": "NOT-01"}',
        'package main\nx := {"id": "NOT-02"}',
    )

    assert tree.finding_ids() == {"EAR-01", "RES-01"}


@pytest.mark.parametrize(
    "head", ['{"id": sprintf("EAR-%d", [2])}', "input.finding", '{"effect": "deny"}']
)
def test_a_finding_without_a_literal_id_is_refused(head: str) -> None:
    tree = _tree('findings contains {"id": "EAR-01"}', f"findings contains {head}")

    with pytest.raises(
        EngineLoadError, match=r"m1\.rego:2: a finding has no literal id"
    ):
        tree.finding_ids()


def test_a_set_of_the_same_name_elsewhere_may_be_computed() -> None:
    tree = _tree(
        'findings contains {"id": "EAR-01"}',
        "package main\nfindings contains f if some f in data.t.findings",
    )

    assert tree.finding_ids() == {"EAR-01"}


def test_packages_and_rules_are_paths_below_data() -> None:
    tree = _tree(
        'package a["b c"].d\np.q[r] := 1 if some r in [1]\ns["t"].u contains 1'
    )

    assert tree.paths() == {
        ("a", "b c", "d"),
        ("a", "b c", "d", "p", "q"),
        ("a", "b c", "d", "s", "t", "u"),
    }


@pytest.mark.parametrize("document", [None, 3, [{}], [{"source": {}, "ast": {}}], "x"])
def test_a_tree_of_another_form_is_refused(document: object) -> None:
    with pytest.raises(EngineLoadError, match="unknown form"):
        read_tree(document)


def test_nothing_is_both_shared_and_refused() -> None:
    assert SHARED_BUILTINS & REFUSED_BUILTINS.keys() == set()
