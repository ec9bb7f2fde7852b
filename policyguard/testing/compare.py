"""Compares what two policies find, for every call of a space at once.

Rules whose text, facts and data are the same find the same, and are not asked. All others
are decided in both policies over the facts that either reads, and compared in each call.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from policyguard.canonical import Json, digest_of
from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError
from policyguard.testing.answering import require_answers
from policyguard.testing.claims import COMPOSITION, Effort, Progress, Tier
from policyguard.testing.composition import (
    composed,
    composing,
    decisions,
    how_composed,
    shown,
)
from policyguard.testing.counterexamples import translated
from policyguard.testing.diagrams import Diagrams, Root
from policyguard.testing.flips import Flip, how_of, smallest
from policyguard.testing.opening import opened
from policyguard.testing.outcomes import NO_VIEW
from policyguard.testing.relevant import slice_of
from policyguard.testing.rule_table import Found, Sample, Table, drawn, objects
from policyguard.testing.sliced import Slice
from policyguard.testing.space import Choice, Space
from policyguard.testing.standings import other_data, windows
from policyguard.testing.tables import Analyst

Relation: TypeAlias = Literal["equivalent", "stricter", "looser", "incomparable"]
_Sides: TypeAlias = tuple[Mapping[str, Found], Mapping[str, Found]]
_CONFIDENCE: Final = 3.0
_TRIED: Final = 3  # of each way to differ; one more is a leaf that is none of them


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDiff:
    """Is what one rule finds otherwise."""

    rule: str
    relation: Relation
    tier: Tier
    cases: int
    """How many calls were compared, or how many were drawn."""
    stricter: int = 0
    looser: int = 0
    otherwise: int = 0
    """Cases with as severe a finding, and another one."""
    flips: tuple[Flip, ...] = ()
    """The smallest calls found: looser first."""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Is what a new policy does otherwise than an old one."""

    rules: tuple[RuleDiff, ...]
    """Those that were compared; all others are the same text on the same data."""
    same: int
    """How many rules are the same."""
    old_digest: str
    new_digest: str
    old_catalog: str
    new_catalog: str
    space_digest: str
    calls: int
    windows: tuple[str, ...]
    """Rules that are in force at other times, or have another status."""
    seconds: float

    @property
    def relation(self) -> Relation:
        """Return how the new policy is to the old one."""
        found: set[Relation] = {item.relation for item in self.rules} - {"equivalent"}
        if self.windows:
            return "incomparable"
        return (
            found.pop()
            if len(found) == 1
            else "incomparable"
            if found
            else "equivalent"
        )

    @property
    def loosened(self) -> tuple[RuleDiff, ...]:
        """Return the rules that object less to some call than before."""
        return tuple(item for item in self.rules if item.looser)

    @property
    def undecided(self) -> tuple[RuleDiff, ...]:
        """Return the rules that differ in no call that was drawn."""
        return tuple(
            item
            for item in self.rules
            if item.tier == "SAMPLED" and item.relation == "equivalent"
        )

    @property
    def access(self) -> tuple[Flip, ...]:
        """Return calls to which something objected, and nothing does any more."""
        return tuple(flip for item in self.rules for flip in item.flips if flip.access)


def compare(
    old: PolicySet,
    new: PolicySet,
    *,
    rules: Iterable[str] = (),
    effort: Effort | None = None,
    progress: Progress = lambda *_: None,
) -> Diff:
    """Compare two policies, each with its catalog.

    Args:
        old: What was.
        new: What is to be.
        rules: Ids; without them every rule.
        effort: How much is done before calls are drawn instead.
        progress: Told the stage, how much of it is done, and how much there is.

    Raises:
        ConfigurationError: one of them answers no call.
    """
    began = time.perf_counter()
    effort = effort or Effort()
    space = Space.from_catalog(new).with_values_of(Space.from_catalog(old))
    require_answers(old, space, named="the old policy")
    require_answers(new, space, named="the new policy")
    both = [Analyst(policy, space, budget=effort.views) for policy in (old, new)]
    known = {rule for analyst in both for rule in analyst.rules}
    wanted = sorted(known & set(rules) if rules else known)
    changed = [rule for rule in wanted if len({_signed(a, rule) for a in both}) > 1]
    found = []
    for index, rule in enumerate(changed, start=1):
        found.append(_compared(_Pair(both[0], both[1], rule, effort)))
        progress("rules", index, len(changed))
    if not rules and composing(old) != composing(new):
        found.append(_compositions(old, new))
    return Diff(
        rules=tuple(found),
        same=len(wanted) - len(changed),
        old_digest=old.bundle_digest,
        new_digest=new.bundle_digest,
        old_catalog=old.catalog_digest,
        new_catalog=new.catalog_digest,
        space_digest=space.digest,
        calls=space.size,
        windows=windows(old, new),
        seconds=time.perf_counter() - began,
    )


