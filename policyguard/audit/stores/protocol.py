"""What a store of trails is, whichever database it uses: the seam below the readers.

A trail is read through a `TrailSource` and each of its logs through a `LogSource`.
Verification, queries, proofs and exports know these two alone, so what holds for files
holds for a server. Nothing of them writes, and nothing that is read is authenticated:
`verify_trail` is what does that.

What all processes of a trail share beside its logs goes through an `ApprovalStore` and
a `CountStore`. These write; each of their works is one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from policyguard.tlog import Frontier

if TYPE_CHECKING:
    from policyguard.audit.counters import Share
    from policyguard.audit.people import Person
    from policyguard.audit.vault import Sealed, SealedPrompt
    from policyguard.audit.versions import VersionStore
    from policyguard.signing.trust_file import TrustFile

Row: TypeAlias = tuple[int, bytes, bytes]
"""Index, body and leaf hash of a record."""
Leaf: TypeAlias = tuple[int, bytes]
"""Index and leaf hash of a record."""
ApprovalScope: TypeAlias = tuple[str, str, str]
"""Tenant, caller's pseudonym and digest of the bundle."""
ApprovalRow: TypeAlias = tuple[str, int, str]
"""Signed approval, how often it served, and the signed revocation or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Is the end of a log: how many records, the tree's right edge, the checkpoint."""

    size: int
    frontier: Frontier
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHead:
    """Is the newest head that was ever acknowledged; size 0: begun, nothing signed."""

    size: int
    note: str


class LogWriter(Protocol):
    """Is a claimed log of whatever store."""

    @property
    def origin(self) -> str:
        """The log's name."""
        ...

    def append(self, bodies: Sequence[bytes], *, sealed: Sequence[Sealed]) -> int:
        """Make records durable, and return the index of the first.

        Any exception means that nobody knows whether they are, and that the writer
        must not be used again.
        """
        ...

    def close(self) -> None:
        """Let another process claim the log."""
        ...

    def leak(self) -> None:
        """Let go of the log in a forked child, without touching the parent's."""
        ...


class Cabinet(Protocol):
    """Keeps small named things of one log: what others have said about it.

    Every method raises `TrailError` for what cannot be read or kept.
    """

    def where(self, name: str) -> str:
        """Return where a thing is, for messages."""
        ...

    def names(self) -> list[str]:
        """Return the names of all that is kept, in any order."""
        ...

    def read(self, name: str) -> list[bytes]:
        """Return what was kept under a name, oldest first; nothing: never."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Keep a thing durably; it counts before what has the same name."""
        ...

    def gate(self) -> AbstractContextManager[None]:
        """Wait until nobody else writes here, and hold that for a block."""
        ...


class LogSource(Protocol):
    """Reads one log, its vault and its memory.

    Every method raises `TrailError` for what cannot be read.
    """

    @property
    def where(self) -> str:
        """Where the log is, for messages."""
        ...

    def exists(self) -> bool:
        """Say whether the log is there."""
        ...

    def head(self) -> Head | None:
        """Return the newest head; `None`: nothing was written."""
        ...

    def rows(self, *, start: int = 0, newest_first: bool = False) -> Iterator[Row]:
        """Read the records in order of their index, each of the right types.

        Without `start` nothing is left out, not even what has an index below 0.
        """
        ...

    def batches(self, *, size: int) -> Iterator[list[Row]]:
        """Read the first `size` records fast, of whatever types they are."""
        ...

    def leaves(self, *, size: int) -> Iterator[list[Leaf]]:
        """Read the leaf hashes of the first `size` records, of whatever types they are."""
        ...

    def row_at(self, index: int) -> Row | None:
        """Return the record at an index."""
        ...

    def row_of(self, record: str) -> Row | None:
        """Return the record with an id."""
        ...

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Read size and text of each kept checkpoint, oldest first."""
        ...

    def has_vault(self) -> bool:
        """Say whether the log has its vault: it may be handed out without."""
        ...

    def sealed(self, *, record: str | None = None) -> Iterator[Sealed]:
        """Read what the vault holds for each record, or for one."""
        ...

    def contents(self, records: Collection[str]) -> list[tuple[str, bytes, bytes]]:
        """Read record, salt and content for those of a few records that the vault has."""
        ...

    def prompt(self, record: str) -> SealedPrompt | None:
        """Return the sealed prompt of a record; `None`: there is none."""
        ...

    def prompts(self, records: Collection[str]) -> list[tuple[str, bytes, bytes]]:
        """Read record, sealed prompt and wrapped key for those that the vault has.

        A prompt that is sealed under its people's keys has none of its own: no bytes.
        """
        ...

    def people_of(self, records: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Read whom a few records are about: pseudonyms, sorted; none are left out."""
        ...

    def about(self, people: Collection[str]) -> set[str]:
        """Return the ids of the records that are about somebody, by pseudonyms."""
        ...

    def persons(self) -> set[str]:
        """Return the pseudonyms of all whom records are about."""
        ...

    def kept(self) -> set[str]:
        """Return the ids of the records of which the vault has anything."""
        ...

    def known_head(self, *, origin: str) -> KnownHead:
        """Return what the lock database remembers of the log."""
        ...

    def is_remembered(self, *, origin: str) -> bool:
        """Say whether the lock database has a head of the log."""
        ...

    def outside(self) -> Cabinet:
        """Return what keeps the words of others about the log; it may be written."""
        ...

    def end_ahead(self, *, size: int) -> int:
        """Return how long a log of `size` is with what its vault has beyond it."""
        ...

    def private_key(self) -> bytes | None:
        """Return the log's private key in PEM, where this process may read it."""
        ...

    def require_sound(self) -> None:
        """Refuse a database whose own structures contradict each other."""
        ...


