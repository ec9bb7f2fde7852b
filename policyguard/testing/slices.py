"""Says which facts of `input` a definition reads, following single facts through names.

A read is a path below `input`; `*` in it is any element. A last `~` says that only shape
counts: of which type it is, how long; a last `?` that it is there at all. Where a form is not
understood, the answer is everything: too much is slow, too little would be wrong.

INVARIANT: a definition's answer depends on no fact outside what is returned for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from policyguard.engines.capabilities import KNOWN_BUILTINS
from policyguard.engines.tree import FINDINGS, Node, Path, PolicyTree, literal_of
from policyguard.testing.slice_forms import (
    ANY,
    FORMS,
    REFERENCES,
    SCALARS,
    SHAPE,
    SHAPE_ONLY,
    TEXTS,
    THERE,
    Bound,
    Definition,
    LookedUp,
    Read,
    Reads,
    Scope,
    bind_statement,
    computed_in,
    keys_given,
    overlaps,
    plain,
    reads_in,
    span_text,
    taken_apart,
)


class Slicer:
    """Answers what definitions read; belongs to one thread.

    Args:
        tree: The parsed policy.
        texts: Module text by name, as it was parsed.
        total: Packages whose objects are taken to be there: what is asked of them is
            asked of calls of which every part of an object is defined.
        looked_up: Rules that hold, for whatever key, what a base document says of it;
            at the instant. Who looks a key up reads the key, instant and document.
    """

    def __init__(
        self,
        tree: PolicyTree,
        texts: Mapping[str, str],
        *,
        total: Iterable[Path] = (),
        looked_up: Mapping[Path, LookedUp] | None = None,
    ) -> None:
        self._total = frozenset(total)
        self._looked_up = looked_up or {}
        self._by_path: dict[Path, list[Definition]] = {}
        self._memo: dict[tuple[Path, Path], frozenset[Read]] = {}
        for module in tree.modules:
            data = texts[module.name].encode("utf-8")
            for head, node in zip(module.heads, module.tree["rules"], strict=True):
                self._by_path.setdefault(head.path, []).append(
                    Definition(module=module, node=node, text=data)
                )

    def reads_of_part(
        self,
        definition: Definition,
        query: Node,
        statements: Iterable[Node],
        values: Iterable[tuple[Node, Path]] = (),
    ) -> Reads:
        """Return what decides whether some statements of a body hold.

        Args:
            definition: Whose body it is.
            query: The body.
            statements: Those of its statements that count, with all that give their
                variables a value.
            values: Expressions of the head that have to be there too, each with the
                part that is asked for.
        """
        found: set[Read] = set()
        scope = Scope(definition.module, definition.text, {}, found).inner()
        for statement in query["stmts"]:
            bind_statement(statement["literal"], scope)
        for statement in statements:
            if statement.get("with_mods"):
                found.add(("input",))
            self._statement(statement["literal"], scope)
        for node, below in values:
            self._need(node, below, scope)
        return reads_in(found)

    def reads(self, path: Path, below: Path = ()) -> Reads:
        """Return what a part of a rule's value depends on.

        Args:
            path: The rule's name without `data`.
            below: The part of its value that is asked for.
        """
        return reads_in(self._summary(path, below))

    def contributions(self, module: str) -> tuple[Definition, ...]:
        """Return the definitions of a module that contribute findings."""
        return tuple(
            definition
            for path, definitions in self._by_path.items()
            if path[-1] == FINDINGS
            for definition in definitions
            if definition.module.name == module
        )

    def _summary(self, path: Path, below: Path) -> frozenset[Read]:
        known = self._memo.get((path, below))
        if known is not None:
            return known
        self._memo[path, below] = frozenset({("input",)})  # a circle reads everything
        found: set[Read] = set()
        if path[-1] == FINDINGS:
            found.add(("input",))
        for definition in self._by_path[path]:
            self._definition(definition, below, found)
        self._memo[path, below] = frozenset(found)
        return self._memo[path, below]

    def _definition(
        self, definition: Definition, below: Path, found: set[Read]
    ) -> None:
        ((kind, inner),) = definition.node.items()
        if kind == "Default":
            scope = Scope(definition.module, definition.text, {}, found)
            self._need(inner["value"], below, scope)
            return
        ((form, head),) = inner["head"].items()
        arguments = head.get("args", ()) if form == "Func" else ()
        parameters: dict[str, int] = {}
        for index, argument in enumerate(arguments):
            variable = argument.get("Var")
            if variable is None:
                found.add(("param", index))
                self._need(
                    argument, (), Scope(definition.module, definition.text, {}, found)
                )
                if not argument.keys() & SCALARS:
                    found.add(("input",))
            else:
                parameters[str(variable["value"])] = index
        scope = Scope(definition.module, definition.text, parameters, found)
        bodies = inner["bodies"]
        assign = head.get("assign")
        if not bodies:
            self._value(form, head, assign, below, scope)
        for index, body in enumerate(bodies):
            within = self._query(body["query"], scope)
            given = body.get("assign") if index else assign
            self._value(form, head, given, below, within)

    def _value(
        self, form: str, head: Node, assign: Node | None, below: Path, scope: Scope
    ) -> None:
        if form == "Set":
            if head.get("key") is not None:
                self._need(head["key"], below[1:], scope)
            return
        computed = computed_in(head["refr"])
        for item in computed:
            self._need(item, (), scope)
        if assign is not None:
            self._need(assign["value"], below[len(computed) :], scope)

    def _query(self, query: Node, scope: Scope) -> Scope:
        """Read every statement of a body, and return the scope with its variables."""
        inner = scope.inner()
        for statement in query["stmts"]:
            bind_statement(statement["literal"], inner)
        for statement in query["stmts"]:
            if statement.get("with_mods"):
                scope.found.add(("input",))
            self._statement(statement["literal"], inner)
        return inner

    def _statement(self, literal: Node, scope: Scope) -> None:
        ((kind, inner),) = literal.items()
        if kind in {"Expr", "NotExpr"}:
            node = inner["expr"]
            assigned = node.get("AssignExpr")
            if assigned is not None and assigned["op"] == "ColEq":
                # What it is counts where the variable is used; here that it is.
                part = THERE if "Var" in assigned["lhs"] else SHAPE
                self._need(assigned["rhs"], (part,), scope)
            elif node.keys() & REFERENCES:
                self._truth(node, scope)
            else:
                self._need(node, (), scope)
        elif kind == "SomeIn":
            self._need(inner["collection"], (ANY, SHAPE), scope)
        elif kind == "Every":
            self._need(inner["domain"], (ANY, SHAPE), scope)
            within = scope.inner()
            domain = Bound(inner["domain"], (ANY,), scope)
            for part in ("key", "value"):
                if inner.get(part):
                    within.bound[span_text(scope.text, inner[part])] = [domain]
            self._query(inner["query"], within)
        elif kind != "SomeVars":
            scope.found.add(("input",))

    def _truth(self, node: Node, scope: Scope) -> None:
        """Read a reference that has to be there, and not be false."""
        before, ways = set(scope.found), list[set[Read]]()
        for below in ((), (SHAPE,)):
            scope.found.clear()
            self._need(node, below, scope)
            ways.append(set(scope.found))
        whole, shape = ways
        # Base documents are the same in every call: what is in one matters to none.
        same = all(kind in {"data", "text"} for kind, *_ in whole - shape)
        scope.found.clear()
        scope.found |= before | (shape if same else whole)

    def _need(self, node: Node, below: Path, scope: Scope) -> None:
        ((kind, inner),) = node.items()
        if kind in TEXTS:
            scope.found.add(("text", str(inner["value"])))
        elif kind in REFERENCES:
            self._reference(node, below, scope)
        elif kind in FORMS:
            getattr(self, FORMS[kind])(inner, below, scope)
        elif kind not in SCALARS:
            scope.found.add(("input",))

    def _items(self, inner: Node, below: Path, scope: Scope) -> None:
        own = below if below in {(SHAPE,), (THERE,)} else below[1:]
        for item in inner["items"]:
            self._need(item, own, scope)

    def _elements(self, inner: Node, below: Path, scope: Scope) -> None:
        if below == (THERE,):
            return
        within = self._query(inner["query"], scope)
        # How many there are of a set depends on which are the same.
        self._need(inner["term"], () if below == (SHAPE,) else below[1:], within)

    def _listed(self, inner: Node, below: Path, scope: Scope) -> None:
        if below == (THERE,):
            return
        within = self._query(inner["query"], scope)
        self._need(inner["term"], below if below == (SHAPE,) else below[1:], within)

    def _entries(self, inner: Node, below: Path, scope: Scope) -> None:
        if below == (THERE,):
            return
        within = self._query(inner["query"], scope)
        self._need(inner["key"], (), within)
        if below != (SHAPE,):
            self._need(inner["value"], below[1:], within)

    def _operation(self, inner: Node, below: Path, scope: Scope) -> None:
        # Whoever walks through a union looks at elements of both.
        op = inner.get("op")
        both = (op == "Union" and below[:1] == (ANY,)) or (
            op in {"Union", "Intersection"} and below == (THERE,)
        )
        for side in ("lhs", "rhs"):
            self._need(inner[side], below if both else (), scope)

    def _operand(self, inner: Node, below: Path, scope: Scope) -> None:
        del below
        self._need(inner["expr"], (), scope)

    def _membership(self, inner: Node, below: Path, scope: Scope) -> None:
        del below
        for part in ("key", "value", "collection"):
            if inner.get(part) is not None:
                self._need(inner[part], (), scope)

    def _compared(self, inner: Node, below: Path, scope: Scope) -> None:
        del below
        sides = (inner["lhs"], inner["rhs"])
        null = any("Null" in side for side in sides)
        for side in sides:
            self._need(side, (SHAPE,) if null else (), scope)

    def _object(self, inner: Node, below: Path, scope: Scope) -> None:
        total = scope.module.package in self._total
        whole = below in {(SHAPE,), (THERE,)}
        if total and whole:
            return
        for _, name, value in inner["fields"]:
            literal = literal_of(name)
            if literal is None:
                self._need(name, (), scope)
            else:  # who looks a fact up in it compares it with its keys
                scope.found.add(("text", literal))
            if whole or not below:
                self._need(value, (THERE,) if whole else (), scope)
            elif literal is None or below[0] in {ANY, literal}:
                self._need(value, below[1:], scope)
            elif not total:
                # An object of which one value is undefined is undefined as a whole.
                self._need(value, (THERE,), scope)

    def _call(self, call: Node, below: Path, scope: Scope) -> None:
        name, parameters = plain(call["fcn"]), call["params"]
        target = None if name is None else self._resolved(name, scope)
        if target is not None and target in self._by_path:
            for read in self._summary(target, below):
                if read[0] == "param":
                    if read[1] >= len(parameters):
                        scope.found.add(("input",))
                    else:
                        self._need(parameters[read[1]], read[2:], scope)
                else:
                    scope.found.add(read)
            return
        self._builtin(".".join(name or ()), parameters, below, scope)

    def _builtin(
        self, builtin: str, parameters: Sequence[Node], below: Path, scope: Scope
    ) -> None:
        if builtin not in KNOWN_BUILTINS:
            scope.found.add(("input",))
        elif builtin == "object.union" or (
            builtin == "array.concat" and below[:1] in {(ANY,), (SHAPE,)}
        ):
            for item in parameters:
                self._need(item, below, scope)
        elif (
            builtin == "object.get" and (keys := keys_given(parameters[1])) is not None
        ):
            self._need(parameters[0], keys + below, scope)
            self._need(parameters[2], below, scope)
        else:
            part: Path = (SHAPE,) if builtin in SHAPE_ONLY else ()
            if builtin == "sprintf" and below in {(SHAPE,), (THERE,)}:
                part = (THERE,)
            for item in parameters:
                self._need(item, part, scope)

    def _reference(self, node: Node, below: Path, scope: Scope) -> None:
        base, keys, computed = taken_apart(node)
        for item in computed:
            self._need(item, (), scope)
        path = (*keys, *below)
        if not isinstance(base, str):
            self._need(base, path, scope)
            return
        bound = scope.find(base)
        if bound is not None:
            for found in bound:
                self._need(found.node, found.below + path, found.scope)
        elif base in scope.parameters:
            scope.found.add(("param", scope.parameters[base], *path))
        elif base == "input":
            scope.found.add(("input", *path))
        else:
            self._document(base, keys, below, scope)

    def _document(self, base: str, keys: Path, below: Path, scope: Scope) -> None:
        name = self._resolved((base, *keys), scope)
        if name is None:
            # An import of `input`, or a variable of a reference, which is read whole.
            if base in scope.module.aliases:
                scope.found.add(("input",))
            return
        for length in range(len(name), 0, -1):
            looked_up = self._looked_up.get(name[:length])
            asked = name[length:] + below
            if looked_up is not None and asked and asked[0] not in {SHAPE, THERE}:
                scope.found |= looked_up.reads(asked[1:])
                return
            if name[:length] in self._by_path:
                scope.found |= self._summary(name[:length], name[length:] + below)
                return
        if any(overlaps(name, path) for path in self._by_path):
            scope.found.add(("input",))
        else:
            scope.found.add(("data", *name, *below))

    def _resolved(self, name: Path, scope: Scope) -> Path | None:
        """Return a name as a path below `data`; none for a variable."""
        if name[0] == "data":
            return name[1:]
        alias = scope.module.aliases.get(name[0])
        if alias is not None:
            return (alias + name[1:])[1:] if alias[0] == "data" else None
        own = scope.module.package + name
        known = any(
            own[:length] in self._by_path
            for length in range(len(scope.module.package) + 1, len(own) + 1)
        )
        return own if known else None
