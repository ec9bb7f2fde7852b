"""Keeps what the engine's library itself writes to stderr from whoever reads stderr.

It writes there, past Python, that it cannot put the statements of a mutant in order. That
speaks of a fault that was put in, and stands between the lines of a progress bar.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Final

_STDERR: Final = 2


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Drop what is written to the process's stderr meanwhile, by whichever thread."""
    try:
        kept = os.dup(_STDERR)
    except OSError:
        # A process without a stderr shows nothing anyhow.
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, _STDERR)
        finally:
            os.close(nowhere)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
