"""Tests of findings that share their first condition: the same set, other text."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

import pytest

from policyguard.bundle.shipped import load_shipped
from policyguard.engines.joined import join_modules
from policyguard.engines.native import compile_modules, evaluate_on
from policyguard.engines.rule_index import Piece, conditions_by_name, indexed

MAIN = 'package m\n\nanswer := {"findings": data.p.findings}\n'
HEAD = 'findings contains {\n\t"id": "%s",\n\t"of": %s,\n} if {\n%s}\n'


def _text(*heads: str, after: str = "") -> str:
    return "package p\n\n" + "\n".join(heads) + after


def _indexed(text: str) -> str:
    pieces = [Piece(path="p.rego", line=1, text=text)]
    return "".join(
        piece.text for piece in indexed(pieces, named=conditions_by_name(pieces))
    )


def _answers(modules: dict[str, str], inputs: Iterable[object]) -> list[object]:
    base = compile_modules(modules)
    return [
        evaluate_on(base, json.dumps(item), entrypoint="data.m.answer")
        for item in inputs
    ]


def test_heads_with_one_beginning_share_it() -> None:
    text = _text(
        HEAD % ("A-01", "1", "\tinput.a == true\n\tinput.b\n"),
        HEAD % ("A-01", "2", "\t# why\n\tinput.a == true\n"),
        HEAD % ("B-01", "x", "\tx := input.b\n\tx > 3\n"),
        after="\nother := 1\n",
    )

    assert " ".join(_indexed(text).split()) == (
        "package p other := 1"
        " findings contains pg_found__ if { input.a == true some pg_each__ in ["
        ' {{ "id": "A-01", "of": 1, } | input.b },'
        ' {{ "id": "A-01", "of": 2, } | true },'
        " ] some pg_found__ in pg_each__ }"
        " findings contains pg_found__ if { some pg_each__ in ["
        ' {{ "id": "B-01", "of": x, } | x := input.b x > 3 },'
        " ] some pg_found__ in pg_each__ }"
    )


def test_what_is_indexed_finds_the_same() -> None:
    text = _text(
        HEAD % ("A-01", "1", "\tinput.a == true\n\tinput.b\n"),
        HEAD % ("A-02", "input.b", "\tinput.a == true\n"),
        HEAD % ("A-03", "hop", "\tsome hop in input.hops\n\thop != 2\n"),
        HEAD
        % ("A-04", "[hop, more]", "\tsome hop in input.hops\n\tsome more in _more\n"),
        HEAD % ("A-05", "_of(1)", "\tnot input.a\n"),
        HEAD % ("A-06", "[1 | input.b]", "\tnot input.a\n\tcount(_more) > 0\n"),
        HEAD % ("A-07", "input.hops[_]", "\tcount(_more) > 0\n\tinput.hops[_] == 2\n"),
        HEAD % ("A-08", "_more[input.b]", "\tcount(_more) > 0\n"),
        HEAD % ("A-09", "input.c", "\tinput.b == null\n"),
        after="\n_more := [more | some hop in input.hops; more := hop * 2]\n\n_of(x) := input.b if x == 1\n",
    )
    values = [{}, *({"a": a} for a in (True, False, None))]
    inputs = [
        {**one, "hops": hops, **more}
        for one, hops, more in itertools.product(
            values, ([], [1], [1, 2, 3]), ({}, {"b": 0}, {"b": False}, {"b": None})
        )
    ]
    files = {"p.rego": text, "m.rego": MAIN}
    joined = dict(join_modules(files).modules)

    assert _answers(joined, inputs) == _answers(files, inputs)
    assert joined["p/0.rego"].count("some pg_each__ in [") == 5


@pytest.mark.parametrize(
    "text",
    [
        _text('findings contains {"id": "A-01"} if {\n\tinput.a\n}\n'),
        _text('findings contains {\n"id": "A-01",\n} if {\n\tinput.a\n}\n'),
        _text(HEAD % ("A-01", "1", "\tinput.a\n") + "{\n\tinput.b\n}\n"),
        _text(HEAD % ("A-01", "1", "\tinput.a\n") + "\n# or\n{\n\tinput.b\n}\n"),
        _text(HEAD % ("A-01", "1", "\tx := {y | some y in input.a\n}\n\tx\n")),
        _text(HEAD % ("A-01", "1", "\tinput.a\n"), after="\nx := `\n`\n"),
        _text(HEAD % ("A-01", "[" * 9 + "]" * 9, "\tinput.a\n")),
        _text(HEAD % ("A-01", '"pg_found__"', "\tinput.a\n")),
        _text("other contains {\n\t1,\n} if {\n\tinput.a\n}\n"),
    ],
)
def test_what_is_laid_out_otherwise_stays_as_it_is(text: str) -> None:
    assert _indexed(text) == text


@pytest.mark.parametrize(
    "body",
    [
        "\tinput.a ==\n\t\ttrue\n",
        "\tinput.a\n\twith input.a as 1\n",
        "\tx := input.a\n\tx\n",
        "\tinput.a == input.b\n",
        '\tinput.a in {"b"}\n',
        '\tstartswith(input.a, "}")\n',
    ],
)
def test_a_condition_of_another_form_is_not_shared(body: str) -> None:
    text = _text(HEAD % ("A-01", "1", body), HEAD % ("A-02", "2", body))

    assert _indexed(text).count(body) == 2


def test_an_error_names_the_line_of_the_file() -> None:
    text = _text(
        HEAD % ("A-01", "1", "\tinput.a == true\n\tinput.b / 0\n"),
        HEAD % ("A-02", "2", "\tinput.a == true\n"),
    )
    joined = join_modules({"rules/a.rego": text, "m.rego": MAIN})
    lines = joined.modules["p/0.rego"].split("\n")
    line = lines.index("\tinput.b / 0") + 1

    assert joined.original(f"p/0.rego:{line}:2") == "rules/a.rego:8:2"
    assert text.split("\n")[7] == "\tinput.b / 0"


def test_nearly_all_shipped_findings_are_put_together() -> None:
    joined = join_modules(load_shipped().modules)
    texts = "".join(joined.modules.values())

    assert texts.count("\nfindings contains {") == 0
    assert texts.count("\nfindings contains pg_found__") < 60


def test_conditions_stand_for_the_name_that_says_only_them() -> None:
    text = _text(
        HEAD % ("A-01", "1", "\t_sent\n\tinput.c\n"),
        HEAD % ("B-01", "2", "\tinput.a == true\n"),
        after="\n_sent if {\n\tinput.a == true\n\tnot input.b\n}\n",
    )

    assert " ".join(_indexed(text).split()).startswith(
        "package p _sent if { input.a == true not input.b }"
        " findings contains pg_found__ if { input.a == true some pg_each__ in ["
        ' {{ "id": "A-01", "of": 1, } | not input.b input.c },'
        ' {{ "id": "B-01", "of": 2, } | true },'
    )


@pytest.mark.parametrize(
    "definition",
    [
        "_sent if {\n\tinput.a\n}\n\n_sent if {\n\tinput.b\n}\n",
        "default _sent := true\n\n_sent if {\n\tinput.a\n}\n",
        "_sent if {\n\tinput.a\n} else := false\n",
        "_sent if {\n\tinput.a\n}\n\n{\n\tinput.b\n}\n",
        "_sent if {\n\tsome x in input.a\n}\n",
        "_sent if {\n\tx := input.a\n}\n",
        "_sent := input.a if {\n\tinput.a\n}\n",
        "_sent(x) if {\n\tinput.a\n}\n",
    ],
)
def test_a_name_that_says_more_is_left(definition: str) -> None:
    text = _text(
        HEAD % ("A-01", "1", "\t_sent\n"),
        HEAD % ("A-02", "2", "\t_sent\n\tinput.c\n"),
        after=f"\n{definition}",
    )

    assert "findings contains pg_found__ if {\n\t_sent\n" in _indexed(text)


def test_a_condition_in_the_place_of_a_name_finds_the_same() -> None:
    text = _text(
        HEAD % ("A-01", "1", "\t_sent\n\tinput.c\n"),
        HEAD % ("B-01", "2", "\t_sent\n"),
        HEAD % ("C-01", "3", "\tnot _sent\n"),
        HEAD % ("D-01", "_sent", "\tinput.c\n"),
        after="\n_sent if {\n\tinput.a == true\n\tnot input.b\n}\n",
    )
    inputs = [
        dict(zip("abc", values, strict=True))
        for values in itertools.product((True, False, None), repeat=3)
    ]
    files = {"p.rego": text, "m.rego": MAIN}

    assert _answers(dict(join_modules(files).modules), inputs) == _answers(
        files, inputs
    )
