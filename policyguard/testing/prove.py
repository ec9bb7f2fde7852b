"""Proves properties of rules over a space; what is not proved is labelled so.

INVARIANT: nothing is PROVED of a rule of which not every view was decided, or of which
one whole evaluation differed from its table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError, EvaluationError
from policyguard.testing.claims import (
    ALLOW,
    COMPOSITION,
    DECIDED,
    REACHABLE,
    Claim,
    Counterexample,
    Proof,
)
from policyguard.testing.composition import composed, decisions, is_right
from policyguard.testing.counterexamples import change_of, translated
from policyguard.testing.deciding import Guards, decide
from policyguard.testing.moves import widened
from policyguard.testing.properties import Property, opened, property_named
from policyguard.testing.rule_table import Sample, Table, drawn, objects
from policyguard.testing.space import Space
from policyguard.testing.tables import Analyst

Progress: TypeAlias = Callable[[str, int, int], None]
_OF_TIME: Final = frozenset({"same_instant", "boundary_exact"})
_CONFIDENCE: Final = 3.0
"""Of N draws without a hit, the share of hits is below 3/N with 95 % confidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Says how much is done before a claim is made with less certainty."""

    views: int = 60_000
    """The most views on which one part of a rule is asked; of more, calls are drawn."""
    samples: int = 400
    """How many calls are drawn for a rule that tells more views apart."""
    crosschecks: int = 5_000
    """How many whole evaluations the tables are compared with."""
    seed: int = 0
    """What the draws depend on."""


def prove(  # noqa: PLR0913 -- the words of one question
    policy: PolicySet,
    *,
    space: Space | None = None,
    properties: Sequence[str | Property] = (),
    rules: Sequence[str] = (),
    effort: Effort | None = None,
    progress: Progress = lambda *_: None,
) -> Proof:
    """Decide properties of rules over a space.

    Args:
        policy: Rules and catalog, as an engine takes them.
        space: The calls that are claimed for; without it every declared fact.
        properties: Properties of the form `change` and `reachable`, or their names;
            without them those of `DECIDED`.
        rules: Ids; without them every rule.
        effort: How much is done before calls are drawn instead.
        progress: Told the stage, how much of it is done, and how much there is.

    Raises:
        ConfigurationError: there is no such property or rule.
        EvaluationError: a whole evaluation differs from a table, which is a fault of
            the kit and never a proof.
    """
    began = time.perf_counter()
    effort = effort or Effort()
    over = Space.from_catalog(policy) if space is None else space
    wanted = _wanted(tuple(properties) or DECIDED)
    # Some properties need values that are in no ordinary space.
    spaces: dict[str, tuple[Space, list[Property]]] = {}
    for prop in wanted:
        if prop.name == ALLOW:
            continue
        wide = _space_of(prop, over)
        key = "" if wide is over else prop.name
        spaces.setdefault(key, (wide, []))[1].append(prop)
    claims: list[Claim] = []
    if not rules:
        claims += [_composition(policy) for prop in wanted if prop.name == ALLOW]
    evaluations = checked = 0
    for wide, own in spaces.values():
        analyst = Analyst(policy, wide, budget=effort.views)
        chosen = _known(tuple(rules) or analyst.rules, analyst.rules)
        found, times = _claims(analyst, chosen, own, effort, progress)
        claims += found
        checked += times
        evaluations += analyst.evaluations
    return Proof(
        claims=tuple(sorted(claims, key=lambda claim: (claim.rule, claim.property))),
        bundle_digest=policy.bundle_digest,
        catalog_digest=policy.catalog_digest,
        space_digest=over.digest,
        calls=over.size,
        dims=len(over.dims),
        evaluations=evaluations,
        crosschecks=checked,
        seconds=time.perf_counter() - began,
    )


def _composition(policy: PolicySet) -> Claim:
    """Decide that calls are allowed if nothing objects, for one and two findings."""
    asked = list(composed())
    wrong = [
        (given, decision)
        for given, decision in zip(asked, decisions(policy, asked), strict=True)
        if not is_right(given, decision)
    ]
    shown = None
    if wrong:
        given, decision = wrong[0]
        shown = Counterexample(
            call=given.call(),
            facts=given.facts(),
            before=tuple(piece.text() for piece in given.pieces),
            after=(f"verdict {decision['verdict']}",),
        )
    return Claim(
        property=ALLOW,
        rule=COMPOSITION,
        tier="VIOLATED" if wrong else "PROVED",
        cases=len(asked),
        broken=len(wrong),
        why="" if wrong else "of none, one or two findings",
        counterexample=shown,
    )


def _space_of(prop: Property, space: Space) -> Space:
    """Return a space with the values that show a property.

    Where it is about time itself, each instant is asked: which of them are alike is
    what is to be decided.
    """
    wide = widened(space, prop.name)
    if prop.name not in _OF_TIME:
        return wide
    dims = (replace(d, kind="value") if d.kind == "at" else d for d in wide.dims)
    return replace(wide, dims=tuple(dims))


def _wanted(properties: Sequence[str | Property]) -> list[Property]:
    found = [p if isinstance(p, Property) else property_named(p) for p in properties]
    for prop in found:
        if prop.form != "change" and prop.name not in {ALLOW, REACHABLE}:
            raise ConfigurationError(
                f"`{prop.name}` is not decided over a space: test it on calls"
            )
    return found


def _claims(
    analyst: Analyst,
    rules: Sequence[str],
    wanted: Sequence[Property],
    effort: Effort,
    progress: Progress,
) -> tuple[list[Claim], int]:
    """Return what is claimed of some rules, and how often that was cross-checked."""
    tables: list[Table | Sample] = []
    for index, rule in enumerate(rules, start=1):
        tables.append(analyst.table(rule))
        progress("rules", index, len(rules))
    whole = [table for table in tables if isinstance(table, Table)]
    checked = _crosscheck(analyst, whole, effort, progress)
    guards = Guards()
    claims: list[Claim] = []
    for index, table in enumerate(tables, start=1):
        claims += [
            decide(analyst, table, prop, guards)
            if isinstance(table, Table)
            else _sampled(analyst, table, prop, effort)
            for prop in wanted
        ]
        progress("properties", index, len(tables))
    return claims, checked


def _known(names: Iterable[str], known: Iterable[str]) -> list[str]:
    valid = sorted(known)
    for name in names:
        if name not in valid:
            raise ConfigurationError(
                f"there is no rule `{name}`: known are {', '.join(valid)}"
            )
    return sorted(set(names))


def _crosscheck(
    analyst: Analyst, tables: Sequence[Table], effort: Effort, progress: Progress
) -> int:
    """Compare tables with whole evaluations of calls of the whole space."""
    if not tables or not effort.crosschecks:
        return 0
    each = max(1, effort.crosschecks // len(tables))
    done = 0
    for index, table in enumerate(tables, start=1):
        own = drawn(table.space, count=each, seed=effort.seed)
        rest = drawn(analyst.space, count=each, seed=effort.seed + 1)
        for choice, others in zip(own, rest, strict=True):
            call = analyst.space.call({**others, **translated(table, analyst, choice)})
            found = analyst.found(call)
            done += 1
            if found is not None and (
                found.get(table.rule, frozenset()) != table.outcome(choice)
            ):
                raise EvaluationError(
                    f"{table.rule}: a whole evaluation differs from its table: nothing"
                    " is proved; report it with the policy"
                )
        progress("cross-checks", index, len(tables))
    return done


def _sampled(analyst: Analyst, table: Sample, prop: Property, effort: Effort) -> Claim:
    done = 0
    for choice in drawn(table.space, count=effort.samples, seed=effort.seed):
        start = translated(table, analyst, choice)
        found = analyst.found(analyst.space.call(start)) or {}
        done += 1
        mine = found.get(table.rule, frozenset())
        if prop.name == REACHABLE and mine:
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
