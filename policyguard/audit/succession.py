"""Closes a log whose key was compromised, and begins the log that continues it.

A stolen key can sign anything, so no record under it can say from when on it counts no
more. A new log does, under a new key: its first record names the old log, the size at
which it ends, the root of its tree there, and why. Whoever verifies both refuses
whatever the old key signs beyond that, or instead of it.

Owner: the process that holds the claims of both logs. A crash leaves the old log closed
(`LOCK/<slot>.closed`, or a row of `policyguard.closed`), and perhaps its successor begun: run it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from policyguard.audit.claim import Claim
from policyguard.audit.layout import Layout, write_small
from policyguard.audit.outside.attested import Vouchers
from policyguard.audit.reader import Log, TrailReader
from policyguard.audit.stores.fleet import Fleet, place_of
from policyguard.audit.verify import Verified, verify_trail
from policyguard.audit.writer import Writer, claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.errors import ConfigurationError, SlotError, TrailError
from policyguard.signing.key_source import FileKeys, KeySource
from policyguard.signing.keyring import VerifierKey
from policyguard.vocabulary.record import GenesisRecord, Predecessor

if TYPE_CHECKING:
    from policyguard.audit.stores.postgres import PostgresWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """Says which log continues which, and with which key."""

    predecessor: Predecessor
    vkey: VerifierKey
    """The new log's key; its name is the new log's origin."""


def begin_successor(  # noqa: PLR0913 -- each by its name, once in a log's life
    directory: str | Path,
    *,
    origin: str,
    reason: str,
    lock: str | Path | None = None,
    keys: KeySource | None = None,
    vouchers: Vouchers | None = None,
) -> Successor:
    """Close a log for good, and begin the one that continues it.

    The whole trail is verified first: a successor vouches for what it continues. The
    old private key is removed from this machine; its public key stays trusted for the
    records up to the end.

    Args:
        directory: Where the trail is: a directory, or the URI of its database.
        origin: The log whose key counts no more.
        reason: Why, in a sentence; it is public.
        lock: Where the lock database is; without it `<directory>.lock`.
        keys: Where keys come from; without it files.
        vouchers: Which witnesses and authorities are trusted: the new log says how many
            records of the old one they have seen.

    Raises:
        ConfigurationError: there is no such log, it is continued already, or the reason
            is empty or longer than 500 characters.
        SlotError: a process still writes the log: stop it.
        TamperedError: the trail is not what was signed: restore it first.
        TrailError: something cannot be read or written.
    """
    place = place_of(directory, lock)
    reader = TrailReader.open(directory, lock=lock)
    log = reader.log(origin)
    _require_reason(reason)
    _require_open_end(reader, log=log, place=place)
    # Not opened for writing: the key may be lost, and must sign nothing more anyhow.
    with _held(place, log=log) as close:
        verified = verify_trail(directory, lock=lock, vouchers=vouchers)
        size, root = next(
            (size, root) for name, size, root in verified.logs if name == origin
        )
        predecessor = Predecessor(
            origin=origin,
            size=size,
            root=root.hex(),
            witnessed=_witnessed(verified, origin=origin),
            reason=reason,
        )
        # From here on nobody claims the old log, even if this is cut off.
        close(canonical_bytes(predecessor.model_dump(mode="json")).decode())
        successor = _begun(place, predecessor, slot=log.slot, keys=keys or FileKeys())
        vkey = VerifierKey.of_signer(successor.signer)
        successor.close()
    _forget_key(place, slot=log.slot)
    return Successor(predecessor=predecessor, vkey=vkey)


@contextmanager
def _held(place: Layout | Fleet, *, log: Log) -> Iterator[Callable[[str], None]]:
    """Hold the claim of a log for a block, which is given what closes it for good."""
    if not isinstance(place, Layout):
        with place.closing(log.slot) as close:
            yield close
        return
    claim = Claim.take(place.claim(log.slot))
    if claim is None:
        raise SlotError(
            f"the log `{log.origin}` is in use: stop the process that writes it"
        )
    try:
        yield lambda text: write_small(place.closed(log.slot), f"{text}\n".encode())
    finally:
        claim.release()


def _begun(
    place: Layout | Fleet, predecessor: Predecessor, *, slot: str, keys: KeySource
) -> Writer | PostgresWriter:
    role = slot.partition("-")[0]
    if not isinstance(place, Layout):
        return place.continue_log(predecessor, role=role, keys=keys)
    return claim_writer(place, name=None, role=role, keys=keys, predecessor=predecessor)


def predecessor_of(log: Log) -> Predecessor | None:
    """Return the log that a log continues, as its first record says.

    Raises:
        TrailError: the log cannot be read.
        FormatError: its first entry is no record.
    """
    first = log.find("0")
    record = first.record() if first else None
    return record.predecessor if isinstance(record, GenesisRecord) else None


def _witnessed(verified: Verified, *, origin: str) -> int:
    """Return how many records others vouch for, as far as that was verified."""
    attested = dict(verified.outside)[origin]
    stamped = attested.stamped_size if attested.stamps_verified else 0
    return max(attested.cosigned_size, stamped)


def _require_open_end(reader: TrailReader, *, log: Log, place: Layout | Fleet) -> None:
    for other in reader.logs:
        old = predecessor_of(other)
        if old is not None and old.origin == log.origin:
            # A crash may have left it.
            _forget_key(place, slot=log.slot)
            raise ConfigurationError(
                f"`{log.origin}` is closed already: `{other.origin}` continues it"
            )


def _require_reason(reason: str) -> None:
    longest = 500
    if not 1 <= len(reason) <= longest or not reason.isprintable():
        raise ConfigurationError(
            f"the reason has 1 to {longest} characters on one line: say in a sentence"
            " what happened to the key"
        )


def _forget_key(place: Layout | Fleet, *, slot: str) -> None:
    if not isinstance(place, Layout):
        # It went when the log was closed, in the same transaction.
        return
    path = place.key(slot)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise TrailError(
            f"the log is closed, and its old key is still at `{path}`:"
            f" {(error.strerror or 'error').lower()}: remove it"
        ) from error
