"""Verifies a whole trail: every record, every checkpoint, the vault and the memory.

What holds after `verify_trail`: each log is exactly what its key has signed, nothing
in it was changed, removed, added or reordered since, every content in the vault is
what was recorded, and no log is older than the lock database knows. What it cannot
see: a log and its lock database that were both put back, and a history that was
written anew with the key. A kept checkpoint or a witness shows those.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from policyguard.audit.key_history import KeyHistory, require_own_key
from policyguard.audit.log_chain import require_continued
from policyguard.audit.log_verification import Progress, verify_records
from policyguard.audit.outside.attested import Attestations, Attested, Vouchers
from policyguard.audit.people import DataKeys
from policyguard.audit.reader import Entry, Log, TrailReader, source_of
from policyguard.audit.stores.protocol import Head
from policyguard.audit.stores.sqlite import require_signed
from policyguard.audit.tally import Tally
from policyguard.audit.vault import pseudonym_of
from policyguard.errors import (
    CutOffError,
    FormatError,
    NewerTrailError,
    OutOfReachError,
    TamperedError,
    TrailError,
    VerificationError,
)
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.passphrase import Passphrase
from policyguard.tlog import Checkpoint, open_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Says what was verified, in numbers, and what could not be."""

    logs: tuple[tuple[str, int, bytes], ...]
    """Origin, size and root of each log."""
    checkpoints: int
    """Signed checkpoints that the records were compared with."""
    erased: int
    """Records whose content was erased by a signed order: not replayable."""
    missing: int
    """Records whose content is gone from the vault, and nobody has ordered that."""
    nameless: int
    """Callers and people who are gone from behind their pseudonyms, and nobody has
    ordered that."""
    unfinished: int
    """Records whose content was ordered to be erased and is still there."""
    memory: bool
    """Whether there was a lock database to compare with."""
    outside: tuple[tuple[str, Attested], ...] = ()
    """How far the memory of others reaches, by the origin of each log."""
    pending: int
    """Allowed decisions without an outcome: in flight, or cut off."""
    orders: tuple[tuple[str, int], ...] = ()
    """The names of the keys that have ordered erasures, and how many orders of each."""
    orders_compared: bool = False
    """Whether these keys are among those that may erase; else nobody has said which."""

    @property
    def lacks_quorum(self) -> bool:
        """Whether a log lacks the cosignatures that the trust file asks for."""
        return any(attested.lacks_quorum for _, attested in self.outside)

    @property
    def is_complete(self) -> bool:
        """Whether everything is there that should be, and nothing that should not."""
        return not (
            self.missing or self.nameless or self.unfinished or self.lacks_quorum
        )


def verify_trail(  # noqa: PLR0913 -- where it is, and whose word counts
    place: str | os.PathLike[str],
    *,
    lock: str | Path | None = None,
    passphrase: Passphrase | None = None,
    vouchers: Vouchers | None = None,
    erasers: Collection[VerifierKey] | None = None,
    progress: Progress | None = None,
) -> Verified:
    """Verify a trail, and say what was verified.

    Args:
        place: Where the trail is.
        lock: Where the lock database is; without it `<directory>.lock`.
        passphrase: What a database's vault key is locked under; without it the prompts
            in it are not opened.
        vouchers: Which witnesses and authorities are trusted; without them those that
            the trail's own trust file names.
        erasers: The keys that may order an erasure, or might once: an order of another
            is tampering. Without it an order has to be signed, by whomsoever.
        progress: Called as records are verified.

    Raises:
        TamperedError: something is not what was signed; names the place.
        CutOffError: a power failure took the end of a log, which its vault has.
        NewerTrailError: a newer version of this software has made a part of it.
        OutOfReachError: a file may not be read here, or a server is away: nothing is
            known of what it holds.
        TrailError: there is no trail, or it is being written in a way that does not
            let it be read.
    """
    # Where there is none, nobody has changed it.
    source_of(place, lock=lock).require_present()
    with _as_tampered("the trail"):
        reader = TrailReader.open(place, lock=lock, passphrase=passphrase)
        memory = _require_own_memory(reader)
        _require_callers(reader)
        for _ in reader.source.people():
            # Each is compared with its pseudonym on the way.
            pass
        trusted = replace(_vouchers(reader, given=vouchers), erasers=erasers)
    tallies = [
        _verify_log(
            log,
            reader=reader,
            memory=memory,
            vouchers=trusted,
            progress=progress,
        )
        for log in reader.logs
    ]
    require_continued(
        {item.origin: (item.size, item.root) for item in tallies},
        {item.origin: item.predecessor for item in tallies},
    )
    ordered = set().union(*(item.ordered for item in tallies))
    orders = sum((item.orders for item in tallies), Counter())
    gone = set().union(*(item.gone for item in tallies))
    return Verified(
        logs=tuple((item.origin, item.size, item.root) for item in tallies),
        checkpoints=sum(item.checkpoints for item in tallies),
        erased=len(gone & ordered),
        missing=len(gone - ordered),
        nameless=_nameless(reader, tallies),
        unfinished=_still_there(reader, ordered) if ordered else 0,
        memory=memory,
        outside=tuple((item.origin, item.attested) for item in tallies),
        pending=len(
            set().union(*(item.allowed for item in tallies))
            - set().union(*(item.ended for item in tallies))
        ),
        orders=tuple(sorted(orders.items())),
        orders_compared=trusted.erasers is not None,
    )


