"""What tools a call offers its model is kept with its record, where content is kept."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import openai
import pytest
from guards import FR, MESSAGES
from integration.loopback import Loopback, Since, remembered
from integration.program import run
from integration.test_batches import kept

from policyguard import Guard
from policyguard.integrations.wire_tools import offered_in

OWN = {"type": "function", "function": {"name": "canary_mail", "parameters": {}}}
SERVER = {
    "type": "mcp",
    "server_label": "crm",
    "server_url": "https://tools.example/mcp?key=canary-secret",
}
SCHEMA: dict[str, Any] = {"type": "object"}
CHAT: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}
TELL: dict[str, Any] = {"model": "glm-5.2", "input": "canary-prompt"}
MSG: dict[str, Any] = {**CHAT, "max_tokens": 8}
CALLS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "chat": ("chat.completions", {**CHAT, "tools": [OWN]}, ["canary_mail"]),
    "functions": (
        "chat.completions",
        {**CHAT, "functions": [{"name": "old"}], "web_search_options": {}},
        ["old", "web_search_options"],
    ),
    "responses": (
        "responses",
        {
            **TELL,
            "tools": [{"type": "function", "name": "own"}, {"type": "web_search"}],
            "extra_body": {
                "mcp_servers": [{"type": "url", "url": "https://a.example"}]
            },
        },
        ["own", "web_search", "url at a.example"],
    ),
    "server": ("responses", {**TELL, "tools": [SERVER]}, ["mcp crm at tools.example"]),
    "messages": (
        "messages",
        {
            **MSG,
            "tools": [
                {"name": "own", "input_schema": SCHEMA},
                {"type": "web_search_20250305", "name": "web_search"},
            ],
        },
        ["own", "web_search_20250305 web_search"],
    ),
}


def client_of(server: Loopback, resource: str) -> Any:
    kind: Any = anthropic.Anthropic if resource == "messages" else openai.OpenAI
    return kind(base_url=FR, api_key="none", http_client=server.client(httpx2))


def create_of(client: Any, resource: str) -> Any:
    for part in resource.split("."):
        client = getattr(client, part)
    return client.create


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("way", ["wrapped", "protected", "both"])
def test_the_record_of_a_call_leads_to_the_tools_that_it_offers(
    guard: Guard, server: Loopback, trail: Since, name: str, way: str
) -> None:
    resource, body, offered = CALLS[name]
    with client_of(server, resource) as client:
        if way != "wrapped":
            guard.protect(client)
        create = create_of(client, resource)
        create(**body) if way == "protected" else guard.call(create, **body)

    (decision,) = [item for item in trail.records if item["kind"] == "decision"]
    assert kept(guard, decision)["offered"] == offered
    # Names were typed: none of them is in the leaf.
    assert "offered" not in decision
    assert not any(part in str(decision) for part in ("canary", "tools.example"))


def test_each_call_of_a_batch_has_its_own_tools_in_its_record(
    guard: Guard, server: Loopback, trail: Since
) -> None:
    asked = [{**MSG, "tools": [{"name": name}]} for name in ("one", "two", "one")]
    with client_of(server, "messages") as client:
        guard.protect(client)
        client.messages.batches.create(
            requests=[
                {"custom_id": str(number), "params": item}
                for number, item in enumerate(asked)
            ]
        )

    contents = [kept(guard, item) for item in trail.records if "verdict" in item]
    assert [(item["offered"], item["requests"]) for item in contents] == [
        (["one"], [1]),
        (["two"], [2]),
        (["one"], [3]),
    ]


def test_a_call_without_tools_has_nothing_more_in_its_record(
    guard: Guard, server: Loopback, trail: Since
) -> None:
    with client_of(server, "chat.completions") as client:
        guard.call(client.chat.completions.create, **CHAT)
        guard.call(client.chat.completions.create, **CHAT, tools=[])

    first, second = [item for item in trail.records if item["kind"] == "decision"]
    assert set(kept(guard, first)) == set(kept(guard, second))
    assert "offered" not in kept(guard, first)


def test_a_person_reads_what_was_offered(guard: Guard, server: Loopback) -> None:
    with client_of(server, "responses") as client:
        guard.call(client.responses.create, **TELL, tools=[SERVER])
    decision = remembered(guard)[-2]

    shown = run("audit", "show", decision["id"], "--trail", guard.trail_directory)

    again = run("audit", "replay", decision["id"], "--trail", guard.trail_directory)

    assert again.exit_code == 0, again.output
    assert "mcp crm at tools.example" in shown.stdout
    assert "canary-secret" not in shown.stdout


@pytest.mark.parametrize(
    ("body", "offered"),
    [
        ({"tools": [{"name": "a\x1b[2Jb\ud800"}]}, ("a?[2Jb?",)),
        ({"tools": [{"name": "x" * 500}]}, ("x" * 128,)),
        ({"tools": [7, {"name": 7}, {}, {"type": 7}]}, ("?",) * 4),
        ({"tools": "all"}, ()),
        (
            {"tools": [{"name": str(number)} for number in range(70)]},
            (*map(str, range(64)), "… and 6 more"),
        ),
        ({"tools": [{"type": "mcp", "server_url": "https://[x"}]}, ("mcp",)),
    ],
)
def test_whatever_was_typed_is_printable_and_bounded(
    body: dict[str, Any], offered: tuple[str, ...]
) -> None:
    assert offered_in(body) == offered
