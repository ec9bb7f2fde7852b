"""Tests of the remote engine against servers that do what no OPA should."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import Server, answering, http, read_question, serving
from unit.engines.tiny_policy import policy

from policyguard.engines.opa import OpaEngine, OpaSnapshot
from policyguard.engines.opa_server import OpaServer, address_of
from policyguard.engines.opa_wire import Wire
from policyguard.errors import ConfigurationError, EngineLoadError, EvaluationError

DECISION = {"verdict": "allow", "findings": []}
RESULT = {"decision": DECISION, "bundle": "b" * 64, "catalog": "c" * 64}
DEADLINE = 0.3
REASONABLE = 1.5
"""No machine is so slow that a deadline of 0.3 s takes longer, retry included."""


def body(**changes: Any) -> bytes:
    return json.dumps({"result": {**RESULT, **changes}}).encode()


GOOD = http(body())


@pytest.fixture
def engines() -> Iterator[list[OpaEngine]]:
    made: list[OpaEngine] = []
    yield made
    for engine in made:
        engine.close()


def snapshot_of(url: str, engines: list[OpaEngine], **more: Any) -> OpaSnapshot:
    """Return a snapshot of a server that behaves while it is loaded."""
    engine = OpaEngine(OpaServer(url=url, **{"deadline": DEADLINE, **more}))
    engines.append(engine)
    return OpaSnapshot(
        policy=policy(golden=()),
        info=engine_info(),
        client=engine._client(DEADLINE),
        connect=lambda: engine._clients.AsyncClient(engine._address, engine._server),
        max_input_bytes=1_000,
    )


def engine_info() -> Any:
    from policyguard.engines.protocol import EngineInfo

    return EngineInfo(name="opa", version="1", distribution="d", digest="remote")


def codes(snapshot: OpaSnapshot) -> tuple[str, str]:
    """Ask both ways, and return the codes of the refusals."""

    async def ask() -> None:
        try:
            await snapshot.aevaluate(b"{}")
        finally:
            await snapshot.aclose()

    with pytest.raises(EvaluationError) as inline:
        snapshot.evaluate(b"{}")
    with pytest.raises(EvaluationError) as awaited:
        asyncio.run(ask())
    return inline.value.code, awaited.value.code


def test_an_answer_is_the_decision_in_it(engines: list[OpaEngine]) -> None:
    async def ask(snapshot: OpaSnapshot) -> Any:
        try:
            return await snapshot.aevaluate(b'{"a":1}')
        finally:
            await snapshot.aclose()

    with serving(answering(GOOD)) as server:
        snapshot = snapshot_of(server.url, engines)
        both = [snapshot.evaluate(b'{"a":1}'), asyncio.run(ask(snapshot))]

    assert both == [DECISION, DECISION]
    assert [question.partition(b"\r\n\r\n")[2] for question in server.asked] == [
        b'{"input":{"a":1}}',
        b'{"input":{"a":1}}',
    ]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (http(b"{}"), "engine.undefined"),
        (http(b'{"result":null}'), "engine.malformed"),
        (http(b'{"result":true}'), "engine.malformed"),
        (http(b'{"result":{"decision":true}}'), "engine.malformed"),
        (http(b"[]"), "engine.malformed"),
        (http(b'{"result"'), "engine.malformed"),
        (http(b"\xff\xfe"), "engine.malformed"),
        (http(body(bundle="d" * 64)), "engine.skew"),
        (http(body(bundle=None)), "engine.skew"),
        (http(body(catalog="d" * 64)), "engine.skew"),
        (http(b"{}", status="401 Unauthorized"), "engine.refused"),
        (http(GOOD, status="404 Not Found"), "engine.refused"),
        (http(body(), status="202 Accepted"), "engine.refused"),
        (http(body(), status="500 Oops"), "engine.refused"),
        (
            http(b'{"code":"internal_error"}', status="500 Oops"),
            "engine.evaluation",
        ),
        (b"\x00\x01\x02 nonsense\r\n\r\n", "engine.malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}", "engine.malformed"),
    ],
)
def test_an_answer_that_is_no_decision_has_its_code(
    answer: bytes, code: str, engines: list[OpaEngine]
) -> None:
    def talk(connection: socket.socket, server: Server) -> None:
        read_question(connection)
        connection.sendall(answer)

    with serving(talk) as server:
        inline, awaited = codes(snapshot_of(server.url, engines))

    assert {inline, awaited} == {code}


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Again", "308 Gone"])
def test_a_redirect_is_not_followed(status: str, engines: list[OpaEngine]) -> None:
    with serving(answering(GOOD)) as elsewhere:
        moved = http(b"", status=status, more=f"Location: {elsewhere.url}/v1/data\r\n")
        with serving(answering(moved)) as server:
            found = codes(snapshot_of(server.url, engines))

    assert (found, elsewhere.connections) == (("engine.refused",) * 2, 0)


def test_a_server_that_is_silent_costs_the_deadline(engines: list[OpaEngine]) -> None:
    def talk(connection: socket.socket, server: Server) -> None:
        read_question(connection)
        connection.recv(1)

    with serving(talk) as server:
        snapshot = snapshot_of(server.url, engines)
        before = time.monotonic()
        found = codes(snapshot)
        took = time.monotonic() - before

    assert found == ("engine.timeout", "engine.timeout")
    assert took < 2 * REASONABLE


@pytest.mark.parametrize("slow", ["head", "body"])
def test_a_byte_at_a_time_does_not_stretch_the_deadline(
    slow: str, engines: list[OpaEngine]
) -> None:
    at_once = 0 if slow == "head" else GOOD.index(b"\r\n\r\n") + 4

    def talk(connection: socket.socket, server: Server) -> None:
        read_question(connection)
        connection.sendall(GOOD[:at_once])
        for byte in GOOD[at_once:]:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    with serving(talk) as server:
        snapshot = snapshot_of(server.url, engines)
        before = time.monotonic()
        found = codes(snapshot)
        took = time.monotonic() - before

    assert found == ("engine.timeout", "engine.timeout")
    assert took < 2 * REASONABLE


@pytest.mark.parametrize("declared", [True, False])
def test_an_answer_without_end_is_not_read(
    declared: bool, engines: list[OpaEngine]
) -> None:
    length = "Content-Length: 99999999\r\n" if declared else ""

    def talk(connection: socket.socket, server: Server) -> None:
        read_question(connection)
        connection.sendall(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        for _ in range(1_000):
            connection.sendall(b" " * 4_096)

    with serving(talk) as server:
        found = codes(snapshot_of(server.url, engines, max_answer_bytes=10_000))

    assert found == ("engine.malformed", "engine.malformed")


def test_nobody_there_is_unreachable(engines: list[OpaEngine]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

    assert codes(snapshot_of(url, engines)) == ("engine.unreachable",) * 2


def test_a_connection_that_was_closed_meanwhile_is_made_anew(
    engines: list[OpaEngine],
) -> None:
    def talk(connection: socket.socket, server: Server) -> None:
        server.asked.append(read_question(connection))
        connection.sendall(GOOD)

    with serving(talk) as server:
        snapshot = snapshot_of(server.url, engines)
        answers = [snapshot.evaluate(b"{}") for _ in range(5)]

    assert answers == [DECISION] * 5
    assert server.connections == 5


def test_a_connection_that_breaks_is_tried_once_more_and_no_more(
    engines: list[OpaEngine],
) -> None:
    def talk(connection: socket.socket, server: Server) -> None:
        read_question(connection)

    with serving(talk) as server, pytest.raises(EvaluationError) as caught:
        snapshot_of(server.url, engines).evaluate(b"{}")

    assert (caught.value.code, server.connections) == ("engine.unreachable", 2)


def test_a_connection_serves_one_question_after_the_other(
    engines: list[OpaEngine],
) -> None:
    with serving(answering(GOOD)) as server:
        snapshot = snapshot_of(server.url, engines)
        for _ in range(20):
            snapshot.evaluate(b"{}")

    assert server.connections == 1


def test_what_comes_unasked_is_not_the_answer_to_the_next_question(
    engines: list[OpaEngine],
) -> None:
    forged = http(body(decision={"verdict": "forged"}))

    def talk(connection: socket.socket, server: Server) -> None:
        while read_question(connection):
            connection.sendall(GOOD + forged)

    with serving(talk) as server:
        snapshot = snapshot_of(server.url, engines)
        answers = []
        for _ in range(5):
            answers.append(snapshot.evaluate(b"{}"))
            time.sleep(0.02)

    assert answers == [DECISION] * 5


def test_threads_share_connections_and_get_their_own_answers(
    engines: list[OpaEngine],
) -> None:
    def talk(connection: socket.socket, server: Server) -> None:
        while question := read_question(connection):
            given = json.loads(question.partition(b"\r\n\r\n")[2])["input"]
            connection.sendall(http(body(decision=given)))

    wrong: list[object] = []

    def ask(number: int) -> None:
        for turn in range(25):
            given = {"n": number, "turn": turn}
            answer = snapshot.evaluate(json.dumps(given).encode())
            if answer != given:
                wrong.append(answer)

    with serving(talk) as server:
        snapshot = snapshot_of(server.url, engines, deadline=10.0)
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert wrong == []
    assert server.connections <= 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_does_not_read_from_the_connection_of_its_parent(
    engines: list[OpaEngine],
) -> None:
    with serving(answering(GOOD)) as server:
        snapshot = snapshot_of(server.url, engines)
        snapshot.evaluate(b"{}")
        wire: Wire = engines[0]._wire
        wire._pid = -1  # as a child finds it: made by another process
        snapshot.evaluate(b"{}")

    assert server.connections == 2


def test_proxies_and_netrc_are_not_asked(
    engines: list[OpaEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    token = tmp_path / "token"
    token.write_text("s3cret-token\n")
    with serving(answering(http(b"{}"))) as proxy, serving(answering(GOOD)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        snapshot = snapshot_of(server.url, engines, token_file=token)

        async def ask() -> None:
            await snapshot.aevaluate(b"{}")
            await snapshot.aclose()

        snapshot.evaluate(b"{}")
        asyncio.run(ask())

    assert proxy.connections == 0
    for question in server.asked:
        lines = question.split(b"\r\n")
        assert [
            line for line in lines if line.lower().startswith(b"authorization")
        ] == [b"Authorization: Bearer s3cret-token"]


def test_input_that_parsers_read_in_two_ways_is_not_sent(
    engines: list[OpaEngine],
) -> None:
    with serving(answering(GOOD)) as server:
        found = _refused(snapshot_of(server.url, engines))

    assert (found, server.asked) == ("engine.input", [])


def _refused(snapshot: OpaSnapshot) -> str:
    with pytest.raises(EvaluationError) as caught:
        snapshot.evaluate(b'{"a":1,"a":2}')
    return caught.value.code


@pytest.mark.parametrize(
    "url",
    [
        "opa.example:8181",
        "ftp://opa.example",
        "https://user:secret@opa.example",
        "https://opa.example/v1",
        "https://opa.example?x=1",
        "https://opa.example:99999",
        "https://",
        "https://opa.exa\nmple",
        "",
    ],
)
def test_an_address_has_scheme_host_and_port_only(url: str) -> None:
    with pytest.raises(ConfigurationError):
        address_of(OpaServer(url=url))


def test_plain_http_to_another_machine_needs_a_word_of_its_own() -> None:
    with pytest.raises(ConfigurationError, match="plain HTTP to another machine"):
        address_of(OpaServer(url="http://opa.example"))

    address = address_of(OpaServer(url="http://opa.example", plaintext=True))

    assert (address.host, address.port, address.tls) == ("opa.example", 8181, None)


@pytest.mark.parametrize(
    "text", [b"", b"two words", b"tab\tbed", b"\xff", b"x" * 9_000]
)
def test_a_file_that_holds_no_token_is_refused(text: bytes, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(text)

    with pytest.raises(ConfigurationError, match="token"):
        address_of(OpaServer(url="http://127.0.0.1", token_file=file))


def test_a_missing_authority_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        address_of(OpaServer(url="https://opa.example", ca_file=tmp_path / "none.pem"))


@pytest.mark.parametrize(
    "entrypoint", ["data.a/../../v1", "data", "input.x", "data.a?b", "data.ä"]
)
def test_an_entrypoint_that_is_no_path_is_refused(
    entrypoint: str, engines: list[OpaEngine]
) -> None:
    engine = OpaEngine(OpaServer(url="http://127.0.0.1:1"))
    engines.append(engine)

    with pytest.raises(EngineLoadError, match="no entrypoint"):
        engine.load(policy(entrypoint=entrypoint))
