"""What tools a call offers its model is kept with its record, where content is kept."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from guards import FR, MESSAGES
from integration.bedrock import Bedrock
from integration.loopback import Loopback, Since, remembered
from integration.program import run
from integration.test_batches import kept
from integration.test_boto3 import EU
from integration.test_boto3 import MESSAGES as TURNS
from integration.test_routing import BLOG

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


OF_BEDROCK: dict[str, Any] = {
    "tools": [
        {"toolSpec": {"name": "own", "inputSchema": {"json": SCHEMA}}},
        {"cachePoint": {"type": "default"}},
    ]
}
OF_CLAUDE = json.dumps(
    {
        "messages": [],
        "tools": [
            {"name": "own", "input_schema": SCHEMA},
            {"type": "web_search_20250305", "name": "web_search"},
        ],
    }
)
OPERATIONS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "converse": (
        {"messages": TURNS, "toolConfig": OF_BEDROCK},
        ["own"],
    ),
    "invoke_model": ({"body": OF_CLAUDE}, ["own", "web_search_20250305 web_search"]),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("way", ["wrapped", "protected", "both"])
def test_the_record_of_a_call_of_bedrock_leads_to_its_tools_too(
    guard: Guard, trail: Since, operation: str, way: str
) -> None:
    body, offered = OPERATIONS[operation]
    with Bedrock() as server:
        client = server.client()
        if way != "wrapped":
            guard.bind(**BLOG).protect(client)
        method = getattr(client, operation)
        if way == "protected":
            method(modelId=EU, **body)
        else:
            guard.bind(**BLOG).call(method, modelId=EU, **body)

    (decision,) = [item for item in trail.records if item["kind"] == "decision"]
    assert kept(guard, decision)["offered"] == offered


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
        ({"toolConfig": "all"}, ()),
        ({"toolConfig": {"tools": "all"}}, ()),
        ({"toolConfig": {"tools": [{"toolSpec": 7}, {"toolSpec": {}}]}}, ("?", "?")),
        ({"toolConfig": {"tools": [{"newTool": {}}, {7: {}}]}}, ("newTool", "?")),
        (
            {"toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}},
            ("systemTool nova_grounding",),
        ),
        (
            {
                "tools": [
                    {
                        "functionDeclarations": [{"name": "one"}, {"name": "two"}, 7],
                        "googleSearch": {},
                    }
                ]
            },
            ("one", "two", "?", "googleSearch"),
        ),
        ({"tools": [{"function": {"name": "own"}}]}, ("own",)),
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
