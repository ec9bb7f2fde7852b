"""Takes out of a text what is no text: pictures and sound in data URIs.

The letters of base64 are no words: searched as such, a picture of a megabyte makes a call
too large to be searched, and hits by chance. What a payload is called does not count,
what it holds does: one that decodes to text is searched as that text, whatever its media
type says. One that does not is left out, as files are: nobody looks into pictures.

Specification: RFC 2397 for the form, RFC 4648 for base64 in both alphabets.
"""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

_HEAD: Final = re.compile(r"data:([^\s,]{0,128}),", re.IGNORECASE)
_SPACE: Final = re.compile(r"\s")
_BASE64: Final = ";base64"
_LETTERS: Final = string.ascii_letters + string.digits + "+/-_=%"
_URLSAFE: Final = str.maketrans("-_", "+/")
_PIECE: Final = 4_096


def without_payloads(text: str) -> str:
    """Return a text with each payload of a data URI as what it says, or left out."""
    return "".join(_parts(text)) if _HEAD.search(text) else text


def _parts(text: str) -> Iterator[str]:
    place = 0
    while (found := _HEAD.search(text, place)) is not None:
        start = found.end()
        yield text[place:start]
        if found[1].casefold().endswith(_BASE64):
            place = _end_of(text, start)
            yield _said(text[start:place])
        else:
            # Words with escapes for what a URL may not have.
            space = _SPACE.search(text, start)
            place = space.start() if space else len(text)
            yield unquote(text[start:place])
    yield text[place:]


def _end_of(text: str, start: int) -> int:
    """Return where a payload ends: piece by piece, since pictures are large."""
    while piece := text[start : start + _PIECE]:
        rest = piece.lstrip(_LETTERS)
        start += len(piece) - len(rest)
        if rest:
            break
    return start


def _said(payload: str) -> str:
    """Return the text that a payload decodes to; nothing, if it is none."""
    letters = unquote(payload).translate(_URLSAFE).rstrip("=")
    whole = len(letters) - len(letters) % 4
    rest = letters[whole:]
    padded = letters + "=" * (-len(letters) % 4) if len(rest) > 1 else letters[:whole]
    try:
        said = base64.b64decode(padded, validate=True).decode("utf-8")
    except ValueError:
        return ""
    return "" if "\x00" in said else said
