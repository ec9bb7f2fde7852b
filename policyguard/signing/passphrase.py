"""Where a passphrase comes from: a file, or whoever can be asked; never an argument.

What stands in a command line or an environment variable is read by other processes,
crash reports and shell histories. So settings and environment name a *file*.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from policyguard.errors import ConfigurationError
from policyguard.signing.key_file import read_key_file

Passphrase: TypeAlias = Callable[[], bytes]
"""Returns the passphrase; called each time that one is needed, from any thread."""


def passphrase_file(path: str | os.PathLike[str]) -> Passphrase:
    """Return a passphrase that is the first line of a file only its owner can read.

    The file is read each time, so that a secret store may mount it late or change it.
    Asking raises `ConfigurationError`: the file is missing, empty or open to others.
    """
    target = Path(path)

    def ask() -> bytes:
        first = read_key_file(target).split(b"\n", 1)[0].rstrip(b"\r")
        if not first:
            raise ConfigurationError(
                f"passphrase file `{target}` is empty: write the passphrase on its"
                " first line"
            )
        return first

    return ask
