"""A transparency log of opaque entries: pure functions on bytes, no I/O.

RFC 6962 trees, RFC 9162 proof verification, and the text formats of
https://c2sp.org: signed note, checkpoint and tlog-proof.
"""

from __future__ import annotations

from policyguard.tlog.checkpoint import (
    Checkpoint,
    HeadSigner,
    open_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
)
from policyguard.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    leaf_hash,
    node_hash,
    root_of,
)
from policyguard.tlog.note import (
    Note,
    NoteSignature,
    open_note,
    sign_note,
    verify_note,
)
from policyguard.tlog.proof import (
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)
from policyguard.tlog.tlog_proof import ProofFile, verify_proof_file

__all__ = [
    "EMPTY_ROOT",
    "Checkpoint",
    "Frontier",
    "HeadSigner",
    "Note",
    "NoteSignature",
    "ProofFile",
    "leaf_hash",
    "node_hash",
    "open_checkpoint",
    "open_note",
    "prove_consistency",
    "prove_inclusion",
    "root_of",
    "sign_checkpoint",
    "sign_note",
    "verify_checkpoint",
    "verify_consistency",
    "verify_inclusion",
    "verify_note",
    "verify_proof_file",
]
