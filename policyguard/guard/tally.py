"""Gives rules the running counts that thresholds of law are about, and keeps them.

28 CFR 202.205 counts US persons over the twelve months before a call, for each
counterparty, which is the ultimate parent of who receives the data. The Chinese
provisions of 2024-03-22 count, since 1 January in Beijing, the people whose data left
China. A call that is about to be made reserves what it would add, and gets what is there
beside it as facts; its outcome settles the reservation. A count that cannot be reached
is an unknown fact.

State: the names of this process's open reservations. A crash loses them, and they count.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from operator import attrgetter
from typing import Final

from policyguard.audit.counters import Counters, Share
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.schema import Deployment
from policyguard.errors import CatalogError, TrailError
from policyguard.guard.events import log
from policyguard.guard.persons import Persons
from policyguard.vocabulary.call import DataFacts, ModelCall
from policyguard.vocabulary.rolling import (
    CounterpartyCounts,
    Counts,
    Rolling,
    SinceJanuary,
)

CATEGORIES: Final = tuple(Counts.model_fields)
_NOT_DECLARED: Final = (None,) * len(CATEGORIES)
_declared_of: Final = attrgetter(*CATEGORIES)
NOT_MADE: Final = "PolicyDenied"
"""The error of an outcome whose call was stopped before anything was sent."""
_BEIJING: Final = timezone(timedelta(hours=8))
_CHINA: Final = "CN"
_SENSITIVE: Final = frozenset(
    {
        "special_category",
        "health",
        "financial",
        "genomic",
        "biometric",
        "geolocation",
    }
)
_ALL_PEOPLE: Final = "china"
_SENSITIVE_PEOPLE: Final = "china_sensitive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Is a question whose people are counted."""

    call: ModelCall
    persons: Persons
    """Those whose ids were declared."""
    reservation: str
    """The name under which what it adds is settled: the decision's id."""
    call_id: str
    keep: bool
    """Whether a call may follow; else the counts are only read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts the people of calls."""

    counters: Counters
    _open: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_asked(self, call: ModelCall, *, persons: Persons, catalog: Catalog) -> bool:
        """Say whether a question needs counts; of most questions nobody is counted.

        Args:
            call: The question.
            persons: Those whose ids were declared.
            catalog: Says who receives the data.
        """
        return _counts_us(call, persons) or _counts_china(call, persons, catalog)

    def is_open(self, reservation: str) -> bool:
        """Say whether a reservation is still to be settled."""
        # One look into a set, which no lock makes truer: who asks has made it before.
        return reservation in self._open

    def begin(self, asked: Counted, *, catalog: Catalog) -> ModelCall:
        """Return a question with the counts that it needs; reserve what it would add.

        Args:
            asked: The question, and who it is about.
            catalog: Says who receives the data.
        """
        call = asked.call.model_copy(update={"rolling": Rolling()})
        us = _counts_us(call, asked.persons)
        china = _counts_china(call, asked.persons, catalog)
        if not us and not china:
            return call
        try:
            parties = _counterparties(call, catalog) if us else None
            rolling = self._rolling(asked, parties=parties, china=china)
        except (TrailError, OSError) as error:
            # Unknown, which the rules that need it say.
            log.error("counters.not_reached", reason=str(error))
            return call
        return call.model_copy(update={"rolling": rolling})

    def settle(self, reservation: str, *, made: bool) -> None:
        """Let a reservation count for good, or forget it; never raises.

        What cannot be settled counts as a call that was made.
        """
        if not self.is_open(reservation):
            return
        with self._lock:
            if reservation not in self._open:
                return
            self._open.discard(reservation)
        try:
            if made:
                self.counters.settle(reservation)
            else:
                self.counters.release(reservation)
        except (TrailError, OSError) as error:
            log.error("counters.not_settled", reason=str(error))

    def _rolling(
        self, asked: Counted, *, parties: tuple[str, ...] | None, china: bool
    ) -> Rolling:
        call = asked.call
        persons = self.counters.pseudonyms(asked.persons.us)
        shares = [
            _us_share(call, party, category, persons)
            for party in parties or ()
            for category in CATEGORIES
        ]
        if china:
            people = self.counters.pseudonyms(asked.persons.china)
            shares += _china_shares(call, people)
        if asked.keep:
            with self._lock:
                self._open.add(asked.reservation)
        counts = self.counters.reserve(
            shares,
            reservation=asked.reservation,
            call=asked.call_id,
            at=int(call.at.timestamp()),
            keep=asked.keep,
        )
        return Rolling(
            us_twelve_months=None
            if parties is None
            else tuple(_of_party(call, party, counts) for party in parties),
            china_since_january=_since_january(call, counts) if china else None,
        )


