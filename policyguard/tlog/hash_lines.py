"""The hashes of a proof as lines of base64, as proof files and submissions have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policyguard.errors import FormatError
from policyguard.signing.text import decode_base64
from policyguard.tlog.merkle import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence


def refuse_wrong_hashes(hashes: Sequence[bytes], *, what: str, most: int) -> None:
    """Refuse hashes that are too many, or of another length.

    Args:
        hashes: Those of a proof.
        what: Whose they are, for the message: `a proof`.
        most: How many there may be.

    Raises:
        FormatError: they are.
    """
    _refuse_more(len(hashes), what=what, most=most)
    if set(map(len, hashes)) - {HASH_BYTES}:
        raise FormatError(f"a hash of the proof does not have {HASH_BYTES} bytes")


def parse_hashes(lines: Sequence[str], *, what: str, most: int) -> tuple[bytes, ...]:
    """Read one hash from each line.

    Takes what `refuse_wrong_hashes` takes.

    Raises:
        FormatError: there are too many, or a line is no hash.
    """
    # Before any is decoded: whoever sends a million lines is told by their number.
    _refuse_more(len(lines), what=what, most=most)
    return tuple(
        decode_base64(line, what="the proof's hash", length=HASH_BYTES)
        for line in lines
    )


def _refuse_more(count: int, *, what: str, most: int) -> None:
    if count > most:
        raise FormatError(f"{what} has at most {most} hashes")
