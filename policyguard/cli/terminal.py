"""Where the commands write: consoles that know widths, colours and pipes.

`NO_COLOR`, `FORCE_COLOR`, `COLUMNS` and `TERM` are followed, by rich. Without a
terminal a line may be longer than eighty columns: no reader of a pipe is served by
folded words. What others have typed reaches no terminal but through `printable`: a
name that a client sent could otherwise rewrite what an auditor reads.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_COLUMNS: Final = 100
VERDICT_STYLE: Final = {
    "allow": "bold green",
    "deny": "bold red",
    "require_approval": "bold yellow",
    "unavailable": "bold yellow",
}


def printable(text: str) -> str:
    """Return text in which no character moves, hides or colours what is beside it."""
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def output() -> Console:
    """Return the console of standard output."""
    piped = not sys.stdout.isatty() and not os.environ.get("COLUMNS")
    return _console(width=PIPE_COLUMNS if piped else None)


def errors() -> Console:
    """Return the console of standard error: progress and notes, never answers."""
    return _console(stderr=True)


def _console(*, stderr: bool = False, width: int | None = None) -> Console:
    from rich.console import Console

    class _Piped(Console):
        """Leaves it to the program what it means that its reader has gone."""

        def on_broken_pipe(self) -> None:
            """Raise: rich would exit with 1, which says that something was changed."""
            raise BrokenPipeError

    return _Piped(
        stderr=stderr, width=width, highlight=False, emoji=False, markup=False
    )


def plain_table() -> Table:
    """Return an empty table with no frame but a line under its head."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
