"""The bytes of a record as the tree commits to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from policyguard.canonical import canonical_dump
from policyguard.errors import NotDurableError
from policyguard.tlog import leaf_hash
from policyguard.vocabulary.record import AnyRecord, written
from policyguard.vocabulary.value import Value

if TYPE_CHECKING:
    from policyguard.audit.stores.protocol import LogSource

Progress = Callable[[str, int, int], None]
"""Called with a log's origin, the number of records done, and their total."""
MAX_LEAF_BYTES: Final = 60_000
"""Room below the 65,535 bytes of an entry in C2SP tlog-tiles."""


def body_of(record: AnyRecord) -> bytes:
    """Return the leaf of a record, in RFC 8785 form.

    Raises:
        NotDurableError: it is longer than a leaf may be.
    """
    body = form_of(record)
    if len(body) > MAX_LEAF_BYTES:
        raise NotDurableError(
            f"a record of {len(body)} bytes is longer than {MAX_LEAF_BYTES}"
        )
    return body


def form_of(record: AnyRecord) -> bytes:
    """Return the one form of a record, however long it is."""
    # Records are made of JSON's own values and of each other: no dump is made before.
    return canonical_dump(written(record.__dict__), default=_fields)


def leaf_hashes(
    source: LogSource, *, origin: str, size: int, progress: Progress | None = None
) -> list[bytes]:
    """Hash the first records of a log anew: 32 bytes for each, at once in memory.

    Args:
        source: The log.
        origin: Its origin, for whoever is told of the progress.
        size: How many records.
        progress: Called as records are hashed.

    Raises:
        TrailError: the log cannot be read.
    """
    leaves: list[bytes] = []
    for rows in source.batches(size=size):
        leaves += [leaf_hash(body) for _, body, _ in rows]
        if progress:
            progress(origin, len(leaves), size)
    return leaves


def _fields(part: object) -> object:
    """Return the fields of a value within a record."""
    if isinstance(part, Value):
        return part.__dict__
    # An error of type is what asks for one: the record has no canonical form.
    raise TypeError(f"a record has no `{type(part).__name__}`")
