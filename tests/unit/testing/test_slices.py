"""What a definition reads: too much is slow, too little would prove what is not so."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.tree import PolicyTree, read_tree
from policyguard.testing.parts import cases_of
from policyguard.testing.slice_forms import Reads
from policyguard.testing.slices import Slicer


def named(texts: Mapping[str, str]) -> dict[str, str]:
    return {f"{name}.rego": text for name, text in texts.items()}


def tree(**texts: str) -> PolicyTree:
    return read_tree(syntax_tree(compile_modules(named(texts))))


def slicer(**texts: str) -> Slicer:
    return Slicer(tree(**texts), named(texts))


def facts(reads: Reads) -> set[str]:
    return {".".join(path) or "everything" for path in reads.facts}


def of_rule(body: str, *, more: str = "", **others: str) -> set[str]:
    text = f"package p\n\nanswer := true if {{\n{body}\n}}\n\n{more}\n"
    return facts(slicer(p=text, **others).reads(("p", "answer")))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("input.a.b == 1", {"a.b"}),
        ("input.a == null", {"a.~"}),
        ("is_array(input.a)", {"a.~"}),
        ("not input.a.b", {"a.b"}),
        ("x := input.a\nx.b == 1", {"a.?", "a.b"}),
        ("some x in input.xs\nx.b > 2", {"xs.*.~", "xs.*.b"}),
        ("every x in input.xs { x.b == input.c }", {"xs.*.~", "xs.*.b", "c"}),
        ("some x in [input.a, input.b]\nx == 1", {"a", "b"}),
        ("some i\ninput.xs[i].b == 1", {"xs.*.b"}),
        ("input.a[input.key] == 1", {"a.*", "key"}),
        ("count([x | some x in input.xs; x.b]) > 0", {"xs.*.~", "xs.*.b"}),
        ('object.get(input.a, ["b", "c"], 1) == 1', {"a.b.c"}),
        ("[x, _] := input.pair\nx == 1", {"pair.~", "pair.*"}),
        ('{"k": y} := input.o\ny == 1', {"o.~", "o.k"}),
        ("{1, 2} & {input.a} == {1}", {"a"}),
        ("-input.a + 1 > input.b", {"a", "b"}),
    ],
)
def test_a_body_reads_the_facts_that_it_names(body: str, expected: set[str]) -> None:
    assert of_rule(body) == expected


def test_a_function_reads_what_it_reads_of_its_arguments() -> None:
    more = "f(x, y) := x.b if {\n y.c == 1\n} else := 2 if input.d"

    assert of_rule("f(input.o, input.r) == 1", more=more) == {"o.b", "r.c", "d"}


def test_every_branch_of_else_is_read() -> None:
    more = (
        "v := 1 if {\n input.a == 1\n} else := input.c if {\n input.b == 1\n} else := 3"
    )

    assert of_rule("v == 1", more=more) == {"a", "b", "c"}


def test_a_default_is_read_with_the_rule() -> None:
    assert of_rule("v", more="default v := false\n\nv if input.a == 1") == {"a"}


def test_an_alias_of_an_import_is_followed() -> None:
    body = "package p\n\nimport data.q.inner as other\n\nanswer if other.v == 1\n"
    inner = "package q.inner\n\nv := input.a.b\n"

    read = slicer(p=body, q=inner).reads(("p", "answer"))

    assert facts(read) == {"a.b"}


def test_a_part_of_an_object_that_a_rule_makes_is_followed() -> None:
    more = 'o := {"x": input.a, "y": [z | some z in input.zs]}'

    assert of_rule("o.x == 1", more=more) == {"a"}


@pytest.mark.parametrize(
    "body",
    [
        "data.q.v with input as input.a",
        "input == {}",
        "data[input.name].v == 1",
        "some p\ndata[p].v == 1",
    ],
)
def test_what_cannot_be_followed_reads_everything(body: str) -> None:
    other = "package q\n\nv := input.b\n"

    assert "everything" in of_rule(body, q=other)


def test_an_import_of_input_reads_everything() -> None:
    text = "package p\n\nimport input.a as x\n\nanswer if x.b == 1\n"

    assert facts(slicer(p=text).reads(("p", "answer"))) == {"everything"}


def test_a_finding_counts_by_the_fields_that_are_asked_for() -> None:
    text = (
        "package p\n\nfindings contains {\n"
        '"id": "X-01", "effect": _effect, "msg": sprintf("%s", [input.label])} if {\n'
        "input.a == 1\n}\n\n"
        '_effect := "deny" if input.b == 1\n'
    )
    read = slicer(p=text)
    (definition,) = read.contributions("p.rego")

    (case,) = cases_of(read, tree(p=text), definition)

    # Each is a part of its own: they share no variable.
    assert [(part.text.splitlines()[0], facts(part.reads)) for part in case.parts] == [
        ("input.a == 1", {"a"}),
        ("kit_effect := _effect", {"b"}),
        ("kit_field_0 := input.label", {"label.?"}),
    ]


def test_base_documents_and_texts_are_read_too() -> None:
    text = 'package p\n\nanswer if data.list[input.a].x == "DE"\n'

    assert slicer(p=text).reads(("p", "answer")) == Reads(
        facts=frozenset({("a",)}),
        data=frozenset({("list", "*", "x")}),
        texts=frozenset({"DE"}),
    )
