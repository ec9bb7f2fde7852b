"""Signing: bytes in, signatures out; named keys, key files and trust files.

Ed25519 (RFC 8032) with the key names and ids of https://c2sp.org/signed-note.
"""

from __future__ import annotations

from policyguard.signing.ed25519 import (
    Ed25519Signer,
    format_public_pem,
    parse_public_pem,
    verify_ed25519,
)
from policyguard.signing.keyring import SignatureType, VerifierKey
from policyguard.signing.signer import Signer, Verifier
from policyguard.signing.trust_file import (
    TrustedLog,
    TrustedWitness,
    TrustFile,
    WitnessGroup,
)

__all__ = [
    "Ed25519Signer",
    "SignatureType",
    "Signer",
    "TrustFile",
    "TrustedLog",
    "TrustedWitness",
    "Verifier",
    "VerifierKey",
    "WitnessGroup",
    "format_public_pem",
    "parse_public_pem",
    "verify_ed25519",
]
