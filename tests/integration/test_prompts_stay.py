"""No word of a prompt in a log, span, metric, baggage, output or traceback, on any way.

The ways, bodies and operations are those of the other files of tests: each of their
prompts has `canary` in it.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from guards import CN, FR, MESSAGES, TICKETS
from integration import test_boto3 as bedrock_ways
from integration import test_langchain as langchain_ways
from integration import test_mcp as mcp_ways
from integration import test_wire_bad_input as bodies
from integration import test_wire_matrix as matrix
from integration.bedrock import Bedrock
from integration.clients import async_client, sync_client
from integration.loopback import Loopback, remembered
from integration.test_detecting import guard_with
from integration.test_watching import Watched
from offline import Upstream
from opentelemetry import baggage

from policyguard import Guard
from policyguard.audit.trail import Trail
from policyguard.guard import detecting, running
from policyguard.integrations import langchain, mcp
from policyguard.integrations.anthropic import policy_middleware

ASK: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}
CANARY = "canary"
FACTS = {**TICKETS, "caller": "alice@acme.example"}
SDKS = ("anthropic", "botocore", "httpcore", "httpx", "langchain", "mcp", "openai")
"""Libraries that log what they send by themselves, when somebody asks them to."""
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.usefixtures("collected"),
]


class Told:
    """Is a guard that everybody watches, and what came out besides answers."""

    def __init__(self, folder: Path, log: pytest.LogCaptureFixture) -> None:
        self.watched = Watched(guard_with(folder, "join"))
        self.guard = self.watched.guard.bind(**FACTS)
        self.raised: list[str] = []
        self.carried: list[Any] = []
        self._log = log

    def do(self, way: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Go a way; keep the traceback of what it raises, with all that led to it."""
        try:
            answer = way(*args, **kwargs)
            if kwargs.get("stream"):
                list(answer)
        except Exception as error:  # noqa: BLE001 -- each way has its own
            self.raised += traceback.format_exception(error)
        self.carried.append(dict(baggage.get_all()))

    def logged(self) -> str:
        return "\n".join(
            f"{record.name} {record.getMessage()} {record.exc_text or ''}"
            for record in self._log.records
            if not record.name.startswith(SDKS)
        )

    def all(self) -> str:
        return "\n".join(
            [self.watched.all_that_was_told(), self.logged(), *self.raised]
        )

    def decisions(self) -> int:
        return sum("verdict" in item for item in remembered(self.guard))


@pytest.fixture
def told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Told]:
    caplog.set_level(logging.DEBUG)
    made = Told(tmp_path, caplog)
    with made.watched.guard:
        yield made


def require_silence(told: Told, capfd: pytest.CaptureFixture[str], *words: str) -> None:
    """Refuse a word of a prompt anywhere, and a silence in which nothing happened."""
    said, printed = told.all(), "".join(capfd.readouterr())
    assert [
        line for line in (said + printed).splitlines() if CANARY in line.lower()
    ] == []
    assert {str(item) for item in told.carried} == {"{}"}
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_of_no_operation_of_an_sdk(
    told: Told, server: Loopback, capfd: pytest.CaptureFixture[str], sdk: str
) -> None:
    cells = [cell for cell in matrix.CELLS if cell[0] == sdk]
    (module, *_) = matrix.modules(sdk)
    for cell, base_url, sync in product(cells, (CN, FR), (True, False)):
        http = server.client(module) if sync else server.aclient(module)
        client = matrix.client_of(sdk, base_url=base_url, http=http)
        told.guard.protect(client)
        told.do(matrix.run, client, cell, sync=sync)

    assert told.decisions() >= 4 * len(cells)
    require_silence(told, capfd, "GDPR-01", "complete", "PermissionDeniedError")


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_of_no_body_that_can_or_cannot_be_read(
    told: Told, server: Loopback, capfd: pytest.CaptureFixture[str], *, sync: bool
) -> None:
    made = (*bodies.REFUSED.values(), *bodies.SENT.values())
    for module, body in product((httpx, httpx2), made):
        told.do(bodies.posted, told.guard, server, module, sync=sync, body=body(sync))

    require_silence(told, capfd, "complete", '"policyguard.layer": "http"')


