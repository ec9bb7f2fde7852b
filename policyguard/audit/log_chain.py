"""Logs that continue others: each ends where its successor says, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from policyguard.errors import TamperedError
from policyguard.vocabulary.record import Predecessor


def require_continued(
    heads: Mapping[str, tuple[int, bytes]],
    predecessors: Mapping[str, Predecessor | None],
) -> None:
    """Refuse a log that does not end where the log that continues it says.

    Args:
        heads: Size and root of each log, by origin.
        predecessors: The log that each log continues, by its own origin.

    Raises:
        TamperedError: a log that was closed is missing, was cut, changed or continued
            with the key that counts no more; or two logs continue one.
    """
    closed: dict[str, str] = {}
    for origin, old in predecessors.items():
        if old is None:
            continue
        if old.origin in closed:
            raise TamperedError(
                f"{origin} and {closed[old.origin]} both continue {old.origin}"
            )
        closed[old.origin] = origin
        if old.origin not in heads:
            raise TamperedError(
                f"the log {old.origin}, which {origin} continues, is missing"
            )
        size, root = heads[old.origin]
        if size > old.size:
            raise TamperedError(
                f"the log {old.origin} has {size} records, and was closed at {old.size}"
                f" ({old.reason}): the others are signed with a key that counts no more"
            )
        if (size, root.hex()) != (old.size, old.root):
            raise TamperedError(
                f"the log {old.origin} is not the one that {origin} continues: there"
                f" are two histories of its first {old.size} records"
            )
