"""Says which facts a rule reads: what is written in it, or what makes a difference.

What a rule may read by its text is quick to say, and much: most rules look at the whole
view of a contract. What can make a difference to what it finds is less, and takes
deciding it over every call that has the facts that may not change as this call has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

from policyguard.canonical import Json
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Path
from policyguard.testing.choosing import Ground
from policyguard.testing.forcing import own_space
from policyguard.testing.holding import kept_at
from policyguard.testing.relevant import also_read
from policyguard.testing.rule_table import Table
from policyguard.testing.space import Space, concerned
from policyguard.testing.tables import Analyst
from policyguard.testing.whatif_search import Move

Reads: TypeAlias = Callable[[str], frozenset[Path] | None]
_ALWAYS: Final[frozenset[Path]] = frozenset(
    {("at",), ("tenant", "profile"), ("approvals",)}
)
"""What decides, for every rule, what its finding does to the verdict."""
_FOLLOW: Final = (("tenant", "contracts"), ("tenant", "licences"))
"""Which of these counts depends on who runs the deployment."""
_MANY: Final = (
    *_FOLLOW,
    ("tenant", "organisation", "owners"),
    ("caller", "organisation", "owners"),
)
_VIEWS: Final = 10_000


def written_reads(policy: PolicySet, ground: Ground) -> Reads:
    """Return what says which facts a rule may read; `None` where that may be all.

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
        return _ALWAYS.union(
            dim.path
            for read in also_read(sliced.deep.facts)
            for dim in concerned(ground.space.dims, read)
        )

    return reads


def deciding_reads(
    policy: PolicySet, ground: Ground, moves: Sequence[Move], *, otherwise: Reads
) -> Reads:
    """Return what says which facts make a difference to what a rule finds.

    Args:
        policy: Rules and catalog.
        ground: Has the facts.
        moves: What may change.
        otherwise: Says it of a rule that is too much to decide.
    """
    call = ground.apply()
    if any(_several(call, path) for path in _MANY):
        # A space has one contract, one licence and one owner.
        return otherwise
    analyst = Analyst(policy, _changing(ground, call, moves), budget=_VIEWS)

    @cache
    def reads(rule: str) -> frozenset[Path] | None:
        table = analyst.table(rule) if rule in analyst.rules else None
        if not isinstance(table, Table):
            return otherwise(rule)
        levels = table.diagrams.levels(table.root)
        found = {table.space.dims[level].path for level in levels}
        return _ALWAYS.union(found, also_read(found))

    return reads


def _changing(ground: Ground, call: Mapping[str, Json], moves: Sequence[Move]) -> Space:
    """Return a space in which what may not change is as in the call."""
    space = own_space(ground, call)
    free = {path for move in moves for path in move.touches}
    for dim in sorted(space.dims, key=lambda item: len(item.path)):
        if dim.path not in free and dim.path[:2] not in _FOLLOW:
            space = kept_at(space, dim)
    return space


def _several(call: Any, path: Path) -> bool:
    for part in path:
        call = call.get(part) if isinstance(call, dict) else None
    return isinstance(call, list) and len(call) > 1