def test_of_no_call_of_the_wrapper_nor_of_one_that_fails(
    told: Told, server: Loopback, capfd: pytest.CaptureFixture[str]
) -> None:
    guard, moving = told.guard, Upstream().client(CN)
    server.failures = [400, 500, 0]
    for base_url in (FR, FR, FR, FR, CN):
        with sync_client(server, base_url, max_retries=0) as client:
            create = client.chat.completions.create
            told.do(guard.call, create, **ASK)
            told.do(guard.call, create, **ASK, stream=True)
            told.do(guard.call, lambda **asked: create(**asked), **ASK)  # noqa: B023, PLW0108 -- hides it
            told.do(guard.call, create, **ASK, extra_body={"model": "another"})
        told.do(asyncio.run, awaited(guard, async_client(server, base_url)))
    elsewhere = guard.bind(on_deny="reroute", clients=[Upstream().client(FR)])
    told.do(elsewhere.call, moving.chat.completions.create, **ASK)

    require_silence(told, capfd, "BadRequestError", "reroute", "PolicyDenied")


async def awaited(guard: Guard, client: openai.AsyncOpenAI) -> None:
    async with client:
        await guard.acall(client.chat.completions.create, **ASK)


@pytest.mark.parametrize("base_url", [FR, CN])
def test_of_no_framework(
    told: Told, server: Loopback, capfd: pytest.CaptureFixture[str], base_url: str
) -> None:
    asked = {"config": {"callbacks": [langchain.callback(told.guard)]}}
    for way in langchain_ways.WAYS.values():
        model = langchain_ways.chat(server, base_url)
        told.do(way, model, **asked)
        told.guard.protect(model)
        told.do(way, model)
    made = langchain_ways.agent(model, langchain.agent_middleware(told.guard))
    told.do(made.invoke, langchain_ways.ASKED)
    with anthropic.Anthropic(
        base_url=base_url,
        api_key="none",
        http_client=server.client(httpx2),
        middleware=[policy_middleware(told.guard, base_url=base_url)],
    ) as client:
        told.do(client.messages.create, **matrix.MSG)
    facts = mcp.server_middleware(facts=lambda _: FACTS)
    tools = mcp_ways.server_of(told.watched.guard, Upstream(), facts)
    for tool in ("wrapped", "protected"):
        told.do(mcp_ways.called, tools, tool, base_url)

    denied = ("PolicyDenied", "PermissionDeniedError", "not allowed by GDPR-01")
    require_silence(told, capfd, *(denied if base_url == CN else ("complete",)))


def test_of_no_operation_of_bedrock(
    told: Told, capfd: pytest.CaptureFixture[str]
) -> None:
    names = (bedrock_ways.EU, bedrock_ways.GLOBAL)
    with Bedrock() as bedrock:
        client = bedrock.client()
        told.guard.protect(client)
        for (operation, given), name in product(bedrock_ways.OPERATIONS.items(), names):
            told.do(getattr(client, operation), modelId=name, **given)

    require_silence(told, capfd, "PolicyDenied")


def broken(*_: object, **__: object) -> Any:
    """Fail as a part that says what it was given."""
    raise ValueError(f"cannot read {MESSAGES}")


PARTS: dict[str, tuple[Any, str]] = {
    "data.not_searched": (detecting, "look"),
    "transport.not_checked": (running, "put_at_wire"),
    "outcome.not_recorded": (Guard, "record_outcome"),
    "trail.not_durable": (Trail, "append_decision"),
}


@pytest.mark.parametrize("word", PARTS)
def test_of_no_part_that_fails_with_it_in_hand(
    told: Told, server: Loopback, capfd: pytest.CaptureFixture[str], word: str
) -> None:
    """What breaks inside is named by its kind, whatever its message says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*PARTS[word], broken)
        for base_url in (FR, CN):
            with sync_client(server, base_url, max_retries=0) as client:
                told.do(told.guard.call, client.chat.completions.create, **ASK)
                told.guard.protect(client)
                told.do(client.chat.completions.create, **ASK)

    require_silence(told, capfd, word)
