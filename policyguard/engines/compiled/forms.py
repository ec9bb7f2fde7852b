"""Looks at the forms of expressions and statements, without writing anything.

INVARIANT: of the policy's text nothing gets into a program but by `repr` of a text, a whole
number, a boolean or null.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from policyguard.engines.compiled.names import only
from policyguard.engines.tree import Node, walk
from policyguard.errors import NotTranslatedError

_VERB: Final = re.compile("%.?", re.DOTALL)
SCALARS: Final = frozenset({"Null", "Bool", "Number", "String", "RawString"})
TEXTS: Final = frozenset({"String", "RawString"})
KEYS: Final = frozenset({"String", "RawString", "Bool", "Null"})


def builtin_name(name: str) -> str:
    """Return what a built-in is called in a program."""
    return f"b_{name.replace('.', '_')}"


def is_constant(node: Node) -> bool:
    """Say whether an expression is the same for every question, by its form."""
    kind, inner = only(node)
    if kind in SCALARS:
        return kind != "Number" or type(inner["value"]) is int
    if kind in {"Array", "Set"}:
        return all(map(is_constant, inner["items"]))
    if kind == "Object":
        return all(
            only(key)[0] in KEYS and is_constant(value)
            for _, key, value in inner["fields"]
        )
    return False


def words_of(node: Node) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the texts of a constant array or set, and Python for all else in it.

    Nothing, if something in it is no text, boolean or null.
    """
    kind, inner = only(node)
    if kind not in {"Array", "Set"}:
        return None
    kinds = [only(item)[0] for item in inner["items"]]
    if not set(kinds) <= TEXTS | {"Null", "Bool"}:
        return None
    texts = [
        str(only(item)[1]["value"])
        for item, of in zip(inner["items"], kinds, strict=True)
        if of in TEXTS
    ]
    others = [
        constant_code(item)
        for item, of in zip(inner["items"], kinds, strict=True)
        if of not in TEXTS
    ]
    return tuple(texts), tuple(dict.fromkeys(others))


def texts_in(node: Node) -> tuple[str, ...] | None:
    """Return the texts of a constant array or set of texts alone."""
    texts, others = words_of(node) or ((), ("",))
    return None if others else texts


def plain_form(form: Node, *values: Node) -> str | None:
    """Return the text that `sprintf` fills, if Python's `%` fills it in the same way.

    Args:
        form: The first argument of `sprintf`.
        values: The others.
    """
    if [only(form)[0] in TEXTS, *(only(item)[0] for item in values)] != [True, "Array"]:
        return None
    text = str(only(form)[1]["value"])
    verbs = [verb for verb in _VERB.findall(text) if verb != "%%"]
    items = only(values[0])[1]["items"]
    return text if set(verbs) <= {"%s"} and len(verbs) == len(items) else None


def constant_code(node: Node) -> str:
    """Return Python for a constant."""
    kind, inner = only(node)
    if kind == "Array":
        return f"[{', '.join(map(constant_code, inner['items']))}]"
    if kind == "Set":
        return f"Members(({''.join(f'{constant_code(i)}, ' for i in inner['items'])}))"
    if kind == "Object":
        keys = [constant_code(key) for _, key, _ in inner["fields"]]
        values = [constant_code(value) for _, _, value in inner["fields"]]
        if len(set(keys)) != len(keys):
            raise NotTranslatedError("a key twice")
        pairs = sorted(zip(keys, values, strict=True))
        return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
    value = inner["value"]
    if kind == "Null":
        return "None"
    if type(value) not in {bool, int, str}:
        raise NotTranslatedError("a number that is not whole")
    return repr(value)


def apart(node: Node) -> tuple[Node, list[str | Node]]:
    """Return where a reference begins, and its steps: names, or expressions."""
    steps: list[str | Node] = []
    while True:
        kind, inner = only(node)
        if kind == "RefDot":
            steps.append(str(inner["field"][1]))
        elif kind == "RefBrack":
            index_kind, index = only(inner["index"])
            named = index_kind in {"String", "RawString"}
            steps.append(str(index["value"]) if named else inner["index"])
        else:
            return node, steps[::-1]
        node = inner["refr"]


def require_apart(pattern: Node, value: Node) -> None:
    """Check that no name gets a value that mentions the name."""
    if mentions(pattern) & mentions(value) - {"_"}:
        raise NotTranslatedError("a name in its own value")


def binds(statement: Node) -> frozenset[str]:
    """Return the names that a statement gives values to, in its own body."""
    kind, inner = only(statement["literal"])
    patterns: list[Node] = []
    if kind == "SomeIn":
        patterns = [inner["value"], *([inner["key"]] if inner["key"] else [])]
    elif kind == "Expr":
        form, assigned = only(inner["expr"])
        if form == "AssignExpr":
            patterns = [assigned["lhs"]]
    return frozenset(
        str(node["Var"]["value"])
        for pattern in patterns
        for node in walk(pattern)
        if "Var" in node and node["Var"]["value"] != "_"
    )


def mentions(statement: Mapping[str, Any]) -> frozenset[str]:
    """Return every name in a statement, those of bodies inside it too."""
    return frozenset(
        str(node["Var"]["value"]) for node in walk(statement) if "Var" in node
    )
