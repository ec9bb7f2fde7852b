"""Finds the instants at which bundle or catalog say something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

WINDOW: Final = frozenset({"since", "until", "relief_since"})
"""Keys of instants in a catalog."""


def instants_in(data: Mapping[str, Any]) -> Iterator[int]:
    """Yield each instant at which bundle or catalog say something else, in seconds.

    Args:
        data: The base document. Most of it is in views, whose boundaries are listed. What
            facts compare with the instant themselves is not: since when terms, names and
            cells of a chart hold, and until when.
    """
    yield from boundaries_in(data)
    catalog = data["catalog"]
    yield from windows_in(
        [model["access_terms"] for model in catalog["models"].values()]
    )
    yield from windows_in(catalog["names"])
    yield from windows_in([entry.get("chart") for entry in catalog["lists"].values()])


def boundaries_in(value: Any) -> Iterator[int]:
    """Yield each boundary of the views in a document, in seconds."""
    for key, item in items_of(value):
        if key == "boundaries":
            yield from item
        else:
            yield from boundaries_in(item)


def windows_in(value: Any) -> Iterator[int]:
    """Yield each end of a window in a document, in seconds."""
    for key, item in items_of(value):
        if key in WINDOW and type(item) is int:
            yield item
        else:
            yield from windows_in(item)


def items_of(value: Any) -> Iterator[tuple[str | None, Any]]:
    """Yield what is in an object or a list, with its key in an object."""
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((None, item) for item in value)


def instant(seconds: int) -> str:
    """Return an instant as the vocabulary writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
