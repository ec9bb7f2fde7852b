"""Which trail a command reads: the option, or else where the settings put it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


if TYPE_CHECKING:
    _PlaceType = click.ParamType[str | Path]
else:
    # Generic for type checkers alone before click 8.5.
    _PlaceType = click.ParamType


class PlaceType(_PlaceType):
    """Reads a directory or a connection URI."""

    name = "place"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | Path:
        """Return a URL as text, anything else as a path."""
        if isinstance(value, Path):
            return value
        if "://" not in value:
            return Path(value)
        from policyguard.audit.stores.place import is_url

        if not is_url(value):
            scheme = value.partition("://")[0]
            self.fail(
                f"there is no trail behind `{scheme}://`: give a directory, or"
                " postgresql://user@host:5432/database",
                param,
                ctx,
            )
        return value


def trail_option(command: F) -> F:
    """Add `--trail DIR` to a command."""
    return click.option(
        "--trail",
        "directory",
        metavar="DIR",
        type=PlaceType(),
        help="The trail's directory, or the URL of its database; without it where"
        " settings or POLICYGUARD_TRAIL put it, or else the user's data directory.",
    )(command)


def log_option(command: F) -> F:
    """Add `--log ORIGIN` to a command that can be about one log."""
    return _log_option(command, otherwise="all")


def one_log_option(command: F) -> F:
    """Add `--log ORIGIN` to a command that is about one log."""
    return _log_option(command, otherwise="the one that was written last")


def exported_log_option(command: F) -> F:
    """Add `--log ORIGIN` to a command that is about one exported log."""
    return _log_option(command, otherwise="the one that the export is of")


def _log_option(command: F, *, otherwise: str) -> F:
    return click.option(
        "--log",
        "origin",
        metavar="ORIGIN",
        help=f"One log of the trail; without it {otherwise}.",
    )(command)


def trail_of(place: str | Path | None) -> str | Path:
    """Return where the trail is that is meant: a directory, or a URL.

    Raises:
        ConfigurationError: the settings cannot be used.
    """
    if place is not None:
        return place
    from policyguard.settings import load_settings

    return load_settings().trail.place()
