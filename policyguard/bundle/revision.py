"""Orders revisions, so that an old bundle cannot come back as if it were new.

A revision is cut at `.`, `-`, `_` and `+`, and at each change between digits and
letters. Parts are compared from the left, numbers as numbers: 2026.9 is before 2026.10.
A number is after a word, so that 2.0-rc1 is before 2.0.1; a revision that ends is before
one that goes on.
"""

from __future__ import annotations

import re
from typing import Final

_PART: Final = re.compile(r"[0-9]+|[A-Za-z]+")


def is_older(revision: str, than: str) -> bool:
    """Say whether a revision comes before another one."""
    return _key(revision) < _key(than)


def _key(revision: str) -> tuple[tuple[int, int, str], ...]:
    return tuple(
        (1, int(part), "") if part.isdigit() else (0, 0, part)
        for part in _PART.findall(revision)
    )
