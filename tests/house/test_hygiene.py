"""What must not be in any file: machine paths, package hosts, leftovers, idle tests."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
from house.repository import ROOT, files, name_of, tree_of

# Put together, so that this file may be searched as well.
HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "crates" + ".io", "npmjs" + ".com")
MARKS = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")
MACHINE = re.compile(r"(?<![\w.])/(?:home|root|Users|work|farm|mnt)/[\w.]")
TEXT = [
    path
    for path in files()
    if path.suffix in {".py", ".rego", ".md", ".toml", ".yaml", ".json", ".lock", ""}
]
TESTS = [
    path for path in files(".py", under=ROOT / "tests") if path.stem[:5] == "test_"
]
# Calls that fail by themselves.
CLAIMS = re.compile(
    r"^(pytest\.(raises|fail|warns)|(\w+\.)*(assert|verify|validate|require|refuse|expect)s?_\w+"
    r"|(\w+\.)*verify|\w*run_state_machine_as_test)$"
)


def claims(function: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and CLAIMS.match(ast.unparse(node.func)))
        for node in ast.walk(function)
    )


def functions_of(tree: ast.Module) -> dict[str, ast.AST]:
    return {
        node.name: node
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def claiming_helpers(tree: ast.Module) -> set[str]:
    """Return what a test imports from other files of tests that claims something."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            path = (ROOT / "tests").joinpath(*node.module.split(".")).with_suffix(".py")
            there = functions_of(tree_of(path)) if path.is_file() else {}
            named = {alias.name for alias in node.names}
            found |= {name for name in named & set(there) if claims(there[name])}
    return found


def idle(tree: ast.Module) -> list[str]:
    functions = functions_of(tree)
    claiming = {name for name, node in functions.items() if claims(node)}
    claiming |= claiming_helpers(tree)
    found = []
    for name, node in functions.items():
        called = {
            ast.unparse(call.func).rpartition(".")[2]
            for call in ast.walk(node)
            if isinstance(call, ast.Call)
        }
        if name.startswith("test_") and name not in claiming and not called & claiming:
            found.append(name)
    return found


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout of git")
def test_git_keeps_no_link_as_it_would_point_to_what_a_clone_has_not() -> None:
    kept = subprocess.run(
        ["git", "ls-files", "--stage"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    links = [row for row in kept.stdout.splitlines() if row.startswith("120000")]
    assert links == []


@pytest.mark.parametrize("path", TEXT, ids=name_of)
def test_a_file_names_no_machine_and_no_package_host(path: Path) -> None:
    text = path.read_text("utf-8")

    hosts = [host for host in HOSTS if host in text]
    paths = [] if path.name == Path(__file__).name else MACHINE.findall(text)

    assert (hosts, paths) == ([], [])


@pytest.mark.parametrize(
    "path", files(".py", ".rego", ".toml", "Makefile"), ids=name_of
)
def test_a_file_leaves_nothing_for_later(path: Path) -> None:
    text = path.read_text("utf-8")

    found = [mark for mark in MARKS if re.search(rf"\b{mark}\b", text)]

    assert found == []


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_every_test_claims_something(path: Path) -> None:
    assert idle(tree_of(path)) == []


def test_what_runs_before_a_change_lands_includes_the_tests() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    check = re.search(r"^check: ([^#\n]*)", makefile, re.MULTILINE)
    ci = (ROOT / ".ci/run").read_text("utf-8")

    assert check is not None
    assert set(check[1].split()) >= {"lint", "types", "policy", "test", "docs"}
    assert re.search(r"^make check$", ci, re.MULTILINE)
