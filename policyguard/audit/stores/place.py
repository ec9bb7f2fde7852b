"""Tells the two kinds of places of a trail apart: a directory, and a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeGuard

SCHEMES: Final = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Says where the lock database is, and how often it is told."""

    place: str | Path | None = None
    """A directory or a connection URI; without it the usual place, or none."""
    every: int = 1
    """It is told of one commit in so many. With more than 1, a process that is killed
    leaves it behind by as many at most, and a log that was put back by fewer passes."""


def is_url(place: object) -> TypeGuard[str]:
    """Say whether a place is a connection URI and not a directory."""
    return isinstance(place, str) and place.startswith(SCHEMES)
