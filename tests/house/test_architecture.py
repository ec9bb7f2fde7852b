"""The house: sizes, names, where errors live, what every module begins with.

Who may import whom is import-linter's, in `make lint`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from house.repository import PACKAGE, ROOT, files, name_of, tree_of

from policyguard import errors

LONGEST = 400
NAMELESS = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
ERRORS = {
    name
    for name, thing in vars(errors).items()
    if isinstance(thing, type) and issubclass(thing, Exception)
}
MODULES = files(".py", under=PACKAGE)
MEASURED = [
    path
    for folder in ("policyguard", "docs", "benchmarks", "examples")
    if (ROOT / folder).is_dir()
    for path in files(".py", under=ROOT / folder)
]


def base_names(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).rpartition(".")[2] for base in node.bases}


def is_exception(node: ast.ClassDef) -> bool:
    return any(
        name in ERRORS or name.endswith(("Error", "Exception", "Warning"))
        for name in base_names(node)
    )


@pytest.mark.parametrize("path", MEASURED, ids=name_of)
def test_a_module_has_four_hundred_lines_at_most(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_named_for_what_it_holds(path: Path) -> None:
    parts = {
        word
        for part in path.relative_to(PACKAGE).with_suffix("").parts
        for word in part.split("_")
    }

    assert parts & NAMELESS == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_in_a_sentence_what_it_is(path: Path) -> None:
    lines = (ast.get_docstring(tree_of(path)) or "").splitlines()

    assert lines, "no docstring"
    assert lines[0].strip()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_begins_with_the_future_of_annotations(path: Path) -> None:
    # A module of plain values, as the version that the build reads, has none.
    code = [
        node
        for node in tree_of(path).body
        if not isinstance(node, (ast.Expr, ast.Assign))
    ]

    first = ast.unparse(code[0]) if code else "from __future__ import annotations"

    assert first == "from __future__ import annotations"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_one_module_defines_exceptions(path: Path) -> None:
    if path == PACKAGE / "errors.py":
        pytest.skip("it is the one")

    found = [
        node.name
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and is_exception(node)
    ]

    assert found == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_imports_the_package_root_or_upwards_by_dots(path: Path) -> None:
    found = [
        ast.unparse(node)
        for node in ast.walk(tree_of(path))
        if (
            isinstance(node, ast.ImportFrom)
            and (node.level or node.module == "policyguard")
        )
        or (
            isinstance(node, ast.Import)
            and any(alias.name == "policyguard" for alias in node.names)
        )
    ]

    assert found == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_verifies_raises_or_returns_none(path: Path) -> None:
    found = [
        f"{node.name} -> {ast.unparse(node.returns) if node.returns else '?'}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("verify_")
        and (node.returns is None or ast.unparse(node.returns) == "bool")
    ]

    assert found == []


def test_the_tree_in_the_docstring_has_every_error() -> None:
    drawn = [
        line.split("── ")[1].split()[0]
        for line in (errors.__doc__ or "").splitlines()
        if "── " in line
    ]

    assert sorted(drawn) == sorted(ERRORS - {"PolicyGuardError"})