def _compositions(old: PolicySet, new: PolicySet) -> RuleDiff:
    """Compare what becomes of findings, whatever rules they are of."""
    asked = list(composed())
    counts: Counter[str] = Counter()
    flips: list[Flip] = []
    for item, before, after in zip(
        asked, decisions(old, asked), decisions(new, asked), strict=True
    ):
        how = how_composed(before, after)
        counts[how] += 1
        if how != "equivalent":
            flips.append(
                Flip(
                    call=item.call(),
                    facts=item.facts(),
                    before=shown(before),
                    after=shown(after),
                    access=before["verdict"] != "allow" == after["verdict"],
                )
            )
    return _difference(COMPOSITION, counts, flips, tier="PROVED", why="")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Is one rule in two policies."""

    old: Analyst
    new: Analyst
    rule: str
    effort: Effort

    def found(self, call: Json) -> _Sides | None:
        """Return what all rules find; nothing where neither policy has a view."""
        before, after = self.old.found(call), self.new.found(call)
        if before is None and after is None:
            return None
        # Without a view the call is denied, whatever the rule would find.
        denied = {self.rule: NO_VIEW}
        return denied if before is None else before, denied if after is None else after

    def own(self, sides: _Sides) -> tuple[Found, Found]:
        """Return what the rule finds."""
        nothing: Found = frozenset()
        return sides[0].get(self.rule, nothing), sides[1].get(self.rule, nothing)


def _signed(analyst: Analyst, rule: str) -> str:
    """Return what a rule's findings depend on, as a digest."""
    module = analyst.rules.get(rule)
    if module is None:
        return ""
    texts = analyst.texts_of(module) | {
        name: text
        for name, text in analyst.policy.modules.items()
        if name.startswith("policyguard/facts/")
    }
    data: Json = [analyst.policy.catalog_digest, other_data(analyst.policy)]
    return digest_of({"texts": texts, "data": data})


def _compared(pair: _Pair) -> RuleDiff:
    """Compare a rule on every pair of views that one call has, or on drawn calls."""
    both = (pair.old, pair.new)
    analysts = [analyst for analyst in both if pair.rule in analyst.rules]
    slices = [analyst.sliced(pair.rule) for analyst in analysts]
    known = [item for item in slices if item is not None]
    if len(known) < len(slices):
        return _sampled(pair, pair.new.space, "it may read every fact")
    space = shared_space(analysts, known)
    diagrams = Diagrams([len(dim.values) for dim in space.dims])
    nothing = Table(
        rule=pair.rule, space=space, diagrams=diagrams,
        root=diagrams.leaf(0), outcomes=(frozenset(),),
    )  # fmt: skip
    sides = {id(analyst): nothing for analyst in both}
    try:
        for analyst, item in zip(analysts, known, strict=True):
            sides[id(analyst)] = analyst.over(item, space, diagrams)
    except OverflowError as error:
        return _sampled(pair, space, f"one of its conditions: {error}")
    return _counted(pair, sides[id(pair.old)], sides[id(pair.new)])


def shared_space(analysts: Sequence[Analyst], slices: Sequence[Slice]) -> Space:
    """Return the part of the space that either of two policies can tell apart."""
    deep = slices[0].deep
    for item in slices[1:]:
        deep |= item.deep
    parts = [slice_of(a.space, deep, a.policy.data) for a in analysts]
    space = parts[0]
    for part in parts[1:]:
        space = space.with_values_of(part)
    return space


