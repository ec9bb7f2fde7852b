"""Finds the smallest changes of mutable facts that give a call another verdict.

For operators alone: whoever may not make a call must not be taught how to describe it
differently. So a fact counts only if it is declared to be mutable, which who somebody is
and what is sent are not by default.

A change has to reach each rule that objects: it is looked for among the facts that one
of them reads, then, where another still objects, among those that that one reads. What
is shown is the verdict of a whole evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Final, TypeAlias

from policyguard.canonical import Json
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Path
from policyguard.errors import ConfigurationError
from policyguard.testing.answers import UNANSWERED, VERDICTS, Answer, Asker
from policyguard.testing.choosing import DEPLOYMENT, Ground, Setting, label_of
from policyguard.testing.whatif_reads import deciding_reads, written_reads
from policyguard.testing.whatif_search import Move, Search
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
_MODEL: Final[Path] = ("model",)
_QUICKLY: Final = 2_000
"""Evaluations after which it is worth while to decide which facts make a difference."""


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
    search, found, searched = _found(
        Search(
            ground=ground, asker=asker, moves=moves, wanted=wanted,
            reads=written_reads(policy, ground), most=min(most, _QUICKLY),
        ),
        most=most, most_facts=most_facts, progress=progress,
    )  # fmt: skip
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


def _found(
    search: Search, *, most: int, most_facts: int, progress: Progress
) -> tuple[Search, list[frozenset[int]], int]:
    """Return the changes, who found them, and up to how many facts all are looked at."""
    searched = 0
    try:
        for size in range(1, most_facts + 1):
            progress("changes", size - 1, most_facts)
            found = list(search.of_weight(size))
            searched = size
            if found:
                return search, found, searched
    except OverflowError:
        if search.most < most:
            ground, policy = search.ground, search.asker.policy
            reads = deciding_reads(policy, ground, search.moves, otherwise=search.reads)
            decided = replace(search, reads=reads, most=most)
            return _found(decided, most=most, most_facts=most_facts, progress=progress)
    return search, [], searched


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
