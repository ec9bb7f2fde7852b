"""What LangChain passes on to an SDK, and from where, as a wrapper and a callback see it.

No model here is protected: what neither of them sees leaves.
"""

from __future__ import annotations

import asyncio
import copy
import types
from typing import Any

import httpx2
import openai
import pytest
from guards import CN, FR, TICKETS
from integration.loopback import Loopback, Since
from integration.test_langchain import ASKED, PROMPT, agent, chat, claude

from policyguard import Guard, NotAllowed, context
from policyguard.guard.describe import Described, describe
from policyguard.integrations import langchain as adapter

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning",
        "ignore::pytest.PytestUnraisableExceptionWarning",
        "ignore:Parameters .* should be specified explicitly:UserWarning",
    ),
    pytest.mark.usefixtures("collected"),
]

CN_HOST = "open.bigmodel.cn"
HOST = {"HOST": CN_HOST}
OTHER = {"model": "other"}
IMAGES = {"type": "image_generation", "model": "other"}
LED: dict[str, dict[str, Any]] = {
    "header": {"extra_headers": HOST},
    "header of bytes": {"extra_headers": {b"host": CN_HOST}},
    "headers in a list": {"extra_headers": [("Host", CN_HOST)]},
    "encoding": {"extra_headers": {"Content-Encoding": "gzip"}},
    "query": {"extra_query": OTHER},
    "body": {"extra_body": OTHER},
    "second model": {"fallbacks": ["other"]},
    "second models": {"models": ["other"]},
    "model of a tool": {"tools": [IMAGES]},
    "model of a tool in a tuple": {"tools": (IMAGES,)},
    "model of a tool that is an object": {"tools": [types.SimpleNamespace(**IMAGES)]},
}
"""Arguments that lead a call elsewhere, or that cannot be read."""
MADE: dict[str, dict[str, Any]] = {
    "default headers": {"default_headers": HOST},
    "default query": {"default_query": OTHER},
    "query of the address": {"base_url": f"{FR}?model=other"},
    **{f"{name} in model_kwargs": {"model_kwargs": it} for name, it in LED.items()},
}
"""The same for a model that is made with them."""


def made(server: Loopback, case: str) -> Any:
    # LangChain moves what it knows out of the `model_kwargs` that it is given.
    return chat(server, **{"base_url": FR, **copy.deepcopy(MADE.get(case, {}))})


@pytest.fixture
def guard(shared: Guard) -> Guard:
    return shared


@pytest.mark.parametrize("case", LED)
def test_what_a_call_of_a_model_is_led_elsewhere_by_is_not_sent(
    server: Loopback, guard: Guard, case: str
) -> None:
    support, model = guard.bind(**TICKETS), chat(server, FR)

    with pytest.raises(NotAllowed):
        support.call(model.invoke, PROMPT, **LED[case])
    with pytest.raises(NotAllowed):
        asyncio.run(support.acall(model.ainvoke, input=PROMPT, **LED[case]))
    with pytest.raises(NotAllowed):
        support.call(model.batch, [PROMPT], **LED[case])

    assert server.hits == {}


@pytest.mark.parametrize("case", MADE)
def test_what_a_model_is_led_elsewhere_by_is_not_sent(
    server: Loopback, guard: Guard, case: str
) -> None:
    model = made(server, case)

    with pytest.raises(NotAllowed):
        guard.bind(**TICKETS).call(model.invoke, PROMPT)
    with pytest.raises(NotAllowed):
        # What it would hide is still sent.
        guard.bind(**TICKETS).call(model.invoke, PROMPT, model_kwargs={})

    assert server.hits == {}


@pytest.mark.parametrize("case", [*LED, *MADE])
def test_a_callback_stops_what_is_led_elsewhere(
    server: Loopback, guard: Guard, case: str
) -> None:
    model = made(server, case)
    asked = {"callbacks": [adapter.callback(guard)]}

    with context(**TICKETS), pytest.raises(NotAllowed):
        model.invoke(PROMPT, config=asked, **LED.get(case, {}))

    assert server.hits == {}


