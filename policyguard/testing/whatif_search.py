"""Looks for every smallest set of changed facts that silences whatever objects.

A rule that objects goes on objecting as long as nothing that it reads changes. So what is
known of one rule is known of it for each other change that leaves its facts alike, and a
change is worth asking about only if it has a fact of each rule that still objects. That
makes the question of ten rules that of a few facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from policyguard.engines.tree import Path
from policyguard.testing.answers import Answer, Asker
from policyguard.testing.choosing import Ground, Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Is one fact that could be otherwise."""

    fact: str
    setting: Setting
    weight: int = 1
    """How many facts it changes: a deployment of another model changes two."""

    @property
    def touches(self) -> Iterator[Path]:
        """Yield the facts that may be otherwise: in a new contract, that there is one."""
        for path in self.setting.facts:
            yield from (path[:length] for length in range(1, len(path) + 1))


@dataclass(slots=True, kw_only=True)
class Search:
    """Looks for changes; belongs to one thread."""

    ground: Ground
    asker: Asker
    moves: Sequence[Move]
    reads: Callable[[str], frozenset[Path] | None]
    """Says of a rule which facts it reads; `None`: it may read all of them."""
    wanted: frozenset[str]
    most: int
    """Evaluations after which the search ends."""
    _seen: dict[frozenset[int], Answer] = field(default_factory=dict, init=False)
    _objects: dict[str, set[frozenset[int | Path]]] = field(
        default_factory=dict, init=False
    )
    """By rule the changes of its own facts with which it is known to object."""
    _reads: dict[str, frozenset[Path] | None] = field(default_factory=dict, init=False)
    _facts: dict[str, frozenset[str]] = field(default_factory=dict, init=False)
    """By rule the facts that it reads, of those that may change."""
    _hit: dict[tuple[frozenset[frozenset[str]], int], bool] = field(
        default_factory=dict, init=False
    )

    def of_weight(self, weight: int) -> Iterator[frozenset[int]]:
        """Yield every set of moves of a weight that gives a wanted verdict.

        Raises:
            OverflowError: there are more evaluations than are to be made.
        """
        done: set[frozenset[int]] = set()
        stack: list[frozenset[int]] = [frozenset()]
        while stack:
            chosen = stack.pop()
            left = weight - sum(self.moves[index].weight for index in chosen)
            if not self._can_do(self._known(chosen), chosen, left):
                continue
            answer = self.ask(chosen)
            if left == 0:
                if answer.verdict in self.wanted:
                    yield chosen
                continue
            for index in self._next(chosen, self._bad(answer), left):
                more = chosen | {index}
                if more not in done:
                    done.add(more)
                    stack.append(more)

    def ask(self, chosen: frozenset[int]) -> Answer:
        """Return what the policy says once some facts are changed."""
        if chosen not in self._seen:
            if len(self._seen) > self.most:
                raise OverflowError
            settings = [self.moves[index].setting for index in sorted(chosen)]
            answer = self.asker.ask(self.ground.apply(*settings))
            self._seen[chosen] = answer
            for rule in self._bad(answer):
                self._objects.setdefault(rule, set()).add(self._own(rule, chosen))
        return self._seen[chosen]

    def _next(
        self, chosen: frozenset[int], bad: Sequence[str], left: int
    ) -> Iterator[int]:
        """Yield the moves one of which every larger change has.

        INVARIANT: a rule that objects goes on objecting as long as nothing that it reads
        changes, so each change that silences it has a move of these.
        """
        taken = {self.moves[index].fact for index in chosen}
        free = [
            i
            for i, move in enumerate(self.moves)
            if move.fact not in taken and move.weight <= left
        ]
        of_rule = ([i for i in free if self._reaches(rule, i)] for rule in bad)
        for index in min(of_rule, key=len, default=free):
            rest = [rule for rule in bad if not self._reaches(rule, index)]
            after = left - self.moves[index].weight
            if self._can_do(rest, chosen | {index}, after):
                yield index

    def _can_do(self, bad: Iterable[str], chosen: frozenset[int], left: int) -> bool:
        """Say whether so many more facts can be of each rule that objects."""
        taken = {self.moves[index].fact for index in chosen}
        return self._hits(frozenset(self._facts_of(rule) - taken for rule in bad), left)

    def _hits(self, groups: frozenset[frozenset[str]], left: int) -> bool:
        if not groups:
            return True
        key = (groups, left)
        if key not in self._hit:
            self._hit[key] = left > 0 and any(
                self._hits(frozenset(g for g in groups if fact not in g), left - 1)
                for fact in min(groups, key=len)
            )
        return self._hit[key]

    def _known(self, chosen: frozenset[int]) -> Iterator[str]:
        """Yield the rules that are known to object, without asking."""
        for rule, known in self._objects.items():
            if self._own(rule, chosen) in known:
                yield rule

    def _own(self, rule: str, chosen: frozenset[int]) -> frozenset[int | Path]:
        """Return what of a change a rule can see.

        Of a fact that it does not read, in a new object that it does: that there is one.
        """
        read = self._read(rule)
        found: set[int | Path] = set()
        for index in chosen:
            move = self.moves[index]
            if read is None or not read.isdisjoint(move.setting.facts):
                found.add(index)
            else:
                found |= read.intersection(move.touches)
        return frozenset(found)

    def _bad(self, answer: Answer) -> list[str]:
        found = (rule for rule, e in answer.objecting if e not in self.wanted)
        return list(dict.fromkeys(found))

    def _reaches(self, rule: str, index: int) -> bool:
        return self.moves[index].fact in self._facts_of(rule)

    def _read(self, rule: str) -> frozenset[Path] | None:
        if rule not in self._reads:
            self._reads[rule] = self.reads(rule)
        return self._reads[rule]

    def _facts_of(self, rule: str) -> frozenset[str]:
        if rule not in self._facts:
            read = self._read(rule)
            self._facts[rule] = frozenset(
                move.fact
                for move in self.moves
                if read is None or not read.isdisjoint(move.touches)
            )
        return self._facts[rule]
