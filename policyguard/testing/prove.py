"""Proves properties of rules over a space; what is not proved is labelled so.

INVARIANT: nothing is PROVED of a rule of which not every view was decided, or of which
one whole evaluation differed from its table.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError
from policyguard.testing.claims import (
    ALLOW,
    COMPOSITION,
    DEAD,
    DECIDED,
    REACHABLE,
    UNCOVERED,
    Claim,
    Counterexample,
    Effort,
    Progress,
    Proof,
)
from policyguard.testing.composition import composed, decisions, is_right
from policyguard.testing.free_texts import lowered
from policyguard.testing.moves import widened
from policyguard.testing.properties import Property, property_named
from policyguard.testing.proving import Work, decided
from policyguard.testing.regions import Told, claims_of
from policyguard.testing.space import Space
from policyguard.testing.tables import Analyst

_EXISTENCE: Final = frozenset({ALLOW, REACHABLE, DEAD, UNCOVERED})
"""Properties of no change that are decided."""
_OF_TIME: Final = frozenset({"same_instant", "boundary_exact"})


def prove(  # noqa: PLR0913 -- the words of one question
    policy: PolicySet,
    *,
    space: Space | None = None,
    properties: Sequence[str | Property] = (),
    rules: Sequence[str] = (),
    effort: Effort | None = None,
    jobs: int = 1,
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
        jobs: How many processes decide; what is found does not depend on it.
        progress: Told the stage, how much of it is done, and how much there is.

    Raises:
        ConfigurationError: there is no such property, rule or fact.
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
        for name in (*prop.facts, *prop.but):
            if prop.name != DEAD:
                over.dim(name)
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
        work = Work(policy=policy, space=wide, properties=tuple(own), effort=effort)
        analyst = Analyst(policy, wide, budget=effort.views)
        told: list[Told] = []
        chosen = _known(tuple(rules) or analyst.rules, analyst.rules)
        for done in decided(work, analyst, chosen, jobs=jobs, progress=progress):
            claims += [lowered(analyst, claim) for claim in done.claims]
            told += done.told
            checked += done.crosschecks
            evaluations += done.evaluations
        for prop in own:
            if prop.name == UNCOVERED:
                claims += claims_of(wide, prop, told, kinds=effort.kinds)
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
        if prop.form != "change" and prop.name not in _EXISTENCE:
            raise ConfigurationError(
                f"`{prop.name}` is not decided over a space: test it on calls"
            )
        if prop.name == "irrelevant" and not prop.facts:
            raise ConfigurationError("`irrelevant`: name the facts that are to be")
    return found


def _known(names: Iterable[str], known: Iterable[str]) -> list[str]:
    valid = sorted(known)
    for name in names:
        if name not in valid:
            raise ConfigurationError(
                f"there is no rule `{name}`: known are {', '.join(valid)}"
            )
    return sorted(set(names))
