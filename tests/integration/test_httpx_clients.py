"""Real clients of httpx and httpx2 that are protected: nothing passes unasked."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from guards import CN, FR, MESSAGES, TICKETS, guard_in
from integration.loopback import CHAT, Loopback, remembered
from integration.test_routing import BLOG

from policyguard import CannotProtect, Guard, NotAllowed, PolicyDenied, context

FR_HOST = "api.scaleway.ai"
CN_HOST = "open.bigmodel.cn"
ASK: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}
ALLOWED = f"{FR}/chat/completions"
DENIED = f"{CN}/chat/completions"


@pytest.fixture(params=[httpx, httpx2], ids=lambda item: item.__name__)
def module(request: Any) -> Any:
    return request.param


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made.bind(**TICKETS)


def told(guard: Guard) -> list[tuple[Any, ...]]:
    return [
        (item["kind"], item.get("verdict") or item["outcome"])
        for item in remembered(guard)
    ]


def test_a_protected_client_sends_what_is_allowed_and_answers_403_to_the_rest(
    guard: Guard, server: Loopback, module: Any
) -> None:
    with guard.protect(server.client(module)) as client:
        allowed = client.post(ALLOWED, json=ASK)
        denied = client.post(DENIED, json=ASK)

    assert (allowed.status_code, allowed.json()["model"]) == (200, "glm-5.2")
    assert (denied.status_code, denied.json()["error"]["code"]) == (403, "GDPR-01")
    assert isinstance(denied, module.Response)
    assert server.hits == {FR_HOST: 1}
    assert told(guard) == [
        ("decision", "allow"),
        ("outcome", "complete"),
        ("decision", "deny"),
    ]


BEDROCK = "https://bedrock-runtime.eu-central-1.amazonaws.com"
FABLE = "eu.anthropic.claude-fable-5"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/model/{FABLE}/invoke", 200),
        ("/model/deepseek.r1-v1:0/invoke", 403),
        ("/model/deepseek.r1-v1%3A0/invoke", 403),
        ("/%6Dodel/deepseek.r1-v1:0/invoke", 403),
        ("/model%2Fdeepseek.r1-v1:0/invoke", 403),
        ("//model/deepseek.r1-v1:0/invoke", 403),
        ("/MODEL/deepseek.r1-v1:0/invoke", 403),
        ("/model;x/deepseek.r1-v1:0/invoke", 403),
        ("/x/model/deepseek.r1-v1:0/invoke", 403),
        (f"/model/{FABLE}/model/deepseek.r1-v1:0/invoke", 403),
        (f"/MODEL/{FABLE}/invoke", 403),
    ],
)
def test_no_writing_of_a_path_hides_the_model_that_it_names(
    guard: Guard, server: Loopback, module: Any, path: str, status: int
) -> None:
    """The body names one that is allowed, and the service does not look at it."""
    with guard.bind(**BLOG).protect(server.client(module)) as client:
        answer = client.post(f"{BEDROCK}{path}", json={**ASK, "model": FABLE})

    assert answer.status_code == status
    assert sum(server.hits.values()) == (status == 200)


def test_the_wrapper_and_the_transport_agree_on_a_call(
    guard: Guard, server: Loopback, module: Any
) -> None:
    with guard.protect(server.client(module)) as client:
        guard.call(client.post, ALLOWED, json=ASK)
        guard.call(client.request, "POST", ALLOWED, json=ASK)
        guard.call(client.send, client.build_request("POST", ALLOWED, json=ASK))
        with pytest.raises(PolicyDenied, match="GDPR-01"):
            guard.call(client.post, DENIED, json=ASK)

    assert server.hits == {FR_HOST: 3}
    assert told(guard) == [
        *[("decision", "allow"), ("outcome", "complete")] * 3,
        ("decision", "deny"),
    ]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_does_not_carry_the_prompt_to_another_host(
    guard: Guard, server: Loopback, module: Any, status: int
) -> None:
    server.redirects[FR_HOST] = DENIED
    server.redirect_status = status
    with guard.protect(server.client(module)) as client:
        answer = client.post(ALLOWED, json=ASK)

    assert answer.status_code == 403
    assert server.hits == {FR_HOST: 1}


def test_a_body_that_is_generated_is_asked_about_and_sent_once(
    guard: Guard, server: Loopback, module: Any
) -> None:
    taken: list[int] = []

    def parts() -> Iterator[bytes]:
        taken.append(1)
        yield json.dumps(ASK).encode()

    with guard.protect(server.client(module)) as client:
        answer = client.post(ALLOWED, content=parts())

    assert (answer.status_code, len(taken)) == (200, 1)
    assert [json.loads(body) for body in server.bodies] == [ASK]


@pytest.mark.parametrize(
    "body",
    [
        {
            "content": gzip.compress(json.dumps(ASK).encode()),
            "headers": {"Content-Encoding": "gzip"},
        },
        {"content": gzip.compress(json.dumps(ASK).encode())},
        {"content": b'{"model": "glm-5.2", "model": "other"}'},
        {"content": b"\x00\xff"},
        {"data": {"model": "glm-5.2"}},
        {"files": {"file": b"{}"}, "data": {"Model": "glm-5.2"}},
        {"content": b'{"model": "\\ud800"}'},
        {"content": json.dumps({"model": "x" * 5_000}).encode()},
        {"content": b"x" * (9 << 20)},
        {"content": b""},
    ],
)
def test_a_body_that_cannot_be_read_or_names_no_known_model_is_not_sent(
    guard: Guard, server: Loopback, module: Any, body: dict[str, Any]
) -> None:
    with guard.protect(server.client(module)) as client:
        answer = client.post(ALLOWED, **body)

    assert answer.status_code == 403
    assert server.hits == {}
    assert [item["kind"] for item in remembered(guard)] == ["decision"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_names_no_model_is_not_sent_even_without_a_body(
    guard: Guard, server: Loopback, module: Any, method: str
) -> None:
    with guard.protect(server.client(module)) as client:
        answer = client.request(method, f"{FR}/models")

    assert (answer.status_code, server.hits) == (403, {})


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"Host": CN_HOST}},
        {"extensions": {"sni_hostname": CN_HOST}},
        {"extensions": {"target": b"/other"}},
        {"headers": {"Transfer-Encoding": "chunked", "Content-Length": "3"}},
    ],
)
def test_a_request_that_says_two_things_is_not_sent(
    guard: Guard, server: Loopback, module: Any, more: dict[str, Any]
) -> None:
    with guard.protect(server.client(module)) as client:
        answer = client.post(ALLOWED, json=ASK, **more)

    assert (answer.status_code, server.hits) == (403, {})


@pytest.mark.parametrize("pattern", ["all://", "https://", f"https://{CN_HOST}"])
def test_the_transports_of_mounts_and_proxies_are_guarded_as_well(
    guard: Guard, server: Loopback, module: Any, pattern: str
) -> None:
    mounted = server.transport(module)
    other = server.client(module, mounts={pattern: mounted, "all://none": None})
    with guard.protect(other) as client:
        answer = client.post(DENIED, json=ASK)
        client.post(ALLOWED, json=ASK)

    assert (answer.status_code, server.hits) == (403, {FR_HOST: 1})


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_proxy_of_the_environment_is_guarded(
    guard: Guard,
    server: Loopback,
    module: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    asynchronous: bool,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    url = DENIED.replace("https://", "http://")

    async def main() -> int:
        async with guard.protect(module.AsyncClient()) as client:
            assert client._mounts
            return int((await client.post(url, json=ASK)).status_code)

    if asynchronous:
        status = asyncio.run(main())
    else:
        with guard.protect(module.Client()) as client:
            assert client._mounts
            status = client.post(url, json=ASK).status_code

    assert (status, server.hits) == (403, {})


def test_each_request_of_a_login_is_asked_about(
    guard: Guard, server: Loopback, module: Any
) -> None:
    class Login(module.Auth):
        def auth_flow(self, request: Any) -> Iterator[Any]:
            yield module.Request("POST", DENIED, json=ASK)
            yield request

    with guard.protect(server.client(module, auth=Login())) as client:
        answer = client.post(ALLOWED, json=ASK)

    assert (answer.status_code, server.hits) == (200, {FR_HOST: 1})


def test_protecting_twice_asks_once(
    guard: Guard, server: Loopback, module: Any
) -> None:
    with guard.protect(guard.protect(server.client(module))) as client:
        client.post(ALLOWED, json=ASK)

    assert told(guard) == [("decision", "allow"), ("outcome", "complete")]


def test_a_client_belongs_to_one_guard(
    guard: Guard, server: Loopback, module: Any, tmp_path: Path
) -> None:
    with (
        guard.protect(server.client(module)) as client,
        guard_in(tmp_path / "other") as other,
        pytest.raises(CannotProtect, match="another guard"),
    ):
        other.protect(client)


def test_a_closed_client_and_one_that_routes_by_itself_are_not_protected(
    guard: Guard, server: Loopback, module: Any
) -> None:
    class Own(module.Client):
        def _transport_for_url(self, url: Any) -> Any:
            return super()._transport_for_url(url)

    closed = server.client(module)
    closed.close()
    with Own() as own:
        with pytest.raises(CannotProtect, match="_transport_for_url"):
            guard.protect(own)
        with pytest.raises(CannotProtect, match="closed"):
            guard.protect(closed)


def test_facts_of_a_block_reach_the_transport(
    server: Loopback, module: Any, tmp_path: Path
) -> None:
    with guard_in(tmp_path) as guard, guard.protect(server.client(module)) as client:
        with context(**TICKETS):
            inside = client.post(ALLOWED, json=ASK)
        outside = client.post(ALLOWED, json=ASK)

    assert (inside.status_code, outside.status_code) == (200, 403)


def test_an_answer_is_what_it_was_and_its_end_is_recorded(
    guard: Guard, server: Loopback, module: Any
) -> None:
    with guard.protect(server.client(module)) as client:
        with client.stream("POST", ALLOWED, json={**ASK, "stream": True}) as answer:
            content = answer.read()
        with client.stream("POST", ALLOWED, json={**ASK, "stream": True}):
            pass

    assert content == b"".join(server.stream)
    assert told(guard) == [
        ("decision", "allow"),
        ("outcome", "complete"),
        ("decision", "allow"),
        ("outcome", "abandoned"),
    ]


def test_an_answer_that_was_made_in_memory_has_ended(guard: Guard, module: Any) -> None:
    def answered(_: Any) -> Any:
        return module.Response(200, json=CHAT)

    transport = module.MockTransport(answered)
    with guard.protect(module.Client(transport=transport)) as client:
        client.post(ALLOWED, json=ASK)

    _, outcome = remembered(guard)
    assert [outcome[name] for name in ("outcome", "input_tokens", "output_tokens")] == [
        "complete",
        3,
        5,
    ]


LED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "address": ({}, {"url": DENIED}),
    "address of the client": ({"base_url": CN}, {"url": "/chat/completions"}),
    "query": ({}, {"url": f"{ALLOWED}?model=other"}),
    "parameters": ({}, {"params": {"model": "other"}}),
    "parameters of the client": ({"params": {"model": "other"}}, {}),
    "header": ({}, {"headers": {"HOST": CN_HOST}}),
    "header of the client": ({"headers": {b"host": CN_HOST.encode()}}, {}),
    "name for TLS": ({}, {"extensions": {"sni_hostname": CN_HOST}}),
    "encoding": ({}, {"headers": {"Content-Encoding": "gzip"}}),
}


@pytest.mark.parametrize("case", LED)
def test_the_wrapper_alone_is_not_led_elsewhere(
    guard: Guard, server: Loopback, module: Any, case: str
) -> None:
    made, more = LED[case]
    given = {"url": ALLOWED, "json": ASK, **more}
    rest = {name: value for name, value in given.items() if name != "url"}
    with module.Client(transport=server.transport(module), **made) as client:
        calls: tuple[tuple[Any, tuple[Any, ...], dict[str, Any]], ...] = (
            (client.post, (), given),
            (client.post, (given["url"],), rest),
            (client.request, (), {"method": "POST", **given}),
            (client.stream, ("POST", given["url"]), rest),
        )
        for method, args, kwargs in calls:
            with pytest.raises(NotAllowed):
                guard.call(method, *args, **kwargs)

    assert server.hits == {}


def test_an_argument_that_no_client_of_the_library_has_is_not_understood(
    guard: Guard, server: Loopback, module: Any
) -> None:
    def post(self: Any, url: str, *, json: Any, mirror: str = "") -> Any:
        return module.Client.post(self, mirror or url, json=json)

    kind: Any = type("Mirroring", (module.Client,), {"post": post})
    with kind(transport=server.transport(module)) as client:
        guard.call(client.post, ALLOWED, json=ASK)
        with pytest.raises(NotAllowed):
            guard.call(client.post, ALLOWED, json=ASK, mirror=DENIED)

    assert server.hits == {FR_HOST: 1}


def test_a_host_that_does_not_answer_leaves_an_error(
    guard: Guard, server: Loopback, module: Any
) -> None:
    server.failures = [0, 0]
    with guard.protect(server.client(module)) as client:
        with pytest.raises(module.RemoteProtocolError):
            client.post(ALLOWED, json=ASK)
        with pytest.raises(module.RemoteProtocolError):
            guard.call(client.post, ALLOWED, json=ASK)

    ends = [item for item in remembered(guard) if item["kind"] == "outcome"]
    assert [(item["outcome"], item["error"]) for item in ends] == [
        ("error", "RemoteProtocolError")
    ] * 2


def test_an_unprotected_client_is_asked_about_by_the_wrapper(
    guard: Guard, server: Loopback, module: Any
) -> None:
    with server.client(module) as client:
        guard.call(client.post, ALLOWED, json=ASK)
        with pytest.raises(PolicyDenied):
            guard.call(client.post, DENIED, json=ASK)
        with pytest.raises(NotAllowed):
            guard.call(client.post, ALLOWED, content=b"\x00")

    assert server.hits == {FR_HOST: 1}


def test_the_asynchronous_client_is_protected_alike(
    guard: Guard, server: Loopback, module: Any
) -> None:
    async def main() -> tuple[int, int]:
        async with guard.protect(server.aclient(module)) as client:
            allowed = await client.post(ALLOWED, json=ASK)
            denied = await client.post(DENIED, json=ASK)
            with pytest.raises(PolicyDenied):
                await guard.acall(client.post, DENIED, json=ASK)
            return allowed.status_code, denied.status_code

    assert asyncio.run(main()) == (200, 403)
    assert server.hits == {FR_HOST: 1}


def test_a_request_that_cannot_even_be_looked_at_is_not_sent(
    guard: Guard, server: Loopback, module: Any
) -> None:
    class Broken:
        def __str__(self) -> str:
            raise ZeroDivisionError

    with guard.protect(server.client(module)) as client:
        answer = client.post(ALLOWED, json=ASK, extensions={"sni_hostname": Broken()})

    assert (answer.status_code, answer.headers["x-should-retry"]) == (403, "false")
    assert answer.json()["error"]["code"] == "policy_unavailable"
    assert server.hits == {}
