"""The real `openai` SDK, each way to call it, against a server that counts."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
from guards import CN, FR, MESSAGES, TICKETS, guard_in
from integration.clients import async_client, sync_client
from integration.loopback import Loopback, remembered
from pydantic import BaseModel

from policyguard import ApprovalRequired, Guard, PolicyDenied, context

FR_HOST = "api.scaleway.ai"
CN_HOST = "open.bigmodel.cn"


class Reply(BaseModel):
    text: str


ASK: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}
EAGER: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    "create": (lambda c: c.chat.completions.create, (), ASK),
    "stream": (lambda c: c.chat.completions.create, (), {**ASK, "stream": True}),
    "parse": (
        lambda c: c.chat.completions.parse,
        (),
        {**ASK, "response_format": Reply},
    ),
    "raw": (lambda c: c.chat.completions.with_raw_response.create, (), ASK),
    "raw_stream": (
        lambda c: c.chat.completions.with_raw_response.create,
        (),
        {**ASK, "stream": True},
    ),
    "responses": (
        lambda c: c.responses.create,
        (),
        {"model": "glm-5.2", "input": "canary-prompt"},
    ),
    "embeddings": (
        lambda c: c.embeddings.create,
        (),
        {"model": "glm-5.2", "input": "canary-prompt", "encoding_format": "float"},
    ),
    "options": (
        lambda c: c.with_options(max_retries=1).chat.completions.create,
        (),
        ASK,
    ),
    "post": (
        lambda c: c.post,
        ("/chat/completions",),
        {"cast_to": object, "body": ASK},
    ),
}
"""What sends before it returns."""
LAZY: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    "stream_manager": (lambda c: c.chat.completions.stream, (), ASK),
    "streaming_response": (
        lambda c: c.chat.completions.with_streaming_response.create,
        (),
        ASK,
    ),
}
"""What sends when its `with` block is entered."""
ALL = {**EAGER, **LAZY}


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made


def used(result: Any) -> None:
    """Read an answer to its end, whatever kind of answer it is."""
    if isinstance(result, openai.Stream):
        list(result)
    elif hasattr(result, "http_response"):
        parsed = result.parse()
        if isinstance(parsed, openai.Stream):
            list(parsed)
    elif hasattr(result, "__enter__"):
        with result as opened:
            list(opened.iter_bytes() if hasattr(opened, "iter_bytes") else opened)


async def aused(result: Any) -> None:
    if isinstance(result, openai.AsyncStream):
        [item async for item in result]
    elif hasattr(result, "http_response"):
        parsed = result.parse()
        if isinstance(parsed, openai.AsyncStream):
            [item async for item in parsed]
    elif hasattr(result, "__aenter__"):
        async with result as opened:
            many = opened.iter_bytes() if hasattr(opened, "iter_bytes") else opened
            [item async for item in many]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("module", [httpx, httpx2])
def test_a_bare_protected_client_sends_what_is_allowed(
    guard: Guard, server: Loopback, name: str, module: Any
) -> None:
    method, args, kwargs = ALL[name]
    with sync_client(server, FR, module) as client:
        guard.bind(**TICKETS).protect(client)
        used(method(client)(*args, **kwargs))

    assert server.hits == {FR_HOST: 1}
    assert [(item.get("layer"), item.get("outcome")) for item in remembered(guard)] == [
        ("http", None),
        (None, "complete"),
    ]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("module", [httpx, httpx2])
def test_a_bare_protected_client_gets_the_sdks_own_error(
    guard: Guard, server: Loopback, name: str, module: Any
) -> None:
    method, args, kwargs = ALL[name]
    with sync_client(server, CN, module) as client:
        guard.bind(**TICKETS).protect(client)
        with pytest.raises(openai.PermissionDeniedError) as caught:
            used(method(client)(*args, **kwargs))

    records = remembered(guard)
    assert server.hits == {}
    assert (caught.value.code, caught.value.type) == ("GDPR-01", "policy_denied")
    assert [(item["layer"], item["verdict"]) for item in records] == [("http", "deny")]
    response = caught.value.response
    assert response.headers["x-policyguard-decision"] == records[0]["id"]
    assert response.headers["x-should-retry"] == "false"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("protected", [False, True])
def test_a_denied_call_through_the_guard_raises_before_anything_is_sent(
    guard: Guard, server: Loopback, name: str, *, protected: bool
) -> None:
    method, args, kwargs = ALL[name]
    bound = guard.bind(**TICKETS)
    with sync_client(server, CN) as client:
        if protected:
            bound.protect(client)
        with pytest.raises(PolicyDenied, match="GDPR-01"):
            used(bound.call(method(client), *args, **kwargs))

    assert server.hits == {}
    assert [item["layer"] for item in remembered(guard)] == ["call"]


@pytest.mark.parametrize("name", EAGER)
@pytest.mark.parametrize("protected", [False, True])
def test_an_allowed_call_through_the_guard_is_decided_once(
    guard: Guard, server: Loopback, name: str, *, protected: bool
) -> None:
    method, args, kwargs = EAGER[name]
    bound = guard.bind(**TICKETS)
    with sync_client(server, FR) as client:
        if protected:
            guard.protect(client)
        used(bound.call(method(client), *args, **kwargs))

    assert server.hits == {FR_HOST: 1}
    streamed = kwargs.get("stream", False)
    assert [(item.get("layer"), item.get("outcome")) for item in remembered(guard)] == [
        ("call", None),
        (None, "delegated" if streamed and not protected else "complete"),
    ]


@pytest.mark.parametrize("name", LAZY)
def test_what_is_sent_later_is_checked_again_with_the_facts_of_the_block(
    guard: Guard, server: Loopback, name: str
) -> None:
    method, args, kwargs = LAZY[name]
    with sync_client(server, FR) as client, context(**TICKETS):
        guard.protect(client)
        used(guard.call(method(client), *args, **kwargs))

    assert server.hits == {FR_HOST: 1}
    assert [(item.get("layer"), item.get("outcome")) for item in remembered(guard)] == [
        ("call", None),
        (None, "delegated"),
        ("http", None),
        (None, "complete"),
    ]


@pytest.mark.parametrize("name", LAZY)
def test_what_is_sent_later_without_its_facts_is_not_sent(
    guard: Guard, server: Loopback, name: str
) -> None:
    method, args, kwargs = LAZY[name]
    with sync_client(server, FR) as client:
        guard.protect(client)
        lazy = guard.bind(**TICKETS).call(method(client), *args, **kwargs)
        with pytest.raises(openai.PermissionDeniedError):
            used(lazy)

    assert server.hits == {}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("module", [httpx, httpx2])
@pytest.mark.parametrize("base_url", [FR, CN])
def test_the_asynchronous_client_is_protected_alike(
    guard: Guard, server: Loopback, name: str, module: Any, base_url: str
) -> None:
    method, args, kwargs = ALL[name]

    async def main() -> None:
        async with async_client(server, base_url, module) as client:
            guard.bind(**TICKETS).protect(client)
            result = method(client)(*args, **kwargs)
            await aused(await result if inspect.isawaitable(result) else result)

    if base_url == FR:
        asyncio.run(main())
        assert server.hits == {FR_HOST: 1}
        assert [item.get("outcome") for item in remembered(guard)] == [None, "complete"]
    else:
        with pytest.raises(openai.PermissionDeniedError) as caught:
            asyncio.run(main())
        assert server.hits == {}
        assert caught.value.code == "GDPR-01"


@pytest.mark.parametrize("name", EAGER)
@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("base_url", [FR, CN])
def test_acall_guards_the_asynchronous_client(
    guard: Guard, server: Loopback, name: str, base_url: str, *, protected: bool
) -> None:
    method, args, kwargs = EAGER[name]
    bound = guard.bind(**TICKETS)

    async def main() -> None:
        async with async_client(server, base_url) as client:
            if protected:
                bound.protect(client)
            await aused(await bound.acall(method(client), *args, **kwargs))

    denied = base_url == CN
    with pytest.raises(PolicyDenied) if denied else contextlib.nullcontext():
        asyncio.run(main())

    assert server.hits == ({} if denied else {FR_HOST: 1})
    decisions = [item for item in remembered(guard) if item["kind"] == "decision"]
    assert [item["layer"] for item in decisions] == ["call"]


def test_the_answer_is_the_sdks_own_and_says_who_served_it(
    guard: Guard, server: Loopback
) -> None:
    with sync_client(server, FR) as client:
        reply = guard.bind(**TICKETS).call(client.chat.completions.create, **ASK)

    outcome = remembered(guard)[-1]
    assert type(reply) is openai.types.chat.ChatCompletion
    assert (
        outcome["served_model"],
        outcome["input_tokens"],
        outcome["output_tokens"],
    ) == ("glm-5.2", 3, 5)


def test_protecting_twice_asks_once(guard: Guard, server: Loopback) -> None:
    bound = guard.bind(**TICKETS)
    with sync_client(server, FR) as client:
        assert bound.protect(bound.protect(client)) is client
        client.chat.completions.create(**ASK)

    kinds = [item["kind"] for item in remembered(guard)]
    assert kinds == ["decision", "outcome"]


def test_a_guarded_call_inside_another_is_part_of_it(
    guard: Guard, server: Loopback
) -> None:
    with sync_client(server, FR) as client:

        @functools.wraps(client.chat.completions.create)
        def late(**kwargs: Any) -> Any:
            return guard.call(client.chat.completions.create, **kwargs)

        with pytest.raises(ApprovalRequired):
            late(**ASK)
        guard.bind(**TICKETS).call(late, **ASK)

    refused, *records = remembered(guard)
    assert server.hits == {FR_HOST: 1}
    assert {item["call_id"] for item in records} == {records[0]["call_id"]}
    assert [item["kind"] for item in records] == ["decision"] * 2 + ["outcome"] * 2
    assert refused["call_id"] != records[0]["call_id"]


def test_a_block_inside_a_guarded_call_counts_for_what_is_sent_in_it(
    guard: Guard, server: Loopback
) -> None:
    with sync_client(server, FR) as client:
        guard.protect(client)

        @functools.wraps(client.chat.completions.create)
        def late(**kwargs: Any) -> Any:
            with context(data=TICKETS["data"]):
                return client.chat.completions.create(**kwargs)

        guard.bind(**{**TICKETS, "data": {"classes": ["none"]}}).call(late, **ASK)

    decisions = [item for item in remembered(guard) if item["kind"] == "decision"]
    assert [(item["layer"], item["data_classes"]) for item in decisions] == [
        ("call", ["none"]),
        ("http", ["pii"]),
    ]
