"""LangChain behind a guard: models, agents and the callback, refused without a byte.

If this fails with another version of LangChain, it has changed what it calls models by.
The package takes seconds to import, so it is imported where a test of it runs.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from guards import CN, FR, SUMMER, TICKETS, guard_in, settings
from integration.loopback import CHAT, Loopback, Since
from integration.test_batches import kept

from policyguard import Guard, NotAllowed, PolicyDenied, context, denial_of
from policyguard.errors import CannotProtect
from policyguard.integrations import langchain as adapter
from policyguard.integrations.httpx import is_protected
from policyguard.integrations.sdk_methods import is_client
from policyguard.settings import DetectionSettings

PROMPT = "canary-prompt"


# LangChain's models keep clients that nobody can close; they end with the test.
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.usefixtures("collected"),
]


async def _all(source: Any) -> list[Any]:
    return [item async for item in source]


WAYS: dict[str, Any] = {
    "invoke": lambda model, **more: model.invoke(PROMPT, **more),
    "ainvoke": lambda model, **more: asyncio.run(model.ainvoke(PROMPT, **more)),
    "stream": lambda model, **more: list(model.stream(PROMPT, **more)),
    "astream": lambda model, **more: asyncio.run(_all(model.astream(PROMPT, **more))),
    "batch": lambda model, **more: model.batch([PROMPT], **more),
    "abatch": lambda model, **more: asyncio.run(model.abatch([PROMPT], **more)),
}


@pytest.fixture
def guard(shared: Guard) -> Guard:
    return shared


def chat(server: Loopback, base_url: str, **more: Any) -> Any:
    from langchain_openai import ChatOpenAI

    given = {
        "model": "glm-5.2",
        "base_url": base_url,
        "api_key": "none",
        "http_client": server.client(httpx2),
        "http_async_client": server.aclient(httpx2),
    }
    return ChatOpenAI(**{**given, **more})


def embeddings(server: Loopback, base_url: str) -> Any:
    from langchain_openai import OpenAIEmbeddings

    return OpenAIEmbeddings(
        model="glm-5.2",
        base_url=base_url,
        api_key="none",
        check_embedding_ctx_length=False,
        http_client=server.client(httpx2),
        http_async_client=server.aclient(httpx2),
    )


def claude(base_url: str) -> Any:
    """Return a model of Anthropic's, where it goes with the LangChain that is here."""
    why = "no langchain-anthropic goes with this langchain-core"
    known = pytest.importorskip("langchain_anthropic", reason=why, exc_type=ImportError)
    return known.ChatAnthropic(
        model="claude-fable-5", api_key="none", base_url=base_url
    )


def agent(model: Any, *middleware: Any) -> Any:
    from langchain.agents import create_agent

    return create_agent(model, [], middleware=list(middleware))


ASKED = {"messages": [{"role": "user", "content": PROMPT}]}


@pytest.mark.parametrize("way", WAYS)
def test_a_protected_model_sends_what_is_allowed(
    server: Loopback, guard: Guard, trail: Since, way: str
) -> None:
    model = chat(server, FR)
    guard.protect(model)

    with context(**TICKETS):
        assert WAYS[way](model)

    assert server.hits == {"api.scaleway.ai": 1}
    assert trail.verdicts == ["allow"]
    assert trail.endings == [("complete", None)]


@pytest.mark.parametrize("way", WAYS)
def test_a_protected_model_sends_nothing_that_is_refused(
    server: Loopback, guard: Guard, trail: Since, way: str
) -> None:
    model = chat(server, CN)
    guard.protect(model)

    with context(**TICKETS), pytest.raises(Exception) as caught:  # noqa: PT011 -- the SDK's
        WAYS[way](model)

    decision = denial_of(caught.value)
    assert decision is not None
    assert server.hits == {}
    assert trail.verdicts == ["deny"]


