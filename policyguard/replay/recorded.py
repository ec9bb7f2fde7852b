"""Reads recorded decisions out of a trail, with what the vault still knows of each.

All records of a log are hashed on the way, and their root has to be the one that the
log's key has signed. That is known at the end: what was read counts for nothing before
the generator has ended without an error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import orjson

from policyguard.audit.log_verification import Progress
from policyguard.audit.stores.sqlite import require_signed
from policyguard.audit.vault import Sealed, commitment_of
from policyguard.errors import FormatError, TamperedError, VerificationError
from policyguard.tlog import Frontier
from policyguard.vocabulary.record import Commitment

if TYPE_CHECKING:
    from policyguard.audit.reader import Log
    from policyguard.audit.stores.protocol import Row
    from policyguard.tlog import Checkpoint

_KINDS: Final = frozenset({"decision", "check"})
_MARKS: Final = (b'"kind":"decision"', b'"kind":"check"')
_MOST_AHEAD: Final = 4_096
"""Contents that are read before their records; the vault is in the log's own order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Is one recorded decision."""

    origin: str
    slot: str
    index: int
    leaf: Mapping[str, Any] = field(repr=False)
    """The record, as it was signed."""
    content: Mapping[str, Any] | None = field(repr=False)
    """What the vault has of it, bound to the record; `None`: erased."""

    @property
    def id(self) -> str:
        """The decision's id."""
        return str(self.leaf["id"])

    @property
    def place(self) -> str:
        """The place as the list of records shows it."""
        return f"{self.slot}:{self.index}"

    @property
    def versions(self) -> tuple[str, str]:
        """The digests of the bundle and the catalog that decided."""
        return self.leaf["bundle"]["digest"], self.leaf["catalog"]["digest"]


def read_recorded(
    log: Log,
    *,
    only: Collection[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[Recorded]:
    """Read the decisions and checks of a log up to its newest head, in order.

    Args:
        log: The log; it may be written meanwhile.
        only: The ids of those that are wanted; without it all.
        progress: Called after each batch of records.

    Raises:
        TamperedError: a record or a content is not what was recorded. It can come after
            the last decision was given: nothing counts before the end.
        TrailError: the log or its vault cannot be read.
    """
    try:
        # A head first and its records after: a log only grows.
        head = log.head()
        signed = require_signed(head, vkeys=log.vkeys, where=log.source.where)
    except (FormatError, VerificationError) as error:
        raise TamperedError(
            f"the head of {log.origin} cannot be verified: {error}"
        ) from error
    contents = _Contents(log=log, whole=only is None)
    frontier = Frontier()
    for rows in log.source.batches(size=signed.size):
        leaves = _leaf_hashes(rows, log=log, first=frontier.size)
        frontier = frontier.extend(leaves)
        for index, body, _ in rows:
            if _MARKS[0] in body or _MARKS[1] in body:
                yield from _decision(log, index, body, only=only, contents=contents)
        if progress:
            progress(log.origin, frontier.size, signed.size)
    _require_root(frontier, signed=signed)


def _decision(
    log: Log,
    index: int,
    body: bytes,
    *,
    only: Collection[str] | None,
    contents: _Contents,
) -> Iterator[Recorded]:
    try:
        leaf = orjson.loads(body)
    except ValueError as error:
        raise TamperedError(f"entry {index} of {log.origin} is no record") from error
    if leaf.get("kind") not in _KINDS or (only is not None and leaf["id"] not in only):
        return
    sealed = contents.of(leaf["id"])
    content = None
    if sealed is not None:
        _require_committed(
            sealed, leaf["input"], where=f"entry {index} of {log.origin}"
        )
        content = orjson.loads(sealed.body)
    yield Recorded(
        origin=log.origin, slot=log.slot, index=index, leaf=leaf, content=content
    )


def _leaf_hashes(rows: Sequence[Row], *, log: Log, first: int) -> list[bytes]:
    for number, (index, body, _) in enumerate(rows, start=first):
        if index != number or type(body) is not bytes:
            raise TamperedError(
                f"entry {number} of {log.origin} is missing: run `policyguard audit"
                " verify`"
            )
    return [sha256(b"\x00" + body).digest() for _, body, _ in rows]


def _require_root(frontier: Frontier, *, signed: Checkpoint) -> None:
    if frontier.size != signed.size:
        raise TamperedError(
            f"entry {frontier.size} of {signed.origin} is missing: the log ends before"
            f" its signed size of {signed.size}"
        )
    if frontier.root() != signed.root:
        raise TamperedError(
            f"a record of {signed.origin} is not what was signed: run `policyguard audit"
            " verify`, which names it"
        )


def _require_committed(
    sealed: Sealed, committed: Mapping[str, Any], *, where: str
) -> None:
    found: Commitment = commitment_of(sealed.body, salt=sealed.salt)
    if (found.value, found.bytes) != (committed["value"], committed["bytes"]):
        raise TamperedError(
            f"the content of {where} in the vault was changed: it is not what was"
            " recorded: run `policyguard audit verify`"
        )


@dataclass(slots=True)
class _Contents:
    """Gives contents by record, and reads the vault once if all are asked for."""

    log: Log
    whole: bool
    _ahead: dict[str, Sealed] = field(default_factory=dict)
    _rest: Iterator[Sealed] | None = None

    def of(self, record: str) -> Sealed | None:
        if not self.whole:
            return self.log.content(record)
        if self._rest is None:
            has = self.log.source.has_vault()
            self._rest = self.log.sealed() if has else iter(())
        while record not in self._ahead and len(self._ahead) < _MOST_AHEAD:
            item = next(self._rest, None)
            if item is None:
                return None
            self._ahead[item.record] = item
        found = self._ahead.pop(record, None)
        # What others erased is looked for alone, so that memory stays bounded.
        return found if found is not None else self.log.content(record)
