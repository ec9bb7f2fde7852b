"""Whether enough witnesses have cosigned: the quorum of a trust file.

The rules are those of https://c2sp.org/tlog-policy: a witness is satisfied by its
cosignature, a group by as many of its members as its threshold says.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from policyguard.errors import UnwitnessedError
from policyguard.signing.text import excerpt
from policyguard.signing.trust_file import NO_QUORUM, TrustFile, WitnessGroup
from policyguard.tlog.checkpoint import verify_checkpoint
from policyguard.tlog.cosignature import verified_cosignatures
from policyguard.tlog.merkle import leaf_hash
from policyguard.tlog.proof import verify_inclusion
from policyguard.tlog.tlog_proof import ProofFile

if TYPE_CHECKING:
    from policyguard.tlog.checkpoint import Checkpoint
    from policyguard.tlog.note import Note


def has_quorum(trust: TrustFile, *, cosigned: Collection[str]) -> bool:
    """Say whether witnesses of these names in the file fill its quorum."""
    satisfied = {item.name for item in trust.witnesses if item.name in cosigned}
    # A group names only what stands above it, so one pass is enough.
    for group in trust.groups:
        if sum(name in satisfied for name in group.members) >= _threshold(group):
            satisfied.add(group.name)
    return trust.quorum == NO_QUORUM or trust.quorum in satisfied


def cosigners(note: Note, *, trust: TrustFile) -> dict[str, int]:
    """Return which witnesses of a trust file have cosigned a note, and when.

    Raises:
        InvalidSignatureError: the cosignature of one of them does not hold.
    """
    times = verified_cosignatures(
        note, witnesses=[item.key for item in trust.witnesses]
    )
    return {item.name: times[item.key] for item in trust.witnesses if item.key in times}


def verify_trusted_checkpoint(note: Note, *, trust: TrustFile) -> Checkpoint:
    """Verify a checkpoint's own signature and its quorum; return the checkpoint.

    Raises:
        FormatError: the note's text is not a checkpoint.
        InvalidSignatureError: a known key's signature does not hold, or no known log
            has signed.
        InvalidCheckpointError: only keys of other origins have signed.
        UnwitnessedError: too few witnesses have cosigned.
        ConfigurationError: two different keys have one name and id.
    """
    checkpoint = verify_checkpoint(note, vkeys=[log.key for log in trust.logs])
    signed = cosigners(note, trust=trust)
    if not has_quorum(trust, cosigned=signed):
        given = ", ".join(f"`{excerpt(name)}`" for name in signed) or "none"
        raise UnwitnessedError(
            f"the checkpoint of `{excerpt(checkpoint.origin)}` of size"
            f" {checkpoint.size} lacks the quorum `{excerpt(trust.quorum)}`: cosigned"
            f" have {given}: run `policyguard audit anchor`, or take a newer one"
        )
    return checkpoint


def verify_trusted_proof(
    text: str | bytes, *, leaf_bytes: bytes, trust: TrustFile
) -> Checkpoint:
    """Verify a proof file as `verify_proof_file` does, and its checkpoint's quorum.

    Raises:
        FormatError: it is not a proof file.
        InvalidProofError: the entry is not in the log at that index.
        VerificationError: as `verify_trusted_checkpoint`.
        ConfigurationError: two different keys have one name and id.
    """
    proof_file = ProofFile.parse(text)
    checkpoint = verify_trusted_checkpoint(proof_file.checkpoint, trust=trust)
    verify_inclusion(
        leaf_hash=leaf_hash(leaf_bytes),
        index=proof_file.index,
        size=checkpoint.size,
        proof=proof_file.hashes,
        root=checkpoint.root,
    )
    return checkpoint


def _threshold(group: WitnessGroup) -> int:
    if group.threshold == "any":
        return 1
    return len(group.members) if group.threshold == "all" else int(group.threshold)
