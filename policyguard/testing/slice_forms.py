"""Holds the forms of Rego that a slice is read from: references, scopes, bindings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from policyguard.engines.tree import Module, Node, Path, literal_of

Read: TypeAlias = tuple[Any, ...]
"""A path after `input`, `data`, `text`, or `param` with its place."""
TEXTS: Final = frozenset({"String", "RawString", "Number"})
REFERENCES: Final = frozenset({"Var", "RefDot", "RefBrack"})
ANY: Final = "*"
SHAPE: Final = "~"
THERE: Final = "?"
"""Any element; the shape of a value alone; whether there is one at all."""
SCALARS: Final = frozenset(
    {"Null", "True", "False", "Bool", "Number", "String", "RawString"}
)

SHAPE_ONLY: Final = frozenset(
    {"count", "is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set",
     "is_string"}
)  # fmt: skip
"""Built-ins that look at the shape of their argument alone."""
FORMS: Final = {
    "Call": "_call",
    "Object": "_object",
    "Array": "_items",
    "Set": "_items",
    "ArrayCompr": "_listed",
    "SetCompr": "_elements",
    "ObjectCompr": "_entries",
    "BoolExpr": "_compared",
    "ArithExpr": "_operation",
    "BinExpr": "_operation",
    "OrExpr": "_operation",
    "AssignExpr": "_operation",
    "UnaryExpr": "_operand",
    "Membership": "_membership",
}
"""The methods that read an expression, by its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """Is what some definitions depend on."""

    facts: frozenset[Path] = frozenset()
    """Paths below `input`."""
    data: frozenset[Path] = frozenset()
    """Paths of base documents below `data`; `*` is a computed key."""
    texts: frozenset[str] = frozenset()
    """The texts that they compare with, or look up."""

    def __or__(self, other: Reads) -> Reads:
        """Return what either of both depends on."""
        return Reads(
            facts=_without_included({*self.facts, *other.facts}),
            data=self.data | other.data,
            texts=self.texts | other.texts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """Is where a rule has what it says of each key: dated entries of base documents."""

    entries: Path
    """The document whose keys have entries."""
    otherwise: Path
    """What is said of all other keys."""
    field: Path = ()
    """The field of an entry that it says; without one it says all of them."""

    def reads(self, below: Path) -> set[Read]:
        """Return what is read by who looks a key up.

        Args:
            below: The part of what is said that is asked for.
        """
        asked = self.field or below
        return {
            ("input", "at"),
            ("data", *self.entries, ANY, "boundaries", ANY),
            ("data", *self.entries, ANY, "intervals", ANY, *asked),
            ("data", *self.otherwise, *asked),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """Is one rule or function, as one of perhaps several of its name."""

    module: Module
    node: Node = field(repr=False)
    text: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bound:
    """Is what a variable stands for: a part of an expression, in its scope."""

    node: Node
    below: Path
    scope: Scope


@dataclass(slots=True)
class Scope:
    """Holds the variables of one body, and where to look on; lives for one question."""

    module: Module
    text: bytes
    parameters: Mapping[str, int]
    found: set[Read]
    """What was read so far."""
    above: Scope | None = None
    bound: dict[str, list[Bound]] = field(default_factory=dict)

    def inner(self) -> Scope:
        """Return an empty scope below this one."""
        return Scope(self.module, self.text, self.parameters, self.found, above=self)

    def find(self, name: str) -> list[Bound] | None:
        """Return what a variable stands for; nothing if it is none of a body."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bound:
                return scope.bound[name]
            scope = scope.above
        return None


def reads_in(found: Iterable[Read]) -> Reads:
    """Return reads sorted by what is read."""
    by_kind: dict[str, set[Path]] = {"input": set(), "data": set(), "text": set()}
    for kind, *path in found:
        by_kind[kind].add(tuple(path))
    return Reads(
        facts=_without_included(by_kind["input"]),
        data=frozenset(by_kind["data"]),
        texts=frozenset(path[0] for path in by_kind["text"]),
    )


def _without_included(paths: set[Path]) -> frozenset[Path]:
    """Return reads without those that others include."""
    return frozenset(
        path
        for path in paths
        if not any(path[:length] in paths for length in range(len(path)))
    )


def overlaps(name: Path, path: Path) -> bool:
    """Say whether a reference may reach a rule: where it computes a name, or ends."""
    return all(
        one in {other, ANY, SHAPE, THERE}
        for one, other in zip(name, path, strict=False)
    )


def taken_apart(node: Node) -> tuple[str | Node, Path, list[Node]]:
    """Return what a reference begins with, its keys, and the computed keys.

    It begins with a variable, by its name, or with an expression.
    """
    keys: list[str] = []
    computed: list[Node] = []
    while True:
        ((kind, inner),) = node.items()
        if kind == "Var":
            return str(inner["value"]), tuple(reversed(keys)), computed
        if kind == "RefDot":
            keys.append(str(inner["field"][1]))
        elif kind == "RefBrack":
            literal = literal_of(inner["index"])
            keys.append(ANY if literal is None else literal)
            if literal is None:
                computed.append(inner["index"])
        else:
            return node, tuple(reversed(keys)), computed
        node = inner["refr"]


def plain(node: Node) -> Path | None:
    """Return a reference as names; nothing if one of them is computed."""
    base, keys, computed = taken_apart(node)
    return (base, *keys) if isinstance(base, str) and not computed else None


def computed_in(reference: Node) -> list[Node]:
    """Return the computed keys of a reference."""
    return taken_apart(reference)[2]


def keys_given(node: Node) -> Path | None:
    """Return the path that `object.get` is given, computed elements as any."""
    literal = literal_of(node)
    if literal is not None:
        return (literal,)
    if "Array" not in node:
        return None
    return tuple(literal_of(item) or ANY for item in node["Array"]["items"])


def span_text(data: bytes, span: Node) -> str:
    """Return the text that a span covers."""
    return data[int(span["start"]) : int(span["end"])].decode("utf-8")


def bind_statement(literal: Node, scope: Scope) -> None:
    """Put the variables that a statement gives a value into a scope."""
    ((kind, inner),) = literal.items()
    if kind == "Expr":
        assigned = inner["expr"].get("AssignExpr")
        if assigned is not None:
            _bind(assigned["lhs"], Bound(assigned["rhs"], (), scope), scope)
            if assigned["op"] != "ColEq":
                _bind(assigned["rhs"], Bound(assigned["lhs"], (), scope), scope)
    elif kind == "SomeIn":
        bound = Bound(inner["collection"], (ANY,), scope)
        _bind(inner["value"], bound, scope)
        if inner.get("key") is not None:
            # Keys are read with the elements: which there are is more than the shape.
            _bind(inner["key"], Bound(inner["collection"], (), scope), scope)


def _bind(pattern: Node, bound: Bound, scope: Scope) -> None:
    ((kind, inner),) = pattern.items()
    if kind == "Var":
        scope.bound.setdefault(str(inner["value"]), []).append(bound)
    elif kind == "Array":
        for item in inner["items"]:
            _bind(item, Bound(bound.node, (*bound.below, ANY), bound.scope), scope)
    elif kind == "Object":
        for _, name, value in inner["fields"]:
            key = literal_of(name) or ANY
            _bind(value, Bound(bound.node, (*bound.below, key), bound.scope), scope)
