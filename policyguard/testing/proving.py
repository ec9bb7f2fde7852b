"""Decides properties of groups of rules, in this process or in several.

Rules of one regime read much the same facts, so that they are decided together: what one
of them evaluates the next one has. Nothing is kept from one group to the next, so that
what is found, and how often the engine is asked, is the same in however many processes.
"""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from policyguard.engines.protocol import PolicySet
from policyguard.errors import EvaluationError
from policyguard.testing.claims import (
    DEAD,
    REACHABLE,
    UNCOVERED,
    Claim,
    Effort,
    Progress,
)
from policyguard.testing.conditions import dead_conditions
from policyguard.testing.counterexamples import change_of, translated
from policyguard.testing.deciding import Guards, decide, loses_nothing
from policyguard.testing.properties import PROPERTIES, Property, opened, property_named
from policyguard.testing.regions import Told, told_apart
from policyguard.testing.rule_table import Sample, Table, drawn, objects
from policyguard.testing.space import Space
from policyguard.testing.tables import Analyst

_CONFIDENCE: Final = 3.0
"""Of N draws without a hit, the share of hits is below 3/N with 95 % confidence."""

_SELDOM: Final = 200_000
"""After how many new objects Python looks for those that only refer to one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Is what is to be decided of each rule."""

    policy: PolicySet
    space: Space
    properties: tuple[Property, ...]
    effort: Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Is what was found of a group of rules."""

    claims: tuple[Claim, ...]
    told: tuple[Told, ...]
    """Which values of facts its rules tell apart, where that is asked."""
    evaluations: int
    crosschecks: int


def decided(
    work: Work,
    analyst: Analyst,
    rules: Sequence[str],
    *,
    jobs: int,
    progress: Progress,
) -> Iterator[Done]:
    """Decide rules, and yield what is found of each group of them.

    Args:
        work: What is to be decided.
        analyst: Who evaluates in this process.
        rules: The rules' ids.
        jobs: How many processes decide.
        progress: Told the stage, how much of it is done, and how much there is.

    Raises:
        EvaluationError: a whole evaluation differs from a table, or a process ended.
    """
    groups = _groups(analyst, rules)
    each = -(-work.effort.crosschecks // max(1, len(rules)))
    done = 0
    # Only what has a name can be told to another process.
    named = all(_is_named(prop) for prop in work.properties)
    if jobs <= 1 or len(groups) == 1 or not named:
        for group in groups:
            yield _group(work, analyst, group, each)
            done += len(group)
            progress("rules", done, len(rules))
        return
    policy = replace(work.policy, modules=dict(work.policy.modules))
    words = [(p.name, tuple(p.facts), tuple(p.but)) for p in work.properties]
    with ProcessPoolExecutor(
        max_workers=min(jobs, len(groups)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(policy, work.space, words, work.effort),
    ) as pool:
        running = {pool.submit(_of_group, group, each): group for group in groups}
        try:
            for future in as_completed(running):
                yield future.result()
                done += len(running[future])
                progress("rules", done, len(rules))
        except BrokenProcessPool as error:
            raise EvaluationError(
                f"a process ended before its rules were decided: is there memory for {jobs}"
                " of them?"
            ) from error
        except BaseException:
            # Whoever does not want the rest does not wait for it.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_here: dict[str, tuple[Work, Analyst]] = {}
"""What a process that decides for another one works with."""


def _begin(
    policy: PolicySet,
    space: Space,
    words: Sequence[tuple[str, Sequence[str], Sequence[str]]],
    effort: Effort,
) -> None:
    properties = tuple(
        property_named(name, facts=facts, but=but) for name, facts, but in words
    )
    work = Work(policy=policy, space=space, properties=properties, effort=effort)
    _here["work"] = work, Analyst(policy, space, budget=effort.views)


def _of_group(rules: Sequence[str], crosschecks: int) -> Done:
    return _group(*_here["work"], rules, crosschecks)


def _is_named(prop: Property) -> bool:
    known = PROPERTIES.get(prop.name)
    return known is not None and (prop.moves, prop.breaks) == (
        known.moves,
        known.breaks,
    )


def _groups(analyst: Analyst, rules: Sequence[str]) -> list[tuple[str, ...]]:
    """Return rules by the directory of their modules, the most first."""
    found: dict[PurePosixPath, list[str]] = {}
    for rule in rules:
        place = PurePosixPath(analyst.rules[rule].name).parent
        found.setdefault(place, []).append(rule)
    return sorted(map(tuple, found.values()), key=lambda group: (-len(group), group))


def _group(
    work: Work, analyst: Analyst, rules: Sequence[str], crosschecks: int
) -> Done:
    # A quarter of the time went into looking for what refers to itself, which nothing
    # here does.
    before = gc.get_threshold()
    gc.set_threshold(_SELDOM, *before[1:])
    try:
        return _of_rules(work, analyst, rules, crosschecks)
    finally:
        gc.set_threshold(*before)


def _of_rules(
    work: Work, analyst: Analyst, rules: Sequence[str], crosschecks: int
) -> Done:
    analyst.forget()
    before, checked = analyst.evaluations, 0
    claims: list[Claim] = []
    told: list[Told] = []
    for rule in rules:
        guards = Guards(
            most=2 * work.effort.views,
            samples=work.effort.samples,
            seed=work.effort.seed,
        )
        table = analyst.table(rule)
        if isinstance(table, Table):
            checked += _crosscheck(analyst, table, work.effort, crosschecks)
        elif table.space is not analyst.space:
            checked += _crosscheck_slice(analyst, table, work.effort, crosschecks)
        for prop in work.properties:
            if prop.name == UNCOVERED:
                told += told_apart(analyst, table, prop, work.effort)
            else:
                claims.append(_claim(work, analyst, table, prop, guards))
    return Done(
        claims=tuple(claims),
        told=tuple(told),
        evaluations=analyst.evaluations - before,
        crosschecks=checked,
    )


def _claim(
    work: Work,
    analyst: Analyst,
    table: Table | Sample,
    prop: Property,
    guards: Guards,
) -> Claim:
    if prop.name == DEAD:
        return dead_conditions(analyst, table.rule, prop, work.effort)
    if isinstance(table, Table):
        return decide(analyst, table, prop, guards, kinds=work.effort.kinds)
    if prop.form == "change" and loses_nothing(table, prop):
        return Claim(
            property=prop.name, rule=table.rule, tier="PROVED", cases=table.space.size,
            why="whatever comes of what is not decided",
        )  # fmt: skip
    return _sampled(analyst, table, prop, work.effort)


def _crosscheck_slice(
    analyst: Analyst, table: Sample, effort: Effort, times: int
) -> int:
    """Compare whole evaluations of calls that a rule is said not to tell apart."""
    whole = [
        list(drawn(analyst.space, count=times, seed=effort.seed + 1 + step))
        for step in (0, 1)
    ]
    own = drawn(table.space, count=times, seed=effort.seed)
    for choice, *others in zip(own, *whole, strict=True):
        mine = translated(table, analyst, choice)
        found = [analyst.found(analyst.space.call({**rest, **mine})) for rest in others]
        mine_found = {(f or {}).get(table.rule, frozenset()) for f in found}
        if None in found:
            continue
        known = table.rest is None or mine_found <= table.rest.possible(choice)
        if len(mine_found) > 1 or not known:
            raise EvaluationError(
                f"{table.rule}: a whole evaluation differs from what it is seen to read:"
                " nothing is proved; report it with the policy"
            )
    return times


def _crosscheck(analyst: Analyst, table: Table, effort: Effort, times: int) -> int:
    """Compare a table with whole evaluations of calls of the whole space."""
    own = drawn(table.space, count=times, seed=effort.seed)
    rest = drawn(analyst.space, count=times, seed=effort.seed + 1)
    for choice, others in zip(own, rest, strict=True):
        call = analyst.space.call({**others, **translated(table, analyst, choice)})
        found = analyst.found(call)
        if found is not None and (
            found.get(table.rule, frozenset()) != table.outcome(choice)
        ):
            raise EvaluationError(
                f"{table.rule}: a whole evaluation differs from its table: nothing"
                " is proved; report it with the policy"
            )
    return times


def _sampled(analyst: Analyst, table: Sample, prop: Property, effort: Effort) -> Claim:
    done = 0
    for choice in drawn(table.space, count=effort.samples, seed=effort.seed):
        start = translated(table, analyst, choice)
        call = analyst.space.call(start)
        mine = (analyst.searched(call) or {}).get(table.rule, frozenset())
        done += 1
        if (
            prop.name == REACHABLE
            and mine
            and table.rule in (analyst.found(call) or {})
        ):
            return Claim(property=prop.name, rule=table.rule, tier="PROVED", cases=done)
        if prop.breaks is opened and not objects(mine):
            continue
        for dim in table.space.dims:
            for to, allowed in prop.moves_of(dim):
                if not allowed(choice[dim.path]):
                    continue
                broken = change_of(analyst, table, dim, to).smallest(
                    start, breaks=prop.breaks
                )
                if broken is not None:
                    return Claim(
                        property=prop.name, rule=table.rule, tier="VIOLATED", cases=done,
                        broken=1, counterexample=broken, why=table.why,
                    )  # fmt: skip
    bound = min(1.0, _CONFIDENCE / max(done, 1))
    return Claim(
        property=prop.name, rule=table.rule, tier="SAMPLED", cases=done, bound=bound,
        why=table.why,
    )  # fmt: skip
