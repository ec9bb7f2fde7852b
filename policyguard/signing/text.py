"""The strict text forms that keys, notes, checkpoints and proof files share.

UTF-8 without ASCII controls, standard base64 (RFC 4648, section 4) in its one
canonical spelling, and ASCII decimals without leading zeros, as
https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint demand. What is
accepted here has exactly one spelling, so that a parsed value formats to the bytes
that it came from.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from policyguard.errors import FormatError

DECIMAL_LIMIT: Final = 2**63
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_NOT_IN_NAME: Final = re.compile(r"[\s+\x00-\x1f]")
_CONTROL_BUT_LF: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_EXCERPT_LENGTH: Final = 60
_MAX_KEY_NAME_BYTES: Final = 1_024


def excerpt(text: str) -> str:
    """Return the start of `text`, safe to show in a terminal or a log line."""
    shown = text if len(text) <= _EXCERPT_LENGTH else f"{text[:_EXCERPT_LENGTH]}…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)


def decode_text(text: str | bytes, *, what: str, limit: int) -> str:
    """Return `text` as a string that has a UTF-8 form of at most `limit` bytes.

    Raises:
        FormatError: the text is not UTF-8, or is too long.
    """
    try:
        # UTF-8 never has fewer bytes than characters: so nothing huge is encoded.
        size = len(text) if len(text) > limit else len(encode_text(text))
        decoded = text if isinstance(text, str) else text.decode("utf-8")
    except UnicodeError as cause:
        raise FormatError(f"{what} is not UTF-8: {cause}") from cause
    if size > limit:
        raise FormatError(f"{what} is longer than {limit:,} bytes")
    return decoded


def encode_text(text: str | bytes) -> bytes:
    """Return the UTF-8 bytes of `text`; bytes are returned as they are."""
    return text.encode("utf-8") if isinstance(text, str) else text


def refuse_controls(text: str, *, what: str) -> None:
    """Refuse the ASCII control characters, all but the line feed.

    Raises:
        FormatError: there is one.
    """
    found = _CONTROL_BUT_LF.search(text)
    if found is not None:
        raise FormatError(
            f"{what} has the control character `U+{ord(found.group()):04X}`"
        )


def validate_key_name(name: str) -> None:
    """Refuse a name that cannot stand in a signature line.

    A key name is not empty, has no Unicode space, no `+` and no control character
    (https://c2sp.org/signed-note), and here at most 1,024 bytes.

    Raises:
        FormatError: the name breaks that rule.
    """
    if not name:
        raise FormatError("the key name is empty: give one such as `acme.example/log`")
    if _NOT_IN_NAME.search(name) is not None:
        raise FormatError(
            f"key name `{excerpt(name)}` has a space, a `+` or a control character: "
            "use a form such as `acme.example/log`"
        )
    decode_text(name, what="the key name", limit=_MAX_KEY_NAME_BYTES)


def encode_base64(data: bytes) -> str:
    """Return `data` in standard base64 with padding (RFC 4648, section 4)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode_base64(text: str, *, what: str, length: int | None = None) -> bytes:
    """Return the bytes of canonical base64, of `length` bytes if that is given.

    Raises:
        FormatError: another alphabet, white space, missing padding, bits set in
            the padding, or another length.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as cause:
        raise FormatError(f"{what} `{excerpt(text)}` is not base64: {cause}") from cause
    # Spare bits of the last character would give one value several spellings.
    if encode_base64(data) != text:
        raise FormatError(f"{what} `{excerpt(text)}` is not canonical base64")
    if length is not None and len(data) != length:
        raise FormatError(f"{what} has {len(data)} bytes, not {length}")
    return data


def decode_decimal(text: str, *, what: str) -> int:
    """Return an ASCII decimal below 2**63 that has no leading zero or sign.

    Raises:
        FormatError: anything else.
    """
    if _DECIMAL.fullmatch(text) is None or int(text) >= DECIMAL_LIMIT:
        raise FormatError(
            f"{what} `{excerpt(text)}` is not a decimal below 2**63 "
            "without leading zeros"
        )
    return int(text)
