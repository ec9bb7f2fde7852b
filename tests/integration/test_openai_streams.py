"""How streams of the real `openai` SDK end, and what the trail says of it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
from guards import FR, MESSAGES, TICKETS, guard_in
from integration.clients import async_client
from integration.loopback import PACKED, Loopback, chunk, remembered

from policyguard import Guard

ASK: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES, "stream": True}
MODULES = pytest.mark.parametrize("module", [httpx, httpx2])
LAYERS = pytest.mark.parametrize("layer", ["call", "http"])
SEEN = {"served_model": "glm-5.2", "input_tokens": 3, "output_tokens": 5}
HALF = {"served_model": "glm-5.2", "input_tokens": None, "output_tokens": None}
UNSEEN = dict.fromkeys(SEEN)
CUT = (
    openai.APIConnectionError,
    # openai 2 lets the error of its HTTP library through.
    httpx.RemoteProtocolError,
    httpx2.RemoteProtocolError,
)


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made.bind(**TICKETS)


@contextlib.contextmanager
def opened(guard: Guard, server: Loopback, module: Any, layer: str) -> Iterator[Any]:
    """Give a stream of a protected client, opened with or without the wrapper."""
    with openai.OpenAI(
        base_url=FR, api_key="none", http_client=server.client(module), max_retries=0
    ) as client:
        create = guard.protect(client).chat.completions.create
        yield guard.call(create, **ASK) if layer == "call" else create(**ASK)


async def aopened(guard: Guard, client: openai.AsyncOpenAI, layer: str) -> Any:
    create = guard.protect(client).chat.completions.create
    if layer == "call":
        return await guard.acall(create, **ASK)
    return await create(**ASK)


def end(guard: Guard, layer: str) -> dict[str, Any]:
    """Return what the trail says of the end, which it says once."""
    decision, outcome = remembered(guard)
    assert decision["layer"] == layer
    assert (outcome["decision"], outcome["status"]) == (decision["id"], 200)
    return {name: outcome[name] for name in ("outcome", "error", *SEEN)}


@LAYERS
@MODULES
def test_a_stream_that_is_read_to_its_end_is_complete(
    guard: Guard, server: Loopback, module: Any, layer: str
) -> None:
    with opened(guard, server, module, layer) as stream:
        assert type(stream) is openai.Stream
        assert len(list(stream)) == 2

    assert end(guard, layer) == {"outcome": "complete", "error": None, **SEEN}


@LAYERS
@MODULES
def test_a_stream_that_is_closed_early_is_abandoned(
    guard: Guard, server: Loopback, module: Any, layer: str
) -> None:
    server.hang.clear()
    with opened(guard, server, module, layer) as stream:
        next(stream)
        stream.close()

    assert end(guard, layer) == {"outcome": "abandoned", "error": None, **HALF}


@LAYERS
@MODULES
def test_a_stream_whose_line_is_cut_is_an_error(
    guard: Guard, server: Loopback, module: Any, layer: str
) -> None:
    server.cut = True
    with (
        opened(guard, server, module, layer) as stream,
        pytest.raises(CUT),
    ):
        list(stream)

    assert end(guard, layer) == {
        "outcome": "error",
        "error": "RemoteProtocolError",
        **HALF,
    }


@LAYERS
@MODULES
@pytest.mark.parametrize("how", ["complete", "abandoned", "error"])
def test_the_streams_of_the_asynchronous_client_end_alike(
    guard: Guard, server: Loopback, module: Any, layer: str, how: str
) -> None:
    server.cut = how == "error"
    if how == "abandoned":
        server.hang.clear()

    async def main() -> None:
        async with async_client(server, module=module, max_retries=0) as client:
            stream = await aopened(guard, client, layer)
            assert type(stream) is openai.AsyncStream
            if how == "abandoned":
                await anext(aiter(stream))
                await stream.close()
            else:
                [item async for item in stream]

    if how == "error":
        with pytest.raises(CUT):
            asyncio.run(main())
    else:
        asyncio.run(main())

    error = "RemoteProtocolError" if how == "error" else None
    seen = SEEN if how == "complete" else HALF
    assert end(guard, layer) == {"outcome": how, "error": error, **seen}


@LAYERS
def test_a_task_that_is_cancelled_while_it_reads_leaves_a_cancelled_call(
    guard: Guard, server: Loopback, layer: str
) -> None:
    server.hang.clear()

    async def main() -> None:
        async with async_client(server, max_retries=0) as client:
            first = asyncio.Event()

            async def read() -> None:
                async for _ in await aopened(guard, client, layer):
                    first.set()

            task = asyncio.create_task(read())
            await first.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())

    assert end(guard, layer) == {
        "outcome": "cancelled",
        "error": "CancelledError",
        **HALF,
    }


@LAYERS
@MODULES
@pytest.mark.parametrize("coding", PACKED)
def test_a_compressed_stream_is_watched_as_well(
    guard: Guard, server: Loopback, module: Any, layer: str, coding: str
) -> None:
    server.coding = coding

    with opened(guard, server, module, layer) as stream:
        assert len(list(stream)) == 2

    assert end(guard, layer) == {"outcome": "complete", "error": None, **SEEN}


def test_a_stream_in_zstandard_is_watched_where_its_client_unpacks_it(
    guard: Guard, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = pytest.importorskip("zstandard", reason="httpx unpacks it only with that")
    monkeypatch.setitem(PACKED, "zstd", known.ZstdCompressor().compress)
    server.coding = "zstd"

    with opened(guard, server, httpx, "http") as stream:
        assert len(list(stream)) == 2

    assert end(guard, "http") == {"outcome": "complete", "error": None, **SEEN}


@MODULES
@pytest.mark.parametrize("coding", ["unheard-of", "gzip, deflate"])
def test_of_a_stream_that_nobody_unpacks_the_end_is_out_of_sight(
    guard: Guard, server: Loopback, module: Any, coding: str
) -> None:
    """The client reads it all the same here, because it is not packed at all."""
    server.coding = coding

    with (
        opened(guard, server, module, "http") as stream,
        contextlib.suppress(Exception),
    ):
        list(stream)

    assert end(guard, "http") == {"outcome": "delegated", "error": None, **UNSEEN}


@MODULES
def test_a_stream_that_unpacks_to_very_much_is_not_watched(
    guard: Guard, server: Loopback, module: Any
) -> None:
    server.coding = "deflate"
    server.stream = (b": " + b"x" * (2 << 20) + b"\n\n", *server.stream)

    with opened(guard, server, module, "http") as stream:
        assert len(list(stream)) == 2

    assert end(guard, "http") == {"outcome": "delegated", "error": None, **UNSEEN}


def test_another_model_than_the_asked_one_is_what_was_served(
    guard: Guard, server: Loopback
) -> None:
    other = chunk("x").replace(b'"glm-5.2"', b'"kimi-k2"')
    server.stream = (other, b"data: [DONE]\n\n")
    with opened(guard, server, httpx2, "call") as stream:
        list(stream)

    assert end(guard, "call")["served_model"] != "glm-5.2"


@pytest.mark.parametrize(
    "parts",
    [
        (b"data: not json\n\n", b"data: [DONE]\n\n"),
        (b"x" * 200_000 + b"\n\n", b"data: [DONE]\n\n"),
        (b"data:\xff\xfe\n\n", b"event: message_stop\n\n"),
        (b"data: " + b"[" * 50_000 + b"\n\n", b"data: [DONE]\r\n\r\n"),
    ],
)
def test_a_stream_of_anything_reaches_the_client_unchanged(
    guard: Guard, server: Loopback, parts: tuple[bytes, ...]
) -> None:
    server.stream = parts
    http = server.client(httpx2)
    with openai.OpenAI(base_url=FR, api_key="none", http_client=http) as client:
        lazy = guard.protect(client).chat.completions.with_streaming_response
        with lazy.create(**ASK) as response:
            content = b"".join(response.iter_bytes())

    assert content == b"".join(parts)
    assert end(guard, "http") == {"outcome": "complete", "error": None, **UNSEEN}


def test_a_stream_that_nobody_closes_has_no_end_in_the_trail(
    guard: Guard, server: Loopback
) -> None:
    server.hang.clear()
    with opened(guard, server, httpx2, "call") as stream:
        next(stream)
        assert [item["kind"] for item in remembered(guard)] == ["decision"]
        stream.close()

    assert end(guard, "call")["outcome"] == "abandoned"


@LAYERS
@MODULES
def test_a_stream_that_is_left_and_forgotten_is_abandoned_when_it_is_collected(
    guard: Guard, server: Loopback, module: Any, layer: str
) -> None:
    server.hang.clear()
    with opened(guard, server, module, layer) as stream:
        for _ in stream:
            break
        # While its client is open, and nobody has it any more.
        del stream
        gc.collect()
        found = end(guard, layer)

    assert found == {"outcome": "abandoned", "error": None, **HALF}


def test_an_unprotected_client_says_that_the_end_was_out_of_sight(
    guard: Guard, server: Loopback
) -> None:
    with openai.OpenAI(
        base_url=FR, api_key="none", http_client=server.client(httpx2)
    ) as client:
        list(guard.call(client.chat.completions.create, **ASK))

    decision, outcome = remembered(guard)
    assert (outcome["outcome"], outcome["status"]) == ("delegated", None)
    assert outcome["decision"] == decision["id"]
