"""Clients that a tracer has wrapped, as OpenTelemetry's instrumentations do by `wrapt`.

They wrap methods of the SDK's classes, transports' methods or the client itself: before
the client is protected, or after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
import wrapt
from guards import CN, FR, MESSAGES
from integration.clients import sync_client
from integration.loopback import Loopback, Since

from policyguard import CannotProtect, Guard, PolicyDenied, denial_of
from policyguard.integrations.httpx import is_protected
from policyguard.integrations.smoke import clients_in, tried

CHAT: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}


Build = Callable[[str], openai.OpenAI]


@pytest.fixture
def build(server: Loopback) -> Iterator[Build]:
    with ExitStack() as opened:
        yield lambda base_url: opened.enter_context(sync_client(server, base_url))


def traced(calls: list[str]) -> Callable[..., Any]:
    """Return a wrapper as tracers have: it notes the call, and makes it."""

    def wrapper(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        calls.append(wrapped.__name__)
        return wrapped(*args, **kwargs)

    return wrapper


PROXIES: dict[str, Callable[[Any], Any]] = {
    "once": wrapt.ObjectProxy,
    "twice": lambda client: wrapt.ObjectProxy(wrapt.ObjectProxy(client)),
    "of its own kind": type("Traced", (wrapt.ObjectProxy,), {}),
}


@pytest.mark.parametrize("kind", PROXIES)
def test_a_client_behind_a_proxy_is_protected_and_found_protected(
    server: Loopback, build: Build, guard: Guard, trail: Since, kind: str
) -> None:
    there = PROXIES[kind](build(CN))
    here = PROXIES[kind](build(FR))
    for client in (there, here):
        assert guard.protect(client) is client
        assert guard.protect(client) is client

    with pytest.raises(openai.PermissionDeniedError) as caught:
        there.chat.completions.create(**CHAT)
    here.chat.completions.create(**CHAT)
    trial = tried(here)

    assert denial_of(caught.value) is not None
    assert server.hits == {"api.scaleway.ai": 1}
    assert trail.verdicts == ["deny", "allow", "require_approval", "require_approval"]
    assert (len(clients_in(here)), is_protected(here._client)) == (1, True)
    assert (trial.client, trial.protected, trial.holds) == ("openai.OpenAI", True, True)


def test_an_asynchronous_client_behind_a_proxy_is_protected(
    server: Loopback, guard: Guard, trail: Since
) -> None:
    http = server.aclient(httpx2)
    made = anthropic.AsyncAnthropic(base_url=CN, api_key="none", http_client=http)
    client = guard.protect(wrapt.ObjectProxy(made))

    async def denied() -> None:
        async with client:
            with pytest.raises(anthropic.PermissionDeniedError):
                await client.messages.create(**CHAT, max_tokens=9)

    assert tried(client).holds
    asyncio.run(denied())

    assert server.hits == {}
    assert trail.verdicts == ["require_approval", "require_approval", "deny"]


@pytest.mark.parametrize("module", [httpx, httpx2])
def test_an_http_client_behind_a_proxy_is_protected(
    server: Loopback, guard: Guard, module: ModuleType
) -> None:
    with wrapt.ObjectProxy(server.client(module)) as opened:
        client = guard.protect(wrapt.ObjectProxy(opened))

        answer = client.post(f"{CN}/chat/completions", json=CHAT)

        assert (answer.status_code, dict(server.hits)) == (403, {})
        assert tried(client).holds


def test_a_method_that_a_tracer_has_wrapped_is_seen_through(
    server: Loopback,
    build: Build,
    guard: Guard,
    trail: Since,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noted: list[str] = []
    completions = openai.resources.chat.completions.Completions
    wrapped = wrapt.FunctionWrapper(completions.create, traced(noted))
    monkeypatch.setattr(completions, "create", wrapped)
    here, there = build(FR), build(CN)
    guard.protect(here)

    allowed: Any = here.chat.completions.create
    denied: Any = there.chat.completions.create
    reply = guard.call(allowed, **CHAT)
    with pytest.raises(PolicyDenied, match="GDPR-01"):
        guard.call(denied, **CHAT)

    assert reply.model == "glm-5.2"
    assert noted == ["create"]
    # One decision for wrapper and transport: the model and the host were seen.
    assert trail.verdicts == ["allow", "deny"]
    assert server.hits == {"api.scaleway.ai": 1}


@pytest.mark.parametrize("first", ["the tracer", "the guard"])
def test_a_transport_that_a_tracer_wraps_stays_behind_its_guard(
    server: Loopback, build: Build, guard: Guard, first: str
) -> None:
    noted: list[str] = []

    def trace(client: Any) -> None:
        transport = client._client._transport
        transport.handle_request = wrapt.FunctionWrapper(
            transport.handle_request, traced(noted)
        )

    here, there = build(FR), build(CN)
    for client in (here, there):
        for step in (
            (trace, guard.protect) if first == "the tracer" else (guard.protect, trace)
        ):
            step(client)

    here.chat.completions.create(**CHAT)
    with pytest.raises(openai.PermissionDeniedError):
        there.chat.completions.create(**CHAT)

    assert server.hits == {"api.scaleway.ai": 1}
    assert noted == ["handle_request"] * (1 if first == "the tracer" else 2)
    assert all(is_protected(client._client) for client in (here, there))
    assert tried(here).holds


def test_a_transport_that_is_put_around_the_guard_afterwards_is_found(
    server: Loopback, build: Build, guard: Guard
) -> None:
    """The guard is behind it still, but nobody can say what stands before it."""
    client = guard.protect(build(CN))

    class Tracing(httpx2.BaseTransport):
        def __init__(self, inner: Any) -> None:
            self.handle_request = inner.handle_request  # type: ignore[method-assign]

    client._client._transport = Tracing(client._client._transport)
    with pytest.raises(openai.PermissionDeniedError):
        client.chat.completions.create(**CHAT)

    assert server.hits == {}
    assert (tried(client).protected, tried(client).holds) == (False, False)


def test_what_is_no_client_is_none_behind_a_proxy(guard: Guard) -> None:
    with pytest.raises(CannotProtect, match=r"`builtins\.dict`"):
        guard.protect(wrapt.ObjectProxy({}))
    assert clients_in(wrapt.ObjectProxy({})) == []
