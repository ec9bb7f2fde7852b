"""Redirects and retries of the real `openai` SDK: each attempt is a question."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
from guards import CN, FR, MESSAGES, TICKETS, guard_in
from integration.clients import async_client, sync_client
from integration.loopback import Loopback, remembered
from integration.test_observe import Broken

from policyguard import Guard, NoDecision, NotAllowed, PolicyDenied
from policyguard.guard import running
from policyguard.guard.describe import describe
from policyguard.guard.facts import Facts
from policyguard.guard.policy import PolicyInUse

FR_HOST = "api.scaleway.ai"
ASK: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}
MODULES = pytest.mark.parametrize("module", [httpx, httpx2])


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (openai.OpenAI, openai.AsyncOpenAI):
        monkeypatch.setattr(kind, "_calculate_retry_timeout", lambda *_: 0)


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made.bind(**TICKETS)


def decisions(guard: Guard) -> list[tuple[Any, ...]]:
    return [
        (item["layer"], item["attempt"], item["verdict"])
        for item in remembered(guard)
        if item["kind"] == "decision"
    ]


def outcomes(guard: Guard) -> list[tuple[Any, ...]]:
    """Return the outcome and status of each allowed decision, in their order."""
    records = remembered(guard)
    ends: dict[str, list[tuple[Any, ...]]] = {
        item["id"]: []
        for item in records
        if item["kind"] == "decision" and item["verdict"] == "allow"
    }
    for item in records:
        if item["kind"] == "outcome":
            ends[item["decision"]].append((item["outcome"], item["status"]))
    assert [len(found) for found in ends.values()] == [1] * len(ends)
    return [found[0] for found in ends.values()]


@MODULES
@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_to_another_host_does_not_carry_the_prompt(
    guard: Guard, server: Loopback, module: Any, status: int
) -> None:
    server.redirects[FR_HOST] = f"{CN}/chat/completions"
    server.redirect_status = status
    with sync_client(server, module=module) as client:
        guard.protect(client)
        with pytest.raises(openai.PermissionDeniedError) as caught:
            client.chat.completions.create(**ASK)

    assert server.hits == {FR_HOST: 1}
    assert caught.value.code == "GDPR-01"
    assert decisions(guard) == [("http", 0, "allow"), ("http", 0, "deny")]
    assert outcomes(guard) == [("complete", status)]


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_inside_a_guarded_call_is_denied_as_part_of_it(
    guard: Guard, server: Loopback, status: int
) -> None:
    server.redirects[FR_HOST] = f"{CN}/chat/completions"
    server.redirect_status = status
    with sync_client(server) as client:
        guard.protect(client)
        with pytest.raises(PolicyDenied, match="GDPR-01") as caught:
            guard.call(client.chat.completions.create, **ASK)

    records = remembered(guard)
    assert server.hits == {FR_HOST: 1}
    assert caught.value.decision.call.asked.host == "open.bigmodel.cn"
    assert decisions(guard) == [("call", 0, "allow"), ("http", 0, "deny")]
    assert len({item["call_id"] for item in records}) == 1
    assert outcomes(guard) == [("complete", status)]


def test_a_redirect_of_the_asynchronous_client_is_denied_alike(
    guard: Guard, server: Loopback
) -> None:
    server.redirects[FR_HOST] = f"{CN}/chat/completions"

    async def main() -> None:
        http = server.aclient(httpx2)
        async with openai.AsyncOpenAI(
            base_url=FR, api_key="none", http_client=http
        ) as client:
            await guard.acall(guard.protect(client).chat.completions.create, **ASK)

    with pytest.raises(PolicyDenied, match="GDPR-01"):
        asyncio.run(main())

    assert server.hits == {FR_HOST: 1}
    assert decisions(guard) == [("call", 0, "allow"), ("http", 0, "deny")]
    assert outcomes(guard) == [("complete", 307)]


def test_a_redirect_to_a_place_that_is_allowed_is_followed_and_recorded(
    guard: Guard, server: Loopback
) -> None:
    other = "https://api.scaleway.ai:443/v1/chat/completions"
    server.redirects[FR_HOST] = other
    with sync_client(server, max_retries=0) as client:
        guard.protect(client)
        with pytest.raises(openai.APIConnectionError):
            guard.call(client.chat.completions.create, **ASK)

    # It leads in a circle, until the client has had enough: no hop goes unasked.
    followed = server.hits[FR_HOST]
    assert followed > 1
    assert decisions(guard) == [
        ("call", 0, "allow"),
        *[("http", 0, "allow")] * (followed - 1),
    ]
    assert outcomes(guard) == [("complete", 307)] * followed


@MODULES
@pytest.mark.parametrize("status", [500, 429, 408])
def test_each_retry_is_asked_and_each_attempt_has_its_end(
    guard: Guard, server: Loopback, module: Any, status: int
) -> None:
    server.failures = [status, status]
    with sync_client(server, module=module, max_retries=2) as client:
        guard.protect(client)
        client.chat.completions.create(**ASK)

    assert server.hits == {FR_HOST: 3}
    assert decisions(guard) == [("http", number, "allow") for number in range(3)]
    assert outcomes(guard) == [("error", status), ("error", status), ("complete", 200)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_a_policy_that_crashes_sends_nothing_and_is_asked_once(
    guard: Guard, server: Loopback, *, sync: bool, stream: bool
) -> None:
    policy = guard.core.policies.newest
    snapshot: Any = Broken(policy.snapshot)
    broken = PolicyInUse(replace(policy, snapshot=snapshot))
    failing = Guard.of_core(replace(guard.core, policies=broken)).bind(**TICKETS)

    async def main() -> None:
        async with async_client(server, max_retries=2) as client:
            failing.protect(client)
            await client.chat.completions.create(**ASK, stream=stream)

    def run() -> None:
        with sync_client(server, max_retries=2) as client:
            failing.protect(client)
            client.chat.completions.create(**ASK, stream=stream)

    with pytest.raises(openai.PermissionDeniedError) as caught:
        run() if sync else asyncio.run(main())

    (decision,) = remembered(guard)
    assert (decision["attempt"], decision["code"]) == (0, "engine.panic")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert server.hits == {}


def test_the_first_attempt_of_a_guarded_call_has_its_own_end(
    guard: Guard, server: Loopback
) -> None:
    server.failures = [500, 429]
    with sync_client(server, max_retries=2) as client:
        guard.protect(client)
        reply = guard.call(client.chat.completions.create, **ASK)

    assert reply.model == "glm-5.2"
    assert decisions(guard) == [
        ("call", 0, "allow"),
        ("http", 1, "allow"),
        ("http", 2, "allow"),
    ]
    assert outcomes(guard) == [("error", 500), ("error", 429), ("complete", 200)]
    assert len({item["call_id"] for item in remembered(guard)}) == 1


def test_a_call_that_fails_to_its_last_attempt_raises_the_sdks_own_error(
    guard: Guard, server: Loopback
) -> None:
    server.failures = [500, 500]
    with sync_client(server, max_retries=1) as client:
        guard.protect(client)
        with pytest.raises(openai.InternalServerError):
            guard.call(client.chat.completions.create, **ASK)

    assert outcomes(guard) == [("error", 500), ("error", 500)]


def test_a_line_that_is_cut_before_the_answer_is_an_error_of_that_attempt(
    guard: Guard, server: Loopback
) -> None:
    server.failures = [0]
    with sync_client(server, max_retries=1) as client:
        guard.protect(client)
        guard.call(client.chat.completions.create, **ASK)

    ends = [item for item in remembered(guard) if item["kind"] == "outcome"]
    assert [(item["outcome"], item["error"], item["status"]) for item in ends] == [
        ("error", "RemoteProtocolError", None),
        ("complete", None, 200),
    ]


def test_a_retry_that_cannot_be_recorded_is_not_sent(
    guard: Guard, server: Loopback
) -> None:
    server.failures = [500]
    http = server.client(httpx2, event_hooks={"response": [lambda _: guard.close()]})
    with openai.OpenAI(base_url=FR, api_key="none", http_client=http) as client:
        guard.protect(client)
        with pytest.raises(NoDecision, match=r"trail\.not_durable"):
            guard.call(client.chat.completions.create, **ASK)

    assert server.hits == {FR_HOST: 1}


@pytest.mark.parametrize("claimed", ["0", "7", "nonsense"])
def test_a_claimed_count_of_retries_buys_no_unasked_attempt(
    guard: Guard, server: Loopback, claimed: str
) -> None:
    server.failures = [500]
    headers = {"x-stainless-retry-count": claimed}
    with sync_client(server, max_retries=1) as client:
        guard.protect(client)
        guard.call(client.chat.completions.create, **ASK, extra_headers=headers)
        client.chat.completions.create(**ASK, extra_headers=headers)
        denied = client.with_options(base_url=CN)
        with pytest.raises(NotAllowed):
            guard.call(denied.chat.completions.create, **ASK, extra_headers=headers)
        with pytest.raises(openai.PermissionDeniedError):
            denied.chat.completions.create(**ASK, extra_headers=headers)

    number = int(claimed) if claimed.isdigit() else 0
    assert server.hits == {FR_HOST: 3}
    assert decisions(guard) == [
        ("call", 0, "allow"),
        ("http", number, "allow"),
        ("http", number, "allow"),
        ("call", 0, "deny"),
        ("http", number, "deny"),
    ]
    assert outcomes(guard) == [("error", 500), ("complete", 200), ("complete", 200)]


def test_a_fallback_to_another_model_inside_a_call_is_a_new_question(
    guard: Guard, server: Loopback
) -> None:
    with sync_client(server) as client:
        guard.protect(client)
        create = client.chat.completions.create

        @functools.wraps(create)
        def with_fallback(**asked: Any) -> Any:
            create(**asked)
            return create(**{**asked, "model": "no-such-model"})

        with pytest.raises(NotAllowed) as caught:
            guard.call(with_fallback, **ASK)

    assert caught.value.decision.call.asked.model == "no-such-model"
    assert server.hits == {FR_HOST: 1}
    assert outcomes(guard) == [("complete", 200)]


def test_only_what_plainly_asks_the_same_is_not_asked_about_anew(
    guard: Guard, server: Loopback
) -> None:
    facts = running.facts_here(guard)
    with sync_client(server) as client:
        create, words = client.chat.completions.create, dict(ASK)
        state = running.begin(
            guard.core, facts=facts, fn=create, args=(), kwargs=words
        ).state
        plain = describe(create, (), words)

    def is_same(known: Facts = state.facts, **changes: Any) -> bool:
        described = replace(plain, **changes)
        return running.is_asked_the_same(guard.core, state, described, known=known)

    others: list[dict[str, Any]] = [
        {"model": "claude-fable-5"},
        {"model": None},
        {"host": "open.bigmodel.cn"},
        {"opaque": True},
        {"calls": (plain,)},
        {"file": "file-1"},
        {"upload": True},
        {"known": replace(state.facts)},
    ]

    assert [change for change in others if is_same(**change)] == []
    assert [is_same(), is_same()] == [True, False]
