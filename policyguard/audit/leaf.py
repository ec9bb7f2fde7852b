"""The bytes of a record as the tree commits to them."""

from __future__ import annotations

from typing import Final

from policyguard.canonical import canonical_dump
from policyguard.errors import NotDurableError
from policyguard.vocabulary.record import AnyRecord

MAX_LEAF_BYTES: Final = 60_000
"""Room below the 65,535 bytes of an entry in C2SP tlog-tiles."""


def body_of(record: AnyRecord) -> bytes:
    """Return the leaf of a record, in RFC 8785 form.

    Raises:
        NotDurableError: it is longer than a leaf may be.
    """
    # What `model_dump` calls, without what it looks up for callers with other wishes.
    document = record.__pydantic_serializer__.to_python(record, mode="json")
    body = canonical_dump(document)
    if len(body) > MAX_LEAF_BYTES:
        raise NotDurableError(
            f"a record of {len(body)} bytes is longer than {MAX_LEAF_BYTES}"
        )
    return body
