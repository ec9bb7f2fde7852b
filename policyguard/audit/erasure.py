"""Erases what is kept of people, and says what was erased, what was not, and why.

Owner: whoever runs it; it writes its own log of the trail, and each vault for a moment
while applications run. A crash leaves an order that is recorded and not yet carried
out, which `verify_trail` reports and `finish` completes. Whoever may write the files can
delete without an order: that shows as content that is gone and that nobody has ordered
to erase.

INVARIANT: the order is durable in a log before the first byte is deleted. It has ids and
pseudonyms, and nothing of what was erased.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from policyguard.audit.erasure_order import require_order, signed_order
from policyguard.audit.layout import Layout
from policyguard.audit.log_verification import Progress
from policyguard.audit.people import People
from policyguard.audit.reader import TrailReader
from policyguard.audit.retention import Keeping, Reason, latest
from policyguard.audit.stores.postgres_erasing import erase_rows
from policyguard.audit.stores.postgres_reader import PostgresTrail
from policyguard.audit.trail import Trail
from policyguard.audit.vault import Callers, Vault
from policyguard.errors import ConfigurationError, TamperedError, VerificationError
from policyguard.identity import new_id, record_time, wall_clock
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.signer import Signer
from policyguard.vocabulary.decision import Place
from policyguard.vocabulary.record import DecisionRecord, EraseReason, EraseRecord

_MOST_IN_ORDER: Final = 1_000
"""Ids in one record, which has 60,000 bytes at most."""
_PROGRESS_EVERY: Final = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Says whose content should go: callers, people and records, by their ids."""

    callers: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Is a record whose content may not be erased now."""

    record: str
    place: str
    """Log and entry, as `app-1:4711`."""
    reasons: tuple[Reason, ...]

    @property
    def until(self) -> date | None:
        """The first day on which it may be erased; `None`: nobody knows."""
        last = latest(self.reasons)
        return last.until if last else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Says what would be erased, and what would not."""

    trail: str
    records: Mapping[str, tuple[str, ...]]
    """Ids of the records to erase, by slot."""
    kept: tuple[Kept, ...]
    callers: tuple[str, ...]
    """Pseudonyms that will lead to nobody any more."""
    people: tuple[str, ...]
    """Pseudonyms whose keys will be destroyed."""
    held_names: tuple[str, ...]
    """Pseudonyms that stay, because a record of theirs is kept."""
    gone: int
    """Records that were meant and of which nothing is kept any more."""
    unknown: tuple[str, ...]
    """What was named and nobody knows; it is repeated to whoever named it alone."""

    @property
    def count(self) -> int:
        """How many records will be erased."""
        return sum(map(len, self.records.values()))

    @property
    def empty(self) -> bool:
        """Say whether there is nothing to erase."""
        return not (self.count or self.callers or self.people)


@dataclass(slots=True)
class _Found:
    """Collects what is found while the logs are read."""

    erase: dict[str, list[str]] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)
    held_callers: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    gone: int = 0


def plan_erasure(
    reader: TrailReader,
    wanted: Wanted,
    *,
    keeping: Keeping,
    today: date,
    progress: Progress | None = None,
) -> Plan:
    """Say what an erasure would do, without doing it.

    Args:
        reader: The trail.
        wanted: Whose content should go.
        keeping: Reasons to keep it all the same.
        today: The day in UTC.
        progress: Called as records are read.

    Raises:
        TrailError: the trail cannot be read.
        FormatError: an entry is no record: verify the trail.
    """
    callers = _pseudonyms(reader, wanted.callers)
    people = {
        item.id: item.pseudonym
        for item in reader.source.people()
        if item.id in wanted.people | wanted.callers
    }
    about = {people[name] for name in wanted.people & people.keys()}
    found = _Found()
    for log in reader.logs:
        mine = log.source.about(about)
        size = log.head().size
        for entry in log.entries():
            record = entry.record()
            if progress and entry.index % _PROGRESS_EVERY == 0:
                progress(log.origin, entry.index, size)
            if isinstance(record, DecisionRecord) and (
                record.caller in callers.values()
                or record.id in mine
                or record.id in wanted.records
            ):
                place = f"{log.slot}:{entry.index}"
                _sort(record, place=place, into=found, keeping=keeping, today=today)
        kept = log.source.kept()
        meant = found.erase.get(log.slot, [])
        found.gone += len([item for item in meant if item not in kept])
        found.erase[log.slot] = [item for item in meant if item in kept]
    keys, held_keys = _keys_to_destroy(reader, wanted, people=people, found=found)
    unknown = {
        *(wanted.callers - callers.keys()),
        *(wanted.people - people.keys()),
        *(wanted.records - found.seen),
    }
    return Plan(
        trail=reader.name,
        records={slot: tuple(ids) for slot, ids in found.erase.items() if ids},
        kept=tuple(found.kept),
        callers=tuple(sorted(set(callers.values()) - found.held_callers)),
        people=tuple(sorted(keys)),
        held_names=tuple(
            sorted(set(callers.values()) & found.held_callers | held_keys)
        ),
        gone=found.gone,
        unknown=tuple(sorted(unknown)),
    )