def test_a_wrapped_model_has_one_decision_and_says_what_it_denies(
    server: Loopback, guard: Guard, trail: Since
) -> None:
    support = guard.bind(**TICKETS)
    here, there = chat(server, FR), chat(server, CN)
    guard.protect(here)

    reply = support.call(here.invoke, PROMPT)
    areply = asyncio.run(support.acall(here.ainvoke, PROMPT))
    with pytest.raises(PolicyDenied, match="GDPR-01"):
        support.call(there.invoke, PROMPT)
    with pytest.raises(NotAllowed):
        support.call(here.invoke, PROMPT, model="another-model")

    assert (reply.content, areply.content) == ('{"text": "hello"}',) * 2
    assert server.hits == {"api.scaleway.ai": 2}
    assert trail.verdicts == ["allow", "allow", "deny", "require_approval"]


def test_an_unprotected_model_records_its_tokens(
    server: Loopback, guard: Guard, trail: Since
) -> None:
    guard.bind(**TICKETS).call(chat(server, FR).invoke, PROMPT)

    outcome = trail.records[-1]
    assert (outcome["outcome"], outcome["input_tokens"], outcome["output_tokens"]) == (
        "complete",
        3,
        5,
    )


def test_what_hides_the_model_that_is_sent_is_not_sent(
    server: Loopback, guard: Guard
) -> None:
    for call in (
        chat(server, FR).bind(model="another-model").invoke,
        chat(server, FR, extra_body={"model": "another-model"}).invoke,
    ):
        with pytest.raises(NotAllowed):
            guard.bind(**TICKETS).call(call, PROMPT)

    assert server.hits == {}


def test_anthropics_models_are_protected_for_both_kinds_of_calls(
    server: Loopback, guard: Guard
) -> None:
    # An address of its own: LangChain shares HTTP clients by address.
    model = claude("https://api.anthropic.com/langchain")
    for client, led in (
        (model._client._client, server.client(httpx2)),
        (model._async_client._client, server.aclient(httpx2)),
    ):
        client._transport = led._transport
    guard.protect(model)

    for way in ("invoke", "ainvoke", "stream", "astream"):
        with context(**TICKETS), pytest.raises(Exception) as caught:  # noqa: PT011
            WAYS[way](model)
        assert denial_of(caught.value) is not None
    assert server.hits == {}


def test_embeddings_are_protected(server: Loopback, guard: Guard) -> None:
    known = embeddings(server, CN)
    guard.protect(known)

    with context(**TICKETS):
        for call in (
            lambda: known.embed_query(PROMPT),
            lambda: asyncio.run(known.aembed_query(PROMPT)),
        ):
            with pytest.raises(Exception) as caught:  # noqa: PT011 -- the SDK's
                call()
            assert denial_of(caught.value) is not None
    assert server.hits == {}


OTHERWISE: dict[str, Any] = {
    "responses": lambda model: model.model_copy(update={"use_responses_api": True}),
    "structured": lambda model: model.with_structured_output(
        {"title": "reply", "type": "object", "properties": {"text": {"type": "string"}}}
    ),
    "tools": lambda model: model.bind_tools([{"type": "function", "function": TOOL}]),
    "fallbacks": lambda model: model.with_fallbacks([model]),
}
TOOL = {"name": "note", "description": "Writes.", "parameters": {"type": "object"}}


@pytest.mark.parametrize("kind", OTHERWISE)
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
def test_what_is_made_of_a_protected_model_sends_nothing_that_is_refused(
    server: Loopback, guard: Guard, trail: Since, kind: str, way: str
) -> None:
    model = chat(server, CN)
    guard.protect(model)

    with context(**TICKETS), pytest.raises(Exception) as caught:  # noqa: PT011 -- the SDK's
        WAYS[way](OTHERWISE[kind](model))

    assert denial_of(caught.value) is not None
    assert server.hits == {}
    assert set(trail.verdicts) == {"deny"}


def _held(thing: Any) -> dict[str, Any]:
    """Return each client of an SDK that a model holds, by the name that it has there."""
    known = {**vars(thing), **(getattr(thing, "__pydantic_private__", None) or {})}
    return {
        name: client
        for name, value in known.items()
        for client in (value, getattr(value, "_client", None))
        if is_client(client)
    }


