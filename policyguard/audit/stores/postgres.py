"""One log in PostgreSQL, written: one transaction for content, records and head.

Owner: the process whose session holds the log's advisory lock. The server releases it
when the session ends, however it ends, and lets the next process, on whichever host,
claim the log. A crash of either side leaves the last commit, all of it or none. Whoever
owns the tables can change them, but not so that `verify_trail` does not see it; what a
writer may do is in `postgres_schema`.

INVARIANT: a place is given out only after the commit, and after the lock database where
there is one. When the session is lost in the middle, the log's lock is claimed anew
before anything is read: then the old session is over, and what is stored is what it
committed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from policyguard.audit.heads import Cadence
from policyguard.audit.stores.postgres_keys import LOCKS, Handover, hand_over
from policyguard.audit.stores.postgres_server import Server, is_lost, let_go
from policyguard.audit.stores.protocol import Head
from policyguard.audit.stores.sqlite import CHECKPOINT_EVERY
from policyguard.errors import (
    FormatError,
    TrailError,
)
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.signer import Signer
from policyguard.tlog import (
    Checkpoint,
    Frontier,
    leaf_hash,
    sign_checkpoint,
)

if TYPE_CHECKING:
    import psycopg

    from policyguard.audit.vault import Sealed

POOLS: Final = {"app": 0, "cli": 1_000}
_ATTEMPTS: Final = 5
"""So often a session may be lost while one batch is written."""
_APPEND: Final = (
    "SELECT policyguard.append(%b::text, %b, %b, %b, %b::text, %b::bytea[],"
    " %b::bytea[], %b::text[], %b::bytea[], %b::bytea[], %b)"
)
_PROMPTS: Final = (
    "INSERT INTO policyguard.prompt (slot, record, body, key)"
    " SELECT %b::text, r, b, k FROM unnest(%b::text[], %b::bytea[], %b::bytea[])"
    " AS x (r, b, k)"
)
_ABOUT: Final = (
    "INSERT INTO policyguard.about (slot, record, person)"
    " SELECT %b::text, r, p FROM unnest(%b::text[], %b::text[]) AS x (r, p)"
)
_HEAD: Final = "SELECT size, frontier, note FROM policyguard.head WHERE slot = %s"


@dataclass(slots=True, kw_only=True)
class PostgresWriter:
    """Appends records to a claimed log."""

    origin: str
    slot: str
    server: Server = field(repr=False)
    memory: Cadence | None = field(repr=False)
    signer: Signer = field(repr=False)
    connection: psycopg.Connection[Any] = field(repr=False)
    head: Head | None = field(default=None, repr=False)

    def append(self, bodies: Sequence[bytes], *, sealed: Sequence[Sealed]) -> int:
        """Make records durable, and return the index of the first.

        A session that is lost, in the middle of the commit or before, is begun anew at
        whichever address answers, and the records are written there if they were not.

        Raises:
            TrailError: they are not durable, or nobody can tell; this writer must not
                be used again.
        """
        before = self.head.size if self.head else 0
        leaves = [leaf_hash(body) for body in bodies]
        head = _next_head(self.head, leaves, signer=self.signer)
        self._advance(
            head, lambda: self._commit(head, bodies, leaves=leaves, sealed=sealed)
        )
        return before

    def hand_over(self, body: bytes, *, successor: Signer, pem: bytes) -> None:
        """Append the record of a rotation, after which another key signs.

        INVARIANT: record, key and trust file are one transaction.

        Args:
            body: The record.
            successor: The key that takes over: it signs this head beside the old key,
                and every later one alone. The checkpoint with both is kept.
            pem: The same key, encrypted.

        Raises:
            TrailError: as `append`.
        """
        leaf = leaf_hash(body)
        head = _next_head(self.head, [leaf], signer=self.signer, successor=successor)
        self._advance(
            head,
            lambda: hand_over(
                self.connection,
                Handover(slot=self.slot, head=head, body=body, leaf=leaf, pem=pem),
                vkey=VerifierKey.of_signer(successor),
            ),
        )
        self.signer = successor

    def begin(self, genesis: bytes) -> None:
        """Write the first record; the transaction is the caller's."""
        leaves = [leaf_hash(genesis)]
        head = _next_head(None, leaves, signer=self.signer)
        self._commit(head, [genesis], leaves=leaves, sealed=())
        self.head = head

    def close(self) -> None:
        """End the session, which lets another process claim the log."""
        try:
            if self.memory is not None:
                self.memory.close()
        finally:
            self.connection.close()

    def leak(self) -> None:
        """Let go of everything in a forked child without a word to the servers."""
        if self.memory is not None:
            self.memory.leak()
        let_go(self.connection)

    def _advance(self, head: Head, commit: Callable[[], None]) -> None:
        """Commit a head, once, whatever becomes of the session meanwhile."""
        lost = False
        with self.server.speaking():
            for left in reversed(range(_ATTEMPTS)):
                try:
                    if not (lost and self._resumed(head)):
                        commit()
                    break
                except Exception as error:
                    # Lost again and again, nobody knows what is stored.
                    lost = is_lost(error) and self.connection.closed
                    if not (lost and left):
                        raise
        if self.memory is not None:
            self.memory.advance(size=head.size, note=head.note)
        self.head = head

    def _commit(
        self,
        head: Head,
        bodies: Sequence[bytes],
        *,
        leaves: Sequence[bytes],
        sealed: Sequence[Sealed],
    ) -> None:
        """Write all in one transaction: of one statement, where nobody is named."""
        if any(item.prompt or item.about for item in sealed):
            with self.connection.transaction():
                self._keep(sealed)
                self._append(head, bodies, leaves=leaves, sealed=sealed)
        else:
            self._append(head, bodies, leaves=leaves, sealed=sealed)

    def _keep(self, sealed: Sequence[Sealed]) -> None:
        """Write whom records are about, and their sealed prompts."""
        prompts = [(item.record, item.prompt) for item in sealed if item.prompt]
        about = [(item.record, person) for item in sealed for person in item.about]
        self.connection.execute(
            _PROMPTS,
            (
                self.slot,
                [record for record, _ in prompts],
                [prompt.body for _, prompt in prompts],
                [prompt.key for _, prompt in prompts],
            ),
            binary=True,
        )
        self.connection.execute(
            _ABOUT,
            (self.slot, [record for record, _ in about], [name for _, name in about]),
            binary=True,
        )

    def _append(
        self,
        head: Head,
        bodies: Sequence[bytes],
        *,
        leaves: Sequence[bytes],
        sealed: Sequence[Sealed],
    ) -> None:
        before = head.size - len(bodies)
        self.connection.execute(
            _APPEND,
            (
                self.slot,
                before,
                head.size,
                head.frontier.format(),
                head.note,
                list(bodies),
                list(leaves),
                [item.record for item in sealed],
                [item.salt for item in sealed],
                [item.body for item in sealed],
                before // CHECKPOINT_EVERY != head.size // CHECKPOINT_EVERY,
            ),
            binary=True,
        )

    def _resumed(self, head: Head) -> bool:
        """Begin a new session for the log; say whether a head was committed before.

        Raises:
            TrailError: no server answers, or the log is not where it was left.
        """
        with contextlib.suppress(Exception):
            self.connection.close()
        self.connection = self.server.open(write=True)
        # Waits until the old session is over, or until lock_timeout.
        self.connection.execute(
            "SELECT pg_advisory_lock(%s, %s)", (LOCKS, number_of(self.slot))
        )
        stored = self.connection.execute(_HEAD, (self.slot,)).fetchone()
        size, note = (stored[0], stored[2]) if stored else (0, "")
        if (size, note) == (head.size, head.note):
            return True
        left = (self.head.size, self.head.note) if self.head else (0, "")
        if (size, note) != left:
            raise TrailError(
                f"the log `{self.origin}` has {size} records and this process left it"
                f" at {left[0]}: `{self.server.where}` was put back, or somebody else"
                " writes: run `policyguard audit verify`"
            )
        return False


def read_head(
    connection: psycopg.Connection[Any], *, slot: str, where: str
) -> Head | None:
    """Read the end of a log.

    Raises:
        TrailError: what is stored is no head.
    """
    row = connection.execute(_HEAD, (slot,)).fetchone()
    if row is None:
        return None
    try:
        return Head(size=row[0], frontier=Frontier.parse(row[1]), note=row[2])
    except FormatError as error:
        raise TrailError(
            f"the head of `{slot}` in `{where}` is damaged: {error}: restore the trail"
        ) from error


def _next_head(
    head: Head | None,
    leaves: Sequence[bytes],
    *,
    signer: Signer,
    successor: Signer | None = None,
) -> Head:
    frontier = (head.frontier if head else Frontier()).extend(leaves)
    checkpoint = Checkpoint(
        origin=signer.key_name, size=frontier.size, root=frontier.root()
    )
    note = sign_checkpoint(checkpoint, signer=signer, successor=successor)
    return Head(size=frontier.size, frontier=frontier, note=note)


def number_of(slot: str) -> int:
    """Return the number of a log among the advisory locks of its trail."""
    role, _, number = slot.rpartition("-")
    return POOLS[role] + int(number)
