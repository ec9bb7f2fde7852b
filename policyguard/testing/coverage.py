"""Counts which lines and rules of a policy its tests reach.

A line of a rule that no test reaches is a line of which nobody knows what it does. The
engine counts lines; a rule is covered when each of its lines is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import Module, PolicyTree


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCoverage:
    """Is what tests reach of one module."""

    file: str
    reached: tuple[int, ...]
    """Numbers of lines, from 1."""
    missed: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Is what tests reach of a policy, its tests left out."""

    files: tuple[FileCoverage, ...]
    missed_rules: tuple[str, ...] = field(default=())
    """Rules of which a line was not reached, as `file:line name`."""
    rules: int = 0

    @property
    def lines(self) -> float:
        """Return the share of lines that were reached, from 0 to 1."""
        reached = sum(len(file.reached) for file in self.files)
        missed = sum(len(file.missed) for file in self.files)
        return reached / (reached + missed) if reached + missed else 1.0

    @property
    def whole_rules(self) -> float:
        """Return the share of rules that were reached in every line, from 0 to 1."""
        return 1 - len(self.missed_rules) / self.rules if self.rules else 1.0


def coverage_of(
    engine: NativeEngine,
    tree: PolicyTree,
    *,
    modules: Mapping[str, str],
    elsewhere: Iterable[FileCoverage] = (),
) -> Coverage:
    """Return what an engine that kept count has reached.

    Args:
        engine: The engine that ran the tests, with coverage enabled.
        tree: What the modules define.
        modules: Those that count, tests left out.
        elsewhere: What other processes have reached of them.
    """
    reached: dict[str, set[int]] = {}
    known: dict[str, set[int]] = {}
    for file in (*_counted(engine), *elsewhere):
        reached.setdefault(file.file, set()).update(file.reached)
        known.setdefault(file.file, set()).update(file.reached, file.missed)
    for module in tree.modules:
        # The engine says nothing of a module that it never came to.
        known.setdefault(module.name, set(_lines(module)))
    files = tuple(
        FileCoverage(
            file=name,
            reached=tuple(sorted(reached.get(name, ()))),
            missed=tuple(sorted(known[name] - reached.get(name, set()))),
        )
        for name in sorted(modules)
    )
    missed = {file.file: file.missed for file in files}
    spans = _spans(tree, modules)
    return Coverage(
        files=files,
        rules=len(spans),
        missed_rules=tuple(
            f"{name}:{first} {rule}"
            for name, rule, first, last in spans
            if any(first <= line <= last for line in missed.get(name, ()))
        ),
    )


def _counted(engine: NativeEngine) -> Iterator[FileCoverage]:
    for item in orjson.loads(engine.get_coverage_report_as_json())["files"]:
        yield FileCoverage(
            file=item["path"],
            reached=tuple(item["covered"]),
            missed=tuple(item["not_covered"]),
        )


def _lines(module: Module) -> Iterator[int]:
    """Yield the lines on which a module's rules and their statements begin."""
    for node in module.tree["rules"]:
        ((kind, inner),) = node.items()
        yield int(inner["span"]["line"])
        for body in () if kind == "Default" else inner["bodies"]:
            for statement in body["query"]["stmts"]:
                yield int(statement["span"]["line"])


def _spans(
    tree: PolicyTree, modules: Mapping[str, str]
) -> list[tuple[str, str, int, int]]:
    """Return each rule with its module, name, first and last line."""
    found = []
    for module in tree.modules:
        if module.name not in modules:
            continue
        data = modules[module.name].encode("utf-8")
        for head, node in zip(module.heads, module.tree["rules"], strict=True):
            ((_, inner),) = node.items()
            last = data.count(b"\n", 0, int(inner["span"]["end"])) + 1
            name = ".".join(head.path[len(module.package) :])
            found.append((module.name, head.finding or name, head.line, last))
    return found
