"""Makes mutants of a module: each with one small fault that an author could have made.

The operators are those of the literature on XACML (Martin and Xie, WWW 2007: rules,
conditions and effects removed or turned round), and those that rules on dated facts
need: a bound off by one, the first element only, one fact taken for its neighbour, a
fact that is never there. Messages, ids and shown facts are left alone: they decide
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from policyguard.engines.tree import Module, Node, literal_of
from policyguard.testing.bodies import Rule, Statement, rules_of, statements_of, whole
from policyguard.testing.neighbours import NEIGHBOURS, RELATIONS, SOFTER

Edit = tuple[int, int, str]

OPERATORS: Final = (
    "condition dropped",
    "condition negated",
    "effect softened",
    "else dropped",
    "fact that is never there",
    "first element only",
    "member dropped",
    "negation dropped",
    "neighbouring fact",
    "number off by one",
    "operation changed",
    "relation changed",
    "rule dropped",
    "some for every",
    "text changed",
    "truth turned round",
)
"""The kinds of faults."""
STRANGER: Final = '"policyguard-mutant"'
_SHOWN: Final = frozenset({"id", "msg", "remedy", "facts", "missing", "obligation"})
_TALKING: Final = frozenset({"sprintf", "concat", "print", "format_int"})
_BINDING: Final = frozenset({"SomeIn", "SomeVars"})
_PLAIN: Final = frozenset({"String", "Number", "Bool", "Null", "Var", "RefDot"})
_NAMED: Final = frozenset({"Var", "RefDot", "RefBrack", "Call"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """Is one module with one fault."""

    operator: str
    file: str
    line: int
    before: str
    """The text that was replaced, on one line."""
    after: str
    text: str
    """The whole module."""

    @property
    def title(self) -> str:
        """Return what was changed, on one line."""
        change = f"`{self.before}`" + (f" to `{self.after}`" if self.after else "")
        verb = "changed" if self.after else "removed"
        return f"{self.file}:{self.line}: {self.operator}: {verb} {change}"


def mutants_of(
    module: Module, text: str, *, passed_over: AbstractSet[str] = frozenset()
) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its lines, none twice.

    Args:
        module: The parsed module.
        text: What was parsed.
        passed_over: Names of rules that decide nothing, as `shown_only` returns them.
    """
    data = text.encode("utf-8")
    seen = {text}
    rules = rules_of(module, text)
    for head, rule in zip(module.heads, rules, strict=True):
        if head.path[-1:] and head.path[-1] in passed_over:
            continue
        for operator, (start, end, new) in _faults(rule, data):
            changed = (data[:start] + new.encode("utf-8") + data[end:]).decode("utf-8")
            if changed in seen:
                continue
            seen.add(changed)
            yield Mutant(
                operator=operator,
                file=module.name,
                line=data.count(b"\n", 0, start) + 1,
                before=_one_line(data[start:end].decode("utf-8")),
                after=_one_line(new),
                text=changed,
            )


def shown_only(modules: Iterable[Module]) -> frozenset[str]:
    """Return the names of private rules that only what is shown refers to.

    Args:
        modules: All modules of the policy.
    """
    # They are looked at more than once: a generator would be empty the second time.
    modules = tuple(modules)
    known: set[str] = set()
    deciding: set[str] = set()
    for module in modules:
        for head, node in zip(module.heads, module.tree["rules"], strict=True):
            name = head.path[-1] if head.path else ""
            if name.startswith("_"):
                known.add(name)
            # A rule that calls itself by another of its definitions decides no more.
            deciding |= set(_deciding(node)) - {name}
    while True:
        idle = known - deciding
        used = {
            name
            for module in modules
            for head, node in zip(module.heads, module.tree["rules"], strict=True)
            if head.path and head.path[-1] not in idle
            for name in _deciding(node)
            if name != head.path[-1]
        }
        if known - used == idle:
            return frozenset(idle)
        deciding = used


def _deciding(node: Node) -> Iterator[str]:
    """Yield each name that a rule mentions, but for what it shows."""
    stack: list[Any] = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict):
            variable = item.get("Var")
            if variable is not None:
                yield str(variable["value"])
            for key, value in item.items():
                if key == "fields":
                    stack += [v for _, n, v in value if literal_of(n) not in _SHOWN]
                elif key != "span":
                    stack.append(value)


