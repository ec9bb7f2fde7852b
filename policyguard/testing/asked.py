"""Makes rules print what they are asked on: their input, and documents that tests replace.

Where a rule has no body, or one without braces, it gets one, so that a view and a constant
tell as much as a rule with conditions. Nothing else changes: `print` holds always.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, TypeAlias

from policyguard.canonical import Json
from policyguard.engines.tree import FINDINGS, Module, Path, path_of, walk
from policyguard.testing.bodies import Rule, rules_of, whole
from policyguard.testing.uses import mentioned
from policyguard.testing.world import Ground, contributing, files_beside, tests_beside

Replaced: TypeAlias = tuple[Path, tuple[Path, ...]]
"""A document that tests replace, and the parts of it that are read."""

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MARK: Final = "policyguard-seen "


def asking(
    ground: Ground, module: Module, *, observed: Sequence[Path], read: Sequence[Path]
) -> dict[str, str]:
    """Return the texts of a policy in which what is observed of a module prints.

    Args:
        ground: The policy, as it was read.
        module: The module. Of findings, which many contribute, its own alone print.
        observed: The names by which it is asked.
        read: The documents that are printed with the input.
    """
    shown = ",\n".join(f"{json.dumps(name_of(path))}: {_value(path)}" for path in read)
    added = f"print({json.dumps(_MARK)}, json.marshal([input, {{\n{shown}}}]))"
    texts = dict(ground.policy.texts)
    for other in ground.tree.modules:
        names = {path for path in observed if other is module or path[-1] != FINDINGS}
        if any(head.path in names for head in other.heads):
            texts[other.name] = _printing(other, texts[other.name], names, added)
    return texts


def asked_on(lines: Iterable[str]) -> Iterator[str]:
    """Yield what was printed of each evaluation: its input, and documents by name."""
    for line in lines:
        _, mark, text = line.partition(_MARK)
        if mark:
            yield text


def contributing_to(ground: Ground, module: Module) -> frozenset[str]:
    """Return the modules whose findings count where one is asked.

    Those are its own, or, where it only reads them, those that its tests name.
    """
    if any(head.path[-1] == FINDINGS for head in module.heads):
        return frozenset({module.name})
    return contributing(ground, module, files=files_beside(module))


def replaced_by_tests(
    ground: Ground, module: Module, *, observed: Sequence[Path]
) -> list[Replaced]:
    """Return the documents that tests replace, each with the parts that are read of it.

    Args:
        ground: The policy, as it was read.
        module: The module whose tests they are.
        observed: The names by which it is asked.
    """
    uses = ground.uses
    tests = uses.modules(uses.reached(tests_beside(ground, module)))
    targets = {
        path
        for other in ground.tree.modules
        if other.name in tests
        for path in _replacing(other)
        if not any(_overlap(path, name) for name in uses.by_path)
    }
    given = contributing_to(ground, module)
    reading = uses.modules(
        uses.reached(observed, contributing=given), contributing=given
    )
    names = {
        name
        for other in ground.tree.modules
        if other.name in reading
        for name in mentioned(other, other.tree["rules"])
    }
    found: list[Replaced] = []
    for target in sorted(_shortest(targets)):
        parts = {
            name if len(name) > len(target) else target
            for name in names
            if _overlap(name, target)
        }
        if parts:
            found.append((target, tuple(sorted(_shortest(parts)))))
    return found


def document(parts: Sequence[tuple[Path, Json]]) -> Json:
    """Return a document of which some parts are known, each by its path in it."""
    found: Any = {}
    for path, value in parts:
        if not path:
            return value
        place = found
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = value
    return found  # type: ignore[no-any-return]


def _replacing(module: Module) -> Iterator[Path]:
    """Yield each document that a module replaces with another."""
    for node in walk(module.tree):
        for modifier in node.get("with_mods") or ():
            path = path_of(modifier["refr"])
            if path is not None and path[0] == "data":
                yield path[1:]


def _overlap(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _shortest(paths: Iterable[Path]) -> set[Path]:
    """Return the paths that lie in no other."""
    known = set(paths)
    return {
        path
        for path in known
        if not any(path[:length] in known for length in range(len(path)))
    }


def _value(path: Path) -> str:
    """Return an expression for a document, if it is there and is JSON: sets are not."""
    name = name_of(path)
    return f"[v | v := {name}; json.unmarshal(json.marshal(v)) == v]"


def name_of(path: Path) -> str:
    """Return how Rego refers to a document or a rule."""
    return "data" + "".join(
        f".{part}" if _PLAIN.fullmatch(part) else f"[{json.dumps(part)}]"
        for part in path
    )


def _printing(module: Module, text: str, names: AbstractSet[Path], added: str) -> str:
    data = text.encode("utf-8")
    edits: list[tuple[int, str]] = []
    for head, rule in zip(module.heads, rules_of(module, text), strict=True):
        # A default has no body, and is what is left where those that have one failed.
        if head.path in names and not head.function and "Spec" in rule.node:
            edits += _edits(rule, data, added)
    for place, new in sorted(edits, reverse=True):
        data = data[:place] + new.encode("utf-8") + data[place:]
    return data.decode("utf-8")


def _edits(rule: Rule, data: bytes, added: str) -> Iterator[tuple[int, str]]:
    """Yield what makes a rule print before its first condition, and where it goes."""
    if not rule.bodies:
        _, end = whole(data, {"start": rule.end, "end": rule.end})
        yield end, f" if {{\n{added}\n}}"
        return
    body = rule.bodies[0]
    first = body.statements[0]
    yield first.start, f"{added}\n" if body.braced else f"{{\n{added}\n"
    if not body.braced:
        yield first.end, "\n}"
