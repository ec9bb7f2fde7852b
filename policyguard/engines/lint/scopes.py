"""Walks rules as they bind: what each statement may leave undefined, and what holds by then.

OPA evaluates the arguments of a call under `not` before the `not`: one that is undefined
ends the body. The embedded engine takes the whole call for undefined, so `not` holds.
Where no argument can be undefined, there is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policyguard.engines.capabilities import KNOWN_BUILTINS
from policyguard.engines.lint.shapes import Shapes
from policyguard.engines.tree import Module, Node, Path, PolicyTree, literal_of, path_of

REFERENCES: Final = frozenset({"Var", "RefDot", "RefBrack"})
_CLOSED: Final = frozenset({"ArrayCompr", "SetCompr", "ObjectCompr"})
"""Always defined, whatever is in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Is what a policy defines, and which of it always has a value."""

    defined: frozenset[Path]
    total: frozenset[Path]
    data: Mapping[str, Any]


def names_of(tree: PolicyTree, data: Mapping[str, Any]) -> Names:
    """Return what the definitions of a policy are called.

    Args:
        tree: The policy.
        data: Its base document.
    """
    defined: set[Path] = set()
    total: set[Path] = set()
    for module in tree.modules:
        for head, node in zip(module.heads, module.tree["rules"], strict=True):
            defined.add(head.path)
            if _is_total(node):
                total.add(head.path)
    return Names(defined=frozenset(defined), total=frozenset(total), data=data)


def _is_total(rule: Node) -> bool:
    ((kind, body),) = rule.items()
    if kind == "Default":
        return True
    ((form, inner),) = body["head"].items()
    if form == "Set":
        return True
    # `o[key] := value` and `o contains value` are empty where nothing holds.
    if form == "Compr" and path_of(inner["refr"]) is None:
        return True
    return not body["bodies"] or not any(
        part["query"]["stmts"] for part in body["bodies"]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Is where an expression stands: a module, and what its body demands elsewhere."""

    module: Module
    source: bytes
    names: Names
    shapes: Shapes
    held: frozenset[str] = frozenset()
    """Expressions that the body demands to be defined, as they are written."""

    def within(self, held: Iterator[str]) -> Scope:
        """Return the scope of a body inside this one."""
        return Scope(
            module=self.module,
            source=self.source,
            names=self.names,
            shapes=self.shapes,
            held=self.held | frozenset(held),
        )

    def text(self, node: Node) -> str:
        """Return an expression as it is written, blanks left out."""
        ((_, inner),) = node.items()
        span = inner["span"]
        start, end = int(span["start"]), int(span["end"])
        # The last name of a reference lies beyond the span of its dot.
        if "field" in inner:
            end = max(end, int(inner["field"][0]["end"]))
        return "".join(self.source[start:end].decode("utf-8", "replace").split())

    def may_be_undefined(self, node: Node) -> bool:
        """Say whether an operand may have no value."""
        if self.text(node) in self.held:
            return False
        ((kind, inner),) = node.items()
        if kind == "Call":
            return self._call_may(inner)
        path = path_of(node)
        if path is None:
            return self._base_may(node)
        return not self._is_known(path)

    def _call_may(self, inner: Node) -> bool:
        path = path_of(inner["fcn"])
        if path is None or ".".join(path) in KNOWN_BUILTINS:
            return False
        return self.absolute(path) not in self.names.total

    def _base_may(self, node: Node) -> bool:
        # With a computed index: no example can show that it is always there.
        ((_, inner),) = node.items()
        return "refr" in inner

    def absolute(self, path: Path) -> Path | None:
        """Return the path below `data` that a name means; `None`: it is local."""
        if path[0] == "data":
            return path[1:]
        if path[0] == "input":
            return None
        alias = self.module.aliases.get(path[0])
        if alias is not None:
            whole = alias + path[1:]
            return whole[1:] if whole[0] == "data" else None
        for length in range(len(path), 0, -1):
            if self.module.package + path[:length] in self.names.defined:
                return self.module.package + path
        return None

    def below_input(self, path: Path) -> Path | None:
        """Return the path below `input` that a name means, if it means one."""
        if path[0] == "input":
            return path[1:]
        alias = self.module.aliases.get(path[0])
        if alias is not None and alias[0] == "input":
            return (alias + path[1:])[1:]
        return None

    def reads_input(self, node: Node) -> bool:
        """Say whether a reference begins at `input`."""
        ((_, inner),) = node.items()
        while "refr" in inner:
            ((_, inner),) = inner["refr"].items()
        name = inner.get("value")
        return isinstance(name, str) and self.below_input((name,)) is not None

    def _is_known(self, path: Path) -> bool:
        below = self.below_input(path)
        if below is not None:
            return self.shapes.input_has(self.module.package, below)
        absolute = self.absolute(path)
        if absolute is None:
            # A variable of the body is bound before `not` reads it.
            return len(path) == 1 or self.shapes.local_has(path[1:])
        if absolute in self.names.total:
            return True
        value: Any = self.names.data
        for name in absolute:
            if not isinstance(value, Mapping) or name not in value:
                return False
            value = value[name]
        return True


def operands(node: Node, *, top: bool = False) -> Iterator[Node]:
    """Yield each reference and call in an expression that is evaluated before it.

    Args:
        node: The expression.
        top: Whether it is itself what a statement asks for.
    """
    ((kind, inner),) = node.items()
    if kind in _CLOSED:
        return
    if kind in REFERENCES:
        if not top:
            yield node
        yield from _indices(inner)
        return
    if kind == "Call":
        if not top:
            yield node
        for part in inner["params"]:
            yield from operands(part)
        return
    for value in inner.values() if isinstance(inner, dict) else ():
        yield from _inner_operands(value)


def _indices(inner: Node) -> Iterator[Node]:
    while "refr" in inner:
        if "index" in inner and literal_of(inner["index"]) is None:
            yield from operands(inner["index"])
        ((_, inner),) = inner["refr"].items()


def _inner_operands(value: Any) -> Iterator[Node]:
    if isinstance(value, list):
        for item in value:
            yield from _inner_operands(item)
    elif _is_expression(value):
        yield from operands(value)


def _is_expression(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) != 1:
        return False
    (inner,) = value.values()
    return isinstance(inner, dict) and "span" in inner


def statements(query: Node) -> Iterator[tuple[str, Node]]:
    """Yield kind and content of each statement of a query."""
    for statement in query["stmts"]:
        ((kind, inner),) = statement["literal"].items()
        yield kind, inner


def demanded(scope: Scope, query: Node) -> Iterator[str]:
    """Yield what a body demands to be defined, as it is written."""
    for kind, inner in statements(query):
        if kind == "NotExpr":
            continue
        for value in inner.values():
            for node in _inner_operands(value):
                yield scope.text(node)


def queries(node: Any) -> Iterator[Node]:
    """Yield the outermost queries inside a node."""
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "stmts" in item:
                yield item
                continue
            stack.extend(value for key, value in item.items() if key != "span")
        elif isinstance(item, list):
            stack.extend(item)
