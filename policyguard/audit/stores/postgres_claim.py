"""Claims a log in PostgreSQL, and finds out whether it is what was left.

Owner: the session that claims. Claiming is one advisory lock: the server releases it
when the session ends. A crash in the middle leaves no log, or a whole one that has its
first record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, LiteralString

from policyguard.audit.creation import origin_of
from policyguard.audit.heads import Cadence
from policyguard.audit.stores.fleet import Fleet
from policyguard.audit.stores.postgres import (
    POOLS,
    PostgresWriter,
    number_of,
    read_head,
)
from policyguard.audit.stores.postgres_keys import (
    GATE,
    LOCKS,
    known_keys,
    ready_signer,
)
from policyguard.audit.stores.postgres_memory import RemoteMemory
from policyguard.audit.stores.postgres_schema import read_name
from policyguard.audit.stores.postgres_server import Server
from policyguard.audit.stores.sqlite import require_signed
from policyguard.canonical import canonical_bytes
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    SlotError,
    TrailError,
    VerificationError,
)
from policyguard.identity import new_id, record_time, wall_clock
from policyguard.signing.key_source import KeySource
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.signer import Signer
from policyguard.tlog import Frontier, leaf_hash, open_checkpoint
from policyguard.version import __version__
from policyguard.vocabulary.record import GenesisRecord, Predecessor

if TYPE_CHECKING:
    import psycopg

MOST_SLOTS: Final = 999
# Materialised: only of logs that may be claimed is a lock asked for.
_FREE: Final[LiteralString] = """
WITH open AS MATERIALIZED (
  SELECT n FROM generate_series(1, %(most)s) AS n
  WHERE NOT EXISTS (SELECT FROM policyguard.closed c WHERE c.slot = %(pool)s || n)
    AND NOT (%(fresh)s
      AND EXISTS (SELECT FROM policyguard.head h WHERE h.slot = %(pool)s || n))
  ORDER BY n
)
SELECT n FROM open WHERE pg_try_advisory_lock(%(locks)s, %(first)s + n) LIMIT 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Says which log is claimed."""

    role: str
    """The pool of logs: `app` for applications, `cli` for the command line."""
    slot: str | None = None
    """One log that there is; without it any of the pool that nobody writes."""
    predecessor: Predecessor | None = None
    """The log that a new one continues; then none that was begun before is claimed."""


def claim_log(
    fleet: Fleet, wanted: Wanted, *, name: str | None, keys: KeySource
) -> PostgresWriter:
    """Claim a log of the trail for this process; begin one if all are in use.

    Args:
        fleet: The servers.
        wanted: Which log.
        name: The name that the trail must have.
        keys: Where the keys of logs come from.

    Raises:
        TrailError: the trail or the log is missing, damaged, put back or unwritable.
        SlotError: every log of the pool is in use, or the one that was wanted is, or is
            closed for good.
        ConfigurationError: the trail has another name, or no key can be made.
    """
    server, lock = fleet.server, fleet.lock
    connection = server.open(write=True)
    memory: Cadence | None = None
    try:
        with server.speaking():
            own = _require_name(connection, server=server, lock=lock, name=name)
            slot = _claim_slot(connection, wanted, where=server.where)
        origin = origin_of(own, slot)
        if lock is not None:
            memory = Cadence(RemoteMemory(lock, origin=origin), every=fleet.lock_every)
        with server.speaking():
            claimed = _Claimed(
                server=server,
                connection=connection,
                memory=memory,
                slot=slot,
                origin=origin,
            )
            writer = _begun(claimed, keys=keys, predecessor=wanted.predecessor)
            _require_kept(writer)
    except BaseException:
        if memory is not None:
            memory.close()
        connection.close()
        raise
    return writer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed:
    """Is a log whose lock this process has."""

    server: Server
    connection: psycopg.Connection[Any]
    memory: Cadence | None
    slot: str
    origin: str


def _begun(
    log: _Claimed, *, keys: KeySource, predecessor: Predecessor | None
) -> PostgresWriter:
    """Return the writer of a claimed log, whose first record is there.

    INVARIANT: key, trust file and first record of a log are one transaction.
    """
    session, origin = log.connection, log.origin
    with session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCKS, GATE))
        head = read_head(session, slot=log.slot, where=log.server.where)
        if head is None and log.memory is not None and log.memory.known().size:
            raise TrailError(
                f"the log `{origin}` is missing from `{log.server.where}`: restore it"
            )
        signer, new = ready_signer(session, slot=log.slot, origin=origin, keys=keys)
        writer = PostgresWriter(
            origin=origin,
            slot=log.slot,
            server=log.server,
            memory=log.memory,
            signer=signer,
            connection=session,
            head=head,
        )
        if new:
            writer.begin(_genesis(signer, predecessor=predecessor))
    return writer


def _require_name(
    connection: psycopg.Connection[Any],
    *,
    server: Server,
    lock: Server | None,
    name: str | None,
) -> str:
    own = read_name(connection, where=server.where)
    if name is not None and name != own:
        raise ConfigurationError(
            f"the trail in `{server.where}` is named `{own}` and the settings say"
            f" `{name}`: use the old name, or another database"
        )
    if lock is not None:
        with lock.speaking(), lock.open(write=False) as other:
            query = "SELECT name FROM policyguard_lock.trail"
            remembered = other.execute(query).fetchone()
        if remembered != (own,):
            raise TrailError(
                f"the lock database `{lock.where}` belongs to another trail than"
                f" `{own}`: give each trail a lock database of its own"
            )
    return own


def claim_slot(connection: psycopg.Connection[Any], *, slot: str) -> bool:
    """Lock one log for a session; say whether nobody else had it."""
    query = "SELECT pg_try_advisory_lock(%s, %s)"
    return connection.execute(query, (LOCKS, number_of(slot))).fetchone() == (True,)


def _claim_slot(
    connection: psycopg.Connection[Any], wanted: Wanted, *, where: str
) -> str:
    role = wanted.role
    if wanted.slot is not None:
        query = "SELECT 1 FROM policyguard.closed WHERE slot = %s"
        if connection.execute(query, (wanted.slot,)).fetchone():
            raise SlotError(
                f"the log `{wanted.slot}` is closed: its key was compromised, and another"
                " log continues it"
            )
        if not claim_slot(connection, slot=wanted.slot):
            raise SlotError(
                f"the log `{wanted.slot}` is in use: stop the process that writes it, or"
                " call `Trail.rotate_key()` in that process"
            )
        return wanted.slot
    # LIMIT stops at the first lock that can be had; locks of others are passed over.
    row = connection.execute(
        _FREE,
        {
            "most": MOST_SLOTS,
            "pool": f"{role}-",
            "fresh": wanted.predecessor is not None,
            "locks": LOCKS,
            "first": POOLS[role],
        },
    ).fetchone()
    if row is None:
        raise SlotError(
            f"all {MOST_SLOTS} logs of the pool `{role}` in `{where}` are in use: stop"
            " processes that are not needed, or give some a trail of their own"
        )
    return f"{role}-{row[0]}"


def _require_kept(writer: PostgresWriter) -> None:
    """Refuse a log that is not what was signed, or not what is remembered.

    Raises:
        TrailError: it was put back, cut or changed.
    """
    head, origin = writer.head, writer.origin
    vkey = VerifierKey.of_signer(writer.signer)
    # What is remembered may be from before a rotation.
    vkeys = known_keys(writer.connection, origin=origin)
    last = writer.connection.execute(
        "SELECT max(idx) FROM policyguard.entry WHERE slot = %s", (writer.slot,)
    ).fetchone()
    size = head.size if head else 0
    try:
        if head is not None:
            require_signed(head, vkeys=[vkey], where=writer.server.where)
        if last != (size - 1 if size else None,):
            raise TrailError(
                f"the log `{origin}` ends at another record than its checkpoint says:"
                " run `policyguard audit verify`, then restore the trail"
            )
        if writer.memory is None:
            return
        known = writer.memory.known()
        if known.size > size:
            raise TrailError(
                f"the log `{origin}` was put back: it has {size} records and had"
                f" {known.size}: restore the newer one"
            )
        if known.size and _root_at(writer, size=known.size) != (
            open_checkpoint(known.note, vkeys=vkeys).root
        ):
            raise TrailError(
                f"the log `{origin}` is not the one that was written: its first"
                f" {known.size} records were changed: restore it"
            )
        if head is not None and known.size < size:
            writer.memory.advance(size=size, note=head.note)
    except (FormatError, VerificationError) as error:
        raise TrailError(
            f"the log `{origin}` is not what its key signs: {error}: run"
            " `policyguard audit verify`, then restore it"
        ) from error


def _root_at(writer: PostgresWriter, *, size: int) -> bytes:
    if writer.head is not None and writer.head.size == size:
        return writer.head.frontier.root()
    with (
        writer.connection.transaction(),
        writer.connection.cursor(name="bodies", binary=True) as cursor,
    ):
        cursor.itersize = 4_096
        query = (
            "SELECT body FROM policyguard.entry WHERE slot = %s AND idx < %s"
            " ORDER BY idx"
        )
        cursor.execute(query, (writer.slot, size))
        return Frontier().extend(leaf_hash(row[0]) for row in cursor).root()


def _genesis(signer: Signer, *, predecessor: Predecessor | None) -> bytes:
    record = GenesisRecord(
        id=new_id(),
        time=record_time(wall_clock()),
        origin=signer.key_name,
        vkey=VerifierKey.of_signer(signer).format(),
        predecessor=predecessor,
        version=__version__,
    )
    return canonical_bytes(record.model_dump(mode="json"))