MODELS: dict[str, Any] = {
    "chat": lambda server: chat(server, FR),
    "embeddings": lambda server: embeddings(server, FR),
    "anthropic": lambda _: claude("https://api.anthropic.com/every-client"),
}
HELD = {
    "chat": ["async_client", "client", "root_async_client", "root_client"],
    "embeddings": ["async_client", "client"],
    "anthropic": ["_async_client", "_client"],
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_client_that_a_model_holds_is_protected(
    server: Loopback, guard: Guard, kind: str
) -> None:
    """What LangChain keeps elsewhere from now on shows here."""
    model = MODELS[kind](server)
    guard.protect(model)
    held = _held(model)

    assert sorted(held) == HELD[kind]
    assert all(is_protected(client._client) for client in held.values())


def test_a_model_without_known_clients_is_not_protected(guard: Guard) -> None:
    from langchain_core.language_models import FakeListChatModel

    with pytest.raises(CannotProtect, match="FakeListChatModel"):
        guard.protect(FakeListChatModel(responses=["hello"]))


@pytest.mark.parametrize("held", ["root_async_client", "root_client"])
def test_a_model_with_clients_for_one_kind_of_calls_is_not_protected(
    server: Loopback, guard: Guard, held: str
) -> None:
    model = chat(server, FR)
    others = {"root_async_client": "async_client", "root_client": "client"}
    for name in (held, others[held]):
        setattr(model, name, None)

    with pytest.raises(CannotProtect, match="synchronous and asynchronous"):
        guard.protect(model)


STEPS: dict[str, Any] = {
    "invoke": lambda made: made.invoke(ASKED),
    "ainvoke": lambda made: asyncio.run(made.ainvoke(ASKED)),
    "stream": lambda made: list(made.stream(ASKED)),
    "astream": lambda made: asyncio.run(_all(made.astream(ASKED))),
    "tokens": lambda made: list(made.stream(ASKED, stream_mode="messages")),
    "atokens": lambda made: asyncio.run(
        _all(made.astream(ASKED, stream_mode="messages"))
    ),
}


def stepping(server: Loopback, guard: Guard, base_url: str, layers: str) -> Any:
    """Return an agent with the guard in its middleware, below its model, or both."""
    model, support = chat(server, base_url), guard.bind(**TICKETS)
    if layers != "middleware":
        support.protect(model)
    asked = [] if layers == "transport" else [adapter.agent_middleware(support)]
    return agent(model, *asked)


LAYERS = pytest.mark.parametrize("layers", ["middleware", "transport", "both"])


@pytest.mark.parametrize("run", STEPS)
@LAYERS
def test_an_agent_asks_at_each_step_and_once_with_a_protected_model(
    server: Loopback, guard: Guard, trail: Since, run: str, layers: str
) -> None:
    assert STEPS[run](stepping(server, guard, FR, layers))

    assert server.hits == {"api.scaleway.ai": 1}
    assert trail.verdicts == ["allow"]
    assert trail.endings == [("complete", None)]


@pytest.mark.parametrize("run", STEPS)
@LAYERS
def test_a_refused_step_of_an_agent_sends_nothing_and_leads_to_the_decision(
    server: Loopback, guard: Guard, trail: Since, run: str, layers: str
) -> None:
    """Whoever takes the middleware away still has the transport."""
    kind: Any = Exception if layers == "transport" else PolicyDenied
    with pytest.raises(kind) as caught:
        STEPS[run](stepping(server, guard, CN, layers))

    decision = denial_of(caught.value)
    assert decision is not None
    assert server.hits == {}
    assert trail.verdicts == ["deny"]


def test_a_fallback_is_seen_behind_the_middleware_and_below_it(
    server: Loopback, guard: Guard
) -> None:
    from langchain.agents.middleware import ModelFallbackMiddleware

    first, second = chat(server, FR), chat(server, CN)
    server.failures = [400, 400]
    asking = adapter.agent_middleware(guard.bind(**TICKETS))
    # Last, it sees the second model too.
    with pytest.raises(PolicyDenied, match="GDPR-01"):
        agent(first, ModelFallbackMiddleware(second), asking).invoke(ASKED)
    # First, it does not: the transport does.
    guard.bind(**TICKETS).protect(second)
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- the SDK's
        agent(first, asking, ModelFallbackMiddleware(second)).invoke(ASKED)

    assert denial_of(caught.value) is not None
    assert server.hits == {"api.scaleway.ai": 2}


@pytest.mark.parametrize("way", WAYS)
def test_a_callback_stops_what_is_refused_and_records_the_rest(
    server: Loopback, guard: Guard, trail: Since, way: str
) -> None:
    asked = {"config": {"callbacks": [adapter.callback(guard)]}}

    with context(**TICKETS):
        WAYS[way](chat(server, FR), **asked)
        with pytest.raises(PolicyDenied, match="GDPR-01"):
            WAYS[way](chat(server, CN), **asked)

    assert server.hits == {"api.scaleway.ai": 1}
    assert trail.verdicts == ["allow", "deny"]
    assert trail.endings == [("complete", None)]


def test_a_callback_searches_what_is_sent_too(server: Loopback, tmp_path: Path) -> None:
    own = settings(tmp_path).model_copy(
        update={"detection": DetectionSettings(undeclared="refuse")}
    )
    with Guard(settings=own, clock=lambda: SUMMER) as guard:
        asked = {"callbacks": [adapter.callback(guard)]}
        with context(**{**TICKETS, "data": {"classes": ["none"]}}):
            chat(server, FR).invoke("write a haiku", config=asked)
            with pytest.raises(NotAllowed, match="undeclared"):
                chat(server, FR).invoke("write to jo@acme.example", config=asked)

    assert server.hits == {"api.scaleway.ai": 1}


def test_a_callback_that_did_not_raise_would_be_open(
    server: Loopback, guard: Guard
) -> None:
    """LangChain's default logs the refusal and makes the call: why ours insists."""
    handler = adapter.callback(guard)
    assert (handler.raise_error, handler.run_inline) == (True, True)
    handler.raise_error = False

    with context(**TICKETS):
        chat(server, CN).invoke(PROMPT, config={"callbacks": [handler]})

    assert server.hits == {"open.bigmodel.cn": 1}


def test_a_callback_takes_a_model_without_address_for_unknown(
    server: Loopback, guard: Guard, trail: Since
) -> None:
    from langchain_core.language_models import FakeListChatModel

    model = FakeListChatModel(responses=["hello"])
    with context(**TICKETS), pytest.raises(NotAllowed):
        model.invoke(PROMPT, config={"callbacks": [adapter.callback(guard)]})

    assert trail.verdicts == ["require_approval"]


def test_a_callback_records_a_call_that_failed(
    server: Loopback, guard: Guard, trail: Since
) -> None:
    server.failures = [400]
    with context(**TICKETS), pytest.raises(Exception, match="try again"):
        chat(server, FR).invoke(PROMPT, config={"callbacks": [adapter.callback(guard)]})

    ((outcome, error),) = trail.endings
    assert (outcome, error is not None and error.endswith("Error")) == ("error", True)


def test_nothing_is_called_that_no_record_could_be_made_of(
    server: Loopback, tmp_path: Path
) -> None:
    with guard_in(tmp_path) as guard:
        handler = adapter.callback(guard)
    with context(**TICKETS), pytest.raises(NotAllowed, match=r"trail\.not_durable"):
        chat(server, FR).invoke(PROMPT, config={"callbacks": [handler]})

    assert server.hits == {}


@pytest.mark.parametrize("way", ["agent", "protected", "both", "callback"])
def test_the_record_of_a_step_leads_to_the_tools_that_its_model_may_call(
    server: Loopback, guard: Guard, trail: Since, way: str
) -> None:
    from langchain.agents import create_agent

    def canary_mail(text: str) -> str:
        """Send a mail."""
        return text

    support = guard.bind(**TICKETS)
    more = {"callbacks": [adapter.callback(support)]} if way == "callback" else {}
    model = chat(server, FR, **more)
    if way in {"protected", "both"}:
        support.protect(model)
    asking = [adapter.agent_middleware(support)] if way in {"agent", "both"} else []
    tools = [canary_mail, {"type": "function", "function": {"name": "canary_note"}}]
    create_agent(model, tools, middleware=asking).invoke(ASKED)

    decisions = [item for item in trail.records if item["kind"] == "decision"]
    assert [kept(guard, item)["offered"] for item in decisions] == [
        ["canary_mail", "canary_note"]
    ]


@pytest.mark.parametrize(
    ("tools", "allowed"),
    [
        ({"note": "https://api.mistral.ai/v1"}, True),
        ({"note": None}, True),
        ({"note": CN}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("sync", [True, False])
def test_a_tool_call_is_an_export_to_where_the_tool_sends(
    guard: Guard,
    trail: Since,
    tools: dict[str, str | None],
    *,
    allowed: bool,
    sync: bool,
) -> None:
    from langchain.agents.middleware.types import ToolCallRequest
    from langchain_core.messages import ToolMessage

    data = {"classes": ["none"]} if allowed else TICKETS["data"]
    made = adapter.agent_middleware(
        guard.bind(**{**TICKETS, "data": data}), tools=tools
    )
    call: Any = {"name": "note", "args": {"text": PROMPT}, "id": "1"}
    runtime: Any = None
    request = ToolCallRequest(tool_call=call, tool=None, state={}, runtime=runtime)
    ran: list[Any] = []

    def handler(given: Any) -> Any:
        ran.append(given)
        return ToolMessage(content="done", tool_call_id="1")

    async def ahandler(given: Any) -> Any:
        return handler(given)

    def run() -> Any:
        if sync:
            return made.wrap_tool_call(request, handler)
        return asyncio.run(made.awrap_tool_call(request, ahandler))

    if allowed:
        assert run().content == "done"
    else:
        with pytest.raises(NotAllowed):
            run()

    assert len(ran) == allowed
    asked = [item for item in trail.records if item["kind"] == "decision"]
    known = {"note"} if tools.get("note") else {None}
    assert {item.get("tool") for item in asked} == (known if asked else set())


def calling(*names: str) -> dict[str, Any]:
    """Return the answer of a model that wants tools to be called, one after the other."""
    arguments = json.dumps({"text": PROMPT})
    calls = [
        {
            "id": f"call-{name}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        for name in names
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    return {
        **CHAT,
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
    }


def agent_with_tools(
    server: Loopback, guard: Guard, ran: list[str], **tools: str | None
) -> Any:
    """Return an agent with real tools, whose protected model calls each of them once."""
    from langchain.agents import create_agent
    from langchain_core.tools import StructuredTool

    def tool(name: str) -> Any:
        def run(text: str) -> str:
            ran.append(f"{name} {text}")
            # After it the model has nothing more to call.
            server.answers.clear()
            return "done"

        return StructuredTool.from_function(run, name=name, description="Writes.")

    server.answers["/chat/completions"] = calling(*tools)
    model = chat(server, FR)
    guard.protect(model)
    asked = adapter.agent_middleware(guard, tools=tools)
    return create_agent(model, [tool(name) for name in tools], middleware=[asked])


RUNS: dict[str, Any] = {
    "invoke": lambda made: made.invoke(ASKED),
    "ainvoke": lambda made: asyncio.run(made.ainvoke(ASKED)),
    "stream": lambda made: list(made.stream(ASKED)),
}


@pytest.mark.parametrize("run", RUNS)
def test_an_agent_runs_the_tools_that_are_allowed_and_each_call_is_counted(
    server: Loopback, guard: Guard, trail: Since, run: str
) -> None:
    ran: list[str] = []
    bound = guard.bind(**{**TICKETS, "data": {"classes": ["none"]}})
    address = "https://api.mistral.ai/v1"
    made = agent_with_tools(server, bound, ran, note=address, calculator=None)

    RUNS[run](made)

    assert sorted(ran) == [f"calculator {PROMPT}", f"note {PROMPT}"]
    # Two steps of the model, and between them the one tool that sends something.
    assert server.hits == {"api.scaleway.ai": 2}
    calls = {item["call_id"] for item in trail.records if "verdict" in item}
    assert len(calls) == 3
    assert set(trail.verdicts) == {"allow"}
    assert set(trail.endings) == {("complete", None)}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("tools", [{"note": CN}, {"note": "https://nobody.example"}])
def test_an_agent_does_not_run_a_tool_that_is_denied(
    server: Loopback, guard: Guard, trail: Since, run: str, tools: dict[str, str]
) -> None:
    ran: list[str] = []
    made = agent_with_tools(server, guard.bind(**TICKETS), ran, **tools)

    with pytest.raises(NotAllowed):
        RUNS[run](made)

    assert (ran, server.hits) == ([], {"api.scaleway.ai": 1})
    assert trail.verdicts[0] == "allow"
    assert "allow" not in trail.verdicts[1:]
