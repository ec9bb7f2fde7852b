"""Verify a trail with nothing of policyguard: hashlib, sqlite3 and an Ed25519 library.

    python verify.py TRAIL

Formats: RFC 6962 (tree), C2SP signed-note and tlog-checkpoint (signature).
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def root_of(bodies: list[bytes]) -> bytes:
    """Return the Merkle tree hash of RFC 6962, section 2.1, by its definition."""
    if not bodies:
        return hashlib.sha256(b"").digest()
    if len(bodies) == 1:
        return hashlib.sha256(b"\x00" + bodies[0]).digest()
    split = 1 << (len(bodies) - 1).bit_length() - 1
    left, right = root_of(bodies[:split]), root_of(bodies[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def signed_head(note: str, vkey: str) -> tuple[str, int, bytes]:
    """Verify a checkpoint's signature; return origin, size and root."""
    name, _, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)[1:]
    text, _, signatures = note.partition("\n\n")
    line = next(
        item for item in signatures.splitlines() if item.startswith(f"— {name} ")
    )
    signature = base64.b64decode(line.rpartition(" ")[2])[4:]
    Ed25519PublicKey.from_public_bytes(key).verify(signature, f"{text}\n".encode())
    origin, size, root = text.split("\n")[:3]
    return origin, int(size), base64.b64decode(root)


def main(trail: Path) -> int:
    """Verify each log of a trail against the key that the trust file names."""
    trust = (trail / "trust").read_text("utf-8").splitlines()
    for vkey in [line.split()[1] for line in trust if line.startswith("log ")]:
        slot = vkey.split("+")[0].rpartition("/")[2]
        log = sqlite3.connect(f"file:{trail}/logs/{slot}/log.sqlite?mode=ro", uri=True)
        note = log.execute("SELECT note FROM head").fetchone()[0]
        origin, size, root = signed_head(note, vkey)
        rows = log.execute("SELECT body FROM entry ORDER BY idx LIMIT ?", (size,))
        if root_of([bytes(row[0]) for row in rows]) != root:
            print(f"{origin}: TAMPERED: the records are not those that were signed")
            return 1
        print(f"{origin}: {size} records, root {root.hex()}, signature holds")
        log.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
