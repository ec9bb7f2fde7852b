"""Reads a body of several parts, as uploads are sent, more strictly than servers do.

Specification: RFC 7578 and RFC 2046, section 5.1, restricted to what every reader takes
apart alike. Nothing before the first boundary and nothing after the last one, no part
in an encoding of its own, no name twice, no part without a name: whatever two readers
could understand differently is refused with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from policyguard.errors import UnclearError

MOST_PARTS: Final = 64
_LONGEST_HEAD: Final = 8 << 10
"""Bytes of the headers of one part."""
_KIND: Final = re.compile(
    r"multipart/form-data;\s*boundary=(?:([0-9A-Za-z'()+_,./:=?-]{1,70})"
    r"|\"([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])\")\s*",
    re.ASCII | re.IGNORECASE,
)
_DISPOSITION: Final = re.compile(
    r"form-data;\s*name=\"([^\"\\\x00-\x1f\x7f]{1,256})\""
    r"(?:;\s*filename=\"([^\"\\\x00-\x1f\x7f]{0,1024})\")?",
    re.IGNORECASE,
)
_PLAIN_ENCODINGS: Final = frozenset({"7bit", "8bit", "binary"})
_HEADERS: Final = frozenset(
    {"content-disposition", "content-type", "content-transfer-encoding"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Is what a body of several parts holds."""

    fields: dict[str, str] = field(default_factory=dict)
    """Values by their names, of parts without a file name."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Contents by the names of their parts."""


def form_in(content: bytes, *, content_type: str) -> Form:
    """Return the parts of a body.

    Args:
        content: The whole body.
        content_type: The header that names the boundary.

    Raises:
        UnclearError: it could be read in another way too.
    """
    form = Form()
    seen: dict[str, str] = {}
    for name, file_name, value in _parts(content, _boundary(content_type)):
        # Some servers take `file[]` for `file`, and cases for one another.
        plain = name.removesuffix("[]").casefold()
        if seen.setdefault(plain, name) != name or (
            not name.endswith("[]") and name in {**form.fields, **form.files}
        ):
            raise UnclearError(f"two of its parts are called `{name}`")
        if file_name is not None:
            form.files[_free(name, form.files)] = value
            continue
        try:
            form.fields[_free(name, form.fields)] = value.decode("utf-8")
        except UnicodeDecodeError:
            raise UnclearError(f"its part `{name}` is no UTF-8") from None
    return form


def _free(name: str, taken: object) -> str:
    """Return a name for one more part of a list."""
    known = taken if isinstance(taken, dict) else {}
    number = sum(item == name or item.startswith(f"{name}#") for item in known)
    return name if number == 0 else f"{name}#{number}"


def _boundary(content_type: str) -> bytes:
    found = _KIND.fullmatch(content_type.strip())
    if found is None:
        raise UnclearError("its content type names no plain boundary")
    return b"--" + (found[1] or found[2]).encode("ascii")


def _parts(content: bytes, mark: bytes) -> Iterator[tuple[str, str | None, bytes]]:
    if not content.startswith(mark + b"\r\n"):
        raise UnclearError("something stands before its first part")
    pieces = content[len(mark) :].split(b"\r\n" + mark)
    *inner, last = pieces
    if last not in {b"--", b"--\r\n"}:
        raise UnclearError("it does not end with its last part")
    if len(inner) > MOST_PARTS:
        raise UnclearError(f"it has more than {MOST_PARTS} parts")
    for piece in inner:
        if not piece.startswith(b"\r\n"):
            # A boundary with more behind it: another one, or white space (RFC 2046).
            raise UnclearError("a line in it is almost a boundary")
        yield _part(piece[2:])
    if b"\n" + mark in content.replace(b"\r\n" + mark, b""):
        raise UnclearError("a line in it is a boundary to some readers")


def _part(piece: bytes) -> tuple[str, str | None, bytes]:
    head, gap, value = piece.partition(b"\r\n\r\n")
    if not gap or len(head) > _LONGEST_HEAD:
        raise UnclearError("a part of it has no end of its headers")
    headers = _headers(head)
    named = _DISPOSITION.fullmatch(headers.get("content-disposition", ""))
    if named is None:
        raise UnclearError("a part of it has no plain name")
    coding = headers.get("content-transfer-encoding", "binary").lower()
    if coding not in _PLAIN_ENCODINGS:
        raise UnclearError("a part of it is in an encoding of its own")
    return named[1], named[2], value


def _headers(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        lines = head.decode("utf-8").split("\r\n")
    except UnicodeDecodeError:
        raise UnclearError("a header in it is no UTF-8") from None
    for line in lines:
        name, colon, value = line.partition(":")
        known = name.lower()
        if not colon or known not in _HEADERS or known in found or "\n" in line:
            raise UnclearError("a part of it has headers that are not known")
        found[known] = value.strip()
    return found
