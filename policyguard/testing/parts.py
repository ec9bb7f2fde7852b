"""Splits what makes a finding into parts that can be decided each on its own.

The statements of a body that share no variable hold or do not hold independently: the
body holds where each part does. A part reads few facts where the whole rule reads many,
so that its cases can all be asked. What the head mentions has to be there too, or else
the finding vanishes: each field of it belongs to the part whose variables it uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from policyguard.engines.tree import Node, PolicyTree, literal_of
from policyguard.testing.bodies import Statement, cut, rules_of
from policyguard.testing.slice_forms import SCALARS, THERE, Definition, Reads, span_text
from policyguard.testing.slices import Slicer

EFFECT: Final = "effect"
_COMPREHENSIONS: Final = frozenset({"ArrayCompr", "SetCompr", "ObjectCompr"})
_ROOTS: Final = frozenset({"input", "data", "_"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Is some statements of a body, and expressions that have to be there."""

    text: str
    """What a body of Rego consists of; it gives `kit_effect` a value."""
    reads: Reads = field(repr=False)
    first: int
    """Where in the body its first statement is; fields of the head come after all."""
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Is one way in which a rule makes a finding: all of its parts hold."""

    finding: str
    effect: str | None
    """Its effect; nothing if one of its parts says it."""
    parts: tuple[Part, ...]
    """In the order in which they begin."""


@dataclass(slots=True, kw_only=True)
class _Piece:
    """Is a statement, or a field of the head, before it is known what it belongs to."""

    place: int = 0
    text: str
    names: frozenset[str]
    statement: Node | None = None
    value: Node | None = None
    effect: bool = False


def cases_of(
    slicer: Slicer, tree: PolicyTree, definition: Definition
) -> tuple[Case, ...]:
    """Return the ways in which one definition makes a finding.

    Args:
        slicer: Says what a part reads.
        tree: The policy.
        definition: One that contributes to a set of findings.
    """
    text = definition.text.decode("utf-8")
    rules = rules_of(definition.module, text)
    rule = next(item for item in rules if item.node is definition.node)
    spec = definition.node["Spec"]
    own = definition.module.package
    names = {
        head.path[len(own)]
        for module in tree.modules
        if module.package == own
        for head in module.heads
        if len(head.path) > len(own)
    } | set(definition.module.aliases)
    fields = {
        literal_of(name): (span, value)
        for span, name, value in spec["head"]["Set"]["key"]["Object"]["fields"]
    }
    found = []
    for body, given in zip(rule.bodies, spec["bodies"], strict=True):
        query = given["query"]
        bound = set(_declared(query, definition.text))
        pieces = [
            *_of_statements(body.statements, definition.text),
            *_of_fields(fields, definition.text),
        ]
        for place, piece in enumerate(pieces):
            piece.place = place
            piece.names = frozenset(
                name
                for name in piece.names
                if name in bound or name not in names | _ROOTS
            )
        groups = _joined(pieces)
        effect = literal_of(fields[EFFECT][1])
        found.append(
            Case(
                finding=str(literal_of(fields["id"][1])),
                effect=effect,
                parts=tuple(
                    Part(
                        text=_text_of(group),
                        first=group[0].place,
                        last=group[-1].place,
                        reads=slicer.reads_of_part(
                            definition,
                            query,
                            [p.statement for p in group if p.statement is not None],
                            [
                                (p.value, () if p.effect else (THERE,))
                                for p in group
                                if p.value is not None
                            ],
                        ),
                    )
                    for group in groups
                ),
            )
        )
    return tuple(found)


def _of_statements(statements: Sequence[Statement], data: bytes) -> Iterator[_Piece]:
    for item in statements:
        yield _Piece(
            text=item.text,
            names=frozenset(_free(item.node, data)),
            statement=item.node,
        )


def _of_fields(fields: Any, data: bytes) -> Iterator[_Piece]:
    for name, (span, value) in fields.items():
        text = cut(data, span).partition(":")[2].strip().rstrip(",")
        if name == EFFECT:
            if not value.keys() & SCALARS:
                names = frozenset(_free(value, data))
                text = f"kit_effect := {text}"
                yield _Piece(text=text, names=names, value=value, effect=True)
            continue
        for inner, shown in _needed(value, text, data):
            yield _Piece(text=shown, names=frozenset(_free(inner, data)), value=inner)


def _needed(node: Node, text: str, data: bytes) -> Iterator[tuple[Node, str]]:
    """Yield what has to be there for an expression to be there, each with its text."""
    ((kind, inner),) = node.items()
    if kind in SCALARS:
        return
    if kind == "Array":
        for item in inner["items"]:
            ((_, below),) = item.items()
            yield from _needed(item, cut(data, below["span"]), data)
    elif kind == "Object" and all(
        literal_of(name) is not None for _, name, _ in inner["fields"]
    ):
        for span, _, value in inner["fields"]:
            shown = cut(data, span).partition(":")[2].strip().rstrip(",")
            yield from _needed(value, shown, data)
    elif kind == "Call" and _is_sprintf(inner):
        ((_, below),) = inner["params"][1].items()
        yield from _needed(inner["params"][1], cut(data, below["span"]), data)
    else:
        yield node, text


def _is_sprintf(call: Node) -> bool:
    name = call["fcn"].get("Var", {}).get("value")
    return name == "sprintf" and "Array" in call["params"][1]


def _joined(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Return pieces in groups that share no variable, each in its order."""
    groups: list[tuple[set[str], list[int]]] = []
    for index, piece in enumerate(pieces):
        names, members = set(piece.names), [index]
        rest = []
        for other, own in groups:
            if names & other:
                names |= other
                members += own
            else:
                rest.append((other, own))
        groups = [*rest, (names, members)]
    ordered = sorted(sorted(own) for _, own in groups)
    return [[pieces[index] for index in own] for own in ordered]


