"""Dated lists: who or what is on one, who may be, and what was known earlier.

A list of parties that screens (`screening`) has names besides: of everybody whom it
names, whether the catalog knows them or not. Calls and operators are compared with them
(`policyguard.catalog.screening`).

A list has two times. Its windows say when a membership holds; its editions say on which
day that was known. An old call with an old edition gives the old answer.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

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

    owner: Text | None = None
    """The owner of the party who goes by the name; `None`: the party itself."""


class ListedName(Window):
    """Is an entry of a screening list: whom it names, whether we know them or not."""

    names: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The name and every other one of the entry, as the list writes them."""
    entry: Text | None = None
    """The list's own number of the entry."""
    seen_from: date | None = None
    """The first edition that has it; `None`: as long as we know the list."""
    seen_until: date | None = None
    """The first edition without it again."""

    def seen_on(self, day: date) -> bool:
        """Say whether the edition of a day has it."""
        begun = self.seen_from is None or self.seen_from <= day
        return begun and (self.seen_until is None or day < self.seen_until)


class Cleared(Value):
    """Is a person's word that a party is not who a list names.

    Whom the catalog has no entry for is named as calls name it, with its country, so
    that a namesake elsewhere is not cleared with it.
    """

    party: Id | None = None
    """A developer or operator of the catalog."""
    organisation: Text | None = None
    """Or the name of a caller's organisation or an owner, to the letter."""
    country: Country | None = None
    """Where that organisation or owner is organised."""
    names: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The listed names that mean somebody else."""
    source: Text
    """Who looked at it, and what shows it."""
    as_of: date

    @model_validator(mode="after")
    def _is_of_one_party(self) -> Self:
        if (self.party is None) == (self.organisation is None):
            raise ValueError("clear either a `party` or an `organisation`")
        if (self.organisation is None) != (self.country is None):
            raise ValueError("an `organisation` is cleared with its `country`")
        return self


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


class ChartCell(Window):
    """Is one cell of the Commerce Country Chart: does an item need a licence there.

    The chart has columns by reason for control (Supplement No. 1 to 15 CFR part 738);
    here they are joined with the reasons of a classification.
    """

    classification: Annotated[
        str, StringConstraints(pattern=r"^([0-9][A-E][0-9]{3}|\*\*)$")
    ]
    """An ECCN, which stands for its paragraphs; `**`: each that has no such cell."""
    country: Country | Literal["**"]
    """`**`: every country that has no cell of its own."""
    licence: bool
    """Whether there is a mark in a column that controls the item."""
    reasons: tuple[Text, ...] = ()
    """The columns that decide, as `NS1`."""


class Edition(Value):
    """Is a list as it was known on an earlier day."""

    source: Text
    as_of: date
    parties: tuple[Listing, ...] = ()
    countries: tuple[CountryListing, ...] = ()
    regions: tuple[RegionListing, ...] = ()
    items: tuple[ItemListing, ...] = ()
    chart: tuple[ChartCell, ...] = ()
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
    screening: bool = False
    """Whether names of calls and of operators are compared with it."""
    names: tuple[ListedName, ...] = ()
    """Whom a list that screens names, besides `parties`."""
    parties: tuple[Listing, ...] = ()
    countries: tuple[CountryListing, ...] = ()
    regions: tuple[RegionListing, ...] = ()
    items: tuple[ItemListing, ...] = ()
    chart: tuple[ChartCell, ...] = ()
    """Cells of a chart of countries and reasons for control."""
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

    @model_validator(mode="after")
    def _names_screen(self) -> Self:
        if self.names and not self.screening:
            raise ValueError(
                "`names` are compared where the list says `screening: true`"
            )
        return self

    def known_on(self, day: date) -> Edition | None:
        """Return what the list said on a day, or `None` where it was not known yet."""
        known = [
            item for item in (*self.editions, Edition.of(self)) if item.as_of <= day
        ]
        return known[-1] if known else None
