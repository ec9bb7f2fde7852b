"""Which trail a command reads: the option, or else where the settings put it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def trail_option(command: F) -> F:
    """Add `--trail DIR` to a command."""
    return click.option(
        "--trail",
        "directory",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="The trail's directory; without it where settings or POLICYGUARD_TRAIL"
        " put it, or else the user's data directory.",
    )(command)


def log_option(command: F) -> F:
    """Add `--log ORIGIN` to a command that is about one log."""
    return click.option(
        "--log",
        "origin",
        metavar="ORIGIN",
        help="One log of the trail; without it the one that was written last.",
    )(command)


def trail_of(directory: Path | None) -> Path:
    """Return the directory of the trail that is meant.

    Raises:
        ConfigurationError: the settings cannot be used.
    """
    if directory is not None:
        return directory
    from policyguard.settings import default_trail, load_settings

    return load_settings().trail.directory or default_trail()
