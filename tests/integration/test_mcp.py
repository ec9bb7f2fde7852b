"""MCP: facts reach what a tool calls, and a refusal leaves in the caller's view."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from guards import CN, FR, MESSAGES, TICKETS
from integration.loopback import Since
from offline import Upstream

from policyguard import Guard
from policyguard.errors import CannotProtect, ConfigurationError
from policyguard.integrations import mcp as adapter


@pytest.fixture
def guard(shared: Guard) -> Guard:
    return shared


def who_asks(_: Any) -> dict[str, Any]:
    return TICKETS


def server_of(guard: Guard, upstream: Upstream, *middleware: Any) -> Any:
    """Return a server whose tools call models in each of the ways that there are."""
    from mcp.server.mcpserver import MCPServer

    made = MCPServer("notes", middleware=list(middleware))

    @made.tool()
    def wrapped(base_url: str) -> str:
        client = upstream.client(base_url)
        reply = guard.call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )
        return str(reply.choices[0].message.content)

    @made.tool()
    async def protected(base_url: str) -> str:
        client = upstream.aclient(base_url)
        guard.protect(client)
        reply = await client.chat.completions.create(model="glm-5.2", messages=MESSAGES)
        return str(reply.choices[0].message.content)

    @made.tool()
    def broken(base_url: str) -> str:
        raise ZeroDivisionError(base_url)

    return made


def called(server: Any, tool: str, base_url: str) -> Any:
    """Return the answer of a tool, or the error that its client gets."""
    from mcp.client import Client
    from mcp.shared.exceptions import MCPError

    async def call() -> Any:
        async with Client(server) as client:
            try:
                return await client.call_tool(tool, {"base_url": base_url})
            except MCPError as error:
                return error

    return asyncio.run(call())


@pytest.mark.parametrize("tool", ["wrapped", "protected"])
def test_a_tool_calls_its_model_with_the_facts_of_who_asks(
    guard: Guard, trail: Since, tool: str
) -> None:
    upstream = Upstream()
    server = server_of(guard, upstream, adapter.server_middleware(facts=who_asks))

    answer = called(server, tool, FR)

    assert not answer.is_error
    assert answer.content[0].text == "hello"
    assert upstream.hosts == ["api.scaleway.ai"]
    assert trail.verdicts == ["allow"]


@pytest.mark.parametrize("tool", ["wrapped", "protected"])
def test_a_refused_call_of_a_tool_sends_nothing_and_tells_the_callers_view(
    guard: Guard, trail: Since, tool: str
) -> None:
    upstream = Upstream()
    server = server_of(guard, upstream, adapter.server_middleware(facts=who_asks))

    told = called(server, tool, CN)

    (decision,) = trail.records
    assert upstream.hosts == []
    assert (told.code, told.data["decision"]) == (adapter.DENIED, decision["id"])
    assert [rule["id"] for rule in told.data["rules"]] == ["GDPR-01", "GDPR-04"]
    # Neither which fact decided nor how to say it otherwise.
    for hidden in ("data.subjects", "transfer_tool", "declare", "baseten"):
        assert hidden not in f"{told.message} {told.data}"


@pytest.mark.parametrize("way", ["prompt", "resource", "completion"])
@pytest.mark.parametrize("facts", ["given", "missing"])
@pytest.mark.parametrize("base_url", [FR, CN])
def test_prompts_resources_and_completions_have_the_facts_too(
    guard: Guard, trail: Since, way: str, facts: str, base_url: str
) -> None:
    from mcp import types
    from mcp.client import Client
    from mcp.server.mcpserver import MCPServer
    from mcp.shared.exceptions import MCPError

    upstream = Upstream()
    used = [adapter.server_middleware(facts=who_asks)] if facts == "given" else []
    server = MCPServer("notes", middleware=used)

    def said() -> str:
        create = upstream.client(base_url).chat.completions.create
        reply = guard.call(create, model="glm-5.2", messages=MESSAGES)
        return str(reply.choices[0].message.content)

    server.prompt("said")(said)
    server.resource("notes://said")(said)

    @server.completion()
    async def completed(*_: Any) -> Any:
        return types.Completion(values=[said()])

    async def asked(client: Any) -> Any:
        if way == "prompt":
            return await client.get_prompt("said")
        if way == "resource":
            return await client.read_resource("notes://said")
        ref = types.PromptReference(type="ref/prompt", name="said")
        return await client.complete(ref, {"name": "a", "value": "b"})

    async def call() -> Any:
        async with Client(server) as client:
            try:
                return await asked(client)
            except MCPError as error:
                return error

    answer = asyncio.run(call())

    (decision, *_) = trail.records
    assert "data.subjects" not in str(answer)
    if (facts, base_url) == ("given", FR):
        assert "hello" in str(answer)
        assert trail.verdicts == ["allow"]
        return
    assert upstream.hosts == []
    assert isinstance(answer, MCPError)
    if facts == "given":
        told = (answer.code, answer.data["decision"])
        assert told == (adapter.DENIED, decision["id"])


def test_without_the_middleware_a_tool_has_no_facts_and_is_refused(
    guard: Guard, trail: Since
) -> None:
    upstream = Upstream()

    answer = called(server_of(guard, upstream), "wrapped", FR)

    assert answer.is_error
    assert "GDPR" not in str(answer)
    assert upstream.hosts == []
    assert trail.verdicts == ["require_approval"]


def test_what_fails_otherwise_fails_as_it_would(guard: Guard) -> None:
    server = server_of(guard, Upstream(), adapter.server_middleware(facts=who_asks))

    answer = called(server, "broken", "canary")

    assert answer.is_error
    assert "canary" not in str(answer)


def test_facts_that_cannot_be_had_end_the_request(guard: Guard) -> None:
    def nobody(_: Any) -> dict[str, Any]:
        raise LookupError("who is that?")

    upstream = Upstream()
    server = server_of(guard, upstream, adapter.server_middleware(facts=nobody))

    told = called(server, "wrapped", FR)

    assert str(told) == "Internal server error"
    assert upstream.hosts == []


@pytest.mark.parametrize(("base_url", "allowed"), [(FR, True), (CN, False)])
def test_sampling_is_answered_or_refused_to_the_server(
    guard: Guard, base_url: str, *, allowed: bool
) -> None:
    from mcp import types

    upstream = Upstream()

    async def answer(_context: Any, params: Any) -> Any:
        reply = await guard.acall(
            upstream.aclient(base_url).chat.completions.create,
            model="glm-5.2",
            messages=MESSAGES,
        )
        text = str(reply.choices[0].message.content)
        content = types.TextContent(type="text", text=text)
        return types.CreateMessageResult(
            role="assistant", content=content, model="glm-5.2"
        )

    given = adapter.sampling_callback(answer, facts=TICKETS)
    told = asyncio.run(given(None, None))

    if allowed:
        assert (told.content.text, upstream.hosts) == ("hello", ["api.scaleway.ai"])
    else:
        assert (told.code, upstream.hosts) == (adapter.DENIED, [])
        assert told.data["verdict"] == "deny"
        assert "data.subjects" not in str(told)


@pytest.mark.parametrize(
    "broken", [False, True], ids=["denied by the transport", "failed otherwise"]
)
def test_sampling_by_a_protected_client_refuses_and_fails_alike(
    guard: Guard, *, broken: bool
) -> None:
    upstream = Upstream()
    client = upstream.aclient(CN)
    guard.protect(client)

    async def answer(_context: Any, _params: Any) -> Any:
        if broken:
            raise ValueError("no answer")
        return await client.chat.completions.create(model="glm-5.2", messages=MESSAGES)

    given = adapter.sampling_callback(answer, facts=TICKETS)
    if broken:
        with pytest.raises(ValueError, match="no answer"):
            asyncio.run(given(None, None))
        return
    told = asyncio.run(given(None, None))

    assert (told.code, told.data["verdict"]) == (adapter.DENIED, "deny")
    assert told.data["decision"] in told.message
    assert upstream.hosts == []


def test_a_server_is_nothing_that_could_be_protected(guard: Guard) -> None:
    with pytest.raises(CannotProtect, match="sends to no model"):
        guard.protect(server_of(guard, Upstream()))


@pytest.mark.parametrize(
    ("tools", "allowed"),
    [
        ({"given": "https://api.mistral.ai/v1"}, True),
        ({"given": None}, True),
        ({"given": CN}, False),
        ({"given": "https://llm.unknown.example/v1"}, False),
        ({"other": None}, False),
    ],
)
def test_a_tool_call_is_an_export_to_where_the_tool_sends(
    guard: Guard, trail: Since, tools: dict[str, str | None], *, allowed: bool
) -> None:
    ran: list[str] = []
    free = guard.bind(data={"classes": ["none"]} if allowed else TICKETS["data"])
    server = server_of(
        guard,
        Upstream(),
        adapter.server_middleware(
            facts=lambda _: {k: v for k, v in TICKETS.items() if k != "data"},
            guard=free,
            tools=tools,
        ),
    )

    @server.tool()
    def given(base_url: str) -> str:
        ran.append(base_url)
        return "ran"

    told = called(server, "given", "canary")

    assert ran == (["canary"] if allowed else [])
    assert getattr(told, "code", None) == (None if allowed else adapter.DENIED)
    decided = [] if tools.get("given", "") is None else ["decision"]
    assert trail.kinds[:1] == decided
    # A name that only the protocol's client has given is not in the log.
    known = "given" if tools.get("given") else None
    asked = [item for item in trail.records if item["kind"] == "decision"]
    assert {item.get("tool") for item in asked} == ({known} if asked else set())


@pytest.mark.parametrize("name", ["", "n" * 129, "caf\u00e9", "a\nb"])
def test_a_tool_has_a_name_that_records_can_have(guard: Guard, name: str) -> None:
    with pytest.raises(ConfigurationError, match="no name of a tool"):
        adapter.server_middleware(facts=who_asks, guard=guard, tools={name: None})


def test_tools_without_a_guard_to_ask_are_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="give `guard` and `tools`"):
        adapter.server_middleware(facts=who_asks, tools={})