def _faults(rule: Rule, data: bytes) -> Iterator[tuple[str, Edit]]:
    ((kind, inner),) = rule.node.items()
    if kind == "Default":
        yield from _expression(inner["value"], data)
        return
    yield "rule dropped", (rule.start, _line_end(data, rule.end), "")
    yield from _head(inner["head"], data)
    for body, node in zip(rule.bodies, inner["bodies"], strict=True):
        if node["is_else"]:
            span = node["span"]
            yield "else dropped", (span["start"], whole(data, span)[1], "")
            yield from _expression((node.get("assign") or {}).get("value"), data)
        for statement in body.statements:
            yield from _statement(statement, data)


def _head(head: Node, data: bytes) -> Iterator[tuple[str, Edit]]:
    ((form, inner),) = head.items()
    if form == "Set":
        fields = (inner["key"] or {}).get("Object", {}).get("fields")
        if fields is None:
            yield from _expression(inner["key"], data)
        for _, name, value in fields or ():
            key, effect = literal_of(name), literal_of(value)
            if key == "effect" and effect is not None and effect in SOFTER:
                start, end = whole(data, value["String"]["span"])
                yield "effect softened", (start, end, f'"{SOFTER[effect]}"')
            elif key not in _SHOWN:
                yield from _expression(value, data)
    else:
        yield from _expression((inner.get("assign") or {}).get("value"), data)


def _statement(statement: Statement, data: bytes) -> Iterator[tuple[str, Edit]]:
    literal: Any = statement.node["literal"]
    ((kind, inner),) = literal.items()
    start, end = statement.start, statement.end
    binds = kind in _BINDING or _is_assignment(kind, inner)
    if kind == "SomeIn":
        yield from _first_only(statement, inner)
    if not binds:
        yield "condition dropped", (start, end, "true")
    if kind == "NotExpr":
        yield "negation dropped", (start, start + len("not "), "")
    elif kind == "Expr" and not binds:
        yield "condition negated", (start, end, f"not {statement.text}")
    if kind == "Every":
        yield from _some_for_every(statement, inner, data)
        yield from _query(inner["query"], data)
        return
    for part in ("expr", "collection"):
        if part in inner:
            yield from _expression(inner[part], data)
    for replaced in statement.node.get("with_mods") or ():
        yield from _expression(replaced["as"], data)


def _is_assignment(kind: str, inner: Node) -> bool:
    return kind == "Expr" and "AssignExpr" in inner["expr"]


def _query(query: Node, data: bytes) -> Iterator[tuple[str, Edit]]:
    for statement in statements_of(query, data):
        yield from _statement(statement, data)


def _first_only(statement: Statement, inner: Node) -> Iterator[tuple[str, Edit]]:
    variable = inner["value"].get("Var")
    if variable is None or inner["key"] is not None:
        return
    _, found, collection = statement.text.partition(" in ")
    if found:
        yield (
            "first element only",
            (
                statement.start,
                statement.end,
                f"{variable['value']} := [item | some item in {collection}][0]",
            ),
        )


def _some_for_every(
    statement: Statement, inner: Node, data: bytes
) -> Iterator[tuple[str, Edit]]:
    span = inner["query"]["span"]
    conditions = data[span["start"] : span["end"]].decode("utf-8").strip()
    if conditions.startswith("{") and conditions.endswith("}"):
        named = data[statement.start : span["start"]].decode("utf-8")
        some = named.replace("every", "some", 1).strip()
        yield (
            "some for every",
            (statement.start, statement.end, f"{some}\n{conditions[1:-1].strip()}"),
        )


def _expression(node: Any, data: bytes) -> Iterator[tuple[str, Edit]]:
    if not isinstance(node, dict):
        return
    ((kind, inner),) = node.items()
    if not isinstance(inner, dict):
        return
    mutate = _BY_KIND.get(kind)
    if mutate is not None:
        yield from mutate(inner, data)
    if kind == "Call" and _called(inner) in _TALKING:
        return
    if kind in {"RefDot", "Var"}:
        return
    yield from _inside(kind, inner, data)


