"""Finds where a rule looks into what it reads: operations on texts, and what flows there.

An operation is traced back to the view through variables, parts of objects, comprehensions
and helpers; a helper's argument to what each of its callers gives. A comparison of a fact
that is named beside the text is no look: a space has that text.

INVARIANT: what cannot be traced is said to be looked into.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from policyguard.engines.tree import Module, Node, Path, PolicyTree, literal_of
from policyguard.testing.slice_forms import (
    ANY,
    REFERENCES,
    SCALARS,
    SHAPE,
    THERE,
    Bound,
    Definition,
    Read,
    Scope,
    bind_statement,
    plain,
    span_text,
    taken_apart,
)
from policyguard.testing.sliced import LOOKED_UP
from policyguard.testing.slices import Slicer

Argument: TypeAlias = tuple[Path, int]
"""A parameter: the function, and its place."""
_ORDERS: Final = frozenset({"Lt", "Le", "Gt", "Ge"})
_PASSING: Final = frozenset(
    {"array.concat", "intersection", "object.filter", "object.get", "object.keys",
     "object.remove", "object.union", "print", "sort", "sprintf", "type_name", "union"}
)  # fmt: skip
"""Built-ins that hand on what they are given, or say of what kind it is."""
_SHOWN: Final = frozenset({"msg", "facts", "remedy"})
SIZE: Final = "#"
"""At the end of a path: only how long it is."""
_SIDES: Final = {
    "BoolExpr": ("lhs", "rhs"),
    "ArithExpr": ("lhs", "rhs"),
    "BinExpr": ("lhs", "rhs"),
    "AssignExpr": ("lhs", "rhs"),
    "Membership": ("value", "collection"),
}
_KEY: Final = "key"
"""A key of an object: it may be asked for by a text."""
_OPERATIONS: Final = frozenset({"Call", "RefBrack", *_SIDES})
_JOINING: Final = frozenset({"Union", "ColEq"})
_COMPREHENSIONS: Final = frozenset({"ArrayCompr", "SetCompr", "ObjectCompr"})


class TextUses(Slicer):
    """Says into what some modules look; belongs to one thread.

    Args:
        tree: The parsed policy.
        texts: Module text by name, as it was parsed.
        total: The package of the view.
    """

    def __init__(
        self, tree: PolicyTree, texts: Mapping[str, str], *, total: Path
    ) -> None:
        super().__init__(tree, texts, total=[total], looked_up=LOOKED_UP)
        self._sources = texts
        self._looked: set[Read] = set()
        self._given: dict[Argument, list[tuple[Path, Node, Scope]]] = {}
        self._pending: set[tuple[Path, Read]] = set()
        self._values: dict[Path, list[tuple[Node, Scope]]] = {}
        """By rule the expressions of which one is its value."""
        self._operations: list[tuple[Path, str, Any, Scope]] = []
        self._functions: dict[int, Path] = {}
        """By the place of a scope's parameters in memory whose they are."""
        self._parameters: list[dict[str, int]] = []

    def looked_into(
        self, modules: Iterable[Module], *, idle: Container[str]
    ) -> frozenset[Path]:
        """Return the paths of the view into which modules look; `()` is all of it.

        A last `SIZE` says that only how long it is counts.

        Args:
            modules: A rule's, with those that it depends on.
            idle: Rules that only what is shown refers to.
        """
        self._looked, self._given, self._pending = set(), {}, set()
        self._values.clear()
        self._operations.clear()
        for module in modules:
            text = self._sources[module.name].encode("utf-8")
            for head, node in zip(module.heads, module.tree["rules"], strict=True):
                if not (head.path and head.path[-1] in idle):
                    self._walk_rule(
                        head.path, Definition(module=module, node=node, text=text)
                    )
        # Only now it is known what helpers are given.
        for name, kind, inner, scope in self._operations:
            for node, sized in self._operands(kind, inner, scope):
                self._look(name, node, scope, (SIZE,) if sized else ())
        done: set[tuple[Path, Read]] = set()
        while more := self._pending - done:
            done |= more
            for function, (_, place, *below) in more:
                for caller, node, scope in self._given.get((function, place), ()):
                    self._look(caller, node, scope, tuple(below))
        return frozenset(tuple(path) for kind, *path in self._looked if kind == "input")

    def _query(self, query: Node, scope: Scope) -> Scope:
        """Follow values alone: what else a body asks is an operation of its own."""
        return self._within(query, scope)

    def _walk_rule(self, name: Path, definition: Definition) -> None:
        ((kind, inner),) = definition.node.items()
        values = self._values.setdefault(name, [])
        parameters: dict[str, int] = {}
        self._parameters.append(parameters)
        self._functions[id(parameters)] = name
        scope = Scope(definition.module, definition.text, parameters, set())
        if kind == "Default":
            values.append((inner["value"], scope))
            return
        ((form, head),) = inner["head"].items()
        for place, argument in enumerate(
            head.get("args", ()) if form == "Func" else ()
        ):
            if "Var" in argument:
                parameters[str(argument["Var"]["value"])] = place
            else:  # a helper that asks by its head
                self._pending.add((name, ("param", place)))
        given = [head.get("key"), (head.get("assign") or {}).get("value")]
        within = scope
        for index, body in enumerate(inner["bodies"]):
            within = self._walk_query(name, body["query"], scope)
            if index:
                given = [(body.get("assign") or {}).get("value")]
            values += [(value, within) for value in given if value is not None]
            self._walk(name, given, within)
        if not inner["bodies"]:
            values += [(value, scope) for value in given if value is not None]
            self._walk(name, given, scope)
        self._walk(name, head["refr"], within)

    def _walk_query(self, name: Path, query: Node, above: Scope) -> Scope:
        scope = self._within(query, above)
        for statement in query["stmts"]:
            if statement.get("with_mods"):
                # Other facts stand there in place of those that were asked.
                self._looked.add(("input",))
            self._walk(name, statement["literal"], scope)
        return scope

    def _walk(self, name: Path, item: Any, scope: Scope) -> None:
        """Look at each operation in a part of a rule, but for what it shows."""
        if isinstance(item, list):
            for inner in item:
                self._walk(name, inner, scope)
        if not isinstance(item, dict):
            return
        for key, inner in item.items():
            if key == "fields":
                shown = [
                    pair for _, *pair in inner if literal_of(pair[0]) not in _SHOWN
                ]
                self._walk(name, shown, scope)
                for field in (pair[0] for pair in shown):
                    self._operations.append((name, _KEY, field, scope))
            elif key in _COMPREHENSIONS:
                self._walk_comprehension(name, inner, scope)
            elif key == "Every":
                self._walk_every(name, inner, scope)
            elif key != "span":
                self._note(name, key, inner, scope)
                self._walk(name, inner, scope)

    def _walk_comprehension(self, name: Path, inner: Node, scope: Scope) -> None:
        within = self._walk_query(name, inner["query"], scope)
        if inner.get("key") is not None:
            self._operations.append((name, _KEY, inner["key"], within))
        for part in ("term", "key", "value"):
            self._walk(name, inner.get(part), within)

    def _walk_every(self, name: Path, inner: Node, scope: Scope) -> None:
        self._walk(name, inner["domain"], scope)
        within = scope.inner()
        for part in ("key", "value"):
            if inner.get(part):
                within.bound[span_text(scope.text, inner[part])] = [
                    Bound(inner["domain"], (ANY,), scope)
                ]
        self._walk_query(name, inner["query"], within)

    def _operands(
        self, kind: str, inner: Any, scope: Scope
    ) -> Iterator[tuple[Node, bool]]:
        """Yield what one operation looks into, and whether only at how long it is."""
        if kind == "Call":
            function = ".".join(plain(inner["fcn"]) or ())
            if self._own(inner["fcn"], scope) is None and not _passes(function):
                yield from ((item, function == "count") for item in inner["params"])
        elif kind == "RefBrack":
            if literal_of(inner["index"]) is None:
                yield inner["index"], False
            elif taken_apart(inner["refr"])[0] not in {"input", "data"}:
                # It may be a set, or an object whose keys are facts.
                yield {"RefBrack": inner}, False
        elif kind == _KEY:
            yield inner, False
        elif inner.get("op") not in _JOINING:
            one, other = (inner[side] for side in _SIDES[kind])
            ordered = inner.get("op") in _ORDERS
            for left, right in ((one, other), (other, one)):
                if self._asks(left, right, scope, ordered=ordered):
                    yield left, False

    def _asks(self, one: Node, other: Node, scope: Scope, *, ordered: bool) -> bool:
        """Say whether a comparison with something else looks into a side."""
        if one.keys() & SCALARS:
            return False
        if ordered:
            return "Number" not in other
        if _is_texts(other) and self._is_named(one, scope):
            # A space has these texts.
            return False
        return self._may_be_text(other, scope, set())

    def _is_named(self, node: Node, scope: Scope) -> bool:
        """Say whether a fact is written with its owner, as `input.asked.host`."""
        names = _last_names(node)
        if names is None:
            return False
        reads = self._reads_of(node, scope, ())
        return all(
            kind == "input" and _short(tuple(path)) == names for kind, *path in reads
        )

    def _note(self, name: Path, kind: str, inner: Any, scope: Scope) -> None:
        """Note an operation, and what a helper of one's own is given."""
        if kind in _OPERATIONS:
            self._operations.append((name, kind, inner, scope))
        if kind != "Call":
            return
        function = self._own(inner["fcn"], scope)
        if function is not None:
            for place, node in enumerate(inner["params"]):
                self._given.setdefault((function, place), []).append(
                    (name, node, scope)
                )

    def _own(self, function: Node, scope: Scope) -> Path | None:
        """Return a helper or rule of the policy, by its name."""
        names = plain(function)
        target = None if names is None else self._resolved(names, scope)
        for length in range(len(target or ()), 0, -1):
            if target is not None and target[:length] in self._by_path:
                return target[:length]
        return None

    def _may_be_text(self, node: Node, scope: Scope, seen: set[int]) -> bool:
        """Say whether a text that a rule writes, and no fact, may be a value or in it."""
        if id(node) in seen:
            return False
        seen.add(id(node))
        ((kind, inner),) = node.items()
        if kind in SCALARS:
            return kind in {"String", "RawString"}
        if kind in REFERENCES:
            return self._refers_to_text(node, scope, seen)
        if kind == "Call" and (own := self._own(inner["fcn"], scope)) is not None:
            return self._gives_text(own, seen)
        if kind in _COMPREHENSIONS:
            scope = self._within(inner["query"], scope)
        parts = _parts_of(kind, inner)
        return parts is None or any(
            self._may_be_text(part, scope, seen) for part in parts
        )

    def _refers_to_text(self, node: Node, scope: Scope, seen: set[int]) -> bool:
        base, _, _ = taken_apart(node)
        if not isinstance(base, str):
            return self._may_be_text(base, scope, seen)
        if (bound := scope.find(base)) is not None:
            return any(self._may_be_text(b.node, b.scope, seen) for b in bound)
        if base in scope.parameters:
            name = self._functions[id(scope.parameters)]
            given = self._given.get((name, scope.parameters[base]), ())
            return any(self._may_be_text(item, by, seen) for _, item, by in given)
        own = self._own(node, scope)
        return self._gives_text(own, seen) if own is not None else False

    def _gives_text(self, name: Path, seen: set[int]) -> bool:
        values = self._values.get(name)
        if values is None:
            return True
        return any(self._may_be_text(item, by, seen) for item, by in values)

    def _within(self, query: Node, above: Scope) -> Scope:
        """Return the variables of a query: a key may be a text that is written there."""
        scope = above.inner()
        for statement in query["stmts"]:
            bind_statement(statement["literal"], scope)
            some = statement["literal"].get("SomeIn")
            if some is None or "Var" not in (some.get("key") or {}):
                continue
            base = (
                taken_apart(some["collection"])[0]
                if (some["collection"].keys() & REFERENCES)
                else None
            )
            if base != "input":
                written = Bound({"String": {"value": ""}}, (), scope)
                scope.bound[str(some["key"]["Var"]["value"])].append(written)
        return scope

    def _look(self, name: Path, node: Node, scope: Scope, below: Path) -> None:
        sized = below[-1:] == (SIZE,)
        for found in self._reads_of(node, scope, below[:-1] if sized else below):
            read = (*found, SIZE) if sized else found
            if read[0] == "param":
                self._pending.add((name, read))
            else:
                self._looked.add(read)

    def _reads_of(self, node: Node, scope: Scope, below: Path) -> set[Read]:
        scope.found.clear()
        self._need(node, below, scope)
        found = {read for read in scope.found if read[-1] not in {SHAPE, THERE}}
        scope.found.clear()
        return found


