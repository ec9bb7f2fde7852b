"""The keys of logs in PostgreSQL, encrypted: whoever claims a log can sign for it.

A log outlives the process and the host that began it, so its key cannot stay there. It
is kept beside the log in PKCS#8 PEM under the passphrase that the writers of the fleet
share and the server never sees. Whoever steals the database has no key; whoever steals
the passphrase as well has the keys of all logs. A key that a service holds is not kept
here at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from policyguard.audit.creation import parse_trust, with_trusted
from policyguard.errors import ConfigurationError, TrailError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.key_source import FileKeys, KeySource
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.signer import Signer
from policyguard.signing.trust_file import TrustFile

if TYPE_CHECKING:
    import psycopg

_NEWEST = "SELECT text, version FROM policyguard.trust ORDER BY version DESC LIMIT 1"


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
                (slot, signer.to_pem(passphrase=_passphrase(keys))),
            )
        _trust(connection, vkey)
    elif vkey not in [log.key for log in read_trust(connection)[0].logs]:
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
    passphrase = _passphrase(keys)
    if pem is not None:
        return Ed25519Signer.from_pem(pem, key_name=origin, passphrase=passphrase)
    if begun:
        raise TrailError(f"the key of the log `{origin}` is missing: restore it")
    return Ed25519Signer.generate(key_name=origin)


def _passphrase(keys: KeySource) -> bytes:
    if not isinstance(keys, FileKeys) or keys.passphrase is None:
        raise ConfigurationError(
            "a trail in PostgreSQL needs the passphrase of its keys: name its file under"
            " [signing] passphrase_file"
        )
    return keys.passphrase()
