"""Says why a test of a rule failed: which statement, on what values, what rules found.

The statements of a test are evaluated again one after the other until one does not
hold. Both sides of it are shown, the variables that it mentions, and what the rules
found on the way, with the facts that decided.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.native import compile_modules
from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import Module, Node
from policyguard.testing.bodies import Body, Rule, Statement, rules_of, variables, whole
from policyguard.testing.firing import Firing, asked, asking, contributes, telling, told
from policyguard.testing.rego_tests import RegoRunner, RegoTest, answer_of

_PROBE: Final = "policyguard_probe"
_MOST_VALUES: Final = 3
_MOST_CHARACTERS: Final = 600
_OPERATORS: Final = ("==", "!=", "<=", ">=", "<", ">", "=")
_BINDING: Final = frozenset({"AssignExpr", "SomeIn", "SomeVars"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Is why one test failed."""

    test: RegoTest
    line: int
    statement: str
    """The text of the statement that does not hold."""
    values: Mapping[str, tuple[str, ...]]
    """What each side and each variable of it was, as JSON; several where they vary."""
    fired: tuple[Firing, ...] = ()
    """What rules found while the test ran."""
    input: Json = field(default=None, repr=False)
    """The last input on which rules were evaluated, without what is unknown in it."""

    def text(self) -> str:
        """Return what a person reads."""
        lines = [f"{self.test.file}:{self.line}: does not hold", f"  {self.statement}"]
        for name, values in self.values.items():
            shown = " | ".join(_short(value) for value in values) or "undefined"
            lines.append(f"    {name} = {shown}")
        if self.fired:
            lines.append("  rules that fired:")
        for firing in self.fired:
            lines.append(f"    {firing.id} {firing.effect}")
            lines += [
                f"      {name} = {_json(value)}" for name, value in firing.facts.items()
            ]
            if firing.missing:
                lines.append(f"      not known: {', '.join(firing.missing)}")
        if self.input is not None:
            lines.append(
                f"  input of the rules, as far as it is known: {_json(self.input)}"
            )
        return "\n".join(lines)


def explain_failure(runner: RegoRunner, test: RegoTest) -> Failure:
    """Find out why a test failed.

    Args:
        runner: The runner under which it failed.
        test: The test.

    Raises:
        EngineLoadError: the policy does not load any more.
    """
    module, rule = _definition(runner, test)
    engine = _telling_engine(runner)
    engine.set_input_json("{}")
    answer_of(engine, test.name)
    prints = engine.take_prints()
    fired, given = told(prints), asked(prints)
    rerun = _Rerun(runner=runner, module=module, rule=rule, case=test.case)
    for body in rule.bodies:
        index = rerun.first_false(body)
        if index is not None:
            statement = body.statements[index]
            return Failure(
                test=test,
                line=statement.line,
                statement=" ".join(statement.text.split()),
                values=dict(rerun.values(body, index)),
                fired=fired,
                input=given,
            )
    return Failure(
        test=test,
        line=rule.line,
        statement=test.short,
        values={},
        fired=fired,
        input=given,
    )


def _definition(runner: RegoRunner, test: RegoTest) -> tuple[Module, Rule]:
    module = next(item for item in runner.tree.modules if item.name == test.file)
    rules = rules_of(module, runner.policy.tests[module.name])
    return module, next(rule for rule in rules if rule.line == test.line)