def _counted(pair: _Pair, old: Table, new: Table) -> RuleDiff:
    """Count what differs, and look for calls that show it."""
    diagrams, space = old.diagrams, old.space
    hows = ("equivalent", "stricter", "looser", "otherwise")
    root = diagrams.joined(
        old.root,
        new.root,
        lambda one, other: hows.index(how_of(old.outcomes[one], new.outcomes[other])),
    )
    counts = Counter({hows[how]: n for how, n in diagrams.counts(root).items()})
    table = Sample(pair.rule, space, "")
    flips: list[Flip | None] = []
    for number, how in enumerate(hows[1:], start=1):
        flips += [
            _flip(pair, translated(table, pair.new, choice), how)
            for choice in _examples(diagrams, root, number, space)
        ]
    return _difference(pair.rule, counts, flips, tier="PROVED", why="")


def _examples(
    diagrams: Diagrams, root: Root, leaf: int, space: Space
) -> Iterator[Choice]:
    """Yield some calls that differ, each in the value of a fact from those before."""
    rest = root
    for _ in range(_TRIED):
        found = diagrams.example(rest, leaf)
        if found is None:
            return
        yield {dim.path: found.get(i, 0) for i, dim in enumerate(space.dims)}
        if not found:
            return
        level, value = max(found.items())
        own = diagrams.among(level, [value])
        rest = diagrams.joined(rest, own, lambda one, here: _TRIED + 1 if here else one)


def _sampled(pair: _Pair, space: Space, why: str) -> RuleDiff:
    counts: Counter[str] = Counter()
    flips: list[Flip | None] = []
    table = Sample(pair.rule, space, why)
    for choice in drawn(space, count=pair.effort.samples, seed=pair.effort.seed):
        start = translated(table, pair.new, choice)
        sides = pair.found(pair.new.space.call(start))
        if sides is None:
            continue
        how = how_of(*pair.own(sides))
        counts[how] += 1
        if how != "equivalent" and counts[how] <= _TRIED:
            flips.append(_flip(pair, start, how))
    if not counts:
        raise ConfigurationError(
            f"{pair.rule}: neither policy answers any of the calls that were drawn"
        )
    if set(counts) <= {"equivalent"}:
        share = f"{min(_CONFIDENCE / counts['equivalent'], 1):.2%}"
        why = f"{why}; less than {share} differ with 95 % confidence"
    return _difference(pair.rule, counts, flips, tier="SAMPLED", why=why)


def _difference(
    rule: str,
    counts: Counter[str],
    flips: Sequence[Flip | None],
    *,
    tier: Tier,
    why: str,
) -> RuleDiff:
    stricter, looser = counts["stricter"], counts["looser"]
    relation: Relation = (
        "stricter" if stricter else "looser" if looser else "equivalent"
    )
    if counts["otherwise"] or (stricter and looser):
        relation = "incomparable"
    return RuleDiff(
        rule=rule,
        relation=relation,
        tier=tier,
        cases=sum(counts.values()),
        stricter=stricter,
        looser=looser,
        otherwise=counts["otherwise"],
        flips=smallest([flip for flip in flips if flip is not None]),
        why=why,
    )


def _flip(pair: _Pair, start: Choice, how: str) -> Flip | None:
    """Return the smallest call found around one on which the rule differs so."""
    space = pair.new.space

    def shown(choice: Choice) -> tuple[bool, Found, Found] | None:
        sides = pair.found(space.call(choice))
        if sides is None or how_of(*pair.own(sides)) != how:
            return None
        objected, objecting = (any(map(objects, side.values())) for side in sides)
        return objected and not objecting, *pair.own(sides)

    best = shown(start)
    if best is None:
        return None
    choice = dict(start)
    if how == "looser" and not best[0]:
        wider = opened(
            start, analyst=pair.new, shows=lambda near: shown(near) is not None
        )
        choice, best = dict(wider), shown(wider) or best
    for path in sorted(choice, key=lambda path: (len(path), path), reverse=True):
        fewer = {key: value for key, value in choice.items() if key != path}
        again = shown(fewer)
        if again is not None and again[0] >= best[0]:
            choice, best = fewer, again
    by_path = {dim.path: dim for dim in space.dims}
    return Flip(
        call=space.call(choice),
        facts={by_path[p].name: by_path[p].values[v] for p, v in choice.items()},
        before=tuple(sorted(f"{name} {effect}" for name, effect in best[1])),
        after=tuple(sorted(f"{name} {effect}" for name, effect in best[2])),
        access=best[0],
    )
