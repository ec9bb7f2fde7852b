"""Answers the slow helpers of tests from a table while mutants are tried.

A test of a rule often first builds what the rule reads: a catalog, a view. None of that
depends on the rule, so it is worked out once and looked up for each mutant.

INVARIANT: only functions that do not reach the mutated module are answered from the
table, and what is asked with an argument that was not seen says so: whoever uses a table
then asks again without one. He also runs the tests on it unchanged first, and drops it
if one does not hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

from policyguard.canonical import Json
from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import Module, Path, PolicyTree, walk
from policyguard.testing.bodies import rules_of
from policyguard.testing.lookups import MARK, MISSED, Table
from policyguard.testing.uses import Uses

Form: TypeAlias = Callable[[str, str, int], str]
"""Writes a helper of a name, a title and as many arguments."""

_PLAIN: Final = "_worked_out"
_MIN_CONSTANT: Final = 200
"""Bytes of a document from which on it is worth it."""
_COMPUTED: Final = frozenset(
    {
        "Var",
        "RefDot",
        "RefBrack",
        "Call",
        "Set",
        "SetCompr",
        "ArrayCompr",
        "ObjectCompr",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabled:
    """Is a set of modules whose slow helpers are replaced."""

    texts: Mapping[str, str] = field(repr=False)
    """Modules that print what their helpers return, or look it up."""
    functions: tuple[Path, ...]


def helpers(
    tree: PolicyTree, uses: Uses, *, tests: Iterable[Path], changing: Iterable[Path]
) -> tuple[Path, ...]:
    """Return the functions of test modules that do not reach what changes.

    Args:
        tree: All modules.
        uses: What they reach.
        tests: The tests that will be run.
        changing: Names that the mutated module defines, or contributes to.
    """
    changed = frozenset(changing)
    free = {
        head.path
        for module in tree.modules
        if module.name.endswith("_test.rego")
        for head in module.heads
        if head.function and not uses.reached([head.path]) & changed
    }
    wanted: set[Path] = set()
    seen: set[Path] = set()
    stack = list(tests)
    while stack:
        path = stack.pop()
        if path in seen:
            continue
        seen.add(path)
        if path in free:
            # Others that only this one calls need no table of their own.
            if _crosses(uses, path):
                wanted.add(path)
            continue
        for definition in uses.by_path[path]:
            stack += definition.uses
    return tuple(sorted(wanted))


def printing(
    tree: PolicyTree, texts: Mapping[str, str], functions: Iterable[Path]
) -> Tabled:
    """Return modules in which helpers print their arguments and their value."""
    return _replaced(tree, texts, tuple(functions), _printing)


def looking_up(
    tree: PolicyTree, texts: Mapping[str, str], functions: Iterable[Path], table: Table
) -> Tabled:
    """Return modules in which helpers look their value up."""
    return _replaced(tree, texts, tuple(functions), partial(_looking_up, table))


_PRINTING: Final = f"""
{{name}}({{args}}) := value if {{{{
	value := {{name}}{_PLAIN}({{args}})
	print("{MARK}", json.marshal({{{{
		"title": {{title}},
		"args": data.policyguard_kit.lib.told([{{args}}]),
		"value": value,
		"sets": data.policyguard_kit.lib.sets(value),
	}}}}))
}}}} else := value if {{{{
	print("{MARK}", json.marshal({{{{"title": {{title}}, "args": data.policyguard_kit.lib.told([{{args}}])}}}}))
	value := data.policyguard_kit.nothing
}}}}
"""
_LOOKING_UP: Final = f"""
{{name}}({{args}}) := value if {{{{
	some entry in data.policyguard_kit.table[concat("\\n", [{{key}}])]
	{{same}}
	value := data.policyguard_kit.lib.restored(entry)
}}}} else := null if {{{{
	known := [entry |
		some entry in data.policyguard_kit.table[concat("\\n", [{{key}}])]
		{{same}}
	]
	count(known) == 0
	print("{MISSED}")
}}}}
"""


def _printing(name: str, title: str, arity: int) -> str:
    return _PRINTING.format(
        name=name, title=json.dumps(title), args=_args(range(arity))
    )


def _looking_up(table: Table, name: str, title: str, arity: int) -> str:
    compared = table.compared.get(title, ())
    keyed = [place for place in range(arity) if place not in compared]
    return _LOOKING_UP.format(
        name=name,
        args=_args(range(arity)),
        key=", ".join(
            (json.dumps(title), *(f"json.marshal(given_{place})" for place in keyed))
        ),
        same="\n\t".join(
            f"data.policyguard_kit.large[entry.large[{index}]] == given_{place}"
            for index, place in enumerate(compared)
        ),
    )


def _args(places: Iterable[int]) -> str:
    return ", ".join(f"given_{place}" for place in places)


def constants(
    tree: PolicyTree, texts: Mapping[str, str], engine: NativeEngine
) -> tuple[dict[str, str], dict[str, Json]]:
    """Return test modules whose written-out documents are data, and that data.

    A catalog that is written out in a test would be read anew for each mutant.

    Args:
        tree: All modules.
        texts: Those that count.
        engine: An engine that has parsed them.
    """
    changed, values = dict(texts), {}
    for module in tree.modules:
        if module.name not in texts or not module.name.endswith("_test.rego"):
            continue
        data = texts[module.name].encode("utf-8")
        rules = rules_of(module, texts[module.name])
        for head, rule in reversed(list(zip(module.heads, rules, strict=True))):
            if rule.end - rule.start < _MIN_CONSTANT or not _is_written_out(rule.node):
                continue
            name = ".".join(head.path)
            values[name] = json.loads(engine.eval_rule_as_json(f"data.{name}"))
            end = _after(data, rule.end)
            new = (
                f"{head.path[-1]} := data.policyguard_kit.constants[{json.dumps(name)}]"
            )
            data = data[: rule.start] + new.encode("utf-8") + data[end:]
        changed[module.name] = data.decode("utf-8")
    return changed, values


def _is_written_out(node: Any) -> bool:
    """Say whether a rule is one document, without conditions and references."""
    rule = node.get("Spec")
    if (
        rule is None
        or "Compr" not in rule["head"]
        or any(body["query"]["stmts"] for body in rule["bodies"])
    ):
        return False
    assigned = rule["head"]["Compr"]["assign"]
    return assigned is not None and not any(
        inner.keys() & _COMPUTED for inner in walk(assigned["value"])
    )


def _after(data: bytes, end: int) -> int:
    return end + 1 if data[end : end + 1] in {b'"', b"`"} else end


def _replaced(
    tree: PolicyTree, texts: Mapping[str, str], functions: tuple[Path, ...], form: Form
) -> Tabled:
    changed = dict(texts)
    for module in tree.modules:
        mine = {
            path[-1]: path
            for path in functions
            if path[:-1] == module.package and module.name in texts
        }
        if mine and any(head.path in mine.values() for head in module.heads):
            changed[module.name] = _module(module, texts[module.name], mine, form)
    return Tabled(texts=changed, functions=functions)


def _module(module: Module, text: str, mine: Mapping[str, Path], form: Form) -> str:
    data = text.encode("utf-8")
    added: dict[str, str] = {}
    rules = rules_of(module, text)
    for head, rule in reversed(list(zip(module.heads, rules, strict=True))):
        name = head.path[-1]
        if head.path != mine.get(name) or not head.function:
            continue
        # A name that ends on something longer is another function.
        end = rule.start + len(name.encode("utf-8"))
        data = data[:end] + _PLAIN.encode("utf-8") + data[end:]
        arity = len(rule.node["Spec"]["head"]["Func"]["args"])
        added[name] = form(name, ".".join(head.path), arity)
    return data.decode("utf-8") + "".join(added.values())


def _crosses(uses: Uses, path: Path) -> bool:
    """Say whether a function reaches another package: others cost little."""
    return any(other[:-1] != path[:-1] for other in uses.reached([path]))
