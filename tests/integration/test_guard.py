"""The guard around the real SDK: what goes out, what is raised, what is remembered."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path

import httpx2
import openai
import pytest
from guards import CN, FR, MESSAGES, NOWHERE, TICKETS, guard_in
from offline import Upstream

from policyguard import (
    ApprovalRequired,
    CannotProtect,
    Guard,
    NoDecision,
    NotAllowed,
    PolicyDenied,
    context,
)


@pytest.fixture
def guard(tmp_path: Path):
    with guard_in(tmp_path) as made:
        yield made


def test_an_allowed_call_goes_out_and_its_own_answer_comes_back(guard: Guard) -> None:
    upstream = Upstream()
    client = upstream.client(FR)

    reply = guard.bind(**TICKETS).call(
        client.chat.completions.create, model="glm-5.2", messages=MESSAGES
    )

    assert reply.choices[0].message.content == "hello"
    assert upstream.hosts == ["api.scaleway.ai"]


def test_a_denied_call_reaches_no_network_and_says_why(guard: Guard) -> None:
    upstream = Upstream()
    client = upstream.client(CN)

    with pytest.raises(PolicyDenied) as caught:
        guard.bind(**TICKETS).call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )

    decision = caught.value.decision
    assert upstream.hosts == []
    assert [item.id for item in decision.findings if item.effect == "deny"] == [
        "GDPR-01",
        "GDPR-04",
    ]
    assert "api.scaleway.ai" in {item.host for item in decision.alternatives}
    text = str(caught.value)
    for part in ("denied by GDPR-01", "CN", "Art. 44", "would pass", "entry 1 of"):
        assert part in text


def test_an_unknown_host_is_named_and_nothing_is_sent(guard: Guard) -> None:
    upstream = Upstream()
    client = upstream.client(NOWHERE)

    with pytest.raises(ApprovalRequired, match=r"llm\.unknown\.example"):
        guard.bind(**TICKETS).call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )

    assert upstream.hosts == []


def test_a_strict_tenant_is_denied_what_is_unknown(tmp_path: Path) -> None:
    upstream = Upstream()
    client = upstream.client(NOWHERE)

    with (
        guard_in(tmp_path, profile="strict") as guard,
        pytest.raises(PolicyDenied, match="FACT-02"),
    ):
        guard.bind(**TICKETS).call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )

    assert upstream.hosts == []


def test_the_body_that_really_goes_out_decides_about_the_model(guard: Guard) -> None:
    upstream = Upstream()
    client = upstream.client(FR)

    with pytest.raises(NotAllowed, match="no-such-model"):
        guard.bind(**TICKETS).call(
            client.chat.completions.create,
            model="glm-5.2",
            messages=MESSAGES,
            extra_body={"model": "no-such-model"},
        )

    assert upstream.hosts == []


def test_what_the_guard_cannot_see_is_unknown(guard: Guard) -> None:
    sent: list[int] = []

    with pytest.raises(NotAllowed, match=r"note +what is called is no method of a cl"):
        guard.bind(**TICKETS).call(lambda: sent.append(1))

    assert sent == []


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (None, r"no adapter for a `builtins\.NoneType`: .*@guard\.guarded"),
        (urllib.request.build_opener(), r"no adapter for a `urllib\.request\.Opener"),
        (openai, r"no adapter for a `builtins\.module`"),
        (openai.OpenAI, "is no client of the SDK"),
        (httpx2.HTTPTransport(), "protect the client that sends"),
        (httpx2.Request("GET", FR), "protect the client that sends"),
    ],
    ids=["nothing", "opener", "module", "class", "transport", "request"],
)
def test_what_is_no_client_is_not_protected_and_says_what_could_be(
    guard: Guard, thing: object, said: str
) -> None:
    with pytest.raises(CannotProtect, match=said):
        guard.protect(thing)


def test_facts_of_a_block_count_and_bound_ones_win(guard: Guard) -> None:
    upstream = Upstream()
    create = upstream.client(FR).chat.completions.create

    with context(**TICKETS):
        guard.call(create, model="glm-5.2", messages=MESSAGES)
        with pytest.raises(PolicyDenied, match="GDPR-01"):
            guard.bind(exporter="DE").call(
                upstream.client(CN).chat.completions.create,
                model="glm-5.2",
                messages=MESSAGES,
            )
    with pytest.raises(ApprovalRequired, match="lost in a thread"):
        guard.call(create, model="glm-5.2", messages=MESSAGES)

    assert upstream.hosts == ["api.scaleway.ai"]


def test_a_stream_is_the_sdks_own(guard: Guard) -> None:
    upstream = Upstream()
    client = guard.protect(upstream.client(FR))

    stream = guard.bind(**TICKETS).call(
        client.chat.completions.create, model="glm-5.2", messages=MESSAGES, stream=True
    )

    assert type(stream) is openai.Stream
    assert [chunk.choices[0].delta.content for chunk in stream] == ["hello"]


def test_the_asynchronous_client_is_guarded_alike(guard: Guard) -> None:
    upstream = Upstream()
    bound = guard.bind(**TICKETS)

    async def main() -> str | None:
        with pytest.raises(PolicyDenied, match="GDPR-01"):
            await bound.acall(
                upstream.aclient(CN).chat.completions.create,
                model="glm-5.2",
                messages=MESSAGES,
            )
        reply = await bound.acall(
            upstream.aclient(FR).chat.completions.create,
            model="glm-5.2",
            messages=MESSAGES,
        )
        return reply.choices[0].message.content

    assert asyncio.run(main()) == "hello"
    assert upstream.hosts == ["api.scaleway.ai"]


def test_an_asynchronous_callable_given_to_call_is_not_sent(guard: Guard) -> None:
    upstream = Upstream()
    client = upstream.aclient(FR)

    with pytest.raises(TypeError, match="acall"):
        guard.bind(**TICKETS).call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )

    assert upstream.hosts == []


def test_a_guard_that_cannot_record_does_not_forward(guard: Guard) -> None:
    upstream = Upstream()
    client = upstream.client(FR)
    guard.close()

    with pytest.raises(NoDecision, match=r"trail\.not_durable"):
        guard.bind(**TICKETS).call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )

    assert upstream.hosts == []


def test_a_check_answers_and_never_raises_for_a_denial(guard: Guard) -> None:
    upstream = Upstream()
    with pytest.raises(PolicyDenied) as caught:
        guard.bind(**TICKETS).call(
            upstream.client(CN).chat.completions.create,
            model="glm-5.2",
            messages=MESSAGES,
        )
    question = caught.value.decision.call

    decision = guard.check(question)
    awaited = asyncio.run(guard.acheck(question))

    assert (decision.verdict, decision.simulated) == ("deny", True)
    assert (awaited.verdict, awaited.findings) == ("deny", decision.findings)
