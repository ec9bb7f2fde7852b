"""Holds facts of a space at one value: those that are set, and those that are too many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from policyguard.canonical import Json
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Path
from policyguard.errors import ConfigurationError
from policyguard.testing.choosing import Ground, label_of
from policyguard.testing.space import Dim, Space

_TOPICS: Final[frozenset[Path]] = frozenset(
    {
        ("at",),
        ("route",),
        ("model",),
        ("data", "classes"),
        ("data", "subjects"),
        ("caller", "location"),
        ("purpose", "kind"),
    }
)
"""What a rule is mostly about: held last."""


def space_with(
    policy: PolicySet, settings: Sequence[str]
) -> tuple[Space, Mapping[str, str]]:
    """Return a space in which some facts have one value, and these in words.

    Args:
        policy: Rules and catalog.
        settings: What facts are, as `data.classes=pii`.

    Raises:
        ConfigurationError: there is no such fact or value, or one names several.
    """
    ground = Ground.of(policy)
    chosen = []
    for text in settings:
        axis = ground.axis(text)
        if len(axis.settings) != 1:
            raise ConfigurationError(
                f"`{text}` is no one value: write `--set {axis.name}=VALUE`"
            )
        chosen.append((axis.name, axis.settings[0]))
    facts = {path: v for _, setting in chosen for path, v in setting.facts.items()}
    above = {path[:i] for path in facts if "*" in path for i in range(1, len(path))}
    base = ground.apply(*(setting for _, setting in chosen))
    dims = tuple(
        _only(dim, value_at(base, dim.path))
        if dim.path in facts.keys() | above
        else dim
        for dim in ground.space.dims
    )
    space = replace(ground.space, dims=dims, base=base)
    return space, {name: setting.label for name, setting in chosen}


def next_held(space: Space) -> Path | None:
    """Return which fact is held next: of what a rule is not about, the most various.

    Args:
        space: What the rule tells apart.

    Returns:
        Nothing where every fact has one value.
    """
    free = sorted(
        (dim for dim in space.dims if len(dim.values) > 1),
        key=lambda dim: (dim.path in _TOPICS, -len(dim.values), dim.path),
    )
    return free[0].path if free else None


def holding(space: Space, path: Path) -> Space:
    """Return a space in which a fact, and what is in it, is as in its base.

    Args:
        space: The space.
        path: The fact's.
    """
    dims = []
    for dim in space.dims:
        inside = dim.path[: len(path)] == path
        dims.append(_only(dim, _kept(space, dim)) if inside else dim)
    return replace(space, dims=tuple(dims))


def kept_at(space: Space, dim: Dim) -> Space:
    """Return a space in which one fact alone is as in its base.

    Args:
        space: The space.
        dim: The fact.
    """
    kept = _only(dim, _kept(space, dim))
    dims = tuple(kept if other.path == dim.path else other for other in space.dims)
    return replace(space, dims=dims)


def _kept(space: Space, dim: Dim) -> Json:
    """Return what a fact is where no dimension says it: in the base, or a template."""
    above = [d for d in space.dims if len(d.values) > 1 and _is_above(d, dim)]
    if not above:
        return value_at(space.base, dim.path)
    outer = max(above, key=lambda d: len(d.path))
    template = next((v for v in outer.values if v), None)
    return value_at({"x": template}, ("x", *dim.path[len(outer.path) :]))


def _is_above(one: Dim, other: Dim) -> bool:
    return other.path[: len(one.path)] == one.path != other.path


def held_words(space: Space, paths: Sequence[Path]) -> dict[str, str]:
    """Return what facts that are held are, in words.

    Args:
        space: In which they have one value.
        paths: The facts'.
    """
    by_path = {dim.path: dim for dim in space.dims}
    return {name_of_path(path): label_of(by_path[path].values[0]) for path in paths}


def _only(dim: Dim, value: Json) -> Dim:
    return Dim(path=dim.path, values=(value,), kind=dim.kind)


def value_at(node: Any, path: Path) -> Json:
    """Return what a call has at a path: of lists of objects, in the first.

    Args:
        node: The call.
        path: A fact's.
    """
    for part in path:
        if part == "*":
            node = node[0] if node else None
        else:
            node = node.get(part) if isinstance(node, Mapping) else None
    found: Json = node
    return found


def name_of_path(path: Path) -> str:
    """Return the name that a fact has in a space.

    Args:
        path: The fact's.
    """
    return ".".join(part for part in path if part != "*")
