"""The public face: few names, each of them on purpose, and all of them explained."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from house.repository import PACKAGE, files, name_of, tree_of

import policyguard

MOST = 30
FACE = [
    "Advice",
    "ApprovalRequired",
    "AuditRecord",
    "BundleError",
    "Caller",
    "CannotProtect",
    "CatalogError",
    "ConfigurationError",
    "DataFacts",
    "Decision",
    "EngineError",
    "FROM_CONTEXT",
    "Finding",
    "Guard",
    "ModelCall",
    "ModelUnavailable",
    "NoDecision",
    "NotAllowed",
    "Obligation",
    "PolicyDenied",
    "PolicyGuardError",
    "Settings",
    "Tenant",
    "TrailError",
    "VerificationError",
    "__version__",
    "context",
    "copy_context",
    "denial_of",
    "load_settings",
]
VERBS = {
    "acall",
    "acheck",
    "alternatives",
    "bind",
    "call",
    "check",
    "close",
    "from_config",
    "guarded",
    "protect",
    "route",
}


def undocumented(body: list[ast.stmt], *, prefix: str = "") -> Iterator[str]:
    for node in body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if node.name.startswith("_"):
            continue
        marks = {ast.unparse(item) for item in node.decorator_list}
        silent = any("overload" in mark for mark in marks)
        if ast.get_docstring(node) is None and not silent:
            yield f"{prefix}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node.body, prefix=f"{prefix}{node.name}.")


def test_the_face_is_what_was_agreed() -> None:
    assert policyguard.__all__ == FACE


def test_the_face_is_small_and_sorted() -> None:
    assert len(FACE) <= MOST
    assert sorted(FACE) == FACE


def test_each_name_of_the_face_exists_and_is_no_module() -> None:
    missing = [name for name in FACE if not hasattr(policyguard, name)]
    modules = [name for name in FACE if inspect.ismodule(getattr(policyguard, name))]

    assert (missing, modules) == ([], [])


def test_the_guard_has_the_verbs_of_the_design() -> None:
    public = {name for name in vars(policyguard.Guard) if not name.startswith("_")}

    assert public >= VERBS


@pytest.mark.parametrize("path", files(".py", under=PACKAGE), ids=name_of)
def test_everything_public_says_what_it_is_for(path: Path) -> None:
    assert list(undocumented(tree_of(path).body)) == []
