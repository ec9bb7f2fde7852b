"""Dated lists: who or what is on one, who may be, and what was known earlier.

A list has two times. Its windows say when a membership holds; its editions say on which
day that was known. An old call with an old edition gives the old answer.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from policyguard.catalog.sourced import Sourced, Window
from policyguard.vocabulary.call import EarClass
from policyguard.vocabulary.value import Country, Id, Subdivision, Text, Value


class Listing(Window):
    """Is one party's membership of a list."""

    party: Id
    """The id of a developer or operator of the catalog."""
    names: tuple[Text, ...]
    scope: Text | None = None
    policy: Text | None = None
    covers: tuple[EarClass, ...] | None = None
    """The export classes that the entry names; `None`: every item subject to the EAR."""


class PotentialMatch(Listing):
    """Is a listed name that a party of the catalog goes by, too.

    It lists nobody: a person has to confirm it (move it to `parties`) or clear it
    (move it to `cleared`).
    """


class Cleared(Value):
    """Is a person's word that a party is not who a list names."""

    party: Id
    names: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The listed names that mean somebody else."""
    source: Text
    """Who looked at it, and what shows it."""
    as_of: date


class CountryListing(Window):
    """Is one country's membership of a list."""

    country: Country
    condition: Text | None = None
    """What a recipient there must show for it to count, as `dpf`."""


class RegionListing(Window):
    """Is one region's membership of a list."""

    region: Subdivision
    partial: bool = False
    """Whether the list means a part of it, which the code cannot tell apart."""


class ItemListing(Window):
    """Is the membership of a list of one kind of thing, as a chip."""

    item: Id


class Edition(Value):
    """Is a list as it was known on an earlier day."""

    source: Text
    as_of: date
    parties: tuple[Listing, ...] = ()
    countries: tuple[CountryListing, ...] = ()
    regions: tuple[RegionListing, ...] = ()
    items: tuple[ItemListing, ...] = ()
    potential: tuple[PotentialMatch, ...] = ()
    cleared: tuple[Cleared, ...] = ()

    @classmethod
    def of(cls, listed: List) -> Self:
        """Return what a list says now, to be kept beside its next edition."""
        return cls(**{name: getattr(listed, name) for name in cls.model_fields})


class List(Sourced):
    """Is a dated list of parties, countries, regions or things."""

    name: Text
    max_age_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """After how many days from `as_of` the list is stale; `None`: nobody has said."""
    parties: tuple[Listing, ...] = ()
    countries: tuple[CountryListing, ...] = ()
    regions: tuple[RegionListing, ...] = ()
    items: tuple[ItemListing, ...] = ()
    potential: tuple[PotentialMatch, ...] = ()
    cleared: tuple[Cleared, ...] = ()
    editions: tuple[Edition, ...] = ()
    """What was known earlier, oldest first: each older than the next, and than this."""

    @model_validator(mode="after")
    def _grows_older_backwards(self) -> Self:
        days = [edition.as_of for edition in self.editions] + [self.as_of]
        if any(after <= before for before, after in pairwise(days)):
            raise ValueError("editions of a list stand oldest first, one for each day")
        return self

    def known_on(self, day: date) -> Edition | None:
        """Return what the list said on a day, or `None` where it was not known yet."""
        known = [
            item for item in (*self.editions, Edition.of(self)) if item.as_of <= day
        ]
        return known[-1] if known else None
