"""Whom a record is about, as the content in its vault says and the leaf commits to.

The vault has a table of it, by which the records about somebody are found. Nothing binds
that table to the log: what binds is the content, whose commitment is in the leaf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from policyguard.canonical import canonical_bytes, parse_json

_MEMBER: Final = "about"
_WRITTEN: Final = b'"about":['


def with_people(content: Mapping[str, object] | bytes, people: Sequence[str]) -> bytes:
    """Return the canonical bytes of content that says whom its record is about.

    Args:
        content: The content, or its canonical bytes (RFC 8785).
        people: Their pseudonyms, sorted; of nobody nothing is said.

    Raises:
        CanonicalError: it has no canonical form.
        FormatError: its bytes are no JSON.
    """
    if not isinstance(content, bytes):
        return canonical_bytes({**content, _MEMBER: people} if people else content)
    if not people:
        return content
    if content[2:7] > _MEMBER.encode():
        # It comes before all that there is: members are sorted by their names.
        return b'{"about":%b,%b' % (canonical_bytes(list(people)), content[1:])
    members: Any = parse_json(content)
    return canonical_bytes({**members, _MEMBER: people})


def people_in(content: bytes) -> tuple[str, ...]:
    """Return the pseudonyms of those whom a record is about, as its content says.

    Raises:
        FormatError: it is no JSON.
    """
    if _WRITTEN not in content:
        return ()
    members: Any = parse_json(content)
    return tuple(members.get(_MEMBER, ()))
