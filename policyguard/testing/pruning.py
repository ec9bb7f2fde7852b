"""Leaves out of modules the definitions that nobody asks for.

An engine prepares each definition that it has parsed, whether it is reached or not. For
a mutant that is prepared anew, what its tests do not reach costs more than what they do.

INVARIANT: a name that a mutant could mention instead of another is kept with it, as if
it were reached: otherwise a mutant would be undefined here that answers in the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.tree import FINDINGS, Module, Path, read_tree
from policyguard.testing.bodies import rules_of, whole
from policyguard.testing.neighbours import NEIGHBOURS
from policyguard.testing.uses import Uses, uses_of


def pruned(
    texts: Mapping[str, str],
    *,
    asked: Iterable[Path],
    contributing: AbstractSet[str],
) -> dict[str, str]:
    """Return modules without the definitions that some names do not reach.

    Args:
        texts: The modules, by path.
        asked: The names that are asked for.
        contributing: Modules whose findings count.

    Raises:
        EngineLoadError: a module does not parse.
    """
    tree = read_tree(syntax_tree(compile_modules(texts)))
    reached = _reached(uses_of(tree), asked, contributing)
    found = {}
    for module in tree.modules:
        idle = set() if module.name in contributing else {FINDINGS}
        kept = {path for path in reached if path[-1] not in idle}
        if any(head.path in kept for head in module.heads):
            found[module.name] = _without(module, texts[module.name], kept)
    return found


def _reached(
    uses: Uses, asked: Iterable[Path], contributing: AbstractSet[str]
) -> frozenset[Path]:
    """Return what is reached, with what a mutant may take for it."""
    found = uses.reached(asked, contributing=contributing)
    while True:
        alike = {
            path for name in found for path in _alike(name) if path in uses.by_path
        }
        if alike <= found:
            return found
        found = uses.reached(found | alike, contributing=contributing)


def _alike(path: Path) -> Iterator[Path]:
    for place, name in enumerate(path):
        for other in NEIGHBOURS.get(name, ()):
            yield (*path[:place], other, *path[place + 1 :])


def _without(module: Module, text: str, kept: AbstractSet[Path]) -> str:
    data = text.encode("utf-8")
    rules = rules_of(module, text)
    for head, rule in reversed(list(zip(module.heads, rules, strict=True))):
        if head.path not in kept:
            end = whole(data, {"start": rule.end, "end": rule.end})[1]
            data = data[: rule.start] + data[end:]
    return data.decode("utf-8")
