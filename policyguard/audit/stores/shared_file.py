"""Opens files that all writers of a trail share, and that are never begun anew unsaid.

Owner: whoever writes, for a moment; all processes of the trail at once. What remembers
that a file was begun is beside the lock database. A crash leaves a file without its
memory, which the next writer takes up.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from policyguard.audit.layout import make_folder, write_small
from policyguard.audit.stores.database import open_for_writing
from policyguard.errors import TrailError


def open_shared(path: Path, *, schema: str, memory: Path) -> sqlite3.Connection:
    """Open a file that all writers of a trail share, and remember that it was begun.

    Each writes for a moment: with the old journal, because many writers of one WAL can
    lose data in SQLite before 3.51.3.

    Args:
        path: The file; it is made if there never was one.
        schema: Its tables.
        memory: What is there, beside the lock database, once the file is.

    Raises:
        TrailError: the file was there and is gone, or `open_for_writing` says why not.
    """
    require_not_lost(path, memory=memory)
    connection = open_for_writing(path, schema=schema, journal="DELETE")
    if not memory.exists():
        # Last, so that a crash in between leaves a file that is taken up.
        try:
            make_folder(memory.parent)
            write_small(memory, b"")
        except TrailError:
            connection.close()
            raise
    return connection


def require_not_lost(path: Path, *, memory: Path) -> None:
    """Refuse a file that was begun and is gone.

    Raises:
        TrailError: it has to be restored, or its memory removed.
    """
    if memory.exists() and not (path.is_file() and path.stat().st_size):
        raise TrailError(
            f"`{path}` is missing: restore it; only if what it knew may be forgotten,"
            f" remove `{memory}` as well"
        )
