"""Reads what a policy defines and calls from the engine's syntax tree.

An unknown built-in in a rule that is not reached raises nothing at evaluation: the
rule is silent, and silence must mean that a rule does not object. So every call of
every module is looked at when the policy is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from policyguard.engines.capabilities import (
    BUILTIN_NAMESPACES,
    KNOWN_BUILTINS,
    LITERAL_RANGES,
    MAX_RANGE,
    REFUSED_BUILTINS,
    SHARED_BUILTINS,
)
from policyguard.errors import EngineLoadError

Node: TypeAlias = Mapping[str, Any]
Path: TypeAlias = tuple[str, ...]

_INNER: Final = frozenset({dict, list})
FINDINGS: Final = "findings"
"""The set to which rules contribute."""
MAX_RULE_NAMES: Final = 1_000
"""More could call one another in a chain that is longer than the machine's stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Is the head of one rule."""

    module: str
    line: int
    path: Path
    """Package and literal name, without `data`."""
    function: bool
    finding: str | None
    """The literal id that it contributes, if it contributes to `findings`."""
    contributes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """Is one parsed module."""

    name: str
    package: Path
    aliases: Mapping[str, Path]
    heads: tuple[Head, ...]
    tree: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTree:
    """Is what the modules of one policy define together."""

    modules: tuple[Module, ...]

    def paths(self) -> frozenset[Path]:
        """Return every package and every rule as a path below `data`."""
        packages = {module.package for module in self.modules}
        return frozenset(packages | {head.path for head in self._heads()})

    def finding_ids(self) -> frozenset[str]:
        """Return the literal ids in the heads of findings.

        Raises:
            EngineLoadError: beside heads with literal ids there is one without.
        """
        packages = {head.path for head in self._heads() if head.finding is not None}
        for head in self._heads():
            if head.contributes and head.finding is None and head.path in packages:
                raise EngineLoadError(
                    f"{head.module}:{head.line}: a finding has no literal id: write"
                    ' `findings contains {"id": "EAR-01", …}`'
                )
        return frozenset(
            head.finding for head in self._heads() if head.finding is not None
        )

    def require_shared_calls(self) -> None:
        """Check that every call reaches a function of the policy or a shared built-in.

        Raises:
            EngineLoadError: it does not; names module and line.
        """
        for fault in self.faults():
            raise fault

    def faults(self) -> Iterator[EngineLoadError]:
        """Yield each call that reaches no function of the policy and no shared one."""
        names = {head.path for head in self._heads()}
        if len(names) > MAX_RULE_NAMES:
            yield EngineLoadError(
                f"{len(names)} rule names are more than {MAX_RULE_NAMES}: join some"
            )
        functions = frozenset(head.path for head in self._heads() if head.function)
        for module in self.modules:
            yield from _caught(partial(_require_own_names, module))
            for node in walk(module.tree):
                if "fcn" in node and "params" in node:
                    yield from _caught(
                        partial(_require_callable, module, node, functions)
                    )
                for replacement in node.get("with_mods") or ():
                    yield from _caught(
                        partial(_require_no_mock, module, replacement, functions)
                    )

    def _heads(self) -> Iterator[Head]:
        for module in self.modules:
            yield from module.heads


def _caught(check: Callable[[], None]) -> Iterator[EngineLoadError]:
    try:
        check()
    except EngineLoadError as error:
        yield error


def read_tree(document: Any) -> PolicyTree:
    """Read the document that `get_ast_as_json` writes.

    Raises:
        EngineLoadError: it is not of the form of regorus 0.13.
    """
    try:
        return PolicyTree(modules=tuple(_module(entry) for entry in document))
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise EngineLoadError(
            f"the syntax tree has an unknown form: {type(error).__name__}: install the"
            " pinned version of the engine"
        ) from error


def _module(entry: Node) -> Module:
    name, tree = str(entry["source"]["file"]), entry["ast"]
    package = path_of(tree["package"]["refr"])
    if package is None:
        raise EngineLoadError(f"{name}: the package is no plain path: rename it")
    aliases: dict[str, Path] = {}
    for item in tree["imports"]:
        path = path_of(item["refr"])
        if path is not None:
            given = item.get("as")
            aliases[_slice(entry, given) if given else path[-1]] = path
    heads = tuple(_head(name, package, rule) for rule in tree["rules"])
    return Module(name=name, package=package, aliases=aliases, heads=heads, tree=tree)


def _slice(entry: Node, span: Node) -> str:
    # Spans count bytes of UTF-8, not characters.
    source = str(entry["source"]["contents"]).encode("utf-8")
    return source[span["start"] : span["end"]].decode("utf-8")