class TrailSource(Protocol):
    """Reads what the logs of a trail share.

    Every method raises `TrailError` for what cannot be read.
    """

    @property
    def where(self) -> str:
        """Where the trail is, for messages."""
        ...

    @property
    def trust_name(self) -> str:
        """Where the trail's trust file is, for messages."""
        ...

    def require_present(self) -> None:
        """Refuse a place where there is no trail at all."""
        ...

    def name(self) -> str:
        """Return the trail's name."""
        ...

    def trust(self) -> TrustFile:
        """Return the verifier keys of all logs."""
        ...

    def slots(self) -> list[str]:
        """Return the slots that the trail or its memory has, sorted."""
        ...

    def log(self, slot: str) -> LogSource:
        """Return the log of a slot, which may not be there."""
        ...

    def remembered_name(self) -> str | None:
        """Return the trail that the lock database belongs to; `None`: there is none."""
        ...

    def versions(self) -> VersionStore:
        """Return the bundles and catalogs that decisions were made from."""
        ...

    def callers(self) -> Iterator[tuple[str, bytes, str]]:
        """Read pseudonym, salt and id of each caller that was not erased."""
        ...

    def people(self) -> Iterator[Person]:
        """Read everybody whom records are about, and who was not erased.

        A pseudonym that is not its person's raises `TamperedError`.
        """
        ...

    def vault_key(self) -> bytes | None:
        """Return the key that wraps data keys, where this process may read it."""
        ...

    def require_sound(self) -> None:
        """Refuse a database of callers whose structures contradict each other."""
        ...


class ApprovalStore(Protocol):
    """Keeps signed approvals, and gives out their uses; it verifies none.

    Every method raises `TrailError` for what cannot be read or kept.
    """

    def add(self, name: str, *, scope: ApprovalScope, note: str) -> None:
        """Keep a signed approval that has served nobody yet."""
        ...

    def revoke(self, name: str, *, note: str) -> bool:
        """Keep a signed revocation; return `False` if there is nothing to take back."""
        ...

    def take(self, uses: Sequence[tuple[str, int]]) -> bool:
        """Take one use of each of some approvals, durably; of all of them or of none.

        Args:
            uses: Ids, each with the number of uses that was signed.

        Returns:
            `False`: one has none left, was taken back or is not there.
        """
        ...

    def rows(self) -> list[ApprovalRow]:
        """Return all that is kept, oldest first."""
        ...

    def rows_of_scope(self, scope: ApprovalScope) -> list[ApprovalRow]:
        """Return what is kept for one scope and was not taken back, oldest first."""
        ...

    def names(self) -> list[str]:
        """Return the ids of all that is kept."""
        ...

    def erase(self, names: Collection[str]) -> None:
        """Forget approvals, with every trace of them; they lift nothing any more."""
        ...


class CountStore(Protocol):
    """Counts distinct people by keyed hashes; see `policyguard.audit.counters`.

    Every method raises `TrailError` if the counts cannot be reached.
    """

    def key(self) -> bytes:
        """Return the 32 bytes under which people are hashed; make them if need be.

        They are never made anew where somebody was counted already.
        """
        ...

    def reserve(
        self,
        shares: Sequence[Share],
        *,
        reservation: str,
        call: str,
        at: int,
        keep: bool,
    ) -> Mapping[tuple[str, str], int]:
        """Return counts by scope and category, and add to them, in one transaction."""
        ...

    def settle(self, reservation: str) -> None:
        """Let a reservation count for good."""
        ...

    def release(self, reservation: str) -> None:
        """Forget a reservation."""
        ...
