"""Defines the properties that an author can demand of rules, once for all who decide them.

Proofs decide them over every view of a space, tests on calls that Hypothesis draws; both
ask the same of a call.

change   what is found of a call is compared with what is found once one fact is changed:
         `moves` says which changes count, `breaks` what must not come of them
call     the answer to each call alone has to be right
policy   something exists: a call for each rule, for each condition, for each region
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from policyguard.errors import ConfigurationError
from policyguard.testing.moves import (
    Move,
    to_another_offset,
    to_another_order,
    to_any,
    to_later,
    to_more_classes,
    to_more_lists,
    to_unknown,
    within_interval,
)
from policyguard.testing.rule_table import Found, objects
from policyguard.testing.space import Dim

Form: TypeAlias = Literal["change", "call", "policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """Is one thing that holds of every call, or of the policy as a whole."""

    name: str
    says: str
    """What holds, as a clause."""
    form: Form
    moves: Callable[[Dim], Iterator[Move]] = field(
        default=lambda _: iter(()), repr=False
    )
    """Of the form `change`: which changes of one fact count."""
    breaks: Callable[[Found, Found], bool] = field(
        default=lambda _, __: False, repr=False
    )
    """Of the form `change`: whether what is found before and after breaks it."""
    facts: AbstractSet[str] = frozenset()
    """Names of the dimensions that it is about; none: all of them."""
    but: AbstractSet[str] = frozenset()
    """Names of dimensions that it is not demanded of."""

    @property
    def breaks_only_objections(self) -> bool:
        """Say whether nothing can break it where no rule objects."""
        return self.breaks is opened

    def about(self, dim: Dim) -> bool:
        """Say whether it is demanded of a fact."""
        return dim.name not in self.but and (not self.facts or dim.name in self.facts)

    def moves_of(self, dim: Dim) -> Iterator[Move]:
        """Yield the changes of one fact that count."""
        return self.moves(dim) if self.about(dim) else iter(())


def opened(before: Found, after: Found) -> bool:
    """Say whether something objected before, and nothing does after."""
    return objects(before) and not objects(after)


def differs(before: Found, after: Found) -> bool:
    """Say whether anything else is found."""
    return before != after


PROPERTIES: Final[Mapping[str, Property]] = {
    item.name: item
    for item in (
        Property(
            name="fail_closed",
            says="where a rule objects, something objects when one fact is unknown",
            form="change",
            moves=to_unknown,
            breaks=opened,
        ),
        Property(
            name="monotone_classes",
            says="where a rule objects, something objects when a data class is added",
            form="change",
            moves=to_more_classes,
            breaks=opened,
        ),
        Property(
            name="monotone_lists",
            says="where a rule objects, something objects when a party is on one more list",
            form="change",
            moves=to_more_lists,
            breaks=opened,
        ),
        Property(
            name="monotone_time",
            says="where a rule objects, something objects at every later instant",
            form="change",
            moves=to_later,
            breaks=opened,
        ),
        Property(
            name="irrelevant",
            says="what is found does not depend on the facts that are named",
            form="change",
            moves=to_any,
            breaks=differs,
        ),
        Property(
            name="order_independent",
            says="what is found does not depend on the order of lists",
            form="change",
            moves=to_another_order,
            breaks=differs,
        ),
        Property(
            name="same_instant",
            says="what is found does not depend on the offset in which an instant is written",
            form="change",
            moves=to_another_offset,
            breaks=differs,
        ),
        Property(
            name="boundary_exact",
            says="what is found changes at the second that bundle, catalog or call name, and"
            " at no other",
            form="change",
            moves=within_interval,
            breaks=differs,
        ),
        Property(
            name="deterministic",
            says="the same call is answered in the same way each time, by each new engine, in"
            " whatever order its modules are loaded",
            form="call",
        ),
        Property(
            name="allow_iff_nothing_objects",
            says="a call is allowed if nothing objects to it, and only then",
            form="call",
        ),
        Property(
            name="ill_typed_never_allows",
            says="where a rule objects, no call is allowed when one fact is of another type",
            form="call",
        ),
        Property(
            name="reachable",
            says="some call makes the rule find something",
            form="policy",
        ),
        Property(
            name="no_dead_condition",
            says="without any one of its conditions a rule finds something else in some call",
            form="policy",
        ),
        Property(
            name="no_shadowed_rule",
            says="of each rule there is a call to which no other one objects as strictly",
            form="policy",
        ),
        Property(
            name="no_uncovered",
            says="each value of the facts that are named matters to some rule in some call:"
            " something else is found than with the value of a call to which nobody objects",
            form="policy",
        ),
    )
}
"""The properties by name."""


def property_named(
    name: str, *, facts: Sequence[str] = (), but: Sequence[str] = ()
) -> Property:
    """Return a property, demanded of some facts.

    Args:
        name: One of `PROPERTIES`.
        facts: Names of the dimensions that it is about; without them all.
        but: Names of dimensions that it is not demanded of.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if name not in PROPERTIES:
        raise ConfigurationError(
            f"there is no property `{name}`: known are {', '.join(sorted(PROPERTIES))}"
        )
    return replace(PROPERTIES[name], facts=frozenset(facts), but=frozenset(but))