def _head(module: str, package: Path, rule: Node) -> Head:
    ((kind, body),) = rule.items()
    if kind == "Default":
        form, inner, function = "Default", body, bool(body["args"])
    else:
        ((form, inner),) = body["head"].items()
        function = form == "Func"
    name = _literal_prefix(inner["refr"])
    contributes = form == "Set" and name[-1:] == (FINDINGS,)
    return Head(
        module=module,
        line=int(body["span"]["line"]),
        path=package + name,
        function=function,
        contributes=contributes,
        finding=_literal_id(inner["key"]) if contributes else None,
    )


def _literal_id(key: Node | None) -> str | None:
    fields = (key or {}).get("Object", {}).get("fields", ())
    for _, name, value in fields:
        if literal_of(name) == "id":
            return literal_of(value)
    return None


def literal_of(node: Node) -> str | None:
    """Return the text that an expression is, if it is one."""
    inner = node.get("String") or node.get("RawString")
    return None if inner is None else str(inner["value"])


def path_of(reference: Node) -> Path | None:
    """Return a reference as names, or nothing if one of them is computed."""
    names: list[str] = []
    node = reference
    while True:
        ((kind, inner),) = node.items()
        if kind == "Var":
            names.append(str(inner["value"]))
            return tuple(reversed(names))
        if kind == "RefDot":
            names.append(str(inner["field"][1]))
        elif kind == "RefBrack" and (literal := literal_of(inner["index"])) is not None:
            names.append(literal)
        else:
            return None
        node = inner["refr"]


def _literal_prefix(reference: Node) -> Path:
    node = reference
    while (path := path_of(node)) is None:
        ((_, inner),) = node.items()
        if "refr" not in inner:
            return ()
        node = inner["refr"]
    return path


def walk(tree: Node) -> Iterator[Node]:
    """Yield every object of a syntax tree, from the outside in."""
    # Spans, of which every node has one, hold nothing to look at.
    stack: list[Any] = [tree]
    while stack:
        item = stack.pop()
        if type(item) is dict:
            yield item
            for key, value in item.items():
                if key != "span" and type(value) in _INNER:
                    stack.append(value)
        else:
            stack.extend(value for value in item if type(value) in _INNER)


def _require_own_names(module: Module) -> None:
    for head in module.heads:
        own = ".".join(head.path[len(module.package) :])
        if head.function and own in KNOWN_BUILTINS:
            raise EngineLoadError(
                f"{module.name}:{head.line}: `{own}` is a built-in: rename the function"
            )
    for alias in module.aliases:
        if alias in BUILTIN_NAMESPACES:
            raise EngineLoadError(
                f"{module.name}: the import `{alias}` hides a built-in: name it with"
                " `as`"
            )


def _absolute(module: Module, path: Path) -> tuple[Path, ...]:
    """Return the paths below `data` that a name in a module may mean."""
    if path[0] == "data":
        return (path[1:],)
    alias = module.aliases.get(path[0])
    if alias is not None:
        return ((alias + path[1:])[1:],) if alias[0] == "data" else ()
    return (module.package + path,)


def _require_callable(module: Module, call: Node, functions: frozenset[Path]) -> None:
    path = path_of(call["fcn"])
    place = f"{module.name}:{call['span']['line']}"
    if path is None:
        raise EngineLoadError(f"{place}: calls a computed name: write the name out")
    name = ".".join(path)
    if any(target in functions for target in _absolute(module, path)):
        return
    if name in REFUSED_BUILTINS:
        raise EngineLoadError(f"{place}: `{name}` {REFUSED_BUILTINS[name]}")
    if name not in SHARED_BUILTINS:
        raise EngineLoadError(
            f"{place}: `{name}` is no function of the policy and no built-in that every"
            " engine has"
        )
    if name in LITERAL_RANGES:
        _require_literal_range(place, name, call["params"])


def _require_literal_range(place: str, name: str, params: list[Node]) -> None:
    numbers = [node.get("Number", {}).get("value") for node in params]
    if not all(isinstance(number, int) for number in numbers) or (
        max(map(abs, numbers)) > MAX_RANGE
    ):
        raise EngineLoadError(
            f"{place}: `{name}` needs literal arguments from 0 to {MAX_RANGE}"
        )


def _require_no_mock(
    module: Module, replacement: Node, functions: frozenset[Path]
) -> None:
    target, value = path_of(replacement["refr"]), path_of(replacement["as"])
    targets = () if target is None else _absolute(module, target)
    roots = ("input", "data", *module.aliases)
    name = ".".join(value or ())
    if (
        target is None
        or target[0] not in roots
        or any(
            function[: len(path)] == path for path in targets for function in functions
        )
        or name in KNOWN_BUILTINS
    ):
        raise EngineLoadError(
            f"{module.name}: `with` may replace `input` or documents of `data` only,"
            " not functions"
        )
