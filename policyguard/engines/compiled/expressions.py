"""Translates expressions: each becomes a Python expression, with statements before it.

What is undefined in one raises where it is evaluated, or fails the body before that, so
that an expression always has a value.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Final

from policyguard.engines.compiled.builtins import (
    ARITHMETIC,
    BUILTINS,
    KINDS,
    OF_SETS,
    TYPES,
)
from policyguard.engines.compiled.forms import (
    KEYS,
    SCALARS,
    apart,
    builtin_name,
    constant_code,
    is_constant,
    plain_form,
    texts_in,
    words_of,
)
from policyguard.engines.compiled.names import Names, Rule, only
from policyguard.engines.compiled.writer import Writer
from policyguard.engines.tree import Node, Path, path_of
from policyguard.errors import NotTranslatedError

MOST_DEPTH: Final = 60
"""Of expressions in one another."""
_COMPARED: Final = {"Lt": "<", "Le": "<=", "Gt": ">", "Ge": ">="}


class Expressions:
    """Translates the expressions of one rule's definition.

    Args:
        names: Finds rules.
        writer: Writes lines.
        package: That the rule is in.
        use: Is told of each rule that is mentioned.
        statements: Translates a body inside an expression.
    """

    def __init__(
        self,
        *,
        names: Names,
        writer: Writer,
        package: Path,
        use: Callable[[Rule], None],
        statements: Callable[[Node], None],
    ) -> None:
        self._names = names
        self._writer = writer
        self._package = package
        self._use = use
        self._statements = statements
        self._nested = 0

    def value(self, node: Node) -> str:
        """Return an expression for a value, which is never undefined."""
        self._nested += 1
        if self._nested > MOST_DEPTH:
            raise NotTranslatedError("an expression that is too deep")
        kind, inner = only(node)
        if is_constant(node):
            found = self._constant(node)
        elif kind in {"Var", "RefDot", "RefBrack"}:
            found = self._reference(node)
        else:
            form = getattr(self, f"_{kind.lower()}", None)
            if form is None:
                raise NotTranslatedError(f"an expression `{kind}`")
            found = form(inner)
        self._nested -= 1
        return str(found)

    def test(self, node: Node) -> tuple[str, bool]:
        """Return an expression for a statement, and whether Python has it as a boolean."""
        kind, inner = only(node)
        if kind == "BoolExpr":
            return self._boolexpr(inner), True
        if kind == "Membership":
            if inner["key"] is not None:
                raise NotTranslatedError("a key in `in`")
            return self._membership(inner["value"], inner["collection"]), True
        return self.value(node), False

    def _constant(self, node: Node) -> str:
        code = constant_code(node)
        kind = only(node)[0]
        return code if kind in SCALARS else self._writer.program.constant(code)

    def _membership(self, value: Node, collection: Node) -> str:
        if self._calls_builtin(value, "type_name"):
            return self._of_type(only(value)[1]["params"], texts_in(collection) or ())
        return self._within(self._writer.kept(self.value(value)), collection)

    def _of_type(self, given: list[Node], names: Sequence[str]) -> str:
        if len(given) != 1 or not names or not TYPES.keys() >= set(names):
            raise NotTranslatedError("a call of `type_name`")
        value = self._writer.kept(self.value(given[0]))
        tests = [TYPES[name].format(value) for name in names]
        return f"({' or '.join(tests)})"

    def _within(self, value: str, collection: Node) -> str:
        words = words_of(collection)
        if words is not None:
            texts, others = words
            tests = [f"{value} is {other}" for other in others]
            if texts:
                known = self._writer.program.constant(f"frozenset({texts!r})")
                tests.insert(0, f"type({value}) is str and {value} in {known}")
            return f"({' or '.join(tests) or 'False'})"
        known = self._writer.kept(self.value(collection))
        quick = f"{value} in {known} if type({value}) is str and type({known}) is list"
        return f"({quick} else within({value}, {known}))"

    def _boolexpr(self, inner: Node) -> str:
        operator, left, right = inner["op"], inner["lhs"], inner["rhs"]
        if operator in {"Eq", "Ne"} and only(left)[0] in SCALARS:
            left, right = right, left
        one = self._writer.kept(self.value(left))
        if operator in _COMPARED:
            operator = _COMPARED[operator]
            if only(right)[0] == "Number" and is_constant(right):
                number = constant_code(right)
                if self._calls_builtin(left, "count"):
                    return f"({one} {operator} {number})"
                quick = f"{one} {operator} {number} if type({one}) is int else"
                return f"({quick} compare({one}, {number}) {operator} 0)"
            other = self._writer.kept(self.value(right))
            quick = f"{one} {operator} {other} if type({one}) is type({other}) is int"
            return f"({quick} else compare({one}, {other}) {operator} 0)"
        found = self._equal(one, right)
        return found if operator == "Eq" else f"not ({found})"

    def _equal(self, one: str, right: Node) -> str:
        kind = only(right)[0]
        if kind in {"String", "RawString"}:
            return f"{one} == {constant_code(right)}"
        if kind in {"Null", "Bool"}:
            return f"{one} is {constant_code(right)}"
        if kind == "Array" and not only(right)[1]["items"]:
            return f"(type({one}) is list and not {one})"
        if kind == "Number" and is_constant(right):
            return f"(type({one}) is int and {one} == {constant_code(right)})"
        other = self._writer.kept(self.value(right))
        quick = f"{one} == {other} if type({one}) is str"
        return f"({quick} else equal({one}, {other}))"

    def _array(self, inner: Node) -> str:
        return f"[{', '.join(self.value(item) for item in inner['items'])}]"

    def _set(self, inner: Node) -> str:
        items = "".join(f"{self.value(item)}, " for item in inner["items"])
        return f"Members(({items}))"

    def _object(self, inner: Node) -> str:
        fields = []
        known: set[str] = set()
        for _, key, value in inner["fields"]:
            kind = only(key)[0]
            if kind in KEYS:
                name = constant_code(key)
                if name in known:
                    raise NotTranslatedError("a key twice")
                known.add(name)
            else:
                name = f"key({self.value(key)})"
            fields.append(f"{name}: {self.value(value)}")
        if len(known) == len(fields):
            # In the order of their keys, in which they are compared and written later.
            fields.sort()
        return "{" + ", ".join(fields) + "}"

    def _arithexpr(self, inner: Node) -> str:
        if inner["op"] not in ARITHMETIC:
            raise NotTranslatedError(f"arithmetic `{inner['op']}`")
        return f"{inner['op']}({self.value(inner['lhs'])}, {self.value(inner['rhs'])})"

    def _binexpr(self, inner: Node) -> str:
        if inner["op"] not in OF_SETS:
            raise NotTranslatedError(f"an operator `{inner['op']}`")
        return f"{inner['op']}({self.value(inner['lhs'])}, {self.value(inner['rhs'])})"

    def _arraycompr(self, inner: Node) -> str:
        return self._comprehension(inner, in_turn=True)

    def _setcompr(self, inner: Node) -> str:
        found = self._comprehension(inner, in_turn=False)
        self._writer.line(f"{found} = Members({found}) if {found} else EMPTY")
        return found

    def _comprehension(self, inner: Node, *, in_turn: bool) -> str:
        found = self._writer.program.name("c")
        self._writer.line(f"{found} = []")
        with self._writer.turns(matter=in_turn), self._writer.attempt():
            self._statements(inner["query"])
            self._writer.line(f"{found}.append({self.value(inner['term'])})")
        return found

    def _objectcompr(self, inner: Node) -> str:
        found = self._writer.program.name("c")
        self._writer.line(f"{found} = {{}}")
        with self._writer.turns(matter=False), self._writer.attempt():
            self._statements(inner["query"])
            key = self._writer.kept(f"key({self.value(inner['key'])})")
            value = self._writer.kept(self.value(inner["value"]))
            self._writer.line(f"if {key} in {found}: same({found}[{key}], {value})")
            self._writer.line(f"{found}[{key}] = {value}")
        return found

    def _call(self, inner: Node) -> str:
        path = path_of(inner["fcn"])
        if path is None:
            raise NotTranslatedError("a call of a computed name")
        name, given = ".".join(path), inner["params"]
        rule = self._function(name, (*self._package, *path))
        form = plain_form(*given) if rule is None and name == "sprintf" else None
        if form is not None:
            items = "".join(
                f"{self.value(item)}, " for item in only(given[1])[1]["items"]
            )
            return f"filled({form!r}, ({items}))"
        arguments = [self.value(item) for item in given]
        if rule is not None:
            if len(arguments) != rule.arguments:
                raise NotTranslatedError("a call with another number of arguments")
            self._use(rule)
            passed = ", ".join([self._writer.memory, *arguments])
            return self._writer.defined(f"r{rule.number}({passed})")
        return self._builtin(name, arguments)

    def _builtin(self, name: str, arguments: list[str]) -> str:
        if name == "set" and not arguments:
            return "EMPTY"
        if name in KINDS and len(arguments) == 1:
            return f"(type({arguments[0]}) is {KINDS[name]})"
        known = BUILTINS.get(name)
        if known is None or len(arguments) != known[1]:
            raise NotTranslatedError(f"a call of `{name}`")
        if name == "is_number":
            (one,) = map(self._writer.kept, arguments)
            return f"(type({one}) is int or b_is_number({one}))"
        if name == "count":
            (one,) = map(self._writer.kept, arguments)
            return f"(len({one}) if type({one}) is list else b_count({one}))"
        return f"{builtin_name(name)}({', '.join(arguments)})"

    def _calls_builtin(self, node: Node, name: str) -> bool:
        """Say whether a node is a call of a built-in."""
        kind, inner = only(node)
        path = path_of(inner["fcn"]) if kind == "Call" else None
        return path == (name,) and (*self._package, name) not in self._names.rules

    def _function(self, name: str, path: tuple[str, ...]) -> Rule | None:
        rule = self._names.rules.get(path)
        if name.startswith("data."):
            rule, rest = self._names.in_data(tuple(name.split("."))[1:])
            if rest:
                raise NotTranslatedError("a call below a rule")
        if rule is not None and rule.kind != "function":
            raise NotTranslatedError("a call of what is no function")
        return rule

    def _reference(self, node: Node) -> str:
        root, steps = apart(node)
        kind, inner = only(root)
        name = str(inner["value"]) if kind == "Var" else None
        if name is None:
            base = self.value(root)
        elif name == "_":
            raise NotTranslatedError("`_` as a value")
        elif (local := self._writer.local(name)) is not None:
            base = local
        elif name == "input":
            base = self._writer.input
        elif name == "data":
            base, steps = self._data(steps)
        else:
            rule = self._names.rules.get((*self._package, name))
            if rule is None:
                raise NotTranslatedError("a name that nothing defines")
            base = self._rule_value(rule, whole=not steps)
        for step in steps:
            base = self._step(base, step)
        return base

    def _step(self, base: str, step: str | Node) -> str:
        if isinstance(step, str):
            return f"{base}[{step!r}]"
        kind, inner = only(step)
        if kind == "Var" and inner["value"] == "_":
            value = self._writer.program.name("v")
            base = self._writer.kept(base)
            others = self._writer.through("each_indexed", base)
            self._writer.loop(
                f"for {value} in {base} if type({base}) is list else {others}:"
            )
            return value
        key = self._writer.kept(self.value(step))
        base = self._writer.kept(base)
        # What is no object or set has no text as a key, and Python says so, too.
        quick = f"{base}[{key}] if type({key}) is str"
        return self._writer.kept(f"{quick} else at({base}, {key})")

    def _data(self, steps: list[str | Node]) -> tuple[str, list[str | Node]]:
        literal = tuple(itertools.takewhile(lambda step: isinstance(step, str), steps))
        path = tuple(str(step) for step in literal)
        rule, rest = self._names.in_data(path)
        left: list[str | Node] = [*rest, *steps[len(path) :]]
        if rule is None:
            if not path:
                raise NotTranslatedError("`data` as a whole")
            return "D", left
        return self._rule_value(rule, whole=not left), left

    def _rule_value(self, rule: Rule, *, whole: bool) -> str:
        if rule.kind == "function":
            raise NotTranslatedError("a function as a value")
        if rule.kind == "object" and whole:
            raise NotTranslatedError("an object of several rules as a whole")
        self._use(rule)
        asks = rule.path in self._names.reading_input
        place = f"{self._writer.memory if asks else 'K'}[{rule.number}]"
        known = self._writer.looked_up(place)
        if known is not None:
            return known
        name = self._writer.program.name("v")
        self._writer.line(f"{name} = {place}")
        self._writer.line(
            f"if {name} is N: {name} = {place} = r{rule.number}({self._writer.memory})"
        )
        self._writer.failing(f"{name} is U")
        self._writer.look_up(place, name)
        return name
