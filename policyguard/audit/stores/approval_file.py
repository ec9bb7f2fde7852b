"""Signed approvals in a file: `approvals.sqlite` in the directory of a trail.

Owner: all processes of the trail share the file; each work is one transaction on a
connection of its own, so nothing crosses a fork or a thread. Nothing here is verified:
whoever reads a note verifies its signature. Whoever can write the file can forget
revocations and uses; the signed trail has each of them. One that was lost is never begun
anew unsaid, and an older one that was put back is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from policyguard.audit.layout import Layout
from policyguard.audit.stores.database import rows_of
from policyguard.audit.stores.protocol import ApprovalRow, ApprovalScope
from policyguard.audit.stores.shared_file import CountedFile, require_not_lost

_SCHEMA: Final = """
CREATE TABLE approval (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, caller TEXT NOT NULL,
  bundle TEXT NOT NULL, note TEXT NOT NULL, used INTEGER NOT NULL, revocation TEXT
) STRICT;
CREATE INDEX approval_scope ON approval (tenant, caller, bundle)"""
_COLUMNS: Final = "SELECT note, used, ifnull(revocation, '') FROM approval"
_TYPES: Final = (str, int, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalFile:
    """Knows the approvals of a trail in files."""

    path: Path
    memory: Path
    """What is there, beside the lock database, once the file is."""

    @classmethod
    def of(cls, layout: Layout) -> Self:
        """Return the file of a trail's approvals; nothing is opened yet."""
        path = layout.approvals
        return cls(path=path, memory=layout.begun(path))

    def add(self, name: str, *, scope: ApprovalScope, note: str) -> None:
        """Keep a signed approval that has served nobody yet."""
        with self._file.changing() as connection:
            connection.execute(
                "INSERT INTO approval VALUES (?, ?, ?, ?, ?, 0, NULL)",
                (name, *scope, note),
            )

    def revoke(self, name: str, *, note: str) -> bool:
        """Keep a signed revocation; return `False` if there is nothing to take back."""
        with self._file.changing() as connection:
            done = connection.execute(
                "UPDATE approval SET revocation = ? WHERE id = ? AND revocation IS NULL",
                (note, name),
            )
            return done.rowcount == 1

    def take(self, uses: Sequence[tuple[str, int]]) -> bool:
        """Take one use of each of some approvals, durably; of all of them or of none."""
        with self._file.changing() as connection:
            for name, most in uses:
                done = connection.execute(
                    "UPDATE approval SET used = used + 1"
                    " WHERE id = ? AND used < ? AND revocation IS NULL",
                    (name, most),
                )
                if done.rowcount != 1:
                    connection.execute("ROLLBACK")
                    return False
        return True

    def rows(self) -> list[ApprovalRow]:
        """Return all that is kept, oldest first."""
        return self._select(f"{_COLUMNS} ORDER BY id")

    def rows_of_scope(self, scope: ApprovalScope) -> list[ApprovalRow]:
        """Return what is kept for one scope and was not taken back, oldest first."""
        query = (
            f"{_COLUMNS} WHERE tenant = ? AND caller = ? AND bundle = ?"
            " AND revocation IS NULL ORDER BY id"
        )
        return self._select(query, *scope)

    def names(self) -> list[str]:
        """Return the ids of all that is kept."""
        if self._is_none():
            return []
        query = "SELECT id FROM approval ORDER BY id"
        with self._file.reading() as connection:
            found = rows_of(connection, query, types=(str,), path=self.path)
            return [name for (name,) in found]

    def erase(self, names: Collection[str]) -> None:
        """Forget approvals, with every trace of them in the file."""
        with self._file.changing() as connection:
            connection.executemany(
                "DELETE FROM approval WHERE id = ?", [(name,) for name in names]
            )
        with self._file.changing() as connection:
            # Deleted bytes are overwritten (`secure_delete`), and the file written anew.
            connection.execute("ROLLBACK")
            connection.execute("VACUUM")

    def _select(self, query: str, *values: object) -> list[ApprovalRow]:
        if self._is_none():
            return []
        with self._file.reading() as connection:
            return list(
                rows_of(connection, query, *values, types=_TYPES, path=self.path)
            )

    @property
    def _file(self) -> CountedFile:
        return CountedFile(path=self.path, memory=self.memory, schema=_SCHEMA)

    def _is_none(self) -> bool:
        """Say whether nobody has approved anything yet; a lost file is an error."""
        require_not_lost(self.path, memory=self.memory)
        return not self.path.exists()
