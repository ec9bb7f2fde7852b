"""What a caller is told over HTTP: the rule and the way out, never the facts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from guards import CN, FR, MESSAGES, TICKETS, guard_in
from integration.loopback import Loopback, remembered

from policyguard import Guard, PolicyDenied, denial_of

ASK: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made.bind(**TICKETS)


def answered(guard: Guard, server: Loopback, url: str) -> httpx2.Response:
    with guard.protect(server.client(httpx2)) as client:
        answer: httpx2.Response = client.post(url, json=ASK)
        return answer


def test_a_denial_has_the_rule_its_citation_and_the_permitted_routes(
    guard: Guard, server: Loopback
) -> None:
    answer = answered(guard, server, f"{CN}/chat/completions")
    (record,) = remembered(guard)

    document = answer.json()
    error = document["error"]
    assert (set(document), set(error)) == (
        {"error"},
        {
            "message",
            "type",
            "code",
            "param",
            "decision_id",
            "verdict",
            "rules",
            "permitted",
        },
    )
    assert (error["type"], error["code"], error["param"], error["verdict"]) == (
        "policy_denied",
        "GDPR-01",
        None,
        "deny",
    )
    assert error["decision_id"] == record["id"]
    assert error["message"] == f"not allowed by GDPR-01, GDPR-04 [{record['id']}]"
    assert [set(rule) for rule in error["rules"]] == [{"id", "title", "citation"}] * 2
    assert [(rule["id"], rule["citation"]) for rule in error["rules"]] == [
        ("GDPR-01", "GDPR Art. 44-46, 49"),
        ("GDPR-04", "GDPR Art. 5, 28"),
    ]
    assert "api.scaleway.ai" in {route["host"] for route in error["permitted"]}
    assert {key for route in error["permitted"] for key in route} == {
        "deployment",
        "model",
        "host",
    }


def test_a_denial_tells_no_fact_no_remedy_and_no_person(
    guard: Guard, server: Loopback
) -> None:
    answer = answered(guard, server, f"{CN}/chat/completions")
    with (
        openai.OpenAI(
            base_url=CN, api_key="none", http_client=server.client(httpx2)
        ) as client,
        pytest.raises(PolicyDenied) as caught,
    ):
        guard.call(client.chat.completions.create, **ASK)

    denials = [item for item in caught.value.decision.findings if item.effect == "deny"]
    assert [item.id for item in denials] == ["GDPR-01", "GDPR-04"]
    assert all(item.facts and item.remedy for item in denials)
    # A route has a `deployment`, and so may the facts: the word is no secret.
    error = {**answer.json()["error"], "permitted": []}
    told = json.dumps([error, dict(answer.headers)])
    texts = [text for item in denials for text in (*item.facts, item.remedy, item.msg)]
    hidden = (*texts, "canary", "acme")
    assert [text for text in hidden if text in told] == []


def test_the_error_of_a_protected_client_leads_to_the_decision_in_the_process(
    guard: Guard, server: Loopback
) -> None:
    with openai.OpenAI(
        base_url=CN, api_key="none", http_client=server.client(httpx2)
    ) as client:
        guard.protect(client)
        with pytest.raises(openai.PermissionDeniedError) as caught:
            client.chat.completions.create(**ASK)
    wrapped = RuntimeError("of a framework")
    wrapped.__cause__ = caught.value

    found = denial_of(caught.value)
    (record,) = remembered(guard)
    assert found is not None
    assert (found.id, found.verdict) == (record["id"], "deny")
    assert denial_of(wrapped) == found
    assert denial_of(ValueError("another")) is None


def test_a_denial_is_an_answer_that_nobody_retries_or_keeps(
    guard: Guard, server: Loopback
) -> None:
    answer = answered(guard, server, f"{CN}/chat/completions")
    (record,) = remembered(guard)

    names = ("x-should-retry", "cache-control", "x-policyguard-decision")
    assert answer.status_code == 403
    assert [answer.headers[name] for name in names] == [
        "false",
        "no-store",
        record["id"],
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.anthropic.com/v1/complete",
        "https://gateway.example/anthropic/v1/messages",
        "https://gateway.example/v1/messages/count_tokens",
    ],
)
def test_a_denial_has_the_shape_that_the_provider_uses(
    guard: Guard, server: Loopback, url: str
) -> None:
    document = answered(guard, server, url).json()
    (record,) = remembered(guard)

    message = document["error"]["message"]
    assert document == {
        "type": "error",
        "error": {"type": "permission_error", "message": message},
        "request_id": record["id"],
    }
    assert record["id"] in message


def test_a_guard_without_a_trail_does_not_say_where_it_should_be(
    guard: Guard, server: Loopback
) -> None:
    guard.close()
    answer = answered(guard, server, f"{FR}/chat/completions")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (403, "trail.not_durable")
    assert str(guard.trail_directory) not in answer.text
    assert (error["rules"], error["permitted"]) == ([], [])
