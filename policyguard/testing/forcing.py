"""Finds the facts that force a verdict: whatever all others are, it stays as strict.

For operators alone, as counterfactuals are: who knows which facts decide knows which to
describe otherwise.

A rule that objects is decided over every call of a space that has the call's own values,
too. Then the smallest sets of facts are looked for with which the rule objects whatever
the other facts are, unknown among them. The instant and the tenant's profile stay as they
are: they say what a finding counts for. Where a rule reads too much, other facts stay as
they are as well, and are named.

INVARIANT: no set is shown for which a whole evaluation of a call that has it gives a
milder verdict.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final, Literal, TypeAlias

import orjson

from policyguard.canonical import Json
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Path
from policyguard.errors import ConfigurationError, EvaluationError
from policyguard.testing.answers import UNANSWERED, VERDICTS, Answer, Asker
from policyguard.testing.choosing import Ground, label_of
from policyguard.testing.counterexamples import translated
from policyguard.testing.covers import holds_in
from policyguard.testing.diagrams import Root
from policyguard.testing.holding import holding, name_of_path, next_held, value_at
from policyguard.testing.relevant import Relevance
from policyguard.testing.rule_table import OBJECTS, Table
from policyguard.testing.space import Dim, Space
from policyguard.testing.tables import Analyst, relevance_of
from policyguard.vocabulary.call import ModelCall

Progress: TypeAlias = Callable[[str, int, int], None]
Tier: TypeAlias = Literal["PROVED", "CHECKED"]
CROSSCHECKS: Final = 100
_MOST_SETS: Final = 50_000
_STAY: Final[tuple[Path, ...]] = (("at",), ("tenant", "profile"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Is a smallest set of facts with which a rule objects, whatever all others are."""

    rule: str
    effects: tuple[str, ...]
    """What the rule finds then, at least one of them."""
    facts: Mapping[str, str]
    """By name what each is, as a person writes it."""
    tier: Tier
    """PROVED: of every call of the space; CHECKED: of those in which `held` is so."""
    held: Mapping[str, str]
    """What stays as it is, too, since the rule reads too much."""
    smallest: bool
    """Whether no set of fewer facts forces it; else each of these facts is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forced:
    """Is what forces the verdict of a call."""

    answer: Answer
    reasons: tuple[Reason, ...]
    given: Mapping[str, str]
    """What stays as it is in each."""
    untold: Mapping[str, str]
    """Rules that object of which no reason is found, with why."""
    evaluations: int
    """Whole evaluations that agree."""
    bundle_digest: str
    catalog_digest: str


def forced(
    policy: PolicySet,
    call: ModelCall,
    *,
    views: int = 10_000,
    progress: Progress = lambda *_: None,
) -> Forced:
    """Find the smallest sets of facts that force the verdict of a call.

    Args:
        policy: Rules and catalog, as an engine takes them.
        call: One that is not allowed.
        views: The most views on which one part of a rule is asked.
        progress: Told the stage, how much of it is done, and how much there is.

    Raises:
        ConfigurationError: the call is allowed, which no few facts force; or the policy
            has no answer to it.
        EvaluationError: a whole evaluation differs from what was found, which is a
            fault of the kit.
    """
    ground = Ground.of(policy, call)
    asker = Asker(policy, compiled=False)
    asked = ground.apply()
    answer = asker.ask(asked)
    if answer.verdict == UNANSWERED:
        raise ConfigurationError(f"the policy has no answer to this call: {answer.why}")
    if answer.verdict == VERDICTS[0]:
        raise ConfigurationError(
            "the call is allowed, which no few facts force: every rule has its say:"
            " ask what would deny it with --to deny"
        )
    space = own_space(ground, asked)
    rules = [rule for rule, effect in answer.objecting if effect == answer.verdict]
    analyst = Analyst(asker.policy, space, budget=views)
    reasons: list[Reason] = []
    untold: dict[str, str] = {}
    for index, rule in enumerate(dict.fromkeys(rules), start=1):
        try:
            reasons += _of_rule(analyst, rule, asker, answer)
        except OverflowError as error:
            untold[rule] = str(error)
        progress("rules", index, len(rules))
    return Forced(
        answer=answer,
        reasons=tuple(
            sorted(reasons, key=lambda r: (len(r.facts), r.rule, [*r.facts]))
        ),
        given={name_of_path(path): label_of(value_at(asked, path)) for path in _STAY},
        untold=untold,
        evaluations=asker.evaluations,
        bundle_digest=policy.bundle_digest,
        catalog_digest=policy.catalog_digest,
    )


def document_of(found: Forced) -> dict[str, Any]:
    """Return what forces a verdict as a JSON document.

    Args:
        found: What was found.
    """
    return {
        "verdict": found.answer.verdict,
        "objecting": [list(item) for item in found.answer.objecting],
        "given": dict(found.given),
        "reasons": [
            {
                "rule": reason.rule,
                "effects": list(reason.effects),
                "facts": dict(reason.facts),
                "tier": reason.tier,
                "held": dict(reason.held),
                "smallest": reason.smallest,
            }
            for reason in found.reasons
        ],
        "untold": dict(found.untold),
        "evaluations": found.evaluations,
        "bundle": found.bundle_digest,
        "catalog": found.catalog_digest,
    }


def own_space(ground: Ground, asked: Mapping[str, Json]) -> Space:
    """Return a space with the call's own values, around the call.

    Args:
        ground: The call, and what is known of its facts.
        asked: Its `input`.
    """
    base = orjson.loads(orjson.dumps(asked))
    # A space has one contract and one licence: of contracts, the operator's.
    operator = ground.space.recipients.get(base["route"][0], "nobody")
    contracts = base["tenant"]["contracts"]
    if contracts:
        own = [item for item in contracts if item["operator"] == operator]
        base["tenant"]["contracts"] = own[:1]
    dims = tuple(_with_own(dim, base) for dim in ground.space.dims)
    return replace(ground.space, dims=dims, base=base)


def _with_own(dim: Dim, base: Mapping[str, Json]) -> Dim:
    value = value_at(base, dim.path)
    if dim.path in _STAY:
        return Dim(path=dim.path, values=(value,), kind=dim.kind)
    if value in dim.values or _has_parts(value) or _missing(base, dim.path):
        return dim
    return replace(dim, values=(*dim.values, value))


def _of_rule(
    analyst: Analyst, rule: str, asker: Asker, answer: Answer
) -> Iterator[Reason]:
    table, held, analyst = _decided(analyst, rule)
    point = _point(table, analyst)
    outcome = table.outcome(point)
    effects = tuple(sorted({e for _, e in outcome if e in OBJECTS}))
    if not effects:
        raise OverflowError(
            "the call has several licences, owners or contracts where a space has one"
        )
    meant = {
        place
        for place, found in enumerate(table.outcomes)
        if any(effect in (*effects, "deny") for _, effect in found)
    }
    root = table.diagrams.mapped(table.root, lambda place: int(place in meant))
    sets, smallest = _smallest(table, root, point)
    for levels in sets:
        _cross_check(analyst, table, point, levels, asker=asker, least=answer.verdict)
        dims = table.space.dims
        yield Reason(
            rule=rule,
            effects=effects,
            facts={
                dims[level].name: label_of(
                    value_at(analyst.space.base, dims[level].path)
                )
                for level in levels
            },
            tier="CHECKED" if held else "PROVED",
            held={
                name_of_path(path): label_of(value_at(analyst.space.base, path))
                for path in held
            },
            smallest=smallest,
        )


def _decided(analyst: Analyst, rule: str) -> tuple[Table, list[Path], Analyst]:
    held: list[Path] = []
    while True:
        table = analyst.table(rule)
        if isinstance(table, Table):
            return table, held, analyst
        path = next_held(table.space)
        if path is None:
            raise OverflowError(table.why)
        held.append(path)
        space = holding(analyst.space, path)
        analyst = Analyst(analyst.policy, space, budget=analyst.budget)


def _point(table: Table, analyst: Analyst) -> dict[Path, int]:
    """Return the call as a choice of what the rule tells apart."""
    base, relevance = analyst.space.base, relevance_of(analyst, table.rule)
    found = {}
    for dim in table.space.dims:
        value = value_at(base, dim.path)
        if value in dim.values:
            found[dim.path] = dim.values.index(value)
        elif _has_parts(value):
            found[dim.path] = next(i for i, v in enumerate(dim.values) if _has_parts(v))
        elif _missing(base, dim.path):
            found[dim.path] = 0
        else:
            found[dim.path] = _stand_in(
                dim, analyst.space.dim(dim.name), value, relevance
            )
    return found


def _stand_in(dim: Dim, whole: Dim, value: Any, relevance: Relevance) -> int:
    """Return the value that is kept of those that the rule cannot tell from one."""
    if dim.kind == "number":
        # Between two numbers that are kept all are alike.
        known = [(v, i) for i, v in enumerate(dim.values) if isinstance(v, int)]
        return max((v, i) for v, i in known if v <= value)[1]
    keys = relevance.keys(whole)
    mine = keys[whole.values.index(value)]
    for index, kept in enumerate(dim.values):
        if keys[whole.values.index(kept)] == mine:
            return index
    raise OverflowError(f"`{dim.name}` is as no value that the rule was asked on")


def _smallest(
    table: Table, root: Root, point: Mapping[Path, int]
) -> tuple[list[tuple[int, ...]], bool]:
    """Return every smallest set of facts that forces a function, and if they are."""
    diagrams, dims = table.diagrams, table.space.dims
    levels = sorted(diagrams.levels(root))

    def forces(chosen: Sequence[int]) -> bool:
        row = {level: 1 << point[dims[level].path] for level in chosen}
        return holds_in(diagrams, root, row)

    # What cannot be left out alone is in every set.
    needed = [n for n in levels if not forces([m for m in levels if m != n])]
    rest = [level for level in levels if level not in needed]
    tried = 0
    for size in range(len(rest) + 1):
        found = []
        for more in itertools.combinations(rest, size):
            tried += 1
            if tried > _MOST_SETS:
                return [_thinned(levels, forces)], False
            if forces((*needed, *more)):
                found.append(tuple(sorted((*needed, *more))))
        if found:
            return found, True
    raise EvaluationError("no set of facts forces what the call itself shows")


def _thinned(
    levels: Sequence[int], forces: Callable[[Sequence[int]], bool]
) -> tuple[int, ...]:
    kept = list(levels)
    for level in levels:
        fewer = [other for other in kept if other != level]
        if forces(fewer):
            kept = fewer
    return tuple(kept)


def _cross_check(  # noqa: PLR0913 -- what is compared with what
    analyst: Analyst,
    table: Table,
    point: Mapping[Path, int],
    levels: Sequence[int],
    *,
    asker: Asker,
    least: str,
) -> None:
    """Ask whole calls that have the facts, and anything else."""
    chooser = Random(0)  # noqa: S311 -- the same calls each time, no secret
    kept = {table.space.dims[level].path for level in levels}
    fixed = translated(
        table, analyst, {path: value for path, value in point.items() if path in kept}
    )
    for _ in range(CROSSCHECKS):
        others = analyst.space.draw(chooser)
        answer = asker.ask(analyst.space.call({**others, **fixed}))
        strict = [*VERDICTS, UNANSWERED]
        if strict.index(answer.verdict) < strict.index(least):
            raise EvaluationError(
                f"{table.rule}: a whole evaluation is milder than what was found: this"
                " is a fault of the kit: report it with the call"
            )


def _has_parts(value: Json) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, dict) for item in value)
    )


def _missing(base: Any, path: Path) -> bool:
    """Say whether a call has no such fact, as it has not the object that it is in."""
    for part in path[:-1]:
        if part == "*":
            base = base[0] if base else None
        else:
            base = base.get(part) if isinstance(base, dict) else None
        if not base:
            return True
    return False
