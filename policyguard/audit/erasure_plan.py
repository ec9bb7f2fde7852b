"""What an erasure would take, and what has to be kept; nothing is erased here.

Pure but for reading: a trail and names in, a plan out. An approval goes with whom it
was given to and who gave it: what was signed names both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeAlias

from policyguard.audit.log_verification import Progress
from policyguard.audit.reader import TrailReader
from policyguard.audit.retention import Keeping, Reason, latest
from policyguard.vocabulary.record import AnyRecord, ApprovalRecord, DecisionRecord

_PROGRESS_EVERY: Final = 1_024
_Erasable: TypeAlias = DecisionRecord | ApprovalRecord


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
    approvals: tuple[str, ...]
    """Ids of approvals that will be forgotten, and lift nothing any more."""
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
        return not (self.count or self.callers or self.people or self.approvals)


@dataclass(slots=True)
class _Found:
    """Collects what is found while the logs are read."""

    erase: dict[str, list[str]] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)
    approvals: set[str] = field(default_factory=set)
    held_callers: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    gone: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """Says which records are meant."""

    callers: frozenset[str]
    """Pseudonyms of who asked, of whom it was approved for, and of who approved."""
    about: frozenset[str]
    """Ids of the decisions about those people."""
    records: frozenset[str]

    def has(self, record: _Erasable) -> bool:
        """Say whether a record is one of them."""
        if isinstance(record, DecisionRecord):
            return (
                record.caller in self.callers
                or record.id in self.about
                or record.id in self.records
            )
        return (
            record.caller in self.callers
            or record.by in self.callers
            or record.decision in self.about
            or record.id in self.records
        )


def approval_of(record: AnyRecord) -> str | None:
    """Return the id of the approval whose statement a record has; `None`: none."""
    return record.approval if isinstance(record, ApprovalRecord) else None


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
    chosen = _Chosen(
        callers=frozenset(callers.values()),
        # Of all logs: whoever approves writes another one than who asked.
        about=frozenset().union(*(log.source.about(about) for log in reader.logs)),
        records=wanted.records,
    )
    found = _Found()
    for log in reader.logs:
        size = log.head().size
        for entry in log.entries():
            record = entry.record()
            if progress and entry.index % _PROGRESS_EVERY == 0:
                progress(log.origin, entry.index, size)
            if isinstance(record, DecisionRecord | ApprovalRecord) and chosen.has(
                record
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
        approvals=tuple(sorted(found.approvals)),
        held_names=tuple(
            sorted(set(callers.values()) & found.held_callers | held_keys)
        ),
        gone=found.gone,
        unknown=tuple(sorted(unknown)),
    )


def _pseudonyms(reader: TrailReader, callers: Collection[str]) -> dict[str, str]:
    found = {name: reader.pseudonym(name) for name in callers}
    return {name: known for name, known in found.items() if known is not None}


def _sort(
    record: _Erasable,
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
        if isinstance(record, ApprovalRecord):
            into.approvals.add(record.approval)
        return
    into.kept.append(Kept(record=record.id, place=place, reasons=reasons))
    if record.caller is not None:
        into.held_callers.add(record.caller)
    if isinstance(record, ApprovalRecord):
        into.held_callers.add(record.by)


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
