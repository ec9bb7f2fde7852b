"""Numbers of people: in one call, and in the calls before it.

Thresholds of law are on what adds up, so no single call shows whether one is passed.
The guard's counters fill `Rolling`; rules add the two.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from policyguard.vocabulary.value import Id, Value


class Counts(Value):
    """Counts US persons, by category of 28 CFR 202.205; `None`: nobody has counted."""

    genomic: Annotated[int, Field(ge=0)] | None = None
    omic: Annotated[int, Field(ge=0)] | None = None
    """Human 'omic data other than genomic."""
    biometric: Annotated[int, Field(ge=0)] | None = None
    geolocation: Annotated[int, Field(ge=0)] | None = None
    """US devices, not persons."""
    health: Annotated[int, Field(ge=0)] | None = None
    financial: Annotated[int, Field(ge=0)] | None = None
    pii: Annotated[int, Field(ge=0)] | None = None
    """Covered personal identifiers."""


class CounterpartyCounts(Value):
    """Is what one counterparty was sent before this call."""

    counterparty: Id
    """The operator's `parent` in the catalog, or the operator itself without one."""
    counts: Counts


class SinceJanuary(Value):
    """Counts the people whose data left China since 1 January of the year of the call."""

    persons: Annotated[int, Field(ge=0)] | None = None
    sensitive: Annotated[int, Field(ge=0)] | None = None
    """Of these, those whose sensitive personal information left."""


class Rolling(Value):
    """Holds what earlier calls add up to; executed ones, and those that may yet be.

    A person who is in this call as well is not counted here, so that the sum with
    `data.counts` is a number of distinct persons. A counter that cannot be read is
    `None`.
    """

    us_twelve_months: tuple[CounterpartyCounts, ...] | None = None
    """Of the 12 months before the call; a counterparty that is not in it had none."""
    china_since_january: SinceJanuary | None = None

    @field_validator("us_twelve_months")
    @classmethod
    def _one_per_counterparty(
        cls, value: tuple[CounterpartyCounts, ...] | None
    ) -> tuple[CounterpartyCounts, ...] | None:
        keys = [entry.counterparty for entry in value or ()]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"two counts of one counterparty: {', '.join(twice)}")
        return value
