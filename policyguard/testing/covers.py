"""Writes a function of facts as few rows: each says of some facts which values they have.

A row, with every fact that it does not name, lies wholly where the function is 1, and no
row says more than it has to; together they are the function, and none can be left out.
The least number of rows is not sought, which would take too long to find: one is made as
wide as it can be, then the next from what is left.

See E. J. McCluskey, "Minimization of Boolean Functions", Bell System Technical Journal 35
(1956); here a fact has as many values as it has, and a row any set of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from policyguard.testing.diagrams import Diagrams, Root

Row: TypeAlias = Mapping[int, int]
"""By fact which values it may have, as bits; what is not named may have any."""
MOST_ROWS: Final = 500


def cover_of(
    diagrams: Diagrams, root: Root, *, most: int = MOST_ROWS
) -> tuple[Row, ...]:
    """Return rows that together are a function.

    INVARIANT: the rows, joined, are the same root as the function.

    Args:
        diagrams: Holds the function.
        root: One of which the leaves are 1, where rows are wanted, and 0.
        most: How many rows there may be.

    Raises:
        OverflowError: there would be more.
    """
    levels = sorted(diagrams.levels(root))
    rest, rows = root, list[Row]()
    while rest != diagrams.leaf(0):
        if len(rows) == most:
            raise OverflowError(f"more than {most:,} rows")
        row = widest(diagrams, root, _somewhere(diagrams, rest), order=levels)
        rows.append(row)
        rest = _without(diagrams, rest, row)
    return tuple(_needed(diagrams, rows))


def widest(diagrams: Diagrams, root: Root, row: Row, *, order: Iterable[int]) -> Row:
    """Return a row that lies in a function, and of which no fact can say less.

    Args:
        diagrams: Holds the function.
        root: One that is 1 everywhere in the row.
        row: What is made wider.
        order: Of which facts, the first as far as it goes before the next.
    """
    wide = dict(row)
    for level in order:
        if level in wide:
            values = _possible(diagrams, root, wide, level)
            if values == _all(diagrams, level):
                del wide[level]
            else:
                wide[level] = values
    return wide


def holds_in(diagrams: Diagrams, root: Root, row: Row) -> bool:
    """Say whether a function is 1 everywhere in a row."""
    seen: set[Root] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node < 0:
            if node != diagrams.leaf(1):
                return False
            continue
        level, branches = diagrams.node(node)
        wanted = row.get(level, _all(diagrams, level))
        more = {child for child, bits in branches if bits & wanted} - seen
        seen |= more
        stack += more
    return True


def row_root(diagrams: Diagrams, row: Row) -> Root:
    """Return the function that is 1 in a row, and else 0."""
    root = diagrams.leaf(1)
    for level in sorted(row, reverse=True):
        outside = _all(diagrams, level) & ~row[level]
        branches = [(root, row[level]), (diagrams.leaf(0), outside)]
        root = diagrams.choose(level, [pair for pair in branches if pair[1]])
    return root


def _somewhere(diagrams: Diagrams, root: Root) -> Row:
    """Return some row in which a function is 1: of values those that come first."""
    row: dict[int, int] = {}
    reached = _reaching(diagrams, root)
    while root >= 0:
        level, branches = diagrams.node(root)
        options = [pair for pair in branches if pair[0] in reached]
        root, row[level] = min(options, key=lambda pair: pair[1] & -pair[1])
    return row


def _reaching(diagrams: Diagrams, root: Root) -> set[Root]:
    """Return the functions below one that are 1 somewhere."""
    found: dict[Root, bool] = {}

    def walk(node: Root) -> bool:
        if node < 0:
            return bool(found.setdefault(node, node == diagrams.leaf(1)))
        if node not in found:
            # Each of them is asked: a path may go through any.
            below = [walk(child) for child, _ in diagrams.node(node)[1]]
            found[node] = any(below)
        return found[node]

    walk(root)
    return {node for node, reaches in found.items() if reaches}


def _possible(diagrams: Diagrams, root: Root, row: Row, level: int) -> int:
    """Return the values that one fact may have in a row that stays in a function."""
    whole = _all(diagrams, level)
    memo: dict[Root, int] = {}

    def walk(node: Root) -> int:
        if node < 0:
            return whole if node == diagrams.leaf(1) else 0
        if node in memo:
            return memo[node]
        own, branches = diagrams.node(node)
        if own == level:
            found = sum(bits for child, bits in branches if walk(child))
        else:
            found = whole
            wanted = row.get(own, _all(diagrams, own))
            for child, bits in branches:
                if found and bits & wanted:
                    found &= walk(child)
        memo[node] = found
        return found

    return walk(root)


def _without(diagrams: Diagrams, root: Root, row: Row) -> Root:
    return diagrams.joined(root, row_root(diagrams, row), lambda one, two: one & ~two)


def _needed(diagrams: Diagrams, rows: Sequence[Row]) -> list[Row]:
    """Return rows without those that the others cover; the first made are the widest."""
    kept = list(rows)
    for row in reversed(rows):
        left = row_root(diagrams, row)
        for other in kept:
            if other is not row:
                left = _without(diagrams, left, other)
        if left == diagrams.leaf(0):
            kept.remove(row)
    return kept


def _all(diagrams: Diagrams, level: int) -> int:
    return (1 << diagrams.sizes[level]) - 1
