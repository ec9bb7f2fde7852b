"""Frameworks that stand on the clients of an SDK: what they send is guarded there.

Their own environment: `python tests/sdks.py frameworks` installs them beside the locked
packages. Without that these tests skip and say so.
"""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any

import httpx2
import pytest
from guards import CN, FR, MESSAGES
from integration.clients import async_client, sync_client
from integration.loopback import Loopback, Since
from pydantic import BaseModel

from policyguard import CannotProtect, Guard, denial_of

NEEDED = ("agents", "haystack", "instructor", "pydantic_ai")
LACKING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.skipif(
        bool(LACKING),
        reason=f"no {', '.join(LACKING)}: run `python tests/sdks.py frameworks`",
    ),
    pytest.mark.usefixtures("collected"),
    # They keep clients that nobody can close, and warn of what they will change.
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning",
        "ignore::pytest.PytestUnraisableExceptionWarning",
        "ignore::DeprecationWarning",
    ),
]


class Reply(BaseModel):
    text: str


def agents_run(guard: Guard, server: Loopback, base_url: str, **more: Any) -> Any:
    """Run an agent of OpenAI's SDK for agents, of which the default client is guarded."""
    import agents

    agents.set_tracing_disabled(True)
    agents.set_default_openai_client(
        guard.protect(async_client(server, base_url, max_retries=0))
    )
    agent = agents.Agent(name="support", model="glm-5.2")
    config = agents.RunConfig(**more)
    return asyncio.run(agents.Runner.run(agent, "canary-prompt", run_config=config))


def agents_chat(guard: Guard, server: Loopback, base_url: str) -> Any:
    import agents

    agents.set_tracing_disabled(True)
    model = agents.OpenAIChatCompletionsModel(
        model="glm-5.2",
        openai_client=guard.protect(async_client(server, base_url, max_retries=0)),
    )
    agent = agents.Agent(name="support", model=model)
    return agents.Runner.run_sync(agent, "canary-prompt")


def agents_stream(guard: Guard, server: Loopback, base_url: str) -> Any:
    import agents

    agents.set_tracing_disabled(True)
    model = agents.OpenAIChatCompletionsModel(
        model="glm-5.2",
        openai_client=guard.protect(async_client(server, base_url, max_retries=0)),
    )

    async def run() -> Any:
        agent = agents.Agent(name="support", model=model)
        streamed = agents.Runner.run_streamed(agent, "canary-prompt")
        return [event async for event in streamed.stream_events()]

    return asyncio.run(run())


def pydantic_model(guard: Guard, server: Loopback, base_url: str) -> Any:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(
        openai_client=guard.protect(async_client(server, base_url, max_retries=0))
    )
    return OpenAIChatModel("glm-5.2", provider=provider)


def pydantic_run(guard: Guard, server: Loopback, base_url: str) -> Any:
    from pydantic_ai import Agent

    agent = Agent(pydantic_model(guard, server, base_url))
    return asyncio.run(agent.run("canary-prompt"))


def pydantic_stream(guard: Guard, server: Loopback, base_url: str) -> Any:
    from pydantic_ai import Agent

    async def run() -> Any:
        agent = Agent(pydantic_model(guard, server, base_url))
        async with agent.run_stream("canary-prompt") as streamed:
            return await streamed.get_output()

    return asyncio.run(run())


def instructor_create(guard: Guard, server: Loopback, base_url: str) -> Any:
    import instructor

    made = instructor.from_openai(
        guard.protect(sync_client(server, base_url, max_retries=0)),
        mode=instructor.Mode.JSON,
    )
    return made.chat.completions.create(
        model="glm-5.2", messages=MESSAGES, response_model=Reply, max_retries=1
    )


def instructor_acreate(guard: Guard, server: Loopback, base_url: str) -> Any:
    import instructor

    made = instructor.from_openai(
        guard.protect(async_client(server, base_url, max_retries=0)),
        mode=instructor.Mode.JSON,
    )
    return asyncio.run(
        made.chat.completions.create(
            model="glm-5.2", messages=MESSAGES, response_model=Reply, max_retries=1
        )
    )


