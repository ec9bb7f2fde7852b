"""Gives the parts of a rule as text: its bodies, their statements, where each lies.

The engine's syntax tree says where things are, in bytes of UTF-8; what is evaluated a
second time, to explain a failure or to name the cases of a test, is cut out there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policyguard.engines.tree import Module, Node, path_of, walk

_QUOTES: Final = frozenset({b'"', b"`"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Is one statement of a body."""

    text: str
    line: int
    start: int
    """Its first byte in the module."""
    end: int
    node: Node = field(repr=False)

    def mentions(self, name: str) -> bool:
        """Say whether it mentions a variable."""
        return name in set(variables(self.node))


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Is one body of a rule: statements of which each must hold."""

    statements: tuple[Statement, ...]
    braced: bool
    """Whether it stands in braces, so that a statement can be added."""

    def binding(self, name: str) -> str | None:
        """Return the statements up to the first that mentions a name, as text."""
        for index, statement in enumerate(self.statements):
            if statement.mentions(name):
                return self.before(index + 1)
        return None

    def before(self, index: int) -> str:
        """Return the first statements as text, one a line."""
        return "\n".join(item.text for item in self.statements[:index])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Is one rule of a module, as it is written."""

    line: int
    start: int
    end: int
    bodies: tuple[Body, ...]
    """The first body, and those after `else`."""
    case: str | None
    """The variable in brackets in its head, as in `test_x[name] if …`."""
    imports: str
    """The imports of its module, as text."""
    node: Node = field(repr=False)


def rules_of(module: Module, text: str) -> tuple[Rule, ...]:
    """Return the rules of a module in the order of its heads.

    Args:
        module: The parsed module.
        text: What was parsed.
    """
    data = text.encode("utf-8")
    imports = "\n".join(
        _line_of(data, int(item["span"]["start"])) for item in module.tree["imports"]
    )
    return tuple(_rule(item, data, imports) for item in module.tree["rules"])


def statements_of(query: Node, data: bytes) -> tuple[Statement, ...]:
    """Return the statements of a query of the tree.

    Args:
        query: The node that has `stmts`.
        data: The module's bytes.
    """
    return tuple(_statement(item, data) for item in query["stmts"])


def whole(data: bytes, span: Mapping[str, Any]) -> tuple[int, int]:
    """Return where a span begins and ends, quotes included.

    The tree's spans leave out the quotes of a text at either end.
    """
    start, end = int(span["start"]), int(span["end"])
    if start > 0 and data[start - 1 : start] in _QUOTES:
        start -= 1
    if data[end : end + 1] in _QUOTES:
        end += 1
    return start, end


def cut(data: bytes, span: Mapping[str, Any]) -> str:
    """Return the text that a span covers, quotes included."""
    start, end = whole(data, span)
    return data[start:end].decode("utf-8")


def variables(node: Node) -> Iterator[str]:
    """Yield the name of each variable that a node mentions."""
    for inner in walk(node):
        variable = inner.get("Var")
        if variable is not None:
            yield str(variable["value"])


def _rule(item: Node, data: bytes, imports: str) -> Rule:
    ((kind, inner),) = item.items()
    span = inner["span"]
    bodies = () if kind == "Default" else inner["bodies"]
    return Rule(
        line=int(span["line"]),
        start=int(span["start"]),
        end=int(span["end"]),
        bodies=tuple(
            _body(statements_of(body["query"], data), data) for body in bodies
        ),
        case=None if kind == "Default" else _case(inner["head"]),
        imports=imports,
        node=item,
    )


def _body(statements: tuple[Statement, ...], data: bytes) -> Body:
    before = data[: statements[0].start].rstrip() if statements else b""
    return Body(statements=statements, braced=before.endswith(b"{"))


def _case(head: Node) -> str | None:
    ((_, inner),) = head.items()
    bracket = inner["refr"].get("RefBrack")
    if bracket is None or path_of(bracket["refr"]) is None:
        return None
    variable = bracket["index"].get("Var")
    return None if variable is None else str(variable["value"])


def _statement(item: Node, data: bytes) -> Statement:
    start, end = whole(data, item["span"])
    return Statement(
        text=data[start:end].decode("utf-8"),
        line=int(item["span"]["line"]),
        start=start,
        end=end,
        node=item,
    )


def _line_of(data: bytes, start: int) -> str:
    begin = data.rfind(b"\n", 0, start) + 1
    end = data.find(b"\n", start)
    return data[begin : len(data) if end < 0 else end].decode("utf-8")
