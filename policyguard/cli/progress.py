"""Shows on a terminal how far long work on logs is; elsewhere nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from policyguard.cli.terminal import errors


class ProgressBar:
    """Is a bar for each log, while work is done in its block."""

    def __init__(self) -> None:
        from rich.progress import Progress

        self._progress = Progress(console=errors(), transient=True)
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Show the bars, on a terminal."""
        if self._progress.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bars away."""
        if self._progress.live.is_started:
            self._progress.stop()

    @property
    def advance(self) -> Callable[[str, int, int], None]:
        """Return what is told of each step."""
        return self._advance

    def _advance(self, origin: str, done: int, total: int) -> None:
        if origin not in self._tasks:
            self._tasks[origin] = self._progress.add_task(origin, total=total)
        self._progress.update(self._tasks[origin], completed=done)
