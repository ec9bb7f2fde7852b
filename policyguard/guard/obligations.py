"""What must be done with an allowed call, and whether this guard can do it.

An obligation that nobody here can discharge makes the call not allowed: an answer
that cannot be obeyed is no permission.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policyguard.vocabulary.decision import Obligation

DISCHARGED_BY: Final[Mapping[str, str]] = {
    "record_processing": "the durable decision record, which the guard writes first",
}
"""How each type of obligation is discharged, by its type."""


def undischarged(obligations: tuple[Obligation, ...]) -> tuple[Obligation, ...]:
    """Return the obligations that this guard cannot discharge."""
    return tuple(item for item in obligations if item.type not in DISCHARGED_BY)
