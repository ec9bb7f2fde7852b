"""Decides which conditions of a rule decide nothing in any call.

The rule without one of its conditions is decided over the same facts as the rule. Where
the two are one function, the condition is dead. Where one of them reads too much to be
decided, calls are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policyguard.errors import EngineLoadError
from policyguard.testing.claims import DEAD, Claim, Effort
from policyguard.testing.compare import shared_space
from policyguard.testing.counterexamples import translated
from policyguard.testing.diagrams import Diagrams
from policyguard.testing.mutants import Mutant, mutants_of, shown_only
from policyguard.testing.properties import Property
from policyguard.testing.rule_table import Sample, Table, drawn
from policyguard.testing.tables import Analyst

DROPPED: Final = "condition dropped"
_CONFIDENCE: Final = 3.0


def dead_conditions(
    analyst: Analyst, rule: str, prop: Property, effort: Effort
) -> Claim:
    """Decide whether each condition of a rule decides something in some call.

    Args:
        analyst: Who evaluates the policy.
        rule: The rule's id.
        prop: The property; conditions whose text it is not demanded of are passed over.
        effort: How many calls are drawn where a rule is not decided.
    """
    tried, dead, unmet = 0, list[str](), list[str]()
    for mutant in _without_each(analyst, rule, prop):
        other = _other(analyst, mutant)
        if other is None:
            continue
        tried += 1
        exact, differ = _differ(analyst, other, rule, effort)
        if not differ:
            (dead if exact else unmet).append(f"line {mutant.line}: `{mutant.before}`")
    sampled = bool(unmet) and not dead
    return Claim(
        property=DEAD,
        rule=rule,
        tier="VIOLATED" if dead else "SAMPLED" if unmet else "PROVED",
        cases=effort.samples if sampled else tried,
        broken=len(dead),
        bound=min(1.0, _CONFIDENCE / max(1, effort.samples)) if sampled else None,
        why="; ".join(dead or unmet),
    )


def _without_each(analyst: Analyst, rule: str, prop: Property) -> Iterator[Mutant]:
    module = analyst.rules[rule]
    passed_over = shown_only(analyst.tree.modules)
    text = analyst.policy.modules[module.name]
    for mutant in mutants_of(module, text, passed_over=passed_over):
        if mutant.operator == DROPPED and mutant.before not in prop.but:
            yield mutant


def _other(analyst: Analyst, mutant: Mutant) -> Analyst | None:
    """Return who asks a policy without a condition; nothing if it does not compile."""
    try:
        other = analyst.changed(mutant.file, mutant.text)
    except EngineLoadError:
        return None
    # A variable to which nothing gives a value is noticed by the first evaluation.
    return None if other.found(analyst.space.call({})) is None else other


def _differ(
    analyst: Analyst, other: Analyst, rule: str, effort: Effort
) -> tuple[bool, bool]:
    """Return whether every call was decided, and whether a rule differs in some call."""
    both = (analyst, other)
    slices = [item for one in both if (item := one.sliced(rule)) is not None]
    space, exact = analyst.space, len(slices) == len(both)
    if exact:
        space = shared_space(both, slices)
        diagrams = Diagrams([len(dim.values) for dim in space.dims])
        try:
            own = analyst.table(rule)
            if isinstance(own, Table) and own.space.dims == space.dims:
                diagrams = own.diagrams
            else:
                own = analyst.over(slices[0], space, diagrams)
            changed = other.over(slices[1], space, diagrams)
        except OverflowError:
            exact = False
        else:
            return True, _tells_apart(own, changed)
    table = Sample(rule, space, "")
    for choice in drawn(space, count=effort.samples, seed=effort.seed):
        call = analyst.space.call(translated(table, analyst, choice))
        one, two = (item.found(call) or {} for item in both)
        if one.get(rule) != two.get(rule):
            return False, True
    return False, False


def _tells_apart(own: Table, changed: Table) -> bool:
    root = own.diagrams.joined(
        own.root,
        changed.root,
        lambda one, other: int(own.outcomes[one] != changed.outcomes[other]),
    )
    return root != own.diagrams.leaf(0)
