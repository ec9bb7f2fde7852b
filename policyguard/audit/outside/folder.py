"""A cabinet that is a folder: plain files, which foreign tools read.

Owner: whoever has its gate; each file is replaced whole. Whoever can write the folder
can take away what is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from policyguard.audit.claim import Gate
from policyguard.audit.layout import make_folder, read_small, write_small


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCabinet:
    """Keeps small named things in the files of one folder."""

    folder: Path

    def where(self, name: str) -> str:
        """Return the path of a thing, for messages."""
        return str(self.folder / name)

    def names(self) -> list[str]:
        """Return the names of all that is kept, and of what else lies there."""
        if not self.folder.is_dir():
            return []
        return [path.name for path in self.folder.iterdir()]

    def read(self, name: str) -> list[bytes]:
        """Return a thing, or nothing: a file has one version."""
        path = self.folder / name
        return [read_small(path)] if path.is_file() else []

    def write(self, name: str, data: bytes) -> None:
        """Keep a thing durably, in the place of what was there."""
        make_folder(self.folder)
        write_small(self.folder / name, data)

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Wait until nobody else writes here, and hold that for a block."""
        make_folder(self.folder)
        gate = Gate.at(self.folder / "gate")
        try:
            # Released by hand: a child that is forked meanwhile has the open file, too.
            with gate:
                yield
        finally:
            gate.close()
