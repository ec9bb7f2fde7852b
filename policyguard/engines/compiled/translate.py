"""Translates policy into one Python program: a function for each rule.

`rN(M)` gives the value of rule `N`, or `U` if it has none; what it was is kept in `M`, the
memory of one evaluation, whose first entry is the question. Rules that no question changes
are kept in `K`, for as long as the program. `rN(M, …)` is a function of the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from policyguard.engines.compiled.bodies import Bodies
from policyguard.engines.compiled.forms import constant_code, is_constant
from policyguard.engines.compiled.names import Names, Rule, only
from policyguard.engines.compiled.shared import Definition, grouped, shared
from policyguard.engines.compiled.writer import Program, Writer
from policyguard.engines.tree import Node, Path, walk
from policyguard.errors import NotTranslatedError

MOST_RULES = 4_000
LOOPS: Final = frozenset({"ArrayCompr", "SetCompr", "ObjectCompr", "Every", "SomeIn"})
"""Forms that go through a collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """Is a program as text, in parts that are run one after the other."""

    parts: tuple[str, ...]
    entry: int
    """The number of the rule that answers."""
    rules: int
    """How many places a memory has, beside the question."""
    paths: tuple[Path, ...] = ()
    """Of the policy's packages and rules, which no data may shadow, if they are known."""


def translate(document: Iterable[Node], *, entrypoint: str) -> Translated:
    """Return the program of a policy.

    Args:
        document: The syntax tree as the engine writes it.
        entrypoint: The rule that answers, as `data.policyguard.main.decision`.

    Raises:
        NotTranslatedError: what answers uses a form that is left to the interpreter.
    """
    names = Names(document)
    path = tuple(entrypoint.split("."))[1:]
    entry = names.rules.get(path)
    if entry is None or entry.kind != "value" or len(names.rules) > MOST_RULES:
        raise NotTranslatedError("the entrypoint")
    program = Program()
    waiting, known = [entry], {entry.path}

    def use(rule: Rule) -> None:
        if rule.path not in known:
            known.add(rule.path)
            waiting.append(rule)

    try:
        while waiting:
            _Translator(names, program, waiting.pop(), use).write()
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise NotTranslatedError("a tree of an unknown form") from error
    return Translated(parts=program.parts(), entry=entry.number, rules=len(names.rules))


