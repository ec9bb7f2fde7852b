"""The keys of logs in PostgreSQL, encrypted: whoever claims a log can sign for it.

A log outlives the process and the host that began it, so its key cannot stay there. It
is kept beside the log in PKCS#8 PEM under the passphrase that the writers of the fleet
share and the server never sees. Whoever steals the database has no key; whoever steals
the passphrase as well has the keys of all logs. A key that a service holds is not kept
here at all.

A rotation puts the new key in the place of the old one, in the transaction that records
it. The old one is in dead rows, in the write-ahead log and in backups for as long as the
server keeps these: encrypted, and it signs nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from policyguard.audit.creation import keys_by_origin, parse_trust, with_trusted
from policyguard.audit.stores.protocol import Head
from policyguard.errors import ConfigurationError, TrailError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.key_source import FileKeys, KeySource
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.signer import Signer
from policyguard.signing.trust_file import TrustFile

if TYPE_CHECKING:
    import psycopg

LOCKS: Final = 0x70677472
"""First key of all advisory locks of a trail; the second says which log."""
GATE: Final = 1_000_000
"""Second key of the lock under which a trail's trust file is written."""
_NEWEST = "SELECT text, version FROM policyguard.trust ORDER BY version DESC LIMIT 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Is a log's record of its rotation, with what has to change beside it."""

    slot: str
    head: Head
    body: bytes
    leaf: bytes
    pem: bytes = field(repr=False)
    """The new key, encrypted."""


def hand_over(
    connection: psycopg.Connection[Any], made: Handover, *, vkey: VerifierKey
) -> None:
    """Write a rotation in one transaction; the session has the log's lock."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCKS, GATE))
        known, version = read_trust(connection)
        connection.execute(
            "SELECT policyguard.rotate(%b::text, %b, %b, %b::text, %b, %b, %b, %b,"
            " %b::text)",
            (
                made.slot,
                made.head.size,
                made.head.frontier.format(),
                made.head.note,
                made.body,
                made.leaf,
                made.pem,
                version + 1,
                with_trusted(known, vkey).format(),
            ),
            binary=True,
        )


def ready_signer(
    connection: psycopg.Connection[Any], *, slot: str, origin: str, keys: KeySource
) -> tuple[Signer, bool]:
    """Return the signer of a claimed log; make its key if the log was never begun.

    The log's lock must be held.

    Returns:
        The signer, and whether it is new: then the caller has to begin the log in the
        same transaction.

    Raises:
        ConfigurationError: there is no passphrase, or it is not the fleet's.
        TrailError: the log has records and its key or its place in the trust file is
            missing.
    """
    query = "SELECT pem FROM policyguard.key WHERE slot = %s"
    row = connection.execute(query, (slot,)).fetchone()
    query = "SELECT 1 FROM policyguard.head WHERE slot = %s"
    begun = connection.execute(query, (slot,)).fetchone() is not None
    signer = _signer(
        keys, slot=slot, origin=origin, begun=begun, pem=bytes(row[0]) if row else None
    )
    vkey = VerifierKey.of_signer(signer)
    if not begun:
        if row is None and isinstance(signer, Ed25519Signer):
            connection.execute(
                "INSERT INTO policyguard.key (slot, pem) VALUES (%s, %s)",
                (slot, signer.to_pem(passphrase=passphrase_of(keys))),
            )
        _trust(connection, vkey)
    elif known_keys(connection, origin=origin)[-1:] != (vkey,):
        raise TrailError(
            f"the trust file has another key of `{origin}` than the one that signs it,"
            " or none: restore the one that is wrong"
        )
    return signer, not begun


def read_trust(connection: psycopg.Connection[Any]) -> tuple[TrustFile, int]:
    """Read the newest version of the trust file, and its number.

    Raises:
        TrailError: it is none.
    """
    row = connection.execute(_NEWEST).fetchone()
    if row is None:
        return TrustFile(), 0
    return parse_trust(row[0], where="policyguard.trust"), int(row[1])


def known_keys(
    connection: psycopg.Connection[Any], *, origin: str
) -> tuple[VerifierKey, ...]:
    """Return the keys of a log in the trust file; the newest comes last.

    Raises:
        TrailError: it is none.
    """
    return keys_by_origin(read_trust(connection)[0]).get(origin, ())


def passphrase_of(keys: KeySource) -> bytes:
    """Return what the keys in a database are encrypted with.

    Raises:
        ConfigurationError: there is none.
    """
    if keys.passphrase is None:
        raise ConfigurationError(
            "a trail in PostgreSQL needs the passphrase of its keys: name its file under"
            " [signing] passphrase_file"
        )
    return keys.passphrase()


def _trust(connection: psycopg.Connection[Any], vkey: VerifierKey) -> None:
    """Add a key to the trust file; the transaction and the gate are the caller's."""
    known, version = read_trust(connection)
    if vkey in [log.key for log in known.logs]:
        return
    connection.execute(
        "INSERT INTO policyguard.trust (version, text) VALUES (%s, %s)",
        (version + 1, with_trusted(known, vkey).format()),
    )


def _signer(
    keys: KeySource, *, slot: str, origin: str, begun: bool, pem: bytes | None
) -> Signer:
    if not isinstance(keys, FileKeys):
        found = keys.load if begun else keys.create
        return found(Path(f"{slot}.pem"), key_name=origin)
    passphrase = passphrase_of(keys)
    if pem is not None:
        return Ed25519Signer.from_pem(pem, key_name=origin, passphrase=passphrase)
    if begun:
        raise TrailError(f"the key of the log `{origin}` is missing: restore it")
    return Ed25519Signer.generate(key_name=origin)
