"""The real `anthropic` SDK, each way to call it, against a server that counts."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import subprocess
import sys
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.lib.bedrock import AnthropicBedrock
from anthropic.lib.vertex import AnthropicVertex
from guards import CN, FR, MESSAGES, TICKETS
from integration.loopback import Loopback, remembered

from policyguard import CannotProtect, Guard, NotAllowed, PolicyDenied, context
from policyguard.integrations.anthropic import policy_middleware

FR_HOST = "api.scaleway.ai"
ASK: dict[str, Any] = {"model": "glm-5.2", "max_tokens": 8, "messages": MESSAGES}
BATCH: dict[str, Any] = {
    "requests": [{"custom_id": "1", "params": ASK}, {"custom_id": "2", "params": ASK}]
}
COUNT: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}
EAGER: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    "create": (lambda c: c.messages.create, (), ASK),
    "stream": (lambda c: c.messages.create, (), {**ASK, "stream": True}),
    "parse": (lambda c: c.messages.parse, (), ASK),
    "raw": (lambda c: c.messages.with_raw_response.create, (), ASK),
    "count_tokens": (lambda c: c.messages.count_tokens, (), COUNT),
    "batch": (lambda c: c.messages.batches.create, (), BATCH),
    "beta": (lambda c: c.beta.messages.create, (), ASK),
    "beta_batch": (lambda c: c.beta.messages.batches.create, (), BATCH),
    "options": (lambda c: c.with_options(max_retries=1).messages.create, (), ASK),
    "post": (lambda c: c.post, ("/v1/messages",), {"cast_to": object, "body": ASK}),
}
"""What sends before it returns."""
LAZY: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    "manager": (lambda c: c.messages.stream, (), ASK),
    "beta_manager": (lambda c: c.beta.messages.stream, (), ASK),
    "streaming_response": (
        lambda c: c.messages.with_streaming_response.create,
        (),
        ASK,
    ),
}
"""What sends when its `with` block is entered."""
ALL = {**EAGER, **LAZY}


@pytest.fixture
def guard(shared: Guard) -> Guard:
    """Give the one guard of this file; `recent` has what it recorded since then."""
    _BEFORE[0] = len(remembered(shared))
    return shared


_BEFORE = [0]


def recent(guard: Guard) -> list[dict[str, Any]]:
    return remembered(guard)[_BEFORE[0] :]


def sync_client(server: Loopback, base_url: str, **more: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=base_url, api_key="none", http_client=server.client(httpx2), **more
    )


def async_client(server: Loopback, base_url: str, **more: Any) -> Any:
    return anthropic.AsyncAnthropic(
        base_url=base_url, api_key="none", http_client=server.aclient(httpx2), **more
    )


def used(result: Any) -> None:
    """Read an answer to its end, whatever kind of answer it is."""
    if isinstance(result, anthropic.Stream):
        list(result)
    elif hasattr(result, "__enter__"):
        with result as opened:
            list(opened.iter_bytes() if hasattr(opened, "iter_bytes") else opened)


async def aused(result: Any) -> None:
    if isinstance(result, anthropic.AsyncStream):
        [item async for item in result]
    elif hasattr(result, "__aenter__"):
        async with result as opened:
            many = opened.iter_bytes() if hasattr(opened, "iter_bytes") else opened
            [item async for item in many]


def ends(guard: Guard) -> list[tuple[str | None, str | None]]:
    return [(item.get("layer"), item.get("outcome")) for item in recent(guard)]


def calls_in(kwargs: dict[str, Any]) -> int:
    """Return how many calls one request makes: a batch is many."""
    return len(kwargs.get("requests", [kwargs]))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("base_url", [FR, CN])
def test_a_protected_client_sends_what_is_allowed_and_nothing_else(
    guard: Guard, server: Loopback, name: str, base_url: str
) -> None:
    method, args, kwargs = ALL[name]
    denied = base_url == CN
    raises = pytest.raises(anthropic.PermissionDeniedError)
    with sync_client(server, base_url) as client, context(**TICKETS):
        guard.protect(client)
        with raises if denied else contextlib.nullcontext() as caught:
            used(method(client)(*args, **kwargs))

    if caught is not None:
        record, *others = recent(guard)
        assert len(others) == calls_in(kwargs) - 1
        assert server.hits == {}
        assert caught.value.body["error"]["type"] == "permission_error"
        assert caught.value.body["request_id"] == record["id"]
    else:
        assert server.hits == {FR_HOST: 1}
        many = calls_in(kwargs)
        assert ends(guard) == [("http", None)] * many + [(None, "complete")] * many


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("base_url", [FR, CN])
def test_the_asynchronous_client_is_protected_alike(
    guard: Guard, server: Loopback, name: str, base_url: str
) -> None:
    method, args, kwargs = ALL[name]
    denied = base_url == CN

    async def main() -> None:
        async with async_client(server, base_url) as client:
            guard.bind(**TICKETS).protect(client)
            result = method(client)(*args, **kwargs)
            await aused(await result if inspect.isawaitable(result) else result)

    raises = pytest.raises(anthropic.PermissionDeniedError)
    with raises if denied else contextlib.nullcontext():
        asyncio.run(main())

    assert server.hits == ({} if denied else {FR_HOST: 1})
    many = calls_in(kwargs)
    assert ends(guard)[many:] == ([] if denied else [(None, "complete")] * many)


@pytest.mark.parametrize("name", EAGER)
@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("base_url", [FR, CN])
def test_a_call_through_the_guard_is_decided_once_and_denied_as_what_it_is(
    guard: Guard, server: Loopback, name: str, base_url: str, *, protected: bool
) -> None:
    method, args, kwargs = EAGER[name]
    bound = guard.bind(**TICKETS)
    denied = base_url == CN
    with sync_client(server, base_url) as client:
        if protected:
            bound.protect(client)
        with pytest.raises(PolicyDenied) if denied else contextlib.nullcontext():
            used(bound.call(method(client), *args, **kwargs))

    decisions = [item for item in recent(guard) if item["kind"] == "decision"]
    assert server.hits == ({} if denied else {FR_HOST: 1})
    assert [item["layer"] for item in decisions] == ["call"] * calls_in(kwargs)


def test_a_denial_of_the_transport_is_raised_as_the_guards_own(
    guard: Guard, server: Loopback
) -> None:
    with sync_client(server, CN) as client:
        bound = guard.bind(**TICKETS)
        bound.protect(client)
        unprotected = client.copy(http_client=server.client(httpx2), base_url=FR)
        server.redirects[FR_HOST] = f"{CN}/v1/messages"
        bound.protect(unprotected)
        with unprotected, pytest.raises(PolicyDenied):
            bound.call(unprotected.messages.create, **ASK)

    assert server.hits == {FR_HOST: 1}


def test_the_clouds_name_the_model_in_the_path_and_are_protected(
    guard: Guard, server: Loopback
) -> None:
    bedrock = AnthropicBedrock(
        base_url="https://api.scaleway.ai",
        api_key="none",
        aws_region="x",
        http_client=server.client(httpx2),
    )
    vertex = AnthropicVertex(
        base_url=FR,
        access_token="none",
        project_id="p",
        region="europe-west1",
        http_client=server.client(httpx2),
    )
    bound = guard.bind(**TICKETS)
    with bedrock, vertex:
        for client in (bedrock, vertex):
            known: Any = client
            bound.protect(known)
            bound.call(known.messages.create, **ASK)
            with pytest.raises(anthropic.PermissionDeniedError) as caught:
                known.messages.create(**{**ASK, "model": "unknown"})
            assert caught.value.body["error"]["type"] == "permission_error"

    assert server.hits == {FR_HOST: 2}
    assert ends(guard) == [("call", None), (None, "complete"), ("http", None)] * 2


def test_only_an_open_client_of_the_sdk_can_be_protected(guard: Guard) -> None:
    client = anthropic.Anthropic(api_key="none")
    with pytest.raises(CannotProtect, match="Anthropic"):
        guard.protect(client.messages)
    client.close()
    with pytest.raises(CannotProtect, match="closed"):
        guard.protect(client)


@pytest.mark.parametrize("base_url", [FR, CN])
@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_middleware_raises_the_guards_own_error_and_is_not_tried_again(
    guard: Guard, server: Loopback, base_url: str, *, protected: bool, stream: bool
) -> None:
    bound = guard.bind(**TICKETS)
    denied = base_url == CN
    middleware = [policy_middleware(bound, base_url=base_url)]
    with sync_client(server, base_url, middleware=middleware) as client:
        if protected:
            bound.protect(client)
        with pytest.raises(PolicyDenied) if denied else contextlib.nullcontext():
            used(client.messages.create(**ASK, stream=stream))

    (decision, *rest) = recent(guard)
    seen = "complete" if protected or not stream else "delegated"
    assert server.hits == ({} if denied else {FR_HOST: 1})
    assert decision["layer"] == "call"
    assert [item["outcome"] for item in rest] == ([] if denied else [seen])


def test_middleware_refuses_a_body_that_it_cannot_read(
    guard: Guard, server: Loopback
) -> None:
    middleware = [policy_middleware(guard.bind(**TICKETS), base_url=FR)]
    file = ("a.txt", b"canary", "text/plain")
    with (
        sync_client(server, FR, middleware=middleware) as client,
        pytest.raises(
            NotAllowed, match=r"note +its body is said not to be JSON in UTF-8"
        ),
    ):
        client.beta.files.upload(file=file)

    assert server.hits == {}


def test_middleware_of_the_asynchronous_client_asks_alike(
    guard: Guard, server: Loopback
) -> None:
    async def main(base_url: str) -> None:
        middleware = [policy_middleware(guard, base_url=base_url)]
        with context(**TICKETS):
            async with async_client(server, base_url, middleware=middleware) as client:
                await client.messages.create(**ASK)

    asyncio.run(main(FR))
    with pytest.raises(PolicyDenied):
        asyncio.run(main(CN))

    assert server.hits == {FR_HOST: 1}


def test_middleware_inside_a_guarded_call_is_part_of_that_call(
    guard: Guard, server: Loopback
) -> None:
    middleware = [policy_middleware(guard, base_url=FR)]
    with sync_client(server, FR, middleware=middleware) as client:
        guard.protect(client)
        guard.bind(**TICKETS).call(client.messages.create, **ASK)

    records = recent(guard)
    assert server.hits == {FR_HOST: 1}
    assert len({item["call_id"] for item in records}) == 1
    assert [item["kind"] for item in records] == ["decision", "decision"] + [
        "outcome"
    ] * 2


def test_middleware_that_is_told_another_address_is_corrected_by_the_transport(
    guard: Guard, server: Loopback
) -> None:
    bound = guard.bind(**TICKETS)
    middleware = [policy_middleware(bound, base_url=FR)]
    with sync_client(server, CN, middleware=middleware) as client:
        bound.protect(client)
        with pytest.raises(PolicyDenied):
            client.messages.create(**ASK)

    assert server.hits == {}


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.messages.create(**ASK, extra_headers={"HOST": "open.bigmodel.cn"}),
        lambda c: c.messages.create(**ASK, extra_headers={"Content-Encoding": "br"}),
        lambda c: c.messages.create(**ASK, extra_query={"model": "other"}),
        lambda c: c.messages.create(**ASK, extra_body={"model": "other"}),
        lambda c: c.post("/v1/messages?model=other", cast_to=object, body=ASK),
        lambda c: c.post(path=f"{CN}/v1/messages", cast_to=object, body=ASK),
        lambda c: c.post("/v1/messages", cast_to=object, content=b"{}"),
    ],
)
def test_middleware_is_not_led_elsewhere_by_what_a_call_says_itself(
    guard: Guard, server: Loopback, call: Any
) -> None:
    middleware = [policy_middleware(guard.bind(**TICKETS), base_url=FR)]
    with sync_client(server, FR, middleware=middleware) as client:
        with pytest.raises(NotAllowed):
            call(client)
        client.post(path="/v1/messages", cast_to=object, body=ASK)

    assert server.hits == {FR_HOST: 1}


def test_the_adapter_imports_no_sdk() -> None:
    program = (
        "import sys, policyguard.integrations.anthropic\n"
        "print(sorted({'httpx', 'httpx2', 'anthropic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
