"""Answers that come by another route than the approved one, and what is done about it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from guards import FR, MESSAGES, SUMMER, TICKETS, settings
from integration.loopback import (
    MESSAGE,
    Loopback,
    chunk,
    event,
    message_stream,
    remembered,
)

from policyguard import Guard
from policyguard.settings import ObligationSettings

ASK: dict[str, Any] = {"model": "glm-5.2", "max_tokens": 8, "messages": MESSAGES}
US = {**MESSAGE, "usage": {**MESSAGE["usage"], "inference_geo": "us"}}
OTHER = {**MESSAGE, "model": "claude-fable-5"}


@pytest.fixture
def notices(tmp_path: Path) -> Path:
    return tmp_path / "notices.jsonl"


@pytest.fixture
def guard(tmp_path: Path, notices: Path) -> Iterator[Guard]:
    told = replace_obligations(settings(tmp_path), notices)
    with Guard(settings=told, clock=lambda: SUMMER) as made:
        yield made.bind(**TICKETS)


def replace_obligations(known: Any, notices: Path) -> Any:
    duties = ObligationSettings(notify=notices)
    return known.model_copy(update={"obligations": duties})


def asked(guard: Guard, server: Loopback, *, protected: bool, stream: bool) -> None:
    with anthropic.Anthropic(
        base_url=FR, api_key="none", http_client=server.client(httpx2)
    ) as client:
        if protected:
            guard.protect(client)
        reply: Any = guard.call(client.messages.create, **ASK, stream=stream)
        assert list(reply) if stream else reply.content[0].text


def said(guard: Guard) -> dict[str, Any]:
    outcome = remembered(guard)[-1]
    names = ("served_model", "served_countries", "deviations", "notified")
    return {name: outcome[name] for name in names}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            US,
            {
                "served_model": "glm-5.2",
                "served_countries": ["US"],
                "deviations": ["region"],
                "notified": True,
            },
        ),
        (
            OTHER,
            {
                "served_model": "claude-fable-5",
                "served_countries": None,
                "deviations": ["model"],
                "notified": True,
            },
        ),
        (
            MESSAGE,
            {
                "served_model": "glm-5.2",
                "served_countries": None,
                "deviations": [],
                "notified": None,
            },
        ),
    ],
)
@pytest.mark.parametrize("protected", [False, True])
def test_an_answer_by_another_route_is_recorded_and_told(
    guard: Guard,
    server: Loopback,
    *,
    notices: Path,
    message: dict[str, Any],
    expected: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    protected: bool,
) -> None:
    server.message = message
    with caplog.at_level(logging.WARNING, "policyguard"):
        asked(guard, server, protected=protected, stream=False)

    lines = notices.read_text().splitlines() if notices.exists() else []
    told = [json.loads(line)["deviations"] for line in lines]
    assert said(guard) == expected
    assert told == ([expected["deviations"]] if expected["deviations"] else [])
    assert ("answer.deviates" in caplog.text) == bool(told)


def test_a_stream_that_says_so_is_found_as_well(
    guard: Guard, server: Loopback, notices: Path
) -> None:
    server.messages = message_stream(inference_geo="us")
    asked(guard, server, protected=True, stream=True)

    assert said(guard)["deviations"] == ["region"]
    assert len(notices.read_text().splitlines()) == 1


def test_a_stream_that_changes_its_model_on_the_way_is_found(
    guard: Guard, server: Loopback
) -> None:
    moved = json.dumps({**json.loads(chunk("b")[6:]), "model": "claude-fable-5"})
    server.stream = (chunk("a"), b"data: " + moved.encode() + b"\n\n", b"data: [DONE]")
    with openai.OpenAI(
        base_url=FR, api_key="none", http_client=server.client(httpx2)
    ) as client:
        guard.protect(client)
        stream = client.chat.completions.create(
            model="glm-5.2", messages=MESSAGES, stream=True
        )
        assert len(list(stream)) == 2

    assert said(guard)["deviations"] == ["model"]


def test_a_region_in_the_headers_is_read(guard: Guard) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"x-ms-region": "East US"}, json=MESSAGE)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as client:
        guard.protect(client)
        client.post(f"{FR}/chat/completions", json=ASK).raise_for_status()

    assert said(guard)["served_countries"] == ["US"]


def test_a_notice_that_cannot_be_written_costs_nobody_the_answer(
    guard: Guard, server: Loopback, notices: Path
) -> None:
    notices.mkdir()
    server.message = US
    asked(guard, server, protected=True, stream=False)

    assert said(guard)["notified"] is False


SPENT = {"input_tokens": 3, "output_tokens": 9}
NOTHING_SPENT = {"input_tokens": 3, "output_tokens": 0}
SEARCH = [{"type": "web_search_20250305", "name": "web_search"}]


@pytest.mark.parametrize(
    ("usage", "more", "deviations"),
    [
        (SPENT, {}, ["usage"]),
        (NOTHING_SPENT, {}, ["usage"]),
        (MESSAGE["usage"], {}, []),
        # The provider makes several turns of it: its sum has no limit.
        (SPENT, {"tools": SEARCH}, []),
        (SPENT, {"tools": [{"name": "own", "input_schema": {}}]}, ["usage"]),
        (
            {**MESSAGE["usage"], "service_tier": "priority"},
            {"service_tier": "standard_only"},
            ["tier"],
        ),
        (
            {**MESSAGE["usage"], "service_tier": "priority"},
            {"service_tier": "auto"},
            [],
        ),
        ({}, {"service_tier": "standard_only"}, []),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_usage_and_tier_are_compared_with_what_was_asked_for(
    guard: Guard,
    server: Loopback,
    usage: dict[str, Any],
    more: dict[str, Any],
    deviations: list[str],
    *,
    stream: bool,
) -> None:
    if stream and usage is NOTHING_SPENT:
        pytest.skip("nobody reads the text of a stream")
    server.message = {**MESSAGE, "usage": usage}
    server.messages = (
        *message_stream(**usage)[:4],
        event("message_delta", delta={}, usage=usage),
        event("message_stop"),
    )
    body = {**ASK, **more, "stream": stream}
    with guard.protect(server.client(httpx2)) as client:
        client.post(f"{FR}/messages", json=body).read()

    assert said(guard)["deviations"] == deviations


@pytest.mark.parametrize(
    ("more", "deviations"),
    [
        ({"max_tokens": 4}, ["usage"]),
        ({"max_completion_tokens": 4}, ["usage"]),
        ({"max_tokens": 4, "n": 2}, []),
        ({"max_tokens": 4, "best_of": 2}, []),
        ({"max_tokens": "4"}, []),
        ({}, []),
    ],
)
def test_limits_are_those_of_all_that_the_answer_counts(
    guard: Guard, server: Loopback, more: dict[str, Any], deviations: list[str]
) -> None:
    with guard.protect(server.client(httpx2)) as client:
        client.post(
            f"{FR}/chat/completions",
            json={"model": "glm-5.2", "messages": MESSAGES, **more},
        )

    assert said(guard)["deviations"] == deviations