def _passes(function: str) -> bool:
    return function.startswith("is_") or function in _PASSING


def _parts_of(kind: str, inner: Any) -> Sequence[Node] | None:
    """Return what the value of an expression is made of; nothing if that is not known."""
    if kind in {"BoolExpr", "Membership", "UnaryExpr"}:
        return ()
    if kind in {"Array", "Set", "Object"}:
        return (
            inner["items"] if kind != "Object" else [v for _, _, v in inner["fields"]]
        )
    if kind in {"BinExpr", "ArithExpr", "OrExpr"}:
        return [inner["lhs"], inner["rhs"]]
    if kind in _COMPREHENSIONS:
        return [inner.get("term") or inner["value"]]
    function = ".".join(plain(inner["fcn"]) or ()) if kind == "Call" else ""
    if function == "count" or function.startswith("is_"):
        return ()
    # Only who hands on what is given makes no text of its own.
    return inner["params"] if function in _PASSING - {"sprintf", "type_name"} else None


def _is_texts(node: Node) -> bool:
    """Say whether it is a text, or a set of texts, as a space finds them."""
    items: Sequence[Node] = node["Set"]["items"] if "Set" in node else [node]
    return all("String" in item for item in items)


def _last_names(node: Node) -> tuple[str, str] | None:
    """Return the last two names of a reference as it is written, if they are names."""
    if "RefDot" not in node:
        return None
    above = node["RefDot"]["refr"]
    if "RefDot" in above:
        return _field(above), _field(node)
    return (str(above["Var"]["value"]), _field(node)) if "Var" in above else None


def _field(node: Node) -> str:
    return str(node["RefDot"]["field"][1])


def _short(path: Path) -> tuple[str, ...]:
    """Return the names by which a space knows a fact: of owners some `owner`."""
    names = tuple(part for part in path if part != ANY)[-2:]
    if path[-2:-1] == (ANY,):
        return (names[0].removesuffix("s"), *names[1:])
    return names
