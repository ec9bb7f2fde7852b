"""Commitments to answers: over the bytes that came, whole, streamed or broken off."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from guards import FR, MESSAGES, TICKETS, guard_in
from integration.loopback import CHAT, Loopback, remembered

from policyguard import Guard
from policyguard.audit.reader import TrailReader
from policyguard.canonical import canonical_bytes

ASK: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made.bind(**TICKETS)


def committed(guard: Guard, content: bytes) -> bool:
    """Say whether the one answer of a trail is committed to as this, by the vault's salt."""
    decision, outcome = remembered(guard)
    (log,) = TrailReader.open(guard.trail_directory).logs
    (sealed,) = (item for item in log.sealed() if item.record == decision["id"])
    assert sealed.body == canonical_bytes(json.loads(sealed.body))
    salt = bytes.fromhex(json.loads(sealed.body)["answer_salt"])
    value = hmac.digest(salt, content, hashlib.sha256).hex()
    expected = {"alg": "HMAC-SHA256", "bytes": len(content), "value": value}
    return bool(outcome["answer"] == expected)


def test_a_whole_answer_is_committed_to(guard: Guard, server: Loopback) -> None:
    with openai.OpenAI(
        base_url=FR, api_key="none", http_client=server.client(httpx2)
    ) as client:
        guard.call(guard.protect(client).chat.completions.create, **ASK)

    assert committed(guard, json.dumps(CHAT).encode())


def test_a_streamed_answer_is_committed_to_as_it_came(
    guard: Guard, server: Loopback
) -> None:
    server.coding = "gzip"
    with server.client(httpx2) as client:
        guard.protect(client)
        path = f"{FR}/chat/completions"
        with client.stream("POST", path, json={**ASK, "stream": True}) as answer:
            raw = b"".join(answer.iter_raw())

    assert gzip.decompress(raw) == b"".join(server.stream)
    assert committed(guard, raw)


def test_an_answer_that_is_broken_off_is_committed_to_as_far_as_it_was_read(
    guard: Guard, server: Loopback
) -> None:
    server.hang.clear()

    async def main() -> None:
        async with server.aclient(httpx2) as client:
            guard.protect(client)
            path = f"{FR}/chat/completions"
            ask = {**ASK, "stream": True}
            async with client.stream("POST", path, json=ask) as answer:
                assert await anext(answer.aiter_raw()) == server.stream[0]

    asyncio.run(main())
    assert committed(guard, server.stream[0])


def test_what_no_transport_saw_and_what_was_denied_has_no_commitment(
    guard: Guard, server: Loopback
) -> None:
    with openai.OpenAI(
        base_url=FR, api_key="none", http_client=server.client(httpx2)
    ) as client:
        guard.call(client.chat.completions.create, **ASK)

    assert remembered(guard)[-1]["answer"] is None


def test_a_long_stream_is_not_kept_in_memory(guard: Guard) -> None:
    part, count = b"data: " + b"x" * 65_530 + b"\n\n", 512

    class Long(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return (part for _ in range(count))

    def answer(_: httpx2.Request) -> httpx2.Response:
        kind = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=kind, stream=Long())

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as client:
        guard.protect(client)
        path = f"{FR}/chat/completions"
        with client.stream("POST", path, json={**ASK, "stream": True}) as reply:
            read = sum(map(len, [next(parts := reply.iter_raw())]))
            tracemalloc.start()
            read += sum(map(len, parts))
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()

    assert read == len(part) * count
    assert peak < 4 << 20
