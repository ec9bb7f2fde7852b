"""Tests of a guard whose OPA is killed, hangs, crawls, talks nonsense or sends it away.

A proxy stands between the guard and a real OPA server, and does what it is told. In
each case the call is denied with the right code, nothing is forwarded, the deadline
holds, and the next call after the trouble is decided again.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from guards import FR, MESSAGES, TICKETS, settings
from hostile import Server, http, read_question, serving
from offline import Upstream
from opa import opa_server

from policyguard import Guard, NoDecision
from policyguard.settings import EngineSettings

DEADLINE_MS = 1_500
PATIENCE = 3 * DEADLINE_MS / 1_000
"""Deciding and recording; the machine may be busy."""


@dataclass
class Way:
    """Is the way between guard and server, and what happens on it."""

    url: str = ""
    trouble: str = ""


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