@pytest.mark.parametrize("more", [{}, OTHER, {"extra_headers": HOST}])
def test_a_callback_is_told_no_arguments_of_a_completion_model_and_refuses_it(
    server: Loopback, guard: Guard, trail: Since, more: dict[str, Any]
) -> None:
    from langchain_openai import OpenAI

    http = server.client(httpx2)
    model = OpenAI(model="glm-5.2", base_url=FR, api_key="none", http_client=http)
    asked: Any = {"callbacks": [adapter.callback(guard)]}

    with context(**TICKETS), pytest.raises(NotAllowed):
        model.invoke(PROMPT, config=asked, **more)

    assert server.hits == {}
    assert trail.verdicts == ["require_approval"]


@pytest.mark.parametrize("case", LED)
def test_what_middleware_of_an_agent_sets_is_read_too(
    server: Loopback, guard: Guard, case: str
) -> None:
    from langchain.agents.middleware import wrap_model_call

    def leading(request: Any, handler: Any) -> Any:
        return handler(request.override(model_settings=LED[case]))

    asking = adapter.agent_middleware(guard.bind(**TICKETS))
    with pytest.raises(NotAllowed):
        agent(chat(server, FR), wrap_model_call(leading), asking).invoke(ASKED)

    assert server.hits == {}


def test_what_leads_nowhere_is_sent(
    server: Loopback, guard: Guard, trail: Since
) -> None:
    kept: dict[str, Any] = {"extra_headers": {"X-Team": "support"}, "user": "a"}
    model = chat(
        server,
        FR,
        default_headers={"X-Unit": "eu"},
        default_query={"trace": "1"},
        model_kwargs={"extra_query": {"model": "glm-5.2"}},
    )

    guard.bind(**TICKETS).call(model.invoke, PROMPT, **kept)
    with context(**TICKETS):
        model.invoke(PROMPT, config={"callbacks": [adapter.callback(guard)]}, **kept)

    assert server.hits == {"api.scaleway.ai": 2}
    assert trail.verdicts == ["allow", "allow"]


def test_a_model_whose_clients_lead_to_different_places_is_opaque(
    server: Loopback, guard: Guard
) -> None:
    there = openai.OpenAI(
        base_url=CN, api_key="none", http_client=server.client(httpx2)
    )
    model = chat(server, FR)
    model.client = there.chat.completions

    with pytest.raises(NotAllowed):
        guard.bind(**TICKETS).call(model.invoke, PROMPT)

    assert server.hits == {}


@pytest.mark.parametrize(
    ("more", "kwargs", "expected"),
    [
        ({}, {}, {}),
        ({"store": True}, {}, {"store": True}),
        ({"store": True}, {"store": False}, None),
        ({}, {"store": True}, {"store": True}),
        ({"model_kwargs": {"inference_geo": "eu"}}, {}, {"inference_geo": "eu"}),
    ],
)
def test_fields_that_obligations_ask_about_are_read_wherever_they_are_set(
    server: Loopback,
    more: dict[str, Any],
    kwargs: dict[str, Any],
    expected: dict[str, Any] | None,
) -> None:
    found = describe(chat(server, FR, **more).invoke, (PROMPT,), kwargs)

    known = ("glm-5.2", {} if expected is None else expected, expected is None)
    assert (found.model or "glm-5.2", dict(found.parameters), found.opaque) == known


def test_a_model_of_anthropics_is_read_alike() -> None:
    # An address of its own: LangChain shares HTTP clients by address.
    model = claude("https://api.anthropic.com/arguments")
    known = Described(
        model="claude-fable-5", host="api.anthropic.com", path="/arguments/"
    )

    found = {
        case: describe(model.invoke, (PROMPT,), given)
        for case, given in {"plain": {}, **LED}.items()
    }

    assert {case for case, it in found.items() if it == known} == {"plain"}
    assert {
        case for case, it in found.items() if it.model and it.host and not it.opaque
    } == {"plain"}
