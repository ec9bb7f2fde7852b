"""What the restricted YAML reads, and what it refuses with file, line and field."""

from __future__ import annotations

import pytest

from policyguard.catalog.yaml_text import MAX_NODES, line_of, read_yaml
from policyguard.errors import CatalogError

TEXT = """\
# a comment
models:
  glm-5.2:
    names: [a,
            b]
    version: "5"
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: NO", {"a": "NO"}),
        ("a: yes", {"a": "yes"}),
        ("NO: 1", {"NO": 1}),
        ("a: true", {"a": True}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: ''", {"a": ""}),
        ('a: "true"', {"a": "true"}),
        ("a: 2026-07-02", {"a": "2026-07-02"}),
        ("a: 1.5", {"a": "1.5"}),
        ("a: 007", {"a": "007"}),
        ("a: 0x10", {"a": "0x10"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: -3", {"a": -3}),
        ("a: .inf", {"a": ".inf"}),
        ("a: [1, [], {}]", {"a": [1, [], {}]}),
        ('{"a": [null, false]}', {"a": [None, False]}),
    ],
)
def test_plain_scalars_are_null_boolean_integer_or_text(
    text: str, value: object
) -> None:
    assert read_yaml(text, name="f.yaml") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml:1: `the top`: the file is empty: delete it or fill it"),
        ("# only this", "f.yaml:1: `the top`: the file is empty: delete it or fill it"),
        ("a: 1\nb: 2\na: 3", "f.yaml:3: `a`: duplicate key"),
        ("m:\n  k:\n    x: 1\n    x: 2", "f.yaml:4: `m.k.x`: duplicate key"),
        (
            "a:\n - &x 1",
            "f.yaml:2: `a.0`: anchors and aliases are refused: write it out",
        ),
        ("a: 1\nb: *x", "f.yaml:2: `b`: anchors and aliases are refused: write it out"),
        (
            "a: !!int 1",
            "f.yaml:1: `a`: tag `tag:yaml.org,2002:int` is refused: quote text",
        ),
        ("? [a]\n: b", "f.yaml:1: `the top`: a key must be text"),
        (
            "a: 1\n---\nb: 2",
            "f.yaml:2: `the top`: a second document: one file holds one",
        ),
        ("m:\n  k: 99999999999999999", "f.yaml:2: `m.k`: integer beyond ±(2**53 - 1)"),
        ("a: [" + "[" * 40, "f.yaml:1: `a" + ".0" * 31 + "`: nested deeper than 32"),
    ],
)
def test_what_readers_disagree_on_is_refused(text: str, message: str) -> None:
    with pytest.raises(CatalogError) as caught:
        read_yaml(text, name="f.yaml")
    assert str(caught.value) == message


def test_broken_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(CatalogError, match=r"^f\.yaml:3: `the top`: not YAML: "):
        read_yaml("a:\n  b: 1\n c: 2\n", name="f.yaml")


def test_a_file_of_too_many_values_is_refused() -> None:
    with pytest.raises(CatalogError, match=f"more than {MAX_NODES} values"):
        read_yaml("- a\n" * (MAX_NODES + 1), name="f.yaml")


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ((), 2),
        (("models",), 2),
        (("models", "glm-5.2"), 3),
        (("models", "glm-5.2", "names"), 4),
        (("models", "glm-5.2", "names", 1), 5),
        (("models", "glm-5.2", "version"), 6),
        (("models", "glm-5.2", "developer"), 3),
        (("lists", "x", 3), 2),
    ],
)
def test_a_place_is_found_in_its_line_and_a_missing_one_in_its_entry(
    place: tuple[str | int, ...], line: int
) -> None:
    assert line_of(TEXT, place) == line
