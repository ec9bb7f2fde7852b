"""Holds functions of facts exactly, as decision diagrams that share equal parts.

A function gives each choice of values one leaf, a number. It is a tree that looks at one
fact after another, always in the same order, in which equal branches are one and facts
that make no difference are left out: so two functions are equal where their roots are,
and counting calls or finding one needs no walk through them all.

See R. E. Bryant, "Graph-Based Algorithms for Boolean Function Manipulation", IEEE
Transactions on Computers C-35 (1986); here a fact has as many branches as values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Final, TypeAlias

Root: TypeAlias = int
"""A function: below zero a leaf, else the place of what looks at a fact first."""
Leaf: TypeAlias = Callable[[int], int]
_Branches: TypeAlias = tuple[tuple[Root, int], ...]
_NONE: Final = 1 << 30
_HALF: Final = 0.5


class Diagrams:
    """Holds functions of the same facts; belongs to one thread.

    INVARIANT: two functions are equal exactly if their roots are the same number.

    Args:
        sizes: How many values each fact has, in the order in which they are looked at.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)
        self._nodes: list[tuple[int, _Branches]] = []
        self._known: dict[tuple[int, _Branches], Root] = {}
        self._selected: dict[tuple[int, _Branches], Root] = {}

    def added(self, size: int) -> int:
        """Return the place of one fact more, which is looked at after all others.

        Args:
            size: How many values it has.
        """
        self.sizes = (*self.sizes, size)
        return len(self.sizes) - 1

    @staticmethod
    def leaf(value: int) -> Root:
        """Return the function that has one value everywhere."""
        return ~value

    def choose(self, level: int, branches: Iterable[tuple[Root, int]]) -> Root:
        """Return the function that looks at one fact and goes on with another function.

        Args:
            level: Which fact.
            branches: Functions of later facts, each with the values as bits.
        """
        merged: dict[Root, int] = {}
        for child, values in branches:
            merged[child] = merged.get(child, 0) | values
        if len(merged) == 1:
            return next(iter(merged))
        node = (level, tuple(sorted(merged.items())))
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = len(self._nodes)
            self._nodes.append(node)
        return known

    def selected(self, level: int, branches: Iterable[tuple[Root, int]]) -> Root:
        """Return the function that is another one by the value of a fact.

        Args:
            level: Which fact; the functions may look at facts before it.
            branches: The functions, each with the values as bits, of which all are there.
        """
        merged: dict[Root, int] = {}
        for root, values in branches:
            merged[root] = merged.get(root, 0) | values
        if len(merged) == 1:
            return next(iter(merged))
        node = (level, tuple(sorted(merged.items())))
        known = self._selected.get(node)
        if known is None:
            known = self._selected[node] = self._selecting(*node)
        return known

    def _selecting(self, level: int, branches: _Branches) -> Root:
        first = min(self._first(root) for root, _ in branches)
        if first > level:
            return self.choose(level, branches)
        if first == level:
            return self.choose(
                level,
                [
                    (child, inner & values)
                    for root, values in branches
                    for child, inner in self._ways(root, level)
                    if inner & values
                ],
            )
        # By the values of the earlier fact, what each function goes on with.
        ways: list[tuple[int, _Branches]] = [(self._every(first), ())]
        for root, values in branches:
            ways = [
                (own & more, (*rest, (child, values)))
                for own, rest in ways
                for child, more in self._ways(root, first)
                if own & more
            ]
        return self.choose(
            first, [(self.selected(level, rest), own) for own, rest in ways]
        )

    def _ways(self, root: Root, level: int) -> _Branches:
        """Return what a function goes on with by a fact, which is its first or earlier."""
        if self._first(root) == level:
            return self._nodes[root][1]
        return ((root, self._every(level)),)

    def _first(self, root: Root) -> int:
        return self._nodes[root][0] if root >= 0 else _NONE

    def _every(self, level: int) -> int:
        return (1 << self.sizes[level]) - 1

    def among(self, level: int, values: Iterable[int]) -> Root:
        """Return the function that is 1 where a fact has one of some values, else 0."""
        inside = sum({1 << value for value in values})
        outside = self._every(level) & ~inside
        pairs = ((self.leaf(1), inside), (self.leaf(0), outside))
        return self.choose(level, [pair for pair in pairs if pair[1]])

    def joined(self, one: Root, other: Root, leaf: Callable[[int, int], int]) -> Root:
        """Return the function that combines the leaves of two.

        Args:
            one: The first function.
            other: The second.
            leaf: Says what two leaves give.
        """
        memo: dict[tuple[Root, Root], Root] = {}

        def walk(left: Root, right: Root) -> Root:
            if left < 0 and right < 0:
                return ~leaf(~left, ~right)
            known = memo.get((left, right))
            if known is not None:
                return known
            first, lefts = self._nodes[left] if left >= 0 else (_NONE, ())
            second, rights = self._nodes[right] if right >= 0 else (_NONE, ())
            if first < second:
                branches = [(walk(child, right), bits) for child, bits in lefts]
            elif second < first:
                branches = [(walk(left, child), bits) for child, bits in rights]
            else:
                branches = [
                    (walk(child, also), bits & more)
                    for child, bits in lefts
                    for also, more in rights
                    if bits & more
                ]
            found = self.choose(min(first, second), branches)
            memo[left, right] = found
            return found

        return walk(one, other)

    def mapped(self, root: Root, leaf: Leaf) -> Root:
        """Return the function with other leaves."""
        return self.taken(root, self, range(len(self.sizes)), leaf)

    def taken(
        self,
        root: Root,
        other: Diagrams,
        levels: Mapping[int, int] | Sequence[int],
        leaf: Leaf,
    ) -> Root:
        """Return a function of others as one of these.

        Args:
            root: The function.
            other: Whose it is.
            levels: By fact there, which one it is here: in the same order, and with the
                same values.
            leaf: Says what becomes of a leaf.
        """
        memo: dict[Root, Root] = {}

        def walk(node: Root) -> Root:
            if node < 0:
                return ~leaf(~node)
            if node not in memo:
                level, branches = other.node(node)
                memo[node] = self.choose(
                    levels[level], [(walk(child), bits) for child, bits in branches]
                )
            return memo[node]

        return walk(root)

    def at(self, root: Root, level: int, value: int) -> Root:
        """Return the function where one fact has one value."""
        memo: dict[Root, Root] = {}

        def walk(node: Root) -> Root:
            if node < 0 or self._nodes[node][0] > level:
                return node
            if node not in memo:
                own, branches = self._nodes[node]
                if own == level:
                    memo[node] = next(c for c, bits in branches if bits >> value & 1)
                else:
                    memo[node] = self.choose(
                        own, [(walk(child), bits) for child, bits in branches]
                    )
            return memo[node]

        return walk(root)

    def tuples(
        self, roots: Sequence[Root], *, most: int
    ) -> tuple[Root, list[tuple[int, ...]]]:
        """Return one function of which each leaf is the place of a tuple of leaves.

        Args:
            roots: The functions.
            most: How many tuples there may be.

        Raises:
            OverflowError: there are more.
        """
        found: list[tuple[int, ...]] = [()]
        whole = self.leaf(0)
        for root in roots:
            places: dict[tuple[int, int], int] = {}

            def leaf(
                left: int, right: int, known: dict[tuple[int, int], int] = places
            ) -> int:
                place = known.setdefault((left, right), len(known))
                if place > most:
                    raise OverflowError(f"more than {most:,} views")
                return place

            whole = self.joined(whole, root, leaf)
            found = [(*found[left], right) for left, right in places]
        return whole, found

    def value(self, root: Root, values: Sequence[int]) -> int:
        """Return the leaf of one choice."""
        while root >= 0:
            level, branches = self._nodes[root]
            root = next(c for c, bits in branches if bits >> values[level] & 1)
        return ~root

    def leaves(self, root: Root) -> set[int]:
        """Return the leaves that some choice has."""
        seen, stack, found = {root}, [root], set()
        while stack:
            node = stack.pop()
            if node < 0:
                found.add(~node)
                continue
            for child, _ in self._nodes[node][1]:
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
        return found

    def levels(self, root: Root) -> set[int]:
        """Return the facts that make a difference."""
        seen, stack, found = {root}, [root], set()
        while stack:
            node = stack.pop()
            if node >= 0:
                level, branches = self._nodes[node]
                found.add(level)
                new = {child for child, _ in branches} - seen
                seen |= new
                stack += new
        return found

    def node(self, root: Root) -> tuple[int, _Branches]:
        """Return which fact a function looks at first, and what it goes on with.

        Args:
            root: A function that is no leaf.
        """
        return self._nodes[root]

    def counts(self, root: Root) -> dict[int, int]:
        """Return how many choices have each leaf."""
        memo: dict[Root, dict[int, int]] = {}

        def walk(node: Root) -> dict[int, int]:
            if node < 0:
                return {~node: 1}
            if node not in memo:
                level, branches = self._nodes[node]
                found: dict[int, int] = {}
                for child, bits in branches:
                    times = bits.bit_count() * self._between(level, child)
                    for leaf, number in walk(child).items():
                        found[leaf] = found.get(leaf, 0) + times * number
                memo[node] = found
            return memo[node]

        outer = self._between(-1, root)
        return {leaf: outer * number for leaf, number in walk(root).items()}

    def example(self, root: Root, wanted: int) -> dict[int, int] | None:
        """Return a choice that has a leaf, of the facts that matter; none has: nothing.

        Of values the first is taken: a space lists what is unremarkable first.
        """
        memo: dict[Root, dict[int, int] | None] = {}

        def walk(node: Root) -> dict[int, int] | None:
            if node < 0:
                return {} if ~node == wanted else None
            if node not in memo:
                level, branches = self._nodes[node]
                options = [
                    {level: (bits & -bits).bit_length() - 1} | below
                    for child, bits in branches
                    if (below := walk(child)) is not None
                ]
                memo[node] = min(options, key=len, default=None)
            return memo[node]

        return walk(root)

    def drawn(
        self, root: Root, wanted: int, chooser: Random, *, usual: Mapping[int, int]
    ) -> Iterator[dict[int, int]]:
        """Yield choices at random that have a leaf, of the facts that matter.

        Of the facts that may be, half are as usual. Else each way that leads to the leaf
        is as likely as any other, so that one which few choices take is taken, too.

        Args:
            root: A function; one without the leaf yields nothing.
            wanted: The leaf.
            chooser: What decides.
            usual: Which value a fact has where nothing is said of it.
        """
        leads = {~wanted: True}

        def walk(node: Root) -> bool:
            if node not in leads:
                below = [walk(c) for c, _ in self._nodes[node][1]] if node >= 0 else []
                leads[node] = any(below)
            return leads[node]

        while walk(root):
            node, found = root, {}
            while node >= 0:
                level, branches = self._nodes[node]
                ways = [way for way in branches if leads[way[0]]]
                bit = 1 << usual[level] if level in usual else 0
                as_usual = [(child, bit) for child, bits in ways if bits & bit]
                if as_usual and chooser.random() < _HALF:
                    ways = as_usual
                node, bits = chooser.choice(ways)
                found[level] = chooser.choice(
                    [value for value in range(self.sizes[level]) if bits >> value & 1]
                )
            yield found

    def _between(self, level: int, child: Root) -> int:
        """Return how many choices the facts between two that are looked at have."""
        below = self._nodes[child][0] if child >= 0 else len(self.sizes)
        return math.prod(self.sizes[level + 1 : below])