def _telling_engine(runner: RegoRunner) -> NativeEngine:
    texts = dict(runner.policy.texts)
    for module in runner.tree.modules:
        if contributes(module):
            texts[module.name] = telling(module, texts[module.name])
            package = ".".join(module.package)
            texts[f"{package}.asking.rego"] = asking(package)
    engine = compile_modules(texts)
    engine.add_data_json(orjson.dumps(runner.policy.data).decode("utf-8"))
    return engine


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rerun:
    """Evaluates parts of a test's body in its own module's place."""

    runner: RegoRunner
    module: Module
    rule: Rule
    case: str | None

    def first_false(self, body: Body) -> int | None:
        for index in range(len(body.statements)):
            if not self._ask("true", body.before(index + 1)):
                return index
        return None

    def values(self, body: Body, index: int) -> Iterator[tuple[str, tuple[str, ...]]]:
        statement = body.statements[index]
        before = body.before(index)
        for name, side in zip(("left", "right"), _sides(statement), strict=False):
            if side:
                yield name, self._ask(side, before)
        for replaced, value in _replacements(statement):
            yield replaced, self._ask(value, before)
        for name in dict.fromkeys(variables(statement.node)):
            if any(_binds(item, name) for item in body.statements[:index]):
                yield name, self._ask(name, before)

    def _ask(self, expression: str, before: str) -> tuple[str, ...]:
        engine = self.runner.base.clone()
        engine.set_input_json("{}")
        case = (
            f"{self.rule.case} == {json.dumps(self.case)}"
            if self.case is not None
            else ""
        )
        package = ".".join(self.module.package)
        text = (
            f"package {package}\n\n{self.rule.imports}\n\n{_PROBE} contains value if {{\n"
            f"{before}\n{case}\nvalue := {expression}\n}}\n"
        )
        try:
            engine.add_policy(f"{self.module.name}.probe.rego", text)
        except Exception:  # noqa: BLE001 -- what cannot be asked is not shown
            return ()
        answer, message = answer_of(engine, f"data.{package}.{_PROBE}")
        if message:
            return ()
        found = orjson.loads(answer)
        values = found if isinstance(found, list) else []
        return tuple(
            orjson.dumps(value).decode("utf-8") for value in values[:_MOST_VALUES]
        )


def _binds(statement: Statement, name: str) -> bool:
    return name in set(variables(statement.node))


def _sides(statement: Statement) -> tuple[str, ...]:
    """Return the two sides of a comparison as text, or a lone call or reference."""
    literal: Any = statement.node["literal"]
    ((kind, inner),) = literal.items()
    if kind not in {"Expr", "NotExpr"}:
        return ()
    ((form, expression),) = inner["expr"].items()
    text = statement.text.removeprefix("not ").strip()
    if form in _BINDING:
        return ()
    if form != "BoolExpr":
        return (text,)
    return _split(statement, expression, text, mods=_modifiers(statement))


def _split(
    statement: Statement, expression: Node, text: str, *, mods: str
) -> tuple[str, ...]:
    encoded = statement.text.encode("utf-8")
    inner = _inner(expression["lhs"])["span"]
    _, left_end = whole(encoded, {"start": 0, "end": inner["end"] - statement.start})
    left = encoded[:left_end].decode("utf-8").removeprefix("not ").strip()
    rest = encoded[left_end:].decode("utf-8").strip().removesuffix(mods).strip()
    operator = next((item for item in _OPERATORS if rest.startswith(item)), None)
    if operator is None:
        return (text,)
    right = rest.removeprefix(operator).strip()
    # What is written out in the test need not be shown a second time.
    sides = ((left, expression["lhs"]), (right, expression["rhs"]))
    return tuple(
        f"{side} {mods}".strip() if set(variables(node)) - {"set"} else ""
        for side, node in sides
    )


def _replacements(statement: Statement) -> Iterator[tuple[str, str]]:
    """Yield what `with` replaces in a statement, and by what."""
    encoded = statement.text.encode("utf-8")
    for item in statement.node.get("with_mods") or ():
        _, end = whole(
            encoded, {"start": 0, "end": item["span"]["end"] - statement.start}
        )
        text = encoded[item["span"]["start"] - statement.start : end].decode("utf-8")
        target, _, value = text.removeprefix("with ").partition(" as ")
        yield target.strip(), value.strip()


def _modifiers(statement: Statement) -> str:
    mods = statement.node.get("with_mods") or ()
    if not mods:
        return ""
    start = min(item["span"]["start"] for item in mods) - statement.start
    return statement.text.encode("utf-8")[start:].decode("utf-8")


def _inner(node: Node) -> Node:
    ((_, inner),) = node.items()
    return dict(inner)


def _json(value: Json) -> str:
    return _short(json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} …"
