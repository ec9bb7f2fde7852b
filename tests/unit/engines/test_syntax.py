"""Tests of what policy text is refused before the engine's parser sees it."""

from __future__ import annotations

import pytest

from policyguard.engines.syntax import (
    MAX_CHAIN,
    MAX_COLUMNS,
    MAX_DEPTH,
    MAX_LINES,
    MAX_MODULE_BYTES,
    MAX_MODULES,
    require_parsable,
)
from policyguard.errors import EngineLoadError

BOMBS = {
    "nested arrays": "[\n" * 15_000,
    "closed nested arrays": "[" * 30 + "]" * 30,
    "nested objects": '{"a":' * 30 + "1" + "}" * 30,
    "nested calls": "f(" * 30 + "1" + ")" * 30,
    "much text in some arrays": "[" * 12 + "1,\n" * 9_000 + "1" + "]" * 12,
    "minus signs": "-\n" * 5_000 + "1",
    "a sum": "1+\n" * 5_000 + "1",
    "unions": "{1}|\n" * 5_000 + "{1}",
    "dots": "a" + "\n.b" * 5_000,
    "indices": "a" + "[0]\n" * 5_000,
    "memberships": "1 in\n" * 5_000 + "[1]",
    "comments between": "-#\n" * 5_000 + "1",
    "strings between": '"]"+\n' * 5_000 + "1",
}


def _refusal(text: str) -> str:
    with pytest.raises(EngineLoadError) as caught:
        require_parsable({"a.rego": f"package t\n{text}"})
    return str(caught.value)


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_for_the_parser_is_refused(text: str) -> None:
    assert "name the inner parts" in _refusal(f"x := {text}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x := 1\0\ny := 2", "a.rego:2: holds a NUL: remove it"),
        ("\ufeffx := 1", "a.rego:2: holds a byte order mark: remove it"),
        ('x := "\ud800"', "a.rego: holds a lone surrogate: remove it"),
        (
            "#" + "x" * MAX_COLUMNS,
            f"a.rego:2: longer than {MAX_COLUMNS} columns: break the line",
        ),
        (
            "\n" * MAX_LINES,
            f"a.rego: {MAX_LINES + 2} lines are more than {MAX_LINES}: split the module",
        ),
        (
            "x" * MAX_MODULE_BYTES,
            f"a.rego: {MAX_MODULE_BYTES + 10} bytes are more than 1048576: split the module",
        ),
    ],
)
def test_odd_text_is_refused_with_its_place(text: str, message: str) -> None:
    assert _refusal(text) == message


@pytest.mark.parametrize("path", ["", "a\n.rego", "\u00e4.rego", "\0"])
def test_a_module_path_that_could_mislead_is_refused(path: str) -> None:
    with pytest.raises(EngineLoadError, match="is not printable ASCII"):
        require_parsable({path: "package t"})


def test_too_many_modules_are_refused() -> None:
    modules = {f"{number}.rego": "package t" for number in range(MAX_MODULES + 1)}

    with pytest.raises(EngineLoadError, match="modules are more than"):
        require_parsable(modules)


def test_the_work_of_all_modules_counts_together() -> None:
    text = "package t\nx := " + "[\n" * 11 + "1,\n" * 900 + "1" + "]" * 11

    require_parsable({"a.rego": text})
    with pytest.raises(EngineLoadError, match="brackets around too much text"):
        require_parsable({f"{number}.rego": text for number in range(4)})


def test_brackets_in_strings_and_comments_do_not_count() -> None:
    text = 'x := "' + "[" * 60 + '\\"{{{" # ' + "(" * 60 + "\ny := `" + "[" * 60 + "`"

    assert require_parsable({"a.rego": f"package t\n{text}"}) is None


def test_statements_do_not_make_one_chain() -> None:
    text = "x if {\n" + "\tinput.a.b == 1\n" * MAX_CHAIN + "}"

    assert require_parsable({"a.rego": f"package t\n{text}"}) is None


def test_brackets_as_deep_as_is_allowed_are_accepted() -> None:
    text = "x := " + "(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH

    assert require_parsable({"a.rego": f"package t\n{text}"}) is None