def haystack_generator(guard: Guard, server: Loopback, base_url: str) -> Any:
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.utils import Secret

    made = OpenAIChatGenerator(
        model="glm-5.2",
        api_base_url=base_url,
        api_key=Secret.from_token("none"),
        max_retries=0,
    )
    made.warm_up()
    asyncio.run(made.warm_up_async())
    for held, led in (
        (made.client, server.client(httpx2)),
        (made.async_client, server.aclient(httpx2)),
    ):
        known: Any = held
        known._client._mounts.clear()
        known._client._transport = led._transport
        guard.protect(known)
    return made


def haystack_run(guard: Guard, server: Loopback, base_url: str) -> Any:
    from haystack.dataclasses import ChatMessage

    made = haystack_generator(guard, server, base_url)
    return made.run(messages=[ChatMessage.from_user("canary-prompt")])


def haystack_arun(guard: Guard, server: Loopback, base_url: str) -> Any:
    from haystack.dataclasses import ChatMessage

    made = haystack_generator(guard, server, base_url)
    return asyncio.run(
        made.run_async(messages=[ChatMessage.from_user("canary-prompt")])
    )


RUNS: dict[str, Any] = {
    "agents": agents_run,
    "agents-chat": agents_chat,
    "agents-stream": agents_stream,
    "pydantic-ai": pydantic_run,
    "pydantic-ai-stream": pydantic_stream,
    "instructor": instructor_create,
    "instructor-async": instructor_acreate,
    "haystack": haystack_run,
    "haystack-async": haystack_arun,
}


@pytest.mark.parametrize("name", RUNS)
def test_what_is_refused_does_not_leave_a_framework(
    server: Loopback, guard: Guard, trail: Since, name: str
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- each has its own
        RUNS[name](guard, server, CN)

    assert denial_of(caught.value) is not None
    assert server.hits == {}
    assert trail.verdicts == ["deny"]


@pytest.mark.parametrize("name", RUNS)
def test_what_is_allowed_leaves_a_framework_once(
    server: Loopback, guard: Guard, trail: Since, name: str
) -> None:
    RUNS[name](guard, server, FR)

    assert server.hits == {"api.scaleway.ai": 1}
    assert trail.verdicts == ["allow"]
    assert trail.endings == [("complete", None)]


def test_a_model_that_a_run_of_agents_puts_in_place_is_what_is_asked_about(
    server: Loopback, guard: Guard, trail: Since
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- the framework's own
        agents_run(guard, server, FR, model="another-model")

    assert denial_of(caught.value) is not None
    assert (dict(server.hits), trail.verdicts) == ({}, ["require_approval"])


def test_agents_open_no_web_socket(server: Loopback, guard: Guard) -> None:
    import agents

    agents.set_tracing_disabled(True)
    model = agents.OpenAIResponsesWSModel(
        model="glm-5.2",
        openai_client=guard.protect(async_client(server, FR, max_retries=0)),
    )
    agent = agents.Agent(name="support", model=model)
    with pytest.raises(CannotProtect, match="web socket"):
        asyncio.run(agents.Runner.run(agent, "canary-prompt"))

    assert server.hits == {}


def test_a_fallback_of_pydantic_ai_is_asked_about_as_it_is_sent(
    server: Loopback, guard: Guard, trail: Since
) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.fallback import FallbackModel

    server.failures = [500]
    first = pydantic_model(guard, server, FR)
    model = FallbackModel(first, pydantic_model(guard, server, CN))
    with pytest.raises(Exception, match="All models from FallbackModel failed"):
        asyncio.run(Agent(model).run("canary-prompt"))

    assert server.hits == {"api.scaleway.ai": 1}
    assert trail.verdicts == ["allow", "deny"]
