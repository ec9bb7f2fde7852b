"""What decides where a call of an SDK goes, and what it says, however it is given.

No client here is protected: what the wrapper does not see leaves.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from guards import CN, FR, MESSAGES, TICKETS, guard_in
from integration.clients import sync_client
from integration.loopback import Loopback, remembered

from policyguard import Guard, NotAllowed
from policyguard.guard.describe import Described, describe

FR_HOST = "api.scaleway.ai"
CN_HOST = "open.bigmodel.cn"
BODY: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}
CHAT = "/chat/completions"
HOST = {"hOsT": CN_HOST}
OTHER = {"model": "other"}
KINDS = (
    openai.OpenAI,
    openai.AsyncOpenAI,
    anthropic.Anthropic,
    anthropic.AsyncAnthropic,
)


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made


@functools.cache
def http_of(kind: Any) -> Any:
    """Return an HTTP client for all: what it makes for TLS takes time."""
    return http_kind(kind)()


def http_kind(kind: Any) -> Any:
    asynchronous = kind.__name__.startswith("Async")
    return httpx2.AsyncClient if asynchronous else httpx2.Client


def client_of(kind: Any, **more: Any) -> Any:
    known = {"base_url": FR, "api_key": "none", "http_client": http_of(kind)}
    return kind(**{**known, **more})


def ways(path: Any) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Return the path of a call by position, and by its name."""
    return [((path,), {}), ((), {"path": path})]


def places(found: Described) -> tuple[str | None, str | None, str, bool]:
    return found.model, found.host, found.path, found.opaque


KNOWN = ("glm-5.2", FR_HOST, f"/v1{CHAT}", False)
NO_MODEL = (None, FR_HOST, f"/v1{CHAT}", False)
NO_HOST = ("glm-5.2", None, f"/v1{CHAT}", False)
OPAQUE = (None, FR_HOST, f"/v1{CHAT}", True)
PLACELESS = (None, None, f"/v1{CHAT}", True)
NOTHING = (None, None, "", True)

VERBS: dict[str, tuple[Any, dict[str, Any], tuple[Any, ...]]] = {
    "plain": (CHAT, {}, KNOWN),
    "elsewhere": (
        f"{CN}{CHAT}",
        {},
        ("glm-5.2", CN_HOST, f"/api/paas/v4{CHAT}", False),
    ),
    "dots": (
        "/../../openai/deployments/other",
        {},
        ("glm-5.2", FR_HOST, "/openai/deployments/other", False),
    ),
    "query in the path": (f"{CHAT}?model=other", {}, NO_MODEL),
    "query in the path, the same": (f"{CHAT}?model=glm-5.2", {}, KNOWN),
    "params": (CHAT, {"options": {"params": OTHER}}, NO_MODEL),
    "params, several": (CHAT, {"options": {"params": {"model": ["a"]}}}, NO_MODEL),
    "params that cannot be read": (CHAT, {"options": {"params": "a"}}, PLACELESS),
    "params of bytes": (CHAT, {"options": {"params": {b"model": "b"}}}, PLACELESS),
    "headers": (CHAT, {"options": {"headers": HOST}}, NO_HOST),
    "headers of bytes": (CHAT, {"options": {"headers": {b"Host": b"b"}}}, PLACELESS),
    "headers in a list": (CHAT, {"options": {"headers": [("Host", "b")]}}, PLACELESS),
    "headers of no weight": (CHAT, {"options": {"headers": {"X-A": "b"}}}, KNOWN),
    "extra_json": (CHAT, {"options": {"extra_json": OTHER}}, ("other", *KNOWN[1:])),
    "extra_json of bytes": (CHAT, {"options": {"extra_json": b"{}"}}, OPAQUE),
    "options that cannot be read": (CHAT, {"options": [("params", OTHER)]}, NOTHING),
    "options of the request": (CHAT, {"options": {"json_data": OTHER}}, NOTHING),
    "files in options": (CHAT, {"options": {"files": {"a": b"b"}}}, NOTHING),
    "content": (CHAT, {"content": b"{}"}, OPAQUE),
    "files": (CHAT, {"files": {"file": b"b"}}, OPAQUE),
    "body of bytes": (CHAT, {"body": b"{}"}, OPAQUE),
    "body in a list": (CHAT, {"body": [BODY]}, OPAQUE),
    "an argument that is not known": (CHAT, {"url": CN}, NOTHING),
    "no path": (None, {}, NOTHING),
    "a path of bytes": (f"{CN}{CHAT}".encode(), {}, NOTHING),
    "a URL for a path": (httpx2.URL(f"{CN}{CHAT}"), {}, NOTHING),
    "a path that is none": ("https://a:b/", {}, NOTHING),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", VERBS)
def test_a_verb_of_a_client_is_read_alike_by_position_and_by_name(
    kind: Any, case: str
) -> None:
    path, more, expected = VERBS[case]
    client = client_of(kind)
    given = {"cast_to": object, "body": BODY, **more}
    if "content" in more:
        del given["body"]

    found = [
        places(describe(verb, args, {**named, **given}))
        for verb in (client.post, client.put, client.patch)
        for args, named in ways(path)
    ]

    assert found == [expected] * 6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["request", "get_api_list", "copy", "with_options"])
