"""What a search in a text says: kinds with numbers, and never the text itself.

INVARIANT: nothing here holds a part of the text that was searched. What is found may be
written into a record; who reads it learns that there was a card number, not which.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from policyguard.vocabulary.call import DataClass
from policyguard.vocabulary.value import Value

FoundKind: TypeAlias = Literal[
    "email",
    "phone",
    "iban",
    "card",
    "itar",
    "eccn",
    "ear99",
    "export_controlled",
    "national_id",
]
"""An address, a number that calls, pays or charges, four kinds of markings; and a number
by which a state knows a person, which only Presidio finds."""
CLASS_OF: Final[dict[FoundKind, DataClass]] = {
    "email": "pii",
    "phone": "pii",
    "iban": "financial",
    "card": "financial",
    "itar": "technical",
    "eccn": "technical",
    "ear99": "technical",
    "export_controlled": "technical",
    "national_id": "pii",
}
"""The data class that each kind shows."""


class FoundCount(Value):
    """Says how often one kind was found."""

    kind: FoundKind
    count: Annotated[int, Field(ge=1)]


class Found(Value):
    """Is what a search says of all that a call sends."""

    complete: bool
    """Whether everything was searched: not, if it was too large or could not be read."""
    kinds: tuple[FoundCount, ...] = ()
    undeclared: tuple[DataClass, ...] = ()
    """The classes that were found and not declared."""

    @property
    def classes(self) -> frozenset[DataClass]:
        """Give the data classes of what was found."""
        return frozenset(CLASS_OF[item.kind] for item in self.kinds)
