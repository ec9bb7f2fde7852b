"""Finds conditions that several definitions of a set begin with, so as to ask them once.

A rule has a definition for each thing that it finds, and most of them ask first whether the
rule is in scope at all. Whether a condition holds depends on the question alone.

INVARIANT: a condition is shared only if it gives no name a value, mentions no name that its
body gives one to, and has the same text in the same package: then it means the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policyguard.engines.compiled.forms import binds, mentions
from policyguard.engines.compiled.names import only
from policyguard.engines.tree import Node


@dataclass(frozen=True, slots=True)
class Definition:
    """Is one definition of a set."""

    place: int
    text: bytes
    """The file that it is in."""
    node: Node
    statements: tuple[Node, ...]
    conditions: tuple[bytes, ...]
    """The text of those that it begins with and that may be shared."""


def shared(place: int, text: bytes, node: Node) -> Definition:
    """Return a definition with the conditions that it may share with others."""
    bodies = node["bodies"]
    statements = tuple(bodies[0]["query"]["stmts"]) if len(bodies) == 1 else ()
    given = frozenset(itertools.chain.from_iterable(map(binds, statements)))
    conditions = itertools.takewhile(
        lambda statement: _is_plain(statement) and not mentions(statement) & given,
        statements,
    )
    return Definition(
        place=place,
        text=text,
        node=node,
        statements=statements,
        conditions=tuple(_text(text, statement) for statement in conditions),
    )


def grouped(own: Iterable[Definition], known: int) -> Iterator[list[Definition]]:
    """Yield definitions in groups that share their next condition, in their order.

    Args:
        own: The definitions; they share as many conditions as are known.
        known: How many.
    """
    groups: dict[bytes, list[Definition]] = {}
    alone = []
    for one in own:
        if len(one.conditions) > known:
            groups.setdefault(one.conditions[known], []).append(one)
        else:
            alone.append([one])
    yield from groups.values()
    yield from alone


def _is_plain(statement: Node) -> bool:
    kind, _ = only(statement["literal"])
    return (
        kind in {"Expr", "NotExpr"}
        and not statement.get("with_mods")
        and not binds(statement)
    )


def _text(text: bytes, statement: Node) -> bytes:
    span = statement["span"]
    return text[span["start"] : span["end"]]
