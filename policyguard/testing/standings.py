"""Says of the rules of two policies which stand otherwise: in force, locked, overridden."""

from __future__ import annotations

from typing import Any, Final

from policyguard.canonical import Json
from policyguard.engines.protocol import PolicySet

_NEVER: Final = "never"
_OF_THE_HOUSE: Final = frozenset({"rulebook", "overrides", "served"})
"""What is made of the modules, of overrides and of digests."""


def windows(old: PolicySet, new: PolicySet) -> tuple[str, ...]:
    """Return the rules that both have and that stand otherwise, overrides included.

    Args:
        old: What was.
        new: What is to be.
    """
    one, other = (_standings(policy) for policy in (old, new))
    return tuple(
        sorted(rule for rule in one if one[rule] != other.get(rule, one[rule]))
    )


def other_data(policy: PolicySet) -> dict[str, Json]:
    """Return what rules can read beside the catalog and what `windows` compares."""
    own: Any = policy.data.get("policyguard") or {}
    rest = {name: item for name, item in policy.data.items() if name != "catalog"}
    rest["policyguard"] = {
        name: item for name, item in own.items() if name not in _OF_THE_HOUSE
    }
    return rest


def _standings(policy: PolicySet) -> dict[str, Json]:
    """Return of each rule since when it stands how, and whether it is locked."""
    own: Any = policy.data.get("policyguard") or {}
    book = own.get("rulebook") or {}
    since = [None, *book.get("boundaries", ())]
    found: dict[str, Json] = {}
    for rule, entry in book.get("rules", {}).items():
        steps: list[Json] = []
        last: Json = _NEVER
        for start, standings in zip(since, book.get("intervals", ()), strict=False):
            if standings.get(rule) != last:
                last = standings.get(rule)
                steps.append([start, last])
        found[rule] = [entry.get("effective"), entry.get("locked"), steps]
    return found