def erase(  # noqa: PLR0913 -- who, where, what and why
    plan: Plan,
    *,
    trail: Trail,
    reader: TrailReader,
    signer: Signer,
    erasers: Collection[VerifierKey],
    reason: EraseReason,
) -> tuple[Place, ...]:
    """Record the order to erase, and carry it out.

    Args:
        plan: What to erase.
        trail: The same trail, open for writing.
        reader: The trail as it was read for the plan.
        signer: Signs the order.
        erasers: The keys that may order an erasure.
        reason: Why.

    Returns:
        Where the order is recorded; nothing if there was nothing to erase.

    Raises:
        ConfigurationError: the key may not erase.
        NotDurableError: the order could not be recorded; nothing was erased.
        TrailError: the order is recorded and could not be carried out: finish it.
    """
    if VerifierKey.of_signer(signer) not in erasers:
        raise ConfigurationError(
            f"the key `{signer.key_name}` may not erase: its verifier key has to be in"
            " `erasers` under [trail]"
        )
    if plan.empty:
        return ()
    orders = [
        signed_order(
            EraseRecord(
                id=new_id(),
                time=record_time(wall_clock()),
                trail=plan.trail,
                reason=reason,
                records=records,
                callers=plan.callers if first else (),
                people=plan.people if first else (),
                kept=len(plan.kept) if first else 0,
                by="",
                signature="",
            ),
            signer=signer,
        )
        for first, records in _parts(plan)
    ]
    places = tuple(trail.append(order) for order in orders)
    _carry_out(plan, reader=reader)
    return places


def unfinished(reader: TrailReader) -> Plan | None:
    """Return what was ordered to be erased and is still there; `None`: nothing.

    Raises:
        TrailError: the trail cannot be read.
    """
    orders = [order for _, order in orders_in(reader)]
    records = {record for order in orders for record in order.records}
    left = {log.slot: tuple(sorted(records & log.source.kept())) for log in reader.logs}
    known = {item.pseudonym for item in reader.source.people()}
    people = {name for order in orders for name in order.people if name in known}
    present = {name for name, _, _ in reader.source.callers()}
    callers = {name for order in orders for name in order.callers if name in present}
    plan = Plan(
        trail=reader.name,
        records={slot: ids for slot, ids in left.items() if ids},
        kept=(),
        callers=tuple(sorted(callers)),
        people=tuple(sorted(people)),
        held_names=(),
        gone=0,
        unknown=(),
    )
    return None if plan.empty else plan


def finish(reader: TrailReader, *, erasers: Collection[VerifierKey]) -> Plan | None:
    """Carry out what was ordered and not done; return what that was.

    Raises:
        TamperedError: an order was not signed by a key that may erase.
        TrailError: it could not be carried out.
    """
    plan = unfinished(reader)
    if plan is None:
        return None
    for place, order in orders_in(reader):
        try:
            require_order(order, trail=reader.name, erasers=erasers)
        except VerificationError as error:
            raise TamperedError(
                f"the order at {place} counts for nothing: {error}"
            ) from error
    _carry_out(plan, reader=reader)
    return plan


def orders_in(reader: TrailReader) -> Iterator[tuple[str, EraseRecord]]:
    """Give every order to erase with its place.

    Raises:
        TrailError: the trail cannot be read.
    """
    for log in reader.logs:
        for entry in log.entries():
            if b'"kind":"erase"' in entry.body:
                record = entry.record()
                if isinstance(record, EraseRecord):
                    yield f"{log.slot}:{entry.index}", record


def _pseudonyms(reader: TrailReader, callers: Collection[str]) -> dict[str, str]:
    found = {name: reader.pseudonym(name) for name in callers}
    return {name: known for name, known in found.items() if known is not None}


def _sort(
    record: DecisionRecord,
    *,
    place: str,
    into: _Found,
    keeping: Keeping,
    today: date,
) -> None:
    into.seen.add(record.id)
    reasons = keeping.reasons(record, today=today)
    if not reasons:
        into.erase.setdefault(place.partition(":")[0], []).append(record.id)
        return
    into.kept.append(Kept(record=record.id, place=place, reasons=reasons))
    if record.caller is not None:
        into.held_callers.add(record.caller)


def _keys_to_destroy(
    reader: TrailReader,
    wanted: Wanted,
    *,
    people: Mapping[str, str],
    found: _Found,
) -> tuple[set[str], set[str]]:
    """Return whose data keys go, and whose stay because a record needs them.

    A caller has a data key too, if prompts are kept. It goes with the caller unless
    somebody else's record is about that person.
    """
    leaving = {record for ids in found.erase.values() for record in ids}
    held = {item.record for item in found.kept}
    gone, stay = set(), set()
    for name, pseudonym in people.items():
        about: set[str] = set().union(
            *(log.source.about({pseudonym}) for log in reader.logs)
        )
        if about & held:
            stay.add(pseudonym)
        elif name in wanted.people or about <= leaving:
            gone.add(pseudonym)
    return gone, stay


def _parts(plan: Plan) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """Divide the records of a plan among as many orders as they need."""
    records = [record for ids in plan.records.values() for record in ids]
    for start in range(0, max(len(records), 1), _MOST_IN_ORDER):
        yield start == 0, tuple(records[start : start + _MOST_IN_ORDER])


def _carry_out(plan: Plan, *, reader: TrailReader) -> None:
    if isinstance(reader.source, PostgresTrail):
        erase_rows(reader.source.server, records=plan.records, callers=plan.callers)
    else:
        _erase_files(plan, layout=reader.layout)


def _erase_files(plan: Plan, *, layout: Layout) -> None:
    """Destroy keys first: what is left after a crash is at least unreadable."""
    if plan.people:
        kept = People(layout)
        try:
            kept.erase(plan.people)
        finally:
            kept.close()
    for slot, ids in plan.records.items():
        vault = Vault(layout.vault(slot))
        try:
            vault.erase(ids)
        finally:
            vault.close()
    if plan.callers:
        known = Callers(layout.callers)
        try:
            known.erase(plan.callers)
        finally:
            known.close()
