"""Hands a log over to a new key, and finishes what a crash has left of it.

Owner: the process that holds the log's claim. In this order: the new key is made beside
the old one; the record `key.rotate` is committed with a checkpoint that both keys sign;
the trust file names the new key, too; the new key takes the place of the old one, whose
file is gone then. The old public key stays in the trust file: it has signed the log's
older checkpoints, and may sign none after the handover (`key_history`). In PostgreSQL
all of it is one transaction.

A crash before the commit leaves a key that nobody knows, which is removed; one after it
is taken up again when the log is opened, before anything is written.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from policyguard.audit.claim import gate
from policyguard.audit.creation import add_trusted, keys_by_origin, read_trust
from policyguard.audit.layout import Layout
from policyguard.audit.stores.database import is_blank, open_for_reading
from policyguard.audit.stores.sqlite import read_head
from policyguard.canonical import canonical_dump
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    SlotError,
    TrailError,
    VerificationError,
)
from policyguard.identity import new_id, record_time, wall_clock
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog import open_checkpoint
from policyguard.vocabulary.record import KeyRotateRecord

if TYPE_CHECKING:
    from policyguard.audit.recorder import Recorder
    from policyguard.audit.stores.fleet import Fleet
    from policyguard.audit.stores.postgres import PostgresWriter
    from policyguard.audit.stores.protocol import LogWriter
    from policyguard.audit.writer import Writer
    from policyguard.signing.key_source import KeySource
    from policyguard.signing.signer import Signer


def rotate_key(
    writer: LogWriter, *, place: Layout | Fleet, keys: KeySource
) -> VerifierKey:
    """Hand a claimed log over to a new key, and return the new public key.

    Args:
        writer: The log; the caller alone uses it.
        place: Where the trail is.
        keys: What makes the new key.

    Raises:
        ConfigurationError: the keys are not files: a service's are rotated there.
        TrailError: the new key or the trust file cannot be written.
        sqlite3.Error: the record is not durable; the writer must be given up.
    """
    if not keys.makes_files:
        raise ConfigurationError(
            f"the key of `{writer.origin}` is held by a service: a log that has records"
            " keeps its key there; begin a successor with `policyguard keys compromise`"
        )
    from policyguard.audit.writer import Writer

    if isinstance(place, Layout) and isinstance(writer, Writer):
        # The trust file is written.
        with gate(place.gate):
            return _rotate_in_files(writer, layout=place, keys=keys)
    from policyguard.audit.stores.postgres import PostgresWriter

    if not isinstance(writer, PostgresWriter):
        raise TrailError(f"the log `{writer.origin}` is in no store that rotates keys")
    return _rotate_in_fleet(writer, keys=keys)


def _rotate_in_fleet(writer: PostgresWriter, *, keys: KeySource) -> VerifierKey:
    """Make a key, and write it in one transaction with the record that names it."""
    from policyguard.audit.stores.postgres_keys import passphrase_of

    successor = Ed25519Signer.generate(key_name=writer.origin)
    old, new = VerifierKey.of_signer(writer.signer), VerifierKey.of_signer(successor)
    writer.hand_over(
        _handover(writer.origin, old=old, new=new),
        successor=successor,
        pem=successor.to_pem(passphrase=passphrase_of(keys)),
    )
    return new


def _handover(origin: str, *, old: VerifierKey, new: VerifierKey) -> bytes:
    record = KeyRotateRecord(
        id=new_id(),
        time=record_time(wall_clock()),
        origin=origin,
        old=old.format(),
        new=new.format(),
    )
    return canonical_dump(record.model_dump(mode="json"))


def _rotate_in_files(writer: Writer, *, layout: Layout, keys: KeySource) -> VerifierKey:
    slot = layout.slot_of(writer.origin)
    try:
        successor = keys.create(layout.next_key(slot), key_name=writer.origin)
    except ConfigurationError as error:
        raise TrailError(
            f"no new key can be made for `{writer.origin}`: {error}"
        ) from error
    old, new = VerifierKey.of_signer(writer.signer), VerifierKey.of_signer(successor)
    body = _handover(writer.origin, old=old, new=new)
    writer.append([body], sealed=(), successor=successor)
    _promote(layout, slot=slot, successor=successor)
    return new


def rotate_own(
    recorder: Recorder, *, place: Layout | Fleet, keys: KeySource
) -> VerifierKey:
    """Hand the log that this process writes over to a new key; return its public key.

    Raises:
        NotDurableError: the record could not be made durable; the old key stays.
        TrailError: as `rotate_key`.
        ConfigurationError: as `rotate_key`.
    """
    return recorder.use_alone(lambda writer: rotate_key(writer, place=place, keys=keys))


def rotate_logs(
    place: Layout | Fleet, *, origins: Sequence[str], keys: KeySource, all_of_them: bool
) -> dict[str, VerifierKey | None]:
    """Claim logs and hand each over to a new key.

    Args:
        place: Where the trail is.
        origins: Which logs.
        keys: What makes and reads keys.
        all_of_them: Whether a log that cannot be claimed is an error, or left alone.

    Returns:
        The new key of each log; `None`: a process writes it, or it is closed.

    Raises:
        SlotError: a log cannot be claimed.
        ConfigurationError: as `rotate_key`.
        TrailError: as `rotate_key`.
    """
    done: dict[str, VerifierKey | None] = {}
    for origin in origins:
        try:
            writer = _claimed(place, origin=origin, keys=keys)
        except SlotError:
            if all_of_them:
                raise
            done[origin] = None
            continue
        try:
            done[origin] = rotate_key(writer, place=place, keys=keys)
        except sqlite3.Error as error:
            raise TrailError(
                f"the key of `{origin}` was not rotated: {error}: run"
                " `policyguard audit verify`"
            ) from error
        finally:
            writer.close()
    return done


def _claimed(place: Layout | Fleet, *, origin: str, keys: KeySource) -> LogWriter:
    if not isinstance(place, Layout):
        return place.claim_one(origin.rpartition("/")[2], keys=keys)
    from policyguard.audit.writer import claim_log

    return claim_log(place, origin=origin, keys=keys)


def settle_rotation(layout: Layout, *, slot: str, origin: str, keys: KeySource) -> None:
    """Finish a rotation that was committed, and forget one that was not.

    The gate and the log's claim must be held.

    Raises:
        TrailError: the log, its next key or the trust file cannot be used.
    """
    path = layout.next_key(slot)
    if not path.exists():
        return
    try:
        successor = keys.load(path, key_name=origin)
    except ConfigurationError as error:
        raise TrailError(
            f"the next key of the log `{origin}` cannot be used: {error}"
        ) from error
    if _has_signed(layout.log(slot), vkey=VerifierKey.of_signer(successor)):
        _promote(layout, slot=slot, successor=successor)
    else:
        _remove(path)


def _has_signed(log: Path, *, vkey: VerifierKey) -> bool:
    """Say whether the head bears a key's signature: then its rotation is committed."""
    if is_blank(log):
        return False
    connection = open_for_reading(log)
    try:
        head = read_head(connection, path=log)
    finally:
        connection.close()
    try:
        open_checkpoint(head.note if head else "", vkeys=[vkey])
    except (FormatError, VerificationError):
        return False
    return True


def _promote(layout: Layout, *, slot: str, successor: Signer) -> None:
    vkey = VerifierKey.of_signer(successor)
    trust = read_trust(layout.trust)
    # First the public key: with the private one in its place, nobody would look again.
    if vkey not in keys_by_origin(trust).get(vkey.key_name, ()):
        add_trusted(layout.trust, vkey, known=trust)
    path = layout.next_key(slot)
    try:
        path.replace(layout.key(slot))
        _sync(path.parent)
    except OSError as error:
        raise TrailError(
            f"cannot replace `{layout.key(slot)}`: {(error.strerror or 'error').lower()}:"
            " give the trail a directory that this process may write"
        ) from error


def _remove(path: Path) -> None:
    try:
        path.unlink()
        _sync(path.parent)
    except OSError as error:
        raise TrailError(
            f"cannot remove `{path}`: {(error.strerror or 'error').lower()}: remove it,"
            " it signs nothing"
        ) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
