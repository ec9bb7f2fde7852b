"""Renders the names for field types: closed enumerations, codes and patterns.

What they are is read from the source of the modules that define them, so that it is
written once.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from types import ModuleType


def forms(modules: Iterable[ModuleType], *, used: frozenset[str]) -> str:
    """Return a Markdown table of the forms that these names stand for.

    Args:
        modules: Where the forms are defined.
        used: The names that the reader has met; others are left out.
    """
    found = {name: row for module in modules for name, row in _forms(module)}
    wanted = _with_inner(used & found.keys(), found)
    rows = [
        f"| `{name}` | {shape} | {meaning} |"
        for name, (shape, meaning, _) in sorted(found.items())
        if name in wanted
    ]
    return "\n".join(["| form | is | meaning |", "|---|---|---|", *rows])


def names_in(annotation: str) -> frozenset[str]:
    """Return the names that an annotation mentions."""
    return frozenset(
        node.id
        for node in ast.walk(ast.parse(annotation))
        if isinstance(node, ast.Name)
    )


def without_constraints(annotation: str) -> str:
    """Return an annotation without what `Annotated` adds to a type."""
    bare = _Bare().visit(ast.parse(annotation, mode="eval"))
    return ast.unparse(bare)


class _Bare(ast.NodeTransformer):
    """Replaces `Annotated[T, …]` by `T`."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """Visit one subscription."""
        self.generic_visit(node)
        if _is(node, "Annotated") and isinstance(node.slice, ast.Tuple):
            return node.slice.elts[0]
        return node


def _forms(module: ModuleType) -> Iterator[tuple[str, tuple[str, str, frozenset[str]]]]:
    body = ast.parse(inspect.getsource(module)).body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        target: ast.expr
        if isinstance(statement, ast.AnnAssign):
            target, value = statement.target, statement.value
        elif isinstance(statement, ast.Assign):
            target, value = statement.targets[0], statement.value
        else:
            continue
        if not isinstance(target, ast.Name) or target.id.startswith("_"):
            continue
        if isinstance(value, ast.Subscript) and (shape := _shape(value)):
            inner = names_in(ast.unparse(value))
            yield target.id, (shape, _text_of(following), inner)


def _with_inner(
    names: frozenset[str], found: dict[str, tuple[str, str, frozenset[str]]]
) -> frozenset[str]:
    inner = frozenset().union(*(found[name][2] for name in names)) & found.keys()
    return names if inner <= names else _with_inner(names | inner, found)


def _shape(value: ast.Subscript) -> str:
    if _is(value, "Literal"):
        return " or ".join(
            f"`{node.value!s}`"
            for node in ast.walk(value.slice)
            if isinstance(node, ast.Constant)
        )
    if not _is(value, "Annotated") or not isinstance(value.slice, ast.Tuple):
        return ""
    base = ast.unparse(value.slice.elts[0])
    kind = {"str": "text", "int": "integer", "datetime": "RFC 3339 text"}.get(
        base, base
    )
    for node in ast.walk(value.slice):
        if isinstance(node, ast.keyword) and node.arg == "pattern":
            pattern = ast.literal_eval(node.value).replace("|", r"\|")
            return f"{kind}, `{pattern}`"
    return kind


def _is(node: ast.Subscript, name: str) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == name


def _text_of(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).split()).replace("|", r"\|")
    return ""
