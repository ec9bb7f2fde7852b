"""Reads instants that a person writes: a day, or a moment, in UTC unless it says else."""

from __future__ import annotations

from datetime import UTC, datetime

import click


def instant_of(text: str) -> datetime:
    """Return the instant that a text names.

    Args:
        text: As `2026-06-15`, or `2026-06-15T12:00:00Z`.

    Raises:
        click.BadParameter: it names none.
    """
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"`{text}` is no instant: write 2026-06-15, or 2026-06-15T12:00:00Z"
        ) from error
    return given if given.tzinfo else given.replace(tzinfo=UTC)