def _inside(kind: str, inner: Node, data: bytes) -> Iterator[tuple[str, Edit]]:
    for part in (
        "lhs",
        "rhs",
        "value",
        "collection",
        "key",
        "expr",
        "refr",
        "index",
        "term",
    ):
        if kind == "RefBrack" and part == "refr":
            continue
        yield from _expression(inner.get(part), data)
    for item in inner.get("params") or ():
        yield from _expression(item, data)
    for item in inner.get("items") or ():
        # To leave a text out of a set says the same as to change it.
        if "String" not in item:
            yield from _expression(item, data)
    for _, name, value in inner.get("fields") or ():
        if literal_of(name) not in _SHOWN:
            yield from _expression(value, data)
    if "query" in inner:
        yield from _query(inner["query"], data)


def _relation(inner: Node, data: bytes) -> Iterator[tuple[str, Edit]]:
    ((_, left),) = inner["lhs"].items()
    _, start = whole(data, left["span"])
    while start < len(data) and data[start : start + 1].isspace():
        start += 1
    for operator, others in RELATIONS.items():
        if data.startswith(operator.encode(), start):
            for other in others:
                yield "relation changed", (start, start + len(operator), other)
            return


def _set_operation(inner: Node, data: bytes) -> Iterator[tuple[str, Edit]]:
    ((_, left),) = inner["lhs"].items()
    ((_, right),) = inner["rhs"].items()
    start, end = whole(data, left["span"])[1], whole(data, right["span"])[0]
    text = data[start:end].decode("utf-8")
    for operator, other in (("|", "&"), ("&", "|"), ("+", "-"), ("-", "+")):
        if text.strip().startswith(operator):
            at = start + text.encode("utf-8").index(operator.encode())
            yield "operation changed", (at, at + 1, other)
            return


def _members(inner: Node, data: bytes) -> Iterator[tuple[str, Edit]]:
    items = inner["items"]
    kinds = {kind for item in items for kind in item}
    if len(items) < 2 or not kinds <= _PLAIN:  # noqa: PLR2004 -- one of one leaves none
        return
    spans = [whole(data, next(iter(item.values()))["span"]) for item in items]
    for index, (start, end) in enumerate(spans):
        if index + 1 < len(spans):
            yield "member dropped", (start, spans[index + 1][0], "")
        else:
            yield "member dropped", (spans[index - 1][1], end, "")


def _text(inner: Node, data: bytes) -> Iterator[tuple[str, Edit]]:
    start, end = whole(data, inner["span"])
    if data[start:end] != b'""':
        yield "text changed", (start, end, STRANGER)


def _number(inner: Node, data: bytes) -> Iterator[tuple[str, Edit]]:
    span, value = inner["span"], inner["value"]
    if isinstance(value, int):
        for other in (value + 1, value - 1):
            yield "number off by one", (span["start"], span["end"], str(other))
    del data


def _truth(inner: Node, data: bytes) -> Iterator[tuple[str, Edit]]:
    span = inner["span"]
    other = "false" if inner["value"] else "true"
    yield "truth turned round", (span["start"], span["end"], other)
    del data


def _field(inner: Node, data: bytes) -> Iterator[tuple[str, Edit]]:
    span, name = inner["field"]
    start, end = span["start"], span["end"]
    for other in NEIGHBOURS.get(str(name), ()):
        yield "neighbouring fact", (start, end, other)
    yield "fact that is never there", (start, end, f"{name}_unheard_of")
    del data


def _called(inner: Node) -> str:
    variable = inner["fcn"].get("Var")
    return str(variable["value"]) if variable else ""


_BY_KIND: Final[dict[str, Callable[[Node, bytes], Iterator[tuple[str, Edit]]]]] = {
    "BoolExpr": _relation,
    "BinExpr": _set_operation,
    "ArithExpr": _set_operation,
    "Set": _members,
    "Array": _members,
    "String": _text,
    "Number": _number,
    "Bool": _truth,
    "RefDot": _field,
}


def _line_end(data: bytes, end: int) -> int:
    return whole(data, {"start": end, "end": end})[1] if end < len(data) else end


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:97]}..."  # noqa: PLR2004 -- a line's width
