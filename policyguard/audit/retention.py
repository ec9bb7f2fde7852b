"""How long what is kept of a record has to be kept: by law, and by order of a court.

Pure: a record and an instant in, reasons out. Retention by law follows from the regimes
of the rules that found something in the record, because that is what the record is
about; settings add to it and never shorten it.

Sources: 15 CFR 762.6 (EAR, five years), 22 CFR 122.5 (ITAR, five years), 31 CFR 501.601
(OFAC, ten years since 12 March 2025), 28 CFR 202.1101 (bulk data, ten years).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

from policyguard.vocabulary.record import ApprovalRecord, DecisionRecord

Kept: TypeAlias = DecisionRecord | ApprovalRecord
"""What has content in a vault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Says how long records have to be kept in which rules of a regime found something."""

    rules: str
    """Beginning of the rules' ids, as `EAR`; `*` for every record."""
    years: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold:
    """Says that records must be kept as they are, whatever else allows.

    A record is held if it fits every criterion that is given; without any, all are.
    """

    name: str
    until: date | None = None
    """The day on which it ends; `None`: until it is lifted."""
    callers: frozenset[str] = frozenset()
    """Pseudonyms."""
    tenants: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    """Beginnings of rule ids."""
    records: frozenset[str] = frozenset()

    def holds(self, record: Kept, *, today: date) -> bool:
        """Say whether a record is held on a day."""
        if self.until is not None and today >= self.until:
            return False
        criteria = (
            (self.callers, _persons(record)),
            (self.tenants, {record.tenant}),
            (self.rules, regimes_of(record)),
            (self.records, _ids(record)),
        )
        return all(not wanted or wanted & found for wanted, found in criteria)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Is why something has to be kept, and until when."""

    why: str
    until: date | None
    """The first day on which it need not be kept any more; `None`: nobody knows."""

    @property
    def order(self) -> tuple[bool, date]:
        """Sorts by when it ends: what has no end is last."""
        return self.until is None, self.until or date.max


SHIPPED: Final = (
    Retention(rules="EAR", years=5, source="15 CFR 762.6"),
    Retention(rules="ITAR", years=5, source="22 CFR 122.5"),
    Retention(rules="OFAC", years=10, source="31 CFR 501.601"),
    Retention(rules="DSP", years=10, source="28 CFR 202.1101"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Holds every reason that there can be to keep something."""

    retentions: tuple[Retention, ...] = SHIPPED
    holds: tuple[LegalHold, ...] = ()

    def reasons(self, record: Kept, *, today: date) -> tuple[Reason, ...]:
        """Return why a record has to be kept on a day; the longest reason is last."""
        found = [
            *_by_law(record, self.retentions, today=today),
            *_by_order(record, self.holds, today=today),
        ]
        return tuple(sorted(found, key=lambda item: item.order))


def regimes_of(record: Kept) -> set[str]:
    """Return the beginnings of the ids of all rules that said something."""
    if isinstance(record, ApprovalRecord):
        return {record.rule.rpartition("-")[0]}
    return {rule.id.rpartition("-")[0] for rule in record.rules}


def later(day: date, *, years: int) -> date:
    """Return the same day in a later year; the 29th of February becomes 1 March."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def latest(reasons: Iterable[Reason]) -> Reason | None:
    """Return the reason that ends last."""
    return max(reasons, key=lambda item: item.order, default=None)


def _persons(record: Kept) -> set[str | None]:
    if isinstance(record, ApprovalRecord):
        return {record.caller, record.by}
    return {record.caller}


def _ids(record: Kept) -> set[str]:
    if isinstance(record, ApprovalRecord):
        return {record.id, record.approval, record.decision}
    return {record.id}


def _by_law(
    record: Kept, retentions: Collection[Retention], *, today: date
) -> Iterator[Reason]:
    regimes = regimes_of(record)
    # An approval is relied on until it ends.
    last = record.until if isinstance(record, ApprovalRecord) else record.time
    made = date.fromisoformat(last[:10])
    for item in retentions:
        until = later(made, years=item.years)
        if (item.rules == "*" or item.rules in regimes) and today < until:
            said = "every record" if item.rules == "*" else f"{item.rules} record"
            why = f"{said}, {item.years} years, {item.source}"
            yield Reason(why=why, until=until)


def _by_order(
    record: Kept, holds: Collection[LegalHold], *, today: date
) -> Iterator[Reason]:
    for hold in holds:
        if hold.holds(record, today=today):
            yield Reason(why=f"legal hold `{hold.name}`", until=hold.until)
