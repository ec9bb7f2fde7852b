"""Ids and instants: one form of each, and ids that sort by when they were made."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

from policyguard.identity import new_id, record_time


def test_an_id_is_a_uuid_of_version_7_in_its_one_form() -> None:
    before = time.time_ns() // 1_000_000
    ids = [new_id() for _ in range(500)]
    after = time.time_ns() // 1_000_000

    for text in ids:
        uuid = UUID(text)
        assert (str(uuid), uuid.version, uuid.variant) == (text, 7, RFC_4122)
        assert before <= uuid.int >> 80 <= after
    assert len(set(ids)) == len(ids)
    # All bits but those of version and variant are drawn.
    noise = [UUID(text).int & (1 << 80) - 1 for text in ids]
    fixed = 0xF << 76 | 0x3 << 62
    drawn = 0
    for one in noise:
        drawn |= one ^ noise[0]
    assert drawn == (1 << 80) - 1 & ~fixed


def test_ids_sort_by_when_they_were_made() -> None:
    first = new_id()
    # Within a millisecond chance orders them.
    while new_id()[:13] == first[:13]:
        pass

    assert first < new_id()


def test_an_instant_is_written_in_utc_with_six_decimals() -> None:
    noon = datetime(2026, 7, 10, 12, tzinfo=UTC)
    there = noon.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert record_time(noon) == record_time(there) == "2026-07-10T12:00:00.000000Z"
    assert record_time(noon + timedelta(microseconds=1)).endswith("00.000001Z")
