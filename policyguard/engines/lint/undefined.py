"""Finds where an undefined value would silence a rule, or divide two engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policyguard.engines.lint.catalogue import LintFinding, finding_of
from policyguard.engines.lint.scopes import (
    Scope,
    demanded,
    names_of,
    operands,
    queries,
    statements,
)
from policyguard.engines.lint.shapes import Shapes
from policyguard.engines.tree import Node, PolicyTree, path_of

_ORDERINGS: Final = frozenset({"Lt", "Le", "Gt", "Ge"})


def undefined_findings(
    tree: PolicyTree,
    *,
    texts: Mapping[str, str],
    data: Mapping[str, Any],
    shapes: Shapes,
) -> Iterator[LintFinding]:
    """Yield what may be undefined under `not`, in a finding, or in an ordering.

    Args:
        tree: The policy, tests left out.
        texts: The text of its modules by path.
        data: The base document.
        shapes: What is always there.
    """
    names = names_of(tree, data)
    for module in tree.modules:
        scope = Scope(
            module=module,
            source=texts[module.name].encode("utf-8"),
            names=names,
            shapes=shapes,
        )
        for head, rule in zip(module.heads, module.tree["rules"], strict=True):
            ((kind, body),) = rule.items()
            if kind == "Default":
                continue
            bodies = [part["query"] for part in body["bodies"]]
            for query in bodies:
                yield from _in_query(scope, query)
            yield from _in_head(scope, body["head"], bodies, finding=head.contributes)


def _in_query(outer: Scope, query: Node) -> Iterator[LintFinding]:
    scope = outer.within(demanded(outer, query))
    for kind, inner in statements(query):
        if kind == "NotExpr":
            yield from _under_not(scope, inner)
        elif kind == "Expr":
            yield from _unguarded(scope, inner["expr"], query)
        for nested in queries(inner):
            yield from _in_query(scope, nested)


def _under_not(scope: Scope, inner: Node) -> Iterator[LintFinding]:
    for node in operands(inner["expr"], top=True):
        if scope.may_be_undefined(node):
            yield _found(
                "negation",
                scope,
                inner,
                f"`{scope.text(node)}` may be undefined under `not`",
            )


def _in_head(
    scope: Scope, head: Node, bodies: list[Node], *, finding: bool
) -> Iterator[LintFinding]:
    held: set[str] | None = None
    for query in bodies:
        found = set(demanded(scope, query))
        held = found if held is None else held & found
    inside = scope.within(iter(held or ()))
    for query in queries(head):
        yield from _in_query(inside, query)
    if not finding:
        return
    ((_, inner),) = head.items()
    for node in operands(inner["key"]):
        # What rules of the policy compute is shown total by proofs, not by this lint.
        if inside.reads_input(node) and inside.may_be_undefined(node):
            yield _found(
                "vanishing",
                scope,
                next(iter(node.values())),
                f"`{scope.text(node)}` may be undefined, and then nothing is found",
            )


def _unguarded(scope: Scope, node: Node, query: Node) -> Iterator[LintFinding]:
    inner = node.get("BoolExpr")
    if inner is None or inner["op"] not in _ORDERINGS:
        return
    for side in (inner["lhs"], inner["rhs"]):
        bound = _bound(side, query)
        path = path_of(bound)
        if path is None or _is_number(scope, path, known_local=bound is side):
            continue
        if {f"is_number({scope.text(item)})" for item in (side, bound)} & scope.held:
            continue
        yield _found(
            "order",
            scope,
            inner,
            f"`{scope.text(side)}` may be no number",
            f"ask `is_number({scope.text(side)})` first",
        )


def _is_number(scope: Scope, path: tuple[str, ...], *, known_local: bool) -> bool:
    below = scope.below_input(path)
    if below is not None:
        return scope.shapes.input_is_number(scope.module.package, below)
    if scope.absolute(path) is not None:
        # What a rule of the policy computes is that rule's affair.
        return True
    # So is what a variable holds that no reference was bound to.
    if len(path) == 1:
        return known_local
    return scope.shapes.local_is_number(path[1:])


def _bound(side: Node, query: Node) -> Node:
    """Return the reference that a variable stands for, or the side itself."""
    variable = side.get("Var")
    if variable is None:
        return side
    for kind, inner in statements(query):
        assigned = inner["expr"].get("AssignExpr") if kind == "Expr" else None
        if assigned is None:
            continue
        name = assigned["lhs"].get("Var")
        if name is not None and name["value"] == variable["value"]:
            value: Node = assigned["rhs"]
            return value if path_of(value) is not None else side
    return side


def _found(
    rule: str, scope: Scope, inner: Node, message: str, remedy: str = ""
) -> LintFinding:
    return finding_of(
        rule,
        file=scope.module.name,
        line=int(inner["span"]["line"]),
        message=message,
        remedy=remedy,
    )