class _Translator:
    """Writes the functions of one rule."""

    def __init__(
        self, names: Names, program: Program, rule: Rule, use: Callable[[Rule], None]
    ) -> None:
        self._names, self._program, self._rule, self._use = names, program, rule, use

    def write(self) -> None:
        """Write them."""
        rule = self._rule
        if rule.kind == "set":
            self._write_set()
            return
        own = [
            self._definition(place, text, node)
            for place, (text, node) in enumerate(rule.definitions)
        ]
        remembers = self._is_worth_remembering()
        if len(own) == 1 and rule.kind in {"value", "function"} and not rule.default:
            if remembers:
                self._write_remembering(own[0])
            else:
                self._program.lines.append(f"r{rule.number} = {own[0]}")
            return
        self._program.lines.append(f"def r{rule.number}({self._parameters()}):")
        if rule.kind == "object":
            self._write_object(own)
        else:
            self._write_value(own)
        if remembers:
            self._program.lines.append(f"g{rule.number} = r{rule.number}")
            self._write_remembering(f"g{rule.number}")

    def _is_worth_remembering(self) -> bool:
        """Say whether a function goes through something, and is asked the same again."""
        rule = self._rule
        return (
            rule.kind == "function"
            and rule.arguments > 0
            and rule.path in self._names.called_alike
            and any(
                not LOOPS.isdisjoint(node)
                for _, definition in rule.definitions
                for node in walk(definition)
            )
        )

    def _write_remembering(self, function: str) -> None:
        """Write a function that gives for the same arguments what it gave before.

        The same are those that are one object: no value changes after it was made. They
        are kept with what was given, so that no other object can take their place.
        """
        number, given = self._rule.number, self._parameters()
        arguments = given.removeprefix("M, ")
        identities = ", ".join(f"id({name})" for name in arguments.split(", "))
        self._program.lines.append(f"def r{number}({given}):")
        self._line(f"c = M[{number}]")
        self._line(f"if c is N: c = M[{number}] = {{}}")
        self._line(f"k = ({identities},)")
        self._line("e = c.get(k)")
        self._line("if e is not None: return e[0]")
        self._line(f"v = {function}({given})")
        self._line(f"c[k] = (v, {arguments})")
        self._line("return v")

    def _write_set(self) -> None:
        rule = self._rule
        own = [
            shared(place, text, node)
            for place, (text, node) in enumerate(rule.definitions)
        ]
        names = self._write_members(own, known=0)
        self._program.lines.append(f"def r{rule.number}(M):")
        self._line("s = Members()")
        for name in names:
            self._line(f"{name}(M, s)")
        self._line("return s")

    def _write_members(self, own: list[Definition], *, known: int) -> list[str]:
        """Write the functions of a set's members, and return those to call.

        Args:
            own: What defines them; they begin alike in so many conditions as are known.
            known: How many of the conditions hold where they are called.
        """
        names = []
        for together in grouped(own, known):
            if len(together) == 1:
                one = together[0]
                names.append(self._definition(one.place, one.text, one.node, known))
                continue
            inner = self._write_members(together, known=known + 1)
            name = self._program.name(f"r{self._rule.number}_g")
            names.append(name)
            self._program.lines.append(f"def {name}(M, s):")
            self._line("I = M[0]")
            writer = Writer(self._program)
            body = self._bodies(writer, together[0].text)
            with writer.attempt(last=True):
                body.statements({"stmts": together[0].statements[known : known + 1]})
                for called in inner:
                    writer.line(f"{called}(M, s)")
            self._line("return U")
        return names

    def _bodies(self, writer: Writer, text: bytes) -> Bodies:
        return Bodies(
            names=self._names,
            writer=writer,
            rule=self._rule,
            text=text,
            use=self._use,
        )

    def _write_object(self, own: list[str]) -> None:
        self._line("o = {}")
        for name, (_, node) in zip(own, self._rule.definitions, strict=True):
            key = constant_code(only(only(node["head"])[1]["refr"])[1]["index"])
            self._line(f"v = {name}(M)")
            self._line(f"if v is not U: o[{key}] = same(o.get({key}, U), v)")
        self._line("return o")

    def _write_value(self, own: list[str]) -> None:
        self._line("v = U")
        for name in own:
            self._line(f"w = {name}({self._parameters()})")
            self._line("if w is not U: v = same(v, w)")
        default = self._rule.default
        if default is not None:
            if not is_constant(default):
                raise NotTranslatedError("a default that is computed")
            constant = self._program.constant(constant_code(default))
            self._line(f"if v is U: return {constant}")
        self._line("return v")

    def _parameters(self) -> str:
        return ", ".join(["M", *(f"a{place}" for place in range(self._rule.arguments))])

    def _line(self, text: str) -> None:
        self._program.lines.append(f"  {text}")

    def _definition(self, place: int, text: bytes, node: Node, known: int = 0) -> str:
        rule = self._rule
        name = f"r{rule.number}_{place}"
        given = "M, s" if rule.kind == "set" else self._parameters()
        self._program.lines.append(f"def {name}({given}):")
        self._line("I = M[0]")
        writer = Writer(self._program)
        body = self._bodies(writer, text)
        head = only(node["head"])[1]
        if rule.kind == "set":
            self._member(writer, body, head["key"], node["bodies"], known)
        else:
            self._arguments(writer, head)
            self._values(writer, body, head, node["bodies"])
        self._line("return U")
        return name

    def _arguments(self, writer: Writer, head: Node) -> None:
        for place, pattern in enumerate(head.get("args", ())):
            kind, inner = only(pattern)
            if kind == "Var":
                if inner["value"] != "_":
                    writer.bind(str(inner["value"]), f"a{place}")
            elif is_constant(pattern):
                constant = self._program.constant(constant_code(pattern))
                writer.failing(f"not equal(a{place}, {constant})")
            else:
                raise NotTranslatedError("a pattern as an argument")

    def _member(
        self, writer: Writer, body: Bodies, key: Node, bodies: list[Node], known: int
    ) -> None:
        if len(bodies) > 1:
            raise NotTranslatedError("`else` of a set")
        with writer.attempt(last=True):
            for one in bodies:
                body.statements({"stmts": one["query"]["stmts"][known:]})
            writer.line(f"s.add({body.value(key)})")

    def _values(
        self, writer: Writer, body: Bodies, head: Node, bodies: list[Node]
    ) -> None:
        assigned = head["assign"]
        if not bodies:
            with writer.attempt(last=True):
                self._return(writer, body, assigned)
            return
        for place, one in enumerate(bodies):
            if place and not one["is_else"]:
                raise NotTranslatedError("several bodies under one head")
            found, mark = self._program.name("f"), len(self._program.lines)
            writer.line(f"{found} = U")
            with writer.attempt(last=place == len(bodies) - 1):
                body.statements(one["query"])
                value = one["assign"] if place else assigned
                looped = self._return(writer, body, value, into=found)
            if looped:
                writer.returning(found)
            else:
                del self._program.lines[mark]

    def _return(
        self,
        writer: Writer,
        body: Bodies,
        assigned: Node | None,
        *,
        into: str | None = None,
    ) -> bool:
        """Write what a body gives; say whether it is kept for the others that it gives."""
        if assigned is not None and assigned["op"] != "ColEq":
            raise NotTranslatedError("`=` in a head")
        if assigned is None or is_constant(assigned["value"]):
            value = None if assigned is None else assigned["value"]
            writer.line(f"return {'True' if value is None else body.value(value)}")
            return False
        with writer.certain():
            value = body.value(assigned["value"])
            if writer.looped and into is not None:
                writer.line(f"{into} = same({into}, {value})")
                return True
            writer.line(f"return {value}")
            return False