def _of_party(
    call: ModelCall, party: str, counts: Mapping[tuple[str, str], int]
) -> CounterpartyCounts:
    scope = _scope(call, party)
    numbers = {name: counts[scope, name] for name in CATEGORIES}
    return CounterpartyCounts(counterparty=party, counts=Counts(**numbers))


def _since_january(
    call: ModelCall, counts: Mapping[tuple[str, str], int]
) -> SinceJanuary:
    scope = _scope(call, _CHINA)
    return SinceJanuary(
        persons=counts[scope, _ALL_PEOPLE], sensitive=counts[scope, _SENSITIVE_PEOPLE]
    )


def twelve_months_before(at: datetime) -> datetime:
    """Return the instant twelve months earlier, as calendars count; UTC."""
    known = at.astimezone(UTC)
    try:
        return known.replace(year=known.year - 1)
    except ValueError:
        # 29 February: the day before 1 March.
        return known.replace(year=known.year - 1, day=28)


def first_of_january(at: datetime) -> datetime:
    """Return the beginning of the year of an instant, in Beijing."""
    year = at.astimezone(_BEIJING).year
    return datetime(year, 1, 1, tzinfo=_BEIJING)


def _counts_us(call: ModelCall, persons: Persons) -> bool:
    return bool(persons.us) or _declared_of(call.data.counts) != _NOT_DECLARED


def _counts_china(call: ModelCall, persons: Persons, catalog: Catalog) -> bool:
    if not persons.china and call.exporter.establishment != _CHINA:
        return False
    return any(_leaves_china(name, catalog) for name in call.route)


def _leaves_china(name: str | None, catalog: Catalog) -> bool:
    known = _deployment(name, catalog)
    if known is None or known.processing_scope != "fixed":
        return True
    places = [*(known.processing_countries or ("?",)), *(known.storage_countries or ())]
    return any(country != _CHINA for country in places)


def _us_share(
    call: ModelCall, party: str, category: str, persons: frozenset[bytes]
) -> Share:
    declared = getattr(call.data.counts, category)
    sent = declared is not None or category in (call.data.classes or ())
    named = persons if sent else frozenset[bytes]()
    # A second more: what was exactly twelve months ago is within them.
    since = int(twelve_months_before(call.at).timestamp()) - 1
    return Share(
        scope=_scope(call, party),
        category=category,
        since=since,
        persons=named,
        unnamed=max(0, (declared or 0) - len(named)),
    )


def _china_shares(call: ModelCall, persons: frozenset[bytes]) -> list[Share]:
    since = int(first_of_january(call.at).timestamp()) - 1
    unnamed = max(0, (call.data.persons or 0) - len(persons))
    sensitive = bool(_SENSITIVE & set(call.data.classes or ()))
    return [
        Share(
            scope=_scope(call, _CHINA),
            category=category,
            since=since,
            persons=persons if counts else frozenset(),
            unnamed=unnamed if counts else 0,
        )
        for category, counts in ((_ALL_PEOPLE, True), (_SENSITIVE_PEOPLE, sensitive))
    ]


def _scope(call: ModelCall, party: str) -> str:
    return f"{call.tenant.id} {party}"


def _counterparties(call: ModelCall, catalog: Catalog) -> tuple[str, ...]:
    """Return the ultimate parents of all that the route hands data to, sorted."""
    found: set[str] = set()
    for name in call.route:
        known = _deployment(name, catalog)
        if known is None:
            continue
        for party in (known.operator, known.host_cloud):
            if party is not None:
                found.add(_ultimate(party, catalog))
    return tuple(sorted(found))


def _ultimate(party: str, catalog: Catalog) -> str:
    try:
        parent = getattr(catalog.operator(party), "parent", None)
    except CatalogError:
        return party
    return parent or party


def _deployment(name: str | None, catalog: Catalog) -> Deployment | None:
    try:
        return None if name is None else catalog.deployment(name)
    except CatalogError:
        return None


def with_counts(data: DataFacts, persons: Persons) -> DataFacts:
    """Return what is sent with the numbers that follow from who it is about."""
    if not persons.us:
        return data
    declared = data.counts.model_dump()
    number = len(persons.us)
    for category in CATEGORIES:
        if declared[category] is None and category in (data.classes or ()):
            declared[category] = number
    return data.model_copy(update={"counts": Counts(**declared)})
