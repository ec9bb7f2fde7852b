"""What a log and its witness say to each other: https://c2sp.org/tlog-witness.

A log posts to `<prefix>/add-checkpoint`: the line `old <size>`, the consistency proof
from that size, an empty line, and its signed checkpoint. A witness answers with its
cosignature lines, or with the size that it has seen (status 409). Bytes only: who
sends them, and who remembers what, is elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from policyguard.errors import FormatError
from policyguard.signing.text import (
    decode_decimal,
    decode_text,
    encode_base64,
    excerpt,
    refuse_controls,
)
from policyguard.tlog.hash_lines import parse_hashes, refuse_wrong_hashes
from policyguard.tlog.merkle import SIZE_LIMIT
from policyguard.tlog.note import MAX_NOTE_BYTES, MAX_SIGNATURES, Note, NoteSignature

MAX_PROOF_HASHES: Final = 63
MAX_SUBMISSION_BYTES: Final = MAX_NOTE_BYTES + 10_000
MAX_ANSWER_BYTES: Final = 65_536
SIZE_TYPE: Final = "text/x.tlog.size"
"""Content type of a 409 answer that says which size the witness knows."""
_OLD: Final = "old "


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Is what a log posts to a witness.

    INVARIANT: each value has a format, and parses back to itself.
    """

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: Note

    def __post_init__(self) -> None:
        """Refuse what has no text."""
        if not 0 <= self.old_size < SIZE_LIMIT:
            raise FormatError(
                f"the old size `{self.old_size}` is not from 0 to 2**63 - 1"
            )
        refuse_wrong_hashes(self.proof, what="a submission", most=MAX_PROOF_HASHES)

    @classmethod
    def parse(cls, body: str | bytes) -> Submission:
        """Read a submission without verifying it.

        Raises:
            FormatError: it is not one.
        """
        what = "the submission"
        text = decode_text(body, what=what, limit=MAX_SUBMISSION_BYTES)
        refuse_controls(text, what=what)
        head, separator, checkpoint = text.partition("\n\n")
        first, *lines = head.split("\n")
        if not separator or not first.startswith(_OLD):
            raise FormatError(
                "the submission does not begin with `old <size>`, or has no empty line"
                " before its checkpoint"
            )
        return cls(
            old_size=decode_decimal(first.removeprefix(_OLD), what="the old size"),
            proof=parse_hashes(lines, what="a submission", most=MAX_PROOF_HASHES),
            checkpoint=Note.parse(checkpoint),
        )

    def format(self) -> str:
        """Return the body of the request."""
        lines = [f"{_OLD}{self.old_size}", *map(encode_base64, self.proof)]
        return "\n".join(lines) + "\n\n" + self.checkpoint.format()


def parse_cosignatures(body: bytes) -> tuple[NoteSignature, ...]:
    """Read the answer of a witness that has cosigned: one or more signature lines.

    Raises:
        FormatError: it is anything else.
    """
    what = "the witness's answer"
    text = decode_text(body, what=what, limit=MAX_ANSWER_BYTES)
    refuse_controls(text, what=what)
    *lines, rest = text.split("\n")
    if rest or not 1 <= len(lines) < MAX_SIGNATURES:
        raise FormatError(
            f"{what} `{excerpt(text)}` is not 1 to {MAX_SIGNATURES - 1} signature lines"
        )
    return tuple(NoteSignature.parse(line) for line in lines)


def parse_known_size(body: bytes) -> int:
    """Read the answer of a witness that knows another size: a decimal and a line feed.

    Raises:
        FormatError: it is anything else.
    """
    text = decode_text(body, what="the witness's size", limit=MAX_ANSWER_BYTES)
    if not text.endswith("\n"):
        raise FormatError(f"the witness's size `{excerpt(text)}` is not a line")
    return decode_decimal(text[:-1], what="the witness's size")
