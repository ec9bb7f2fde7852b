"""The `.tlog-proof` file: one entry's place in a log, verifiable without the log.

The format is https://c2sp.org/tlog-proof: the line `c2sp.org/tlog-proof@v1`, an
optional line `extra <base64>`, `index <i>`, the hashes of the inclusion proof, an
empty line, and the log's signed checkpoint as it is, cosignatures included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policyguard.errors import FormatError
from policyguard.signing.text import (
    decode_base64,
    decode_decimal,
    decode_text,
    encode_base64,
    excerpt,
    refuse_controls,
)
from policyguard.tlog.checkpoint import verify_checkpoint
from policyguard.tlog.hash_lines import parse_hashes, refuse_wrong_hashes
from policyguard.tlog.merkle import SIZE_LIMIT, leaf_hash
from policyguard.tlog.note import MAX_NOTE_BYTES, Note
from policyguard.tlog.proof import MAX_PROOF_HASHES, verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policyguard.signing.keyring import VerifierKey
    from policyguard.tlog.checkpoint import Checkpoint

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
MAX_EXTRA_BYTES: Final = 65_536
MAX_PROOF_FILE_BYTES: Final = MAX_NOTE_BYTES + 100_000
_EXTRA: Final = "extra "
_INDEX: Final = "index "


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofFile:
    """What a `.tlog-proof` file holds; nothing in it is trusted before verification.

    `extra` is opaque, and stays unauthenticated even after it; empty means none.
    INVARIANT: each value has a format, and parses back to itself.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Note
    extra: bytes = b""

    def __post_init__(self) -> None:
        """Refuse what has no proof file."""
        if not 0 <= self.index < SIZE_LIMIT:
            raise FormatError(f"the index `{self.index}` is not from 0 to 2**63 - 1")
        refuse_wrong_hashes(self.hashes, what="a proof", most=MAX_PROOF_HASHES)
        if len(self.extra) > MAX_EXTRA_BYTES:
            raise FormatError(f"the extra data has more than {MAX_EXTRA_BYTES:,} bytes")

    @classmethod
    def parse(cls, text: str | bytes) -> ProofFile:
        """Read a proof file without verifying it.

        Raises:
            FormatError: it is not one.
        """
        what = "the proof file"
        decoded = decode_text(text, what=what, limit=MAX_PROOF_FILE_BYTES)
        refuse_controls(decoded, what=what)
        head, separator, checkpoint = decoded.partition("\n\n")
        first, *lines = head.split("\n")
        if not separator or first != FIRST_LINE:
            raise FormatError(
                f"the proof file does not begin with `{FIRST_LINE}`, or has no "
                "empty line before its checkpoint"
            )
        extra = _parse_extra(lines.pop(0)) if lines[:1] and _is_extra(lines[0]) else b""
        if not lines or not lines[0].startswith(_INDEX):
            raise FormatError("the proof file has no line `index <number>`")
        index, *hashes = lines
        return cls(
            index=decode_decimal(index.removeprefix(_INDEX), what="the index"),
            hashes=parse_hashes(hashes, what="a proof", most=MAX_PROOF_HASHES),
            checkpoint=Note.parse(checkpoint),
            extra=extra,
        )

    def format(self) -> str:
        """Return the file's text."""
        lines = [FIRST_LINE]
        if self.extra:
            lines.append(_EXTRA + encode_base64(self.extra))
        lines.append(f"{_INDEX}{self.index}")
        lines.extend(encode_base64(given) for given in self.hashes)
        return "\n".join(lines) + "\n\n" + self.checkpoint.format()


def _is_extra(line: str) -> bool:
    return line.startswith(_EXTRA)


def _parse_extra(line: str) -> bytes:
    data = decode_base64(line.removeprefix(_EXTRA), what="the extra data")
    if not data:
        raise FormatError(
            f"the proof file's line `{excerpt(line)}` is empty: leave it away"
        )
    return data


def verify_proof_file(
    text: str | bytes, *, leaf_bytes: bytes, vkeys: Iterable[VerifierKey]
) -> Checkpoint:
    """Verify that a log has an entry of exactly these bytes; return its checkpoint.

    The checkpoint's signature is verified before its content is read.

    Raises:
        FormatError: it is not a proof file.
        InvalidSignatureError: a known key's signature does not hold, or no known
            key has signed the checkpoint.
        InvalidCheckpointError: only keys of other origins have signed.
        InvalidProofError: the entry is not in the log at that index.
        ConfigurationError: two different keys have one name and id.
    """
    proof_file = ProofFile.parse(text)
    checkpoint = verify_checkpoint(proof_file.checkpoint, vkeys=vkeys)
    verify_inclusion(
        leaf_hash=leaf_hash(leaf_bytes),
        index=proof_file.index,
        size=checkpoint.size,
        proof=proof_file.hashes,
        root=checkpoint.root,
    )
    return checkpoint
