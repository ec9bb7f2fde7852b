"""Says which definitions of a policy a definition reaches, by their names.

Findings are contributed to one set by many modules. Whoever reads the set reaches none
of them by name, so who asks says which contributions count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from policyguard.engines.tree import (
    FINDINGS,
    Head,
    Module,
    Path,
    PolicyTree,
    literal_of,
)

_REFERENCES: Final = frozenset({"Var", "RefDot", "RefBrack"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """Is one rule or function, as one of perhaps several of its name."""

    module: str
    head: Head
    uses: frozenset[Path] = field(repr=False)
    """The definitions that it mentions by name, or by the package that they are in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """Is what the definitions of a policy reach."""

    by_path: Mapping[Path, tuple[Definition, ...]]

    def reached(
        self, start: Iterable[Path], *, contributing: AbstractSet[str] = frozenset()
    ) -> frozenset[Path]:
        """Return every name that is reached from some, themselves included.

        Args:
            start: Names of rules and functions.
            contributing: Modules whose findings count.
        """
        found: set[Path] = set()
        stack = list(start)
        while stack:
            path = stack.pop()
            if path in found:
                continue
            found.add(path)
            for definition in self.by_path[path]:
                if path[-1] == FINDINGS and definition.module not in contributing:
                    continue
                stack += definition.uses - found
        return frozenset(found)

    def modules(
        self, paths: Iterable[Path], *, contributing: AbstractSet[str] = frozenset()
    ) -> frozenset[str]:
        """Return the modules that define some names."""
        return frozenset(
            definition.module
            for path in paths
            for definition in self.by_path[path]
            if path[-1] != FINDINGS or definition.module in contributing
        )


def uses_of(tree: PolicyTree) -> Uses:
    """Return what the definitions of some modules reach."""
    below: dict[Path, set[Path]] = {}
    for module in tree.modules:
        for head in module.heads:
            for length in range(len(head.path)):
                below.setdefault(head.path[:length], set()).add(head.path)
            below.setdefault(head.path, set()).add(head.path)
    by_path: dict[Path, list[Definition]] = {}
    for module in tree.modules:
        for head, node in zip(module.heads, module.tree["rules"], strict=True):
            uses = {
                path for name in mentioned(module, node) for path in _meant(name, below)
            }
            by_path.setdefault(head.path, []).append(
                Definition(module=module.name, head=head, uses=frozenset(uses))
            )
    return Uses(by_path={path: tuple(found) for path, found in by_path.items()})


def _meant(name: Path, below: Mapping[Path, AbstractSet[Path]]) -> AbstractSet[Path]:
    """Return the definitions that a name may mean: one above it, itself, all below."""
    for length in range(len(name), 0, -1):
        if name[:length] in below:
            exact = name[:length] in below[name[:length]]
            return (
                {name[:length]}
                if exact
                else below[name]
                if length == len(name)
                else set()
            )
    return below[()] if not name else set()


def mentioned(module: Module, node: Any) -> Iterator[Path]:
    """Yield the names below `data` that a node of a module begins its references with."""
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict) and item.keys() & _REFERENCES:
            path, computed = _read(item)
            if path:
                yield _absolute(module, path)
            stack.extend(computed)
        elif isinstance(item, dict):
            stack.extend(value for key, value in item.items() if key != "span")


def _read(node: Any) -> tuple[Path, list[Any]]:
    """Return the names that a reference begins with, and what it computes."""
    computed: list[Any] = []
    names: list[str] = []
    while True:
        ((kind, inner),) = node.items()
        if kind == "Var":
            return (str(inner["value"]), *reversed(names)), computed
        if kind == "RefDot":
            names.append(str(inner["field"][1]))
        elif kind == "RefBrack":
            literal = literal_of(inner["index"])
            if literal is None:
                computed.append(inner["index"])
                names.clear()
            else:
                names.append(literal)
        else:
            computed.append(node)
            return (), computed
        node = inner["refr"]


def _absolute(module: Module, path: Path) -> Path:
    if path[0] == "data":
        return path[1:]
    alias = module.aliases.get(path[0])
    if alias is not None:
        return (alias + path[1:])[1:]
    return module.package + path
