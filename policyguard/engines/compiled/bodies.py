"""Translates bodies: statements in turn, each of which may fail."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from policyguard.engines.compiled.expressions import Expressions
from policyguard.engines.compiled.forms import binds, mentions, require_apart
from policyguard.engines.compiled.names import Names, Rule, only
from policyguard.engines.compiled.writer import Writer
from policyguard.engines.tree import Node, path_of
from policyguard.errors import NotTranslatedError


class Bodies:
    """Translates the bodies of one rule's definition.

    Args:
        names: Finds rules.
        writer: Writes lines.
        rule: Whose definition it is.
        text: The file that it is in.
        use: Is told of each rule that it mentions.
    """

    def __init__(
        self,
        *,
        names: Names,
        writer: Writer,
        rule: Rule,
        text: bytes,
        use: Callable[[Rule], None],
    ) -> None:
        self._writer = writer
        self._text = text
        self._expressions = Expressions(
            names=names,
            writer=writer,
            package=rule.package,
            use=use,
            statements=self.statements,
        )

    def value(self, node: Node) -> str:
        """Return an expression for a value, which is never undefined."""
        return self._expressions.value(node)

    def statements(self, query: Node) -> None:
        """Write the statements of a body, in their order."""
        statements = query["stmts"]
        declared = frozenset(itertools.chain.from_iterable(map(binds, statements)))
        bound: set[str] = set()
        self._writer.pending.append(declared)
        for statement in statements:
            given = binds(statement)
            # The interpreter does not wait for a value either.
            if mentions(statement) & (declared - bound - given):
                raise NotTranslatedError("a name before its value")
            self._statement(statement)
            bound |= given
        self._writer.pending.pop()

    def _statement(self, statement: Node) -> None:
        kind, inner = only(statement["literal"])
        replaced = statement.get("with_mods") or []
        if replaced:
            self._with_input(kind, inner, replaced)
        elif kind == "Expr":
            self._holds(inner["expr"])
        elif kind == "NotExpr":
            self._holds_not(inner["expr"])
        elif kind == "SomeIn":
            self._some(inner)
        elif kind == "Every":
            self._every(inner)
        else:
            raise NotTranslatedError(f"a statement `{kind}`")

    def _holds(self, node: Node) -> None:
        kind, inner = only(node)
        if kind == "AssignExpr":
            self._assign(inner)
            return
        code, is_test = self._expressions.test(node)
        if is_test:
            self._writer.failing(f"not ({code})")
        elif code != "True":
            self._writer.failing(f"{self._writer.kept(code)} is False")

    def _holds_not(self, node: Node) -> None:
        holds = self._writer.program.name("t")
        self._writer.line(f"{holds} = False")
        with self._writer.attempt():
            code, is_test = self._expressions.test(node)
            self._writer.failing(
                f"not ({code})" if is_test else f"{self._writer.kept(code)} is False"
            )
            self._writer.line(f"{holds} = True")
        self._writer.failing(holds)

    def _assign(self, inner: Node) -> None:
        if inner["op"] != "ColEq":
            raise NotTranslatedError("`=`")
        require_apart(inner["lhs"], inner["rhs"])
        value = self._writer.kept(self._expressions.value(inner["rhs"]))
        self._pattern(inner["lhs"], value)

    def _pattern(self, pattern: Node, value: str) -> None:
        kind, inner = only(pattern)
        if kind == "Var":
            if inner["value"] != "_":
                self._writer.bind(str(inner["value"]), value)
            return
        if kind != "Array":
            raise NotTranslatedError(f"a pattern `{kind}`")
        items = inner["items"]
        self._writer.line(
            f"if type({value}) is not list or len({value}) != {len(items)}: raise NO"
        )
        for place, item in enumerate(items):
            if only(item)[0] != "Var":
                raise NotTranslatedError("a pattern in a pattern")
            self._pattern(item, self._writer.kept(f"{value}[{place}]"))

    def _some(self, inner: Node) -> None:
        for pattern in (inner["value"], inner["key"]):
            if pattern is not None:
                require_apart(pattern, inner["collection"])
        collection = self._expressions.value(inner["collection"])
        value = self._writer.program.name("v")
        if inner["key"] is None:
            known = self._writer.kept(collection)
            others = self._writer.through("each", known)
            quick = f"{known} if type({known}) is list else {others}"
            self._writer.loop(f"for {value} in {quick}:")
        else:
            key = self._writer.program.name("v")
            pairs = self._writer.through("each_pair", collection)
            self._writer.loop(f"for {key}, {value} in {pairs}:")
            self._pattern(inner["key"], key)
        self._pattern(inner["value"], value)

    def _every(self, inner: Node) -> None:
        if inner["key"] is not None:
            raise NotTranslatedError("a key in `every`")
        value, fails = self._writer.program.name("v"), self._writer.program.name("t")
        domain = self._writer.kept(self._expressions.value(inner["domain"]))
        self._writer.failing(f"type({domain}) not in COLLECTIONS")
        self._writer.line(f"{fails} = False")
        with (
            self._writer.turns(matter=False),
            self._writer.block(f"for {value} in any_each({domain}):"),
        ):
            self._writer.line(f"{fails} = True")
            span = inner["value"]
            name = self._text[span["start"] : span["end"]].decode("utf-8")
            with self._writer.attempt():
                self._writer.bind(name, value)
                self.statements(inner["query"])
                self._writer.line(f"{fails} = False")
            self._writer.line(f"if {fails}: break")
        self._writer.failing(fails)

    def _with_input(self, kind: str, inner: Node, replaced: Sequence[Node]) -> None:
        if kind != "Expr" or len(replaced) != 1:
            raise NotTranslatedError("`with` in another form")
        if path_of(replaced[0]["refr"]) != ("input",):
            raise NotTranslatedError("`with` for something else than `input`")
        shown = self._writer.kept(self._expressions.value(replaced[0]["as"]))
        memory = self._writer.program.name("m")
        self._writer.line(f"{memory} = [{shown}, *BLANK]")
        before = (self._writer.memory, self._writer.input)
        self._writer.memory, self._writer.input = memory, shown
        self._holds(inner["expr"])
        self._writer.memory, self._writer.input = before