def test_what_a_client_can_do_beside_its_verbs_is_opaque(kind: Any, name: str) -> None:
    method = getattr(client_of(kind), name)

    for args, named in (*ways(CHAT), ((), {})):
        assert places(describe(method, args, {**named, **BODY})) == NOTHING


@pytest.mark.parametrize("kind", KINDS)
def test_more_by_position_than_a_path_is_opaque(kind: Any) -> None:
    assert places(describe(client_of(kind).post, (CHAT, BODY), {})) == NOTHING


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, KNOWN),
        ({"extra_headers": HOST}, NO_HOST),
        ({"extra_headers": {b"host": CN_HOST}}, PLACELESS),
        ({"extra_headers": {"Content-Encoding": "gzip"}}, PLACELESS),
        ({"extra_headers": {"Content-Encoding": "identity"}}, KNOWN),
        ({"extra_headers": {"Content-Length": "2"}}, PLACELESS),
        ({"extra_headers": {"Transfer-Encoding": "chunked"}}, PLACELESS),
        ({"extra_headers": {"Upgrade": "h2c"}}, PLACELESS),
        ({"extra_headers": {"Content-Type": "multipart/form-data"}}, PLACELESS),
        (
            {"extra_headers": {"Content-Type": "application/json; charset=utf-16"}},
            PLACELESS,
        ),
        (
            {"extra_headers": {"Content-Type": "application/json; charset=UTF-8"}},
            KNOWN,
        ),
        ({"extra_query": OTHER}, NO_MODEL),
        ({"extra_query": {"model": "glm-5.2"}}, KNOWN),
        ({"extra_query": httpx2.QueryParams([("model", "a")])}, NO_MODEL),
        ({"extra_query": {b"model": "a"}}, PLACELESS),
        ({"extra_query": "model=other"}, PLACELESS),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_around_a_body_counts_against_it(
    kind: Any, more: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    client = client_of(kind)
    create = client.beta.messages.create if "anthropic" in str(kind) else None
    found = describe(create or client.chat.completions.create, (), {**BODY, **more})

    assert places(found) == (*expected[:2], "/v1/", expected[3])


IMAGES: dict[str, Any] = {"type": "image_generation", "model": "other"}
TOOLS: dict[str, tuple[Any, bool]] = {
    "a list": ([IMAGES], True),
    "a tuple": ((IMAGES,), True),
    "a generator": ((item for item in [IMAGES]), True),
    "an object of the SDK": (
        [openai.types.responses.tool.ImageGeneration.construct(**IMAGES)],
        True,
    ),
    "any object": ([types.SimpleNamespace(**IMAGES)], True),
    "the same model": (({"type": "a", "model": "glm-5.2"},), False),
    "no model": ([{"type": "web_search"}, types.SimpleNamespace(model=None)], False),
    "none": (None, False),
    "omitted": (openai.omit, False),
}


@pytest.mark.parametrize("case", TOOLS)
def test_a_tool_that_brings_a_model_is_seen_however_tools_are_given(case: str) -> None:
    tools, opaque = TOOLS[case]

    found = describe(
        client_of(openai.OpenAI).responses.create, (), {**BODY, "tools": tools}
    )

    assert (found.model, found.opaque) == (None if opaque else "glm-5.2", opaque)


AROUND: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "headers": ({"default_headers": HOST}, NO_HOST),
    "query": ({"default_query": OTHER}, NO_MODEL),
    "query of the same model": ({"default_query": {"model": "glm-5.2"}}, KNOWN),
    "encoding": ({"default_headers": {"content-encoding": "br"}}, PLACELESS),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["made", "with_options", "copy", "http_client"])
@pytest.mark.parametrize("case", AROUND)
def test_what_a_client_says_with_each_call_counts_wherever_it_was_set(
    kind: Any, how: str, case: str
) -> None:
    more, expected = AROUND[case]
    client: Any
    if how == "made":
        client = client_of(kind, **more)
    elif how == "http_client":
        names = {"default_headers": "headers", "default_query": "params"}
        own = {names[name]: value for name, value in more.items()}
        client = client_of(kind, http_client=http_kind(kind)(**own))
    else:
        client = getattr(client_of(kind), how)(**more)

    assert places(describe(client.post, (CHAT,), {"body": BODY})) == expected