def _nameless(reader: TrailReader, tallies: Sequence[Tally]) -> int:
    """Count the callers and people of records who are gone without an order.

    Read after the records: somebody is known before a record names them.
    """
    named = {name.decode() for item in tallies for name in item.callers}
    named |= set().union(*(log.source.persons() for log in reader.logs))
    named -= set().union(*(item.forgotten for item in tallies))
    for known, _, _ in reader.source.callers():
        named.discard(known)
    for person in reader.source.people():
        named.discard(person.pseudonym)
    return len(named)


def _still_there(reader: TrailReader, ordered: set[str]) -> int:
    return sum(len(ordered & log.source.kept()) for log in reader.logs)


def _verify_log(
    log: Log,
    *,
    reader: TrailReader,
    memory: bool,
    vouchers: Vouchers,
    progress: Progress | None,
) -> Tally:
    with _as_tampered(f"the log {log.origin}"):
        require_own_key(log)
        sound = _beside(log.source.require_sound)
        head = log.head()
        checkpoint = require_signed(head, vkeys=log.vkeys, where=log.source.where)
        tally = Tally(
            log,
            checkpoint,
            erasers=vouchers.erasers,
            data_keys=cache(partial(DataKeys.of, reader.source)),
        )
        known = _known(log, size=head.size) if memory else []
        attestations = vouchers.of(log)
        known += _attested(attestations, head=head, keys=tally.keys)
        tally.attested = attestations.attested()
        tally.checkpoints = verify_records(
            log,
            head=head,
            known=known,
            keys=tally.keys,
            take=tally.take,
            progress=progress,
        )
        tally.settle()
        _require_signed_end(log, size=head.size)
        tally.keys.require_kept(size=head.size)
        # Last, because it names no record: an index that contradicts its table.
        sound()
    return tally


def _beside(work: Callable[[], None]) -> Callable[[], None]:
    """Begin work in a thread; return what waits for its end, and raises what it did.

    SQLite looks through its own structures without the interpreter's lock.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
            raised.append(error)

    # Whoever fails meanwhile need not wait: it only reads.
    thread = threading.Thread(target=run, name="policyguard-sound", daemon=True)
    thread.start()

    def wait() -> None:
        thread.join()
        if raised:
            raise raised[0]

    return wait


def _require_signed_end(log: Log, *, size: int) -> None:
    """Refuse a record beyond the head that nobody has signed."""
    for entry in log.entries(start=size):
        _require_newer_head(entry, log=log)
        break


def _require_newer_head(entry: Entry, *, log: Log) -> None:
    """Accept a record that came after the head was read; refuse one without a head.

    Records and the head that signs them are written together.
    """
    if log.head().size <= entry.index:
        raise TamperedError(
            f"{entry.name} is beyond the log's head: nobody has signed it"
        )


def _vouchers(reader: TrailReader, *, given: Vouchers | None) -> Vouchers:
    own = reader.trust
    if given is None:
        return Vouchers(trust=own)
    if given.trust.logs:
        trusted = {log.key for log in given.trust.logs}
        for log in reader.logs:
            if not trusted.issuperset(log.vkeys):
                raise TamperedError(
                    f"the trail has a key of {log.origin} that the trust file which was"
                    " given has not: compare with `policyguard keys show`"
                )
    return given


def _attested(
    attestations: Attestations, *, head: Head, keys: KeyHistory
) -> list[Checkpoint]:
    """Return the checkpoints that others have seen."""
    found = list(attestations.checkpoints(keys=keys))
    if found and found[-1].size > head.size:
        raise TamperedError(
            f"the log {attestations.origin} was put back: it has {head.size} records and"
            f" others have seen {found[-1].size}"
        )
    return found


def _known(log: Log, *, size: int) -> list[Checkpoint]:
    """Return the checkpoint that the lock database remembers."""
    known = log.source.known_head(origin=log.origin)
    # The log was read first: by now it may have grown.
    if known.size > (now := log.head().size):
        if log.source.end_ahead(size=now) >= known.size:
            raise CutOffError(
                f"the log {log.origin} was cut off, as by a power failure: its records"
                f" from {now} on are in its vault: start the application that writes it,"
                " which takes them up, and verify again"
            )
        raise TamperedError(
            f"the log {log.origin} was put back: it has {size} records and the lock"
            f" database knows of {known.size}"
        )
    if known.size == 0 or known.size > size:
        return []
    return [open_checkpoint(known.note, vkeys=log.vkeys)]


def _require_own_memory(reader: TrailReader) -> bool:
    """Compare the trail's name with its memory; say whether there is one."""
    source = reader.source
    known = source.remembered_name()
    if known is not None and known != reader.name:
        raise TamperedError(
            f"the lock database of `{source.where}` belongs to another trail"
        )
    return known is not None


def _require_callers(reader: TrailReader) -> None:
    reader.source.require_sound()
    for pseudonym, salt, caller in reader.source.callers():
        if pseudonym_of(caller, salt=salt) != pseudonym:
            raise TamperedError(
                f"the caller behind the pseudonym {pseudonym} was changed in"
                f" `{reader.source.where}`"
            )


@contextmanager
def _as_tampered(what: str) -> Iterator[None]:
    """Turn every way in which stored bytes are not what they should be into one."""
    try:
        yield
    except (TamperedError, CutOffError, NewerTrailError, OutOfReachError):
        raise
    except (TrailError, FormatError, VerificationError) as error:
        raise TamperedError(f"{what} cannot be verified: {error}") from error
