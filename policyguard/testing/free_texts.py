"""Says where a rule looks into a free text, of which a space has only some.

Of a fact that may be any text a space has those that rules compare with it, where one
names both, and `x` for all others. That is enough for a rule that asks whether it is one
of them, and not for one that asks how it begins, or hands it to a helper that compares it
with a text of its own. What is claimed of such a rule is claimed of the texts that were
asked, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from policyguard.testing.claims import Claim
from policyguard.testing.mutants import shown_only
from policyguard.testing.relevant import also_read
from policyguard.testing.space import Dim, concerned
from policyguard.testing.tables import Analyst

_OTHERS: Final = "x"
"""Stands in a space for every text that nobody names."""
_GIVEN: Final = "given to a helper"
_ORDERS: Final = frozenset({"Lt", "Le", "Gt", "Ge"})
_SHOWN: Final = frozenset({"msg", "facts", "remedy"})
_INTO: Final = frozenset(
    {
        "concat", "contains", "endswith", "format_int", "indexof", "indexof_n", "lower",
        "replace", "split", "sprintf", "startswith", "substring", "to_number", "trim",
        "trim_left", "trim_prefix", "trim_right", "trim_space", "trim_suffix", "upper",
    }
)  # fmt: skip
_FAMILIES: Final = (
    "regex",
    "glob",
    "strings",
    "json",
    "base64",
    "crypto",
    "time",
    "hex",
)
"""Built-ins whose names begin so."""


def lowered(analyst: Analyst, claim: Claim) -> Claim:
    """Return a claim, lowered where the rule looks into a text of which others may be.

    Args:
        analyst: Who decided the rule.
        claim: What was found; one that a call shows to be broken stays.
    """
    shown = claim.tier == "VIOLATED" and claim.counterexample is not None
    if shown or claim.tier == "SAMPLED" or claim.rule not in analyst.rules:
        return claim
    names = looked_into(analyst, claim.rule)
    if not names:
        return claim
    why = f"it looks into {', '.join(names)}, of which only declared texts were asked"
    return replace(claim, tier="CHECKED", why=f"{claim.why}; {why}".lstrip("; "))


def looked_into(analyst: Analyst, rule: str) -> tuple[str, ...]:
    """Return the free texts into which a rule may look.

    Args:
        analyst: Has the rule.
        rule: Its id.
    """
    sliced = analyst.sliced(rule)
    paths = () if sliced is None else tuple(also_read(sliced.deep.facts))
    free = [
        dim
        for dim in analyst.space.dims
        if _is_free(dim)
        and (sliced is None or any(any(concerned((dim,), p)) for p in paths))
    ]
    if not free:
        return ()
    operands, handed = _operands(analyst, rule)
    # What a helper is given, or a variable stands for, was handed on by name.
    names = {*operands, *(handed[_GIVEN] if _GIVEN in operands else ())}
    for name in [name for name in names if name in handed]:
        names |= handed[name]
    return tuple(dim.name for dim in free if _short_name(dim) in names)


def _is_free(dim: Dim) -> bool:
    texts = [t for v in dim.values for t in (v if isinstance(v, list) else [v])]
    return len(dim.values) > 1 and _OTHERS in texts


def _short_name(dim: Dim) -> str:
    """Return a fact as a rule writes it: of owners it takes some `owner`."""
    parts = ["", *(part for part in dim.path if part != "*")]
    above = parts[-2].removesuffix("s") if dim.path[-2] == "*" else parts[-2]
    return f"{above}.{parts[-1]}"


def _operands(analyst: Analyst, rule: str) -> tuple[set[str], dict[str, set[str]]]:
    """Return what is looked into, and what is handed on: by variable, or to helpers."""
    needed = analyst.texts_of(analyst.rules[rule])
    idle = shown_only(analyst.tree.modules)
    looked: set[str] = set()
    handed: dict[str, set[str]] = {_GIVEN: set()}
    for module in analyst.tree.modules:
        if module.name not in needed:
            continue
        for head, node in zip(module.heads, module.tree["rules"], strict=True):
            if head.path and head.path[-1] in idle:
                continue
            given = frozenset(_parameters(node))
            for item in _nodes(node):
                looked |= {_GIVEN if name in given else name for name in _looked(item)}
                for to, names in _handed(item):
                    handed.setdefault(to, set()).update(names)
    return looked, handed


def _nodes(node: Any) -> Iterator[Any]:
    """Yield each part of a rule, but for what it shows."""
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack += item
        elif isinstance(item, dict):
            yield item
            for key, value in item.items():
                if key == "fields":
                    stack += [v for _, name, v in value if _text(name) not in _SHOWN]
                elif key != "span":
                    stack.append(value)


def _looked(item: Any) -> Iterator[str]:
    if "Call" in item and _looks_into(item["Call"]["fcn"]):
        yield from map(_named, _parts(item["Call"]["params"]))
    if "BoolExpr" in item:
        sides = (item["BoolExpr"]["lhs"], item["BoolExpr"]["rhs"])
        if any("String" in side for side in sides):
            # Numbers and instants are in order, too: they are compared with numbers.
            ordered = item["BoolExpr"]["op"] in _ORDERS
            # A helper compares what it is given with a text of its own.
            whole = [part for part in _parts(sides) if ordered or "Var" in part]
            yield from map(_named, whole)


def _handed(item: Any) -> Iterator[tuple[str, set[str]]]:
    if "Call" in item and not _asks_kind(item["Call"]["fcn"]):
        yield _GIVEN, set(map(_named, _parts(item["Call"]["params"])))
    if "AssignExpr" in item:
        to, value = item["AssignExpr"]["lhs"], item["AssignExpr"]["rhs"]
        if "Var" in to:
            yield _named(to), set(map(_named, _parts([value])))


def _asks_kind(function: Any) -> bool:
    return "Var" in function and str(function["Var"]["value"]).startswith("is_")


def _parameters(node: Any) -> Iterator[str]:
    for kind in node.values():
        head = kind.get("head", {}) if isinstance(kind, dict) else {}
        for argument in head.get("Func", {}).get("args", ()):
            if "Var" in argument:
                yield str(argument["Var"]["value"])


def _looks_into(function: Any) -> bool:
    if "RefDot" in function:
        return _root(function) in _FAMILIES
    return "Var" in function and function["Var"]["value"] in _INTO


def _parts(params: Any) -> Iterator[Any]:
    """Yield the references in what a built-in is given."""
    stack = list(params)
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack += item
        elif isinstance(item, dict):
            if "RefDot" in item or "RefBrack" in item or "Var" in item:
                yield item
            elif "Call" in item:
                stack += item["Call"]["params"]
            else:
                stack += [value for key, value in item.items() if key != "span"]


def _named(item: Any) -> str:
    """Return the last two names of a reference, or the name of a variable."""
    if "Var" in item:
        return str(item["Var"]["value"])
    if "RefDot" not in item:
        return _named(item["RefBrack"]["refr"])
    above = item["RefDot"]["refr"]
    if "RefDot" in above:
        return f"{_field(above)}.{_field(item)}"
    return f"{above['Var']['value']}.{_field(item)}" if "Var" in above else _field(item)


def _field(item: Any) -> str:
    field = item["RefDot"]["field"]
    return str(field[1]["String"]["value"] if isinstance(field[1], dict) else field[1])


def _root(item: Any) -> str:
    while "RefDot" in item:
        item = item["RefDot"]["refr"]
    return str(item["Var"]["value"]) if "Var" in item else ""


def _text(node: Any) -> str | None:
    return str(node["String"]["value"]) if "String" in node else None
