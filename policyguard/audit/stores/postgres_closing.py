"""Closes a log in PostgreSQL for good: nobody claims it again, and its key is gone.

Owner: the session that holds the log's lock meanwhile. A crash leaves the log open, or
closed and without its key: both are one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from policyguard.audit.stores.postgres_claim import claim_slot
from policyguard.errors import SlotError

if TYPE_CHECKING:
    from policyguard.audit.stores.postgres_server import Server


@contextmanager
def closing(server: Server, *, slot: str) -> Iterator[Callable[[str], None]]:
    """Hold a log that nobody writes for a block, which is given what closes it.

    Raises:
        SlotError: a process writes it.
        TrailError: the server refuses, or is gone.
    """
    session = server.open(write=True)

    def close(predecessor: str) -> None:
        with server.speaking():
            session.execute("SELECT policyguard.close(%s, %s)", (slot, predecessor))

    try:
        with server.speaking():
            if not claim_slot(session, slot=slot):
                raise SlotError(
                    f"the log `{slot}` is in use: stop the process that writes it"
                )
        yield close
    finally:
        session.close()
