"""Finds the smallest changes of mutable facts that give a call another verdict.

For operators alone: whoever may not make a call must not be taught how to describe it
differently. So a fact counts only if it is declared to be mutable, which who somebody is
and what is sent are not by default.

A change has to reach each rule that objects: it is looked for among the facts that one
of them reads, then, where another still objects, among those that that one reads. What
is shown is the verdict of a whole evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Final, TypeAlias

from policyguard.canonical import Json
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Path
from policyguard.errors import ConfigurationError
from policyguard.testing.answers import UNANSWERED, VERDICTS, Answer, Asker
from policyguard.testing.choosing import DEPLOYMENT, Ground, Setting, label_of
from policyguard.testing.relevant import also_read
from policyguard.testing.space import concerned
from policyguard.testing.tables import Analyst
from policyguard.vocabulary.call import ModelCall

Progress: TypeAlias = Callable[[str, int, int], None]
MUTABLE: Final = (
    DEPLOYMENT,
    "context.weights_evidence",
    "tenant.contracts",
    "tenant.contracts.*",
    "tenant.licences",
    "tenant.licences.*",
    "tenant.data_security.*",
)
"""What an operator can bring about: another deployment, a contract, a licence."""
_ALWAYS_READ: Final[frozenset[Path]] = frozenset(
    {("at",), ("tenant", "profile"), ("approvals",)}
)
"""What decides, for every rule, what its finding does to the verdict."""
_MODEL: Final[Path] = ("model",)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Is a set of facts which, so changed, gives another verdict."""

    facts: Mapping[str, str]
    """By name what each becomes, as a person writes it."""
    answer: Answer
    call: Json = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """Is what would give a call another verdict."""

    answer: Answer
    """What the policy says of the call as it is."""
    wanted: tuple[str, ...]
    """Verdicts that count as another one."""
    changes: tuple[Change, ...]
    """The smallest ones: as many facts each, and every one of that size."""
    size: int
    """How many facts the smallest ones change; 0: none was found."""
    searched: int
    """Up to how many changed facts every change was looked at."""
    mutable: tuple[str, ...]
    """The facts that could be otherwise."""
    before: Mapping[str, str]
    """What those of them are that a change names."""
    evaluations: int
    bundle_digest: str
    catalog_digest: str


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
    _seen: dict[frozenset[int], Answer] = field(default_factory=dict)

    def of_weight(self, weight: int) -> Iterator[frozenset[int]]:
        """Yield every set of moves of a weight that gives a wanted verdict.

        Raises:
            OverflowError: there are more evaluations than are to be made.
        """
        done: set[frozenset[int]] = set()
        stack: list[frozenset[int]] = [frozenset()]
        while stack:
            chosen = stack.pop()
            spent = sum(self.moves[index].weight for index in chosen)
            answer = self.ask(chosen)
            if spent == weight:
                if answer.verdict in self.wanted:
                    yield chosen
                continue
            for index in self._next(chosen, answer):
                more = chosen | {index}
                if spent + self.moves[index].weight <= weight and more not in done:
                    done.add(more)
                    stack.append(more)

    def ask(self, chosen: frozenset[int]) -> Answer:
        """Return what the policy says once some facts are changed."""
        if chosen not in self._seen:
            if len(self._seen) > self.most:
                raise OverflowError
            settings = [self.moves[index].setting for index in sorted(chosen)]
            self._seen[chosen] = self.asker.ask(self.ground.apply(*settings))
        return self._seen[chosen]

    def _next(self, chosen: frozenset[int], answer: Answer) -> Sequence[int]:
        """Return the moves one of which every larger change has.

        INVARIANT: a rule that objects goes on objecting as long as nothing that it reads
        changes, so each change that silences it has a move of these.
        """
        taken = {self.moves[index].fact for index in chosen}
        free = [i for i, move in enumerate(self.moves) if move.fact not in taken]
        bad = [rule for rule, effect in answer.objecting if effect not in self.wanted]
        if not bad:
            return free
        options = ([i for i in free if self._reaches(rule, i)] for rule in bad)
        return min(options, key=len)

    def _reaches(self, rule: str, index: int) -> bool:
        read = self.reads(rule)
        return read is None or not read.isdisjoint(self.moves[index].touches)