def _text_of(group: Sequence[_Piece]) -> str:
    lines = [
        piece.text
        if piece.effect or piece.value is None
        else f"kit_field_{number} := {piece.text}"
        for number, piece in enumerate(group)
    ]
    if not any(piece.effect for piece in group):
        lines.append("kit_effect := true")
    return "\n".join(lines)


def _declared(query: Node, data: bytes) -> Iterator[str]:
    """Yield the variables that a query itself declares."""
    for statement in query["stmts"]:
        ((kind, inner),) = statement["literal"].items()
        if kind == "SomeVars":
            yield from (span_text(data, span) for span in inner["vars"])
        elif kind == "SomeIn":
            for part in ("key", "value"):
                if inner.get(part) is not None:
                    yield from _variables(inner[part])
        elif kind == "Expr":
            assigned = inner["expr"].get("AssignExpr")
            if assigned is not None and assigned["op"] == "ColEq":
                yield from _variables(assigned["lhs"])


def _variables(pattern: Any) -> Iterator[str]:
    if isinstance(pattern, list):
        for item in pattern:
            yield from _variables(item)
    elif isinstance(pattern, dict):
        if "Var" in pattern:
            yield str(pattern["Var"]["value"])
        for value in pattern.values():
            yield from _variables(value)


def _free(node: Any, data: bytes) -> set[str]:
    """Return the variables of a node that are none of a comprehension inside it."""
    found: set[str] = set()
    if isinstance(node, list):
        return found.union(*(_free(item, data) for item in node))
    if not isinstance(node, dict):
        return found
    for key, inner in node.items():
        if key == "Var":
            found.add(str(inner["value"]))
        elif key in _COMPREHENSIONS:
            found |= _free(inner, data) - set(_declared(inner["query"], data))
        elif key == "Every":
            own = {span_text(data, inner[p]) for p in ("key", "value") if inner.get(p)}
            own |= set(_declared(inner["query"], data))
            found |= _free(inner["domain"], data) | (_free(inner["query"], data) - own)
        elif key == "SomeVars":
            found |= {span_text(data, span) for span in inner["vars"]}
        elif key == "Call":
            # What is called is no variable.
            found |= _free(inner["params"], data)
        elif key != "span":
            found |= _free(inner, data)
    return found
