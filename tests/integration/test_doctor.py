"""`policyguard doctor`: what it says of clients, and that nothing leaves meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import boto3
import httpx
import httpx2
import openai
import pytest
from guards import FR, MESSAGES, TICKETS, guard_in, settings
from integration.loopback import Loopback, remembered
from integration.program import COMMAND

from policyguard import Guard
from policyguard.integrations.smoke import clients_in, tried

APPLICATION = """
from pathlib import Path
import httpx2
from openai import OpenAI
from policyguard import Guard, Settings
from policyguard.settings import TrailSettings

guard = Guard(settings=Settings(trail=TrailSettings(directory=Path("trail"))))
client = guard.protect(OpenAI(api_key="none"))

def made():
    return [client, guard.protect(httpx2.Client())]

def bare():
    return {"bare": OpenAI(api_key="none")}

def broken():
    raise ValueError("no key")
"""


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made.bind(**TICKETS)


CLIENTS: list[Any] = [
    lambda: openai.OpenAI(base_url=FR, api_key="none"),
    lambda: openai.AsyncOpenAI(base_url=FR, api_key="none"),
    lambda: anthropic.Anthropic(base_url=FR, api_key="none"),
    lambda: anthropic.AsyncAnthropic(base_url=FR, api_key="none"),
    httpx.Client,
    httpx2.AsyncClient,
]


@pytest.mark.parametrize("build", CLIENTS)
def test_a_protected_client_denies_each_trial_and_nothing_leaves(
    guard: Guard, build: Any
) -> None:
    trial = tried(guard.protect(build()))

    decisions = [item["verdict"] for item in remembered(guard)]
    assert decisions == ["require_approval"] * 2
    assert (trial.holds, trial.refused, trial.sent, trial.connections, trial.fault) == (
        True,
        2,
        0,
        0,
        "",
    )


def test_a_client_works_as_before_after_it_was_tried(guard: Guard) -> None:
    with (
        Loopback() as server,
        openai.OpenAI(
            base_url=FR, api_key="none", http_client=server.client(httpx2)
        ) as client,
    ):
        assert tried(guard.protect(client)).holds
        client.chat.completions.create(model="glm-5.2", messages=MESSAGES)
        assert server.hits == {"api.scaleway.ai": 1}


def test_a_client_without_a_guard_is_not_tried(guard: Guard) -> None:
    with Loopback() as server, server.client(httpx2) as client:
        trial = tried(client)
        assert server.hits == {}

    assert (trial.holds, trial.protected, trial.refused) == (False, False, 0)


def test_a_mount_that_came_after_the_guard_is_found(guard: Guard) -> None:
    client = guard.protect(httpx2.Client())
    pattern = next(iter(httpx2.Client(proxy="http://127.0.0.1:9")._mounts))
    client._mounts[pattern] = httpx2.HTTPTransport()

    assert (tried(client).protected, tried(client).holds) == (False, False)


@pytest.fixture
def bedrock() -> Any:
    return boto3.client(
        "bedrock-runtime",
        region_name="eu-central-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )


def test_a_client_of_bedrock_is_tried_by_its_events(guard: Guard, bedrock: Any) -> None:
    bare = tried(bedrock)
    trial = tried(guard.protect(bedrock))

    assert [item["verdict"] for item in remembered(guard)] == ["require_approval"] * 2
    assert (bare.protected, bare.holds) == (False, False)
    assert (
        trial.client,
        trial.holds,
        trial.refused,
        trial.sent,
        trial.connections,
    ) == (
        "botocore.BedrockRuntime",
        True,
        2,
        0,
        0,
    )


def test_a_client_of_bedrock_that_somebody_answers_for_does_not_hold(
    guard: Guard, bedrock: Any
) -> None:
    """Whoever answers before the guard is asked may have sent it."""
    bedrock.meta.events.register_first(
        "before-send.bedrock-runtime", lambda **_: "an answer"
    )
    guard.protect(bedrock)
    trial = tried(bedrock)

    assert (trial.holds, trial.refused, trial.sent) == (False, 0, 2)


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_the_clients_under_a_model_of_langchain_are_tried(guard: Guard) -> None:
    from langchain_core.language_models import FakeListChatModel
    from langchain_openai import ChatOpenAI

    def model(base_url: str) -> Any:
        return ChatOpenAI(model="glm-5.2", base_url=base_url, api_key="none")

    # An address of its own: LangChain shares HTTP clients by address.
    bare = [tried(client) for client in clients_in(model(f"{FR}/bare"))]
    trials = [tried(client) for client in clients_in(guard.protect(model(f"{FR}/x")))]
    unknown = FakeListChatModel(responses=["hello"])

    assert [(trial.client, trial.holds) for trial in trials] == [
        ("openai.OpenAI", True),
        ("openai.AsyncOpenAI", True),
    ]
    assert [trial.protected for trial in bare] == [False, False]
    assert clients_in(unknown) == [unknown]
    assert (tried(unknown).routes, tried(unknown).holds) == (0, False)


def test_what_is_no_client_is_not_tried() -> None:
    assert [clients_in(thing) for thing in (object(), None, openai, "x")] == [[]] * 4


def test_where_denials_are_only_observed_the_trial_says_so_and_sends_nothing(
    tmp_path: Path,
) -> None:
    observed = settings(tmp_path, mode="observe")
    with Loopback() as server, Guard(settings=observed) as guard:
        client = guard.bind(**TICKETS).protect(server.client(httpx2))
        trial = tried(client)
        assert server.hits == {}

    assert (trial.holds, trial.refused, trial.sent, trial.fault) == (
        False,
        0,
        1,
        "ConnectionError",
    )


def test_a_way_out_past_the_guard_is_counted_and_stopped(guard: Guard) -> None:
    with Loopback() as server:
        client = guard.protect(httpx2.Client())

        def leaking(_: httpx2.Request) -> None:
            httpx2.get(server.url)

        client.event_hooks["request"] = [leaking]
        trial = tried(client)
        assert server.hits == {}

    assert (trial.holds, trial.connections > 0) == (False, True)


def test_a_client_that_tells_somebody_else_of_a_denied_call_does_not_hold(
    guard: Guard,
) -> None:
    with Loopback() as server:
        client = guard.protect(httpx2.Client())

        def telling(_: httpx2.Request) -> None:
            with contextlib.suppress(httpx2.ConnectError, ConnectionError):
                httpx2.get(server.url)

        client.event_hooks["request"] = [telling]
        trial = tried(client)
        assert server.hits == {}

    assert (trial.refused, trial.sent, trial.holds) == (2, 0, False)
    assert trial.connections is not None
    assert trial.connections > 0


@pytest.mark.parametrize("kind", [httpx2.Client, httpx2.AsyncClient])
def test_a_client_that_could_not_be_tried_does_not_hold(
    guard: Guard, kind: Any
) -> None:
    client = guard.protect(kind())
    asyncio.run(client.aclose()) if kind is httpx2.AsyncClient else client.close()

    trial = tried(client)

    assert (trial.protected, trial.refused, trial.sent, trial.connections) == (
        True,
        0,
        0,
        0,
    )
    assert (trial.holds, trial.fault) == (False, "RuntimeError")


def test_the_command_tries_what_it_is_told_and_says_what_came_of_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "application.py").write_text(APPLICATION)

    def run(*args: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [str(COMMAND), "doctor", *args],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    code, out, _ = run("application:made")
    assert (code, out.count("holds"), out.count("2 calls denied, 0 reached")) == (
        0,
        2,
        2,
    )
    code, out, _ = run("application", "application:bare", "--json")
    whole, bare = json.loads(out)
    assert code == 1
    assert (whole["target"], whole["client"]) == ("application:client", "openai.OpenAI")
    assert (whole["holds"], bare["holds"], bare["protected"]) == (True, False, False)
    for target, says in (
        ("application:guard", "no client in `application:guard`"),
        ("application:none", "no `none` in `application:none`"),
        ("application:broken", "raises ValueError: no key"),
        ("nowhere", "cannot import `nowhere`"),
    ):
        code, out, error = run(target)
        assert (code, out) == (2, "")
        assert says in error