def what_if(  # noqa: PLR0913 -- the words of one question
    policy: PolicySet,
    call: ModelCall,
    *,
    mutable: Iterable[str] = MUTABLE,
    to: str | None = None,
    most_facts: int = 3,
    most: int = 20_000,
    progress: Progress = lambda *_: None,
) -> WhatIf:
    """Find the smallest changes that give a call another verdict.

    Args:
        policy: Rules and catalog, as an engine takes them.
        call: The call.
        mutable: Names of facts that may change, `*` for any rest of a name.
        to: The verdict that is wanted: without it `allow`, or for a call that is allowed
            any other.
        most_facts: How many facts a change has at most.
        most: How many whole evaluations are made at most.
        progress: Told the stage, how much of it is done, and how much there is.

    Raises:
        ConfigurationError: no fact has such a name; or the policy has no answer.
    """
    ground = Ground.of(policy, call)
    asker = Asker(policy)
    answer = asker.ask(ground.apply())
    if answer.verdict == UNANSWERED:
        raise ConfigurationError(
            f"the policy has no answer to this call, so nothing can change it:"
            f" {answer.why}"
        )
    wanted = _wanted(answer, to)
    moves = tuple(moves_of(ground, mutable))
    search = Search(
        ground=ground, asker=asker, moves=moves, reads=reads_of(asker.policy, ground),
        wanted=wanted, most=most,
    )  # fmt: skip
    found: list[frozenset[int]] = []
    searched = 0
    try:
        for size in range(1, most_facts + 1):
            found = []
            progress("changes", size - 1, most_facts)
            found += search.of_weight(size)
            searched = size
            if found:
                break
    except OverflowError:
        found = []
    progress("changes", most_facts, most_facts)
    changes = tuple(sorted(map(_change_of(search), found), key=_order))
    names = {name for change in changes for name in change.facts}
    return WhatIf(
        answer=answer,
        wanted=tuple(name for name in VERDICTS if name in wanted),
        changes=changes,
        size=searched if found else 0,
        searched=searched,
        mutable=tuple(dict.fromkeys(move.fact for move in moves)),
        before=_before(ground, names),
        evaluations=asker.evaluations,
        bundle_digest=policy.bundle_digest,
        catalog_digest=policy.catalog_digest,
    )


def moves_of(ground: Ground, mutable: Iterable[str]) -> Iterator[Move]:
    """Yield each fact that may change with each value that it does not have.

    Args:
        ground: The call.
        mutable: Names, `*` for any rest of a name.

    Raises:
        ConfigurationError: no fact has such a name.
    """
    patterns = tuple(mutable)
    names = [DEPLOYMENT, *(dim.name for dim in ground.space.dims)]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigurationError(
                f"no fact is named `{pattern}`: `policyguard policy matrix --facts`"
                " lists them"
            )
    chosen = {name for name in names for p in patterns if fnmatchcase(name, p)}
    call = ground.apply()
    if DEPLOYMENT in chosen and len(call["route"]) == 1:
        yield from _other_deployments(ground, call)
    for dim in ground.space.dims:
        if dim.name not in chosen or dim.path in {("route",), _MODEL}:
            continue
        known = tuple(ground.values(call, dim.path))
        for value in dim.values:
            # To know less is no way out, and what is there needs no template.
            if value not in (None, *known) and label_of(value) != "declared":
                setting = Setting(label=label_of(value), facts={dim.path: value})
                yield Move(fact=dim.name, setting=setting)


def _other_deployments(ground: Ground, call: Mapping[str, Json]) -> Iterator[Move]:
    for setting in ground.axis(DEPLOYMENT).settings:
        if setting.facts["route",] != call["route"]:
            other = setting.facts[_MODEL] != call["model"]
            yield Move(fact=DEPLOYMENT, setting=setting, weight=1 + other)


def reads_of(
    policy: PolicySet, ground: Ground
) -> Callable[[str], frozenset[Path] | None]:
    """Return what says which facts a rule reads; `None` where that may be all.

    Args:
        policy: Rules and catalog.
        ground: Has the facts.
    """
    analyst = Analyst(policy, ground.space)

    @cache
    def reads(rule: str) -> frozenset[Path] | None:
        sliced = analyst.sliced(rule) if rule in analyst.rules else None
        if sliced is None:
            return None
        return _ALWAYS_READ.union(
            dim.path
            for read in also_read(sliced.deep.facts)
            for dim in concerned(ground.space.dims, read)
        )

    return reads


def _wanted(answer: Answer, to: str | None) -> frozenset[str]:
    if to is None:
        allowed = answer.verdict == "allow"
        return frozenset(VERDICTS[1:] if allowed else VERDICTS[:1])
    if to == answer.verdict:
        raise ConfigurationError(f"the call has the verdict `{to}` already")
    return frozenset({to})


def _change_of(search: Search) -> Callable[[frozenset[int]], Change]:
    def made(chosen: frozenset[int]) -> Change:
        moves = [search.moves[index] for index in sorted(chosen)]
        return Change(
            facts={move.fact: move.setting.label for move in moves},
            answer=search.ask(chosen),
            call=search.ground.apply(*(move.setting for move in moves)),
        )

    return made


def _order(change: Change) -> tuple[list[str], list[str]]:
    return list(change.facts), list(change.facts.values())


def _before(ground: Ground, names: Iterable[str]) -> dict[str, str]:
    call = ground.apply()
    found = {}
    for name in sorted(names):
        path: Path = ("route",) if name == DEPLOYMENT else ground.space.dim(name).path
        values = list(ground.values(call, path))
        found[name] = label_of(values[0]) if values else "not declared"
    return found
