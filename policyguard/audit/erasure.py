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

from collections.abc import Collection, Iterator
from contextlib import closing
from typing import Final

from policyguard.audit.erasure_order import require_order, signed_order
from policyguard.audit.erasure_plan import Plan
from policyguard.audit.layout import Layout
from policyguard.audit.people import People
from policyguard.audit.reader import TrailReader
from policyguard.audit.stores.approval_file import ApprovalFile
from policyguard.audit.stores.database import on_disk, undo_half_done
from policyguard.audit.stores.files import FileTrail
from policyguard.audit.stores.postgres_approvals import PostgresApprovals
from policyguard.audit.stores.postgres_erasing import erase_rows
from policyguard.audit.stores.postgres_reader import PostgresTrail
from policyguard.audit.stores.protocol import ApprovalStore
from policyguard.audit.trail import Trail
from policyguard.audit.vault import Callers, Vault
from policyguard.errors import ConfigurationError, TamperedError, VerificationError
from policyguard.identity import new_id, record_time, wall_clock
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.signer import Signer
from policyguard.vocabulary.decision import Place
from policyguard.vocabulary.record import ApprovalRecord, EraseReason, EraseRecord

_MOST_IN_ORDER: Final = 1_000
"""Ids in one record, which has 60,000 bytes at most."""


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
    approvals = _approved_in(reader, records)
    if approvals:
        approvals &= set(_approvals(reader).names())
    present = {name for name, _, _ in reader.source.callers()}
    callers = {name for order in orders for name in order.callers if name in present}
    plan = Plan(
        trail=reader.name,
        records={slot: ids for slot, ids in left.items() if ids},
        kept=(),
        callers=tuple(sorted(callers)),
        people=tuple(sorted(people)),
        approvals=tuple(sorted(approvals)),
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
    if isinstance(reader.source, FileTrail):
        # Cut off while one of them was written anew, it cannot be read as it stands.
        undo_half_done(reader.layout.callers)
        undo_half_done(reader.layout.people)
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


def _approved_in(reader: TrailReader, records: Collection[str]) -> set[str]:
    """Return the approvals that some records are of."""
    return {
        record.approval
        for log in reader.logs
        for entry in log.entries()
        if b'"kind":"approval.' in entry.body
        and isinstance(record := entry.record(), ApprovalRecord)
        and record.id in records
    }


def _approvals(reader: TrailReader) -> ApprovalStore:
    if isinstance(reader.source, PostgresTrail):
        return PostgresApprovals(server=reader.source.server)
    return ApprovalFile.of(reader.layout)


def _parts(plan: Plan) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """Divide the records of a plan among as many orders as they need."""
    records = [record for ids in plan.records.values() for record in ids]
    for start in range(0, max(len(records), 1), _MOST_IN_ORDER):
        yield start == 0, tuple(records[start : start + _MOST_IN_ORDER])


def _carry_out(plan: Plan, *, reader: TrailReader) -> None:
    # First: what is left after a crash is content in a vault, which verification reports.
    if plan.approvals:
        _approvals(reader).erase(plan.approvals)
    if isinstance(reader.source, PostgresTrail):
        erase_rows(
            reader.source.server,
            records=plan.records,
            callers=plan.callers,
            people=plan.people,
        )
    else:
        _erase_files(plan, layout=reader.layout)


def _erase_files(plan: Plan, *, layout: Layout) -> None:
    """Destroy keys first: what is left after a crash is at least unreadable."""
    if plan.people:
        with on_disk("write", layout.people), closing(People(layout)) as kept:
            kept.erase(plan.people)
    for slot, ids in plan.records.items():
        path = layout.vault(slot)
        with on_disk("write", path), closing(Vault(path)) as vault:
            vault.erase(ids)
    if plan.callers:
        with on_disk("write", layout.callers), closing(Callers(layout)) as known:
            known.erase(plan.callers)