def test_the_query_of_an_address_names_a_model_too() -> None:
    client = client_of(openai.OpenAI, base_url=f"{FR}?model=other")
    found = describe(client.chat.completions.create, (), BODY)

    assert (found.model, found.host) == (None, FR_HOST)


AZURE: dict[str, Any] = {
    "azure_endpoint": "https://a.openai.azure.com",
    "api_version": "1",
}
CLOUDS: dict[str, Any] = {
    "azure": lambda: openai.AzureOpenAI(api_key="none", **AZURE).chat.completions,
    "bedrock": lambda: (
        anthropic.AnthropicBedrock(aws_region="eu-central-1", api_key="none").messages
    ),
    "vertex": lambda: (
        anthropic.AnthropicVertex(
            region="europe-west1", project_id="acme", access_token="none"
        ).messages
    ),
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_cloud_whose_path_has_the_model_is_not_believed_with_two(cloud: str) -> None:
    """The SDK writes the path before it puts `extra_body` over the arguments."""
    create = CLOUDS[cloud]().create

    found = [
        describe(create, (), {**BODY, "extra_body": more})
        for more in ({"n": 1}, {"model": "glm-5.2"}, OTHER, {"model": None})
    ]

    assert [(item.model, item.opaque) for item in found] == [
        ("glm-5.2", False),
        ("glm-5.2", False),
        (None, True),
        (None, True),
    ]


def test_azure_really_writes_the_path_from_the_argument(server: Loopback) -> None:
    """If this fails, the test above guards against nothing any more."""
    with openai.AzureOpenAI(
        api_key="none", http_client=server.client(httpx2), **AZURE
    ) as client:
        request = client._build_request(
            openai._models.FinalRequestOptions.construct(
                method="post", url=CHAT, json_data=BODY, extra_json=OTHER
            )
        )

    assert "/deployments/glm-5.2/" in str(request.url)
    assert b'"model":"other"' in request.read().replace(b'": "', b'":"')


@pytest.mark.parametrize(
    ("more", "opaque"),
    [
        ({}, False),
        ({"websocket_connection_options": {"max_size": 1}}, False),
        ({"websocket_connection_options": {"host": CN_HOST}}, True),
        ({"websocket_connection_options": {"sock": object()}}, True),
        ({"websocket_connection_options": {"proxy": f"http://{CN_HOST}"}}, True),
        ({"websocket_connection_options": [("host", CN_HOST)]}, True),
        ({"on_reconnecting": lambda _: {"extra_query": OTHER}}, True),
    ],
)
def test_a_web_socket_that_may_be_led_elsewhere_is_opaque(
    more: dict[str, Any], *, opaque: bool
) -> None:
    client = client_of(openai.OpenAI)
    found = describe(client.realtime.connect, (), {"model": "glm-5.2", **more})

    assert (found.model, found.opaque) == (None if opaque else "glm-5.2", opaque)


SENT: dict[str, tuple[str, dict[str, Any]]] = {
    "another host": (f"{CN}{CHAT}", {}),
    "another model in the query": (CHAT, {"options": {"params": OTHER}}),
    "another model in the path": (f"{CHAT}?model=other", {}),
    "another host in a header": (CHAT, {"options": {"headers": HOST}}),
    "a path with dots": ("/../../openai/deployments/other/chat/completions", {}),
}


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("case", SENT)
def test_nothing_leaves_by_a_verb_that_leads_elsewhere(
    guard: Guard, server: Loopback, case: str, way: int
) -> None:
    path, more = SENT[case]
    args, named = ways(path)[way]
    with sync_client(server, FR) as client:
        post: Any = client.post
        given = {**named, "cast_to": object, "body": BODY, **more}
        with pytest.raises(NotAllowed):
            guard.bind(**TICKETS).call(post, *args, **given)

    assert server.hits == {}


@pytest.mark.parametrize("way", [0, 1])
def test_a_plain_verb_is_sent_by_position_and_by_name(
    guard: Guard, server: Loopback, way: int
) -> None:
    args, named = ways(CHAT)[way]
    with sync_client(server, FR) as client:
        post: Any = client.post
        guard.bind(**TICKETS).call(post, *args, **named, cast_to=object, body=BODY)

    assert server.hits == {FR_HOST: 1}
    decisions = [item for item in remembered(guard) if item["kind"] == "decision"]
    assert [item["deployments"] for item in decisions] == [["glm-5.2@api.scaleway.ai"]]
