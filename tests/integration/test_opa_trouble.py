"""Tests of a guard whose OPA is killed, hangs, crawls, talks nonsense or sends it away.

A proxy stands between the guard and a real OPA server, and does what it is told. In
each case the call is denied with the right code, nothing is forwarded, the deadline
holds, and the next call after the trouble is decided again.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from guards import FR, MESSAGES, TICKETS, settings
from hostile import Server, http, read_question, serving
from offline import Upstream
from opa import opa_server

from policyguard import Guard, NoDecision
from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of
from policyguard.settings import EngineSettings
from policyguard.vocabulary.decision import Decision

DEADLINE_MS = 1_500
TASKS = 6
PATIENCE = 3 * DEADLINE_MS / 1_000
"""Deciding and recording; the machine may be busy."""


@dataclass
class Way:
    """Is the way between guard and server, and what happens on it."""

    url: str = ""
    trouble: str = ""
    all_there: threading.Barrier = field(
        default_factory=lambda: threading.Barrier(TASKS, timeout=20)
    )


@pytest.fixture(scope="module")
def opa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with opa_server(tmp_path_factory.mktemp("opa")) as url:
        yield url


def forward(question: bytes, opa: str) -> bytes:
    there = urlsplit(opa)
    with socket.create_connection((there.hostname, there.port)) as server:
        head, _, body = question.partition(b"\r\n\r\n")
        server.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
        answer = b""
        while part := server.recv(65_536):
            answer += part
        return answer


def crawl(connection: socket.socket, question: bytes, opa: str) -> None:
    for byte in forward(question, opa):
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


Trouble = Callable[[socket.socket, bytes, str], object]
TROUBLE: Mapping[str, Trouble] = {
    "held": lambda there, question, opa: there.sendall(forward(question, opa)),
    "": lambda there, question, opa: there.sendall(forward(question, opa)),
    "killed": lambda there, question, opa: None,
    "hung": lambda there, question, opa: time.sleep(2 * DEADLINE_MS / 1_000),
    "slow": crawl,
    "garbage": lambda there, question, opa: there.sendall(b"\0\xff odd\r\n\r\n"),
    "no decision": lambda there, question, opa: there.sendall(
        http(b'{"result":{"verdict":"allow"}}')
    ),
    "redirecting": lambda there, question, opa: there.sendall(
        http(b"", status="307 Away", more=f"Location: {opa}/v1/data\r\n")
    ),
    "forbidden": lambda there, question, opa: there.sendall(
        http(b"{}", status="403 Forbidden")
    ),
    "another bundle": lambda there, question, opa: there.sendall(
        re.sub(rb'"bundle":"..', b'"bundle":"zz', forward(question, opa))
    ),
}


@pytest.fixture
def way(opa: str) -> Iterator[Way]:
    made = Way()

    def talk(connection: socket.socket, server: Server) -> None:
        if question := read_question(connection):
            if made.trouble == "held":
                made.all_there.wait()
            TROUBLE[made.trouble](connection, question, opa)

    with serving(talk) as proxy:
        made.url = proxy.url
        yield made


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        ("killed", "engine.unreachable"),
        ("hung", "engine.timeout"),
        ("slow", "engine.timeout"),
        ("garbage", "engine.malformed"),
        ("no decision", "engine.malformed"),
        ("redirecting", "engine.refused"),
        ("forbidden", "engine.refused"),
        ("another bundle", "engine.skew"),
    ],
)
def test_trouble_denies_in_time_and_passes(
    trouble: str, code: str, way: Way, tmp_path: Path
) -> None:
    upstream = Upstream()
    known = settings(tmp_path).model_copy(
        update={
            "engine": EngineSettings(name="opa", url=way.url, deadline_ms=DEADLINE_MS)
        }
    )
    with Guard(settings=known) as guard:
        bound = guard.bind(**TICKETS)
        create = upstream.client(FR).chat.completions.create
        bound.call(create, model="glm-5.2", messages=MESSAGES)
        way.trouble = trouble
        began = time.monotonic()
        with pytest.raises(NoDecision) as caught:
            bound.call(create, model="glm-5.2", messages=MESSAGES)
        took = time.monotonic() - began
        way.trouble = ""
        bound.call(create, model="glm-5.2", messages=MESSAGES)

    decision = caught.value.decision
    assert (decision.code, decision.verdict) == (code, "deny")
    assert decision.record is not None
    assert took < PATIENCE
    assert len(upstream.hosts) == 2


def test_many_threads_in_trouble_are_all_denied_in_time(
    way: Way, tmp_path: Path
) -> None:
    upstream = Upstream()
    known = settings(tmp_path).model_copy(
        update={
            "engine": EngineSettings(name="opa", url=way.url, deadline_ms=DEADLINE_MS)
        }
    )
    codes: list[str | None] = []
    with Guard(settings=known) as guard:
        way.trouble = "hung"
        create = upstream.client(FR).chat.completions.create

        def call() -> None:
            with pytest.raises(NoDecision) as caught:
                guard.bind(**TICKETS).call(create, model="glm-5.2", messages=MESSAGES)
            codes.append(caught.value.decision.code)

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * PATIENCE)

    assert codes == ["engine.timeout"] * 8
    assert upstream.hosts == []


def asking_in_tasks(way: Way, folder: Path, *, deadline_ms: int) -> list[Decision]:
    """Check one call in many tasks at once, whose loop has one thread."""
    known = settings(folder).model_copy(
        update={
            "engine": EngineSettings(name="opa", url=way.url, deadline_ms=deadline_ms)
        }
    )
    trouble, way.trouble = way.trouble, ""

    async def ask(guard: Guard) -> list[Decision]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        described = Described(
            model="glm-5.2", host="api.scaleway.ai", path="/v1/chat/completions"
        )
        call = guard.core.question(described=described, facts=facts_of(**TICKETS))
        return await asyncio.gather(*(guard.acheck(call) for _ in range(TASKS)))

    with Guard(settings=known) as guard:
        way.trouble = trouble
        return asyncio.run(ask(guard))


def test_tasks_wait_for_opa_without_a_thread_each(way: Way, tmp_path: Path) -> None:
    # Nobody is answered before all have asked: a thread that waited would wait for ever.
    way.trouble = "held"

    decisions = asking_in_tasks(way, tmp_path, deadline_ms=20_000)

    assert [decision.verdict for decision in decisions] == ["allow"] * TASKS
    assert {decision.engine.name for decision in decisions} == {"opa"}


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        ("killed", "engine.unreachable"),
        ("hung", "engine.timeout"),
        ("garbage", "engine.malformed"),
        ("redirecting", "engine.refused"),
        ("another bundle", "engine.skew"),
    ],
)
def test_trouble_denies_tasks_with_the_same_codes(
    trouble: str, code: str, way: Way, tmp_path: Path
) -> None:
    way.trouble = trouble

    decisions = asking_in_tasks(way, tmp_path, deadline_ms=DEADLINE_MS)

    assert [decision.code for decision in decisions] == [code] * TASKS
    assert all(decision.record is not None for decision in decisions)
