"""What a request says about itself, read as the least careful server may read it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import httpx
import httpx2
import pytest

from policyguard.catalog.endpoints import unclear
from policyguard.guard.describe import Described
from policyguard.integrations.wire_body import (
    LONGEST_BODY,
    UNREAD,
    Sent,
    aread_body,
    read_body,
    sent_by,
)

URL = "https://api.scaleway.ai/v1/chat/completions"
BODY = b'{"model": "glm-5.2", "messages": []}'
MODULES = [httpx, httpx2]


@pytest.fixture(params=MODULES, ids=lambda item: item.__name__)
def module(request: Any) -> Any:
    return request.param


def read(module: ModuleType, **request: Any) -> Sent:
    made = module.Request("POST", **{"url": URL, "content": BODY, **request})
    return sent_by(made, read_body(made))


def test_a_plain_call_says_host_path_and_model(module: Any) -> None:
    assert read(module) == Sent(
        described=Described(
            host="api.scaleway.ai", path="/v1/chat/completions", model="glm-5.2"
        ),
        attempt=0,
        text=BODY,
    )


@pytest.mark.parametrize(
    "content",
    [
        b'{"model": "glm-5.2", "model": "other"}',
        b'{"model": "glm-5.2", "\\u006dodel": "other"}',
        b'{"model": "glm-5.2", "MODEL": "other"}',
        b'{"model": "glm-5.2", "models": ["other"]}',
        b'{"model": "glm-5.2", "fallbacks": ["other"]}',
        b'{"model": "glm-5.2", "fallback_models": ["other"]}',
        b'{"model": "glm-5.2", "tools": [{"type": "image", "model": "other"}]}',
        b'{"model": "glm-5.2", "n": NaN}',
        b'{"model": "glm-5.2", "n": {"a": 1, "a": 2}}',
        b'{"model": "glm-5.2"} {"model": "other"}',
        b'\xef\xbb\xbf{"model": "glm-5.2"}',
        '{"model": "glm-5.2"}'.encode("utf-16"),
        b'{"model": "glm-5.2", "a": "\xff"}',
        b'{"model": "glm-5.2", "a": ' + b"[" * 200_000,
        b'{"model": "glm-5.2", "a": ' + b"9" * 5_000 + b"}",
        b'[{"model": "glm-5.2"}]',
        b'"glm-5.2"',
        b"model=glm-5.2",
        b"\x1f\x8b\x08",
    ],
)
def test_a_body_that_can_be_read_in_two_ways_names_no_model(
    module: Any, content: bytes
) -> None:
    sent = read(module, content=content)

    assert (sent.described.model, sent.described.opaque) == (None, True)


@pytest.mark.parametrize(
    "content",
    [b"{}", b'{"model": null}', b'{"model": ["glm-5.2"]}', b'{"model": {"id": 1}}'],
)
def test_a_body_without_a_model_name_is_read_and_names_none(
    module: Any, content: bytes
) -> None:
    sent = read(module, content=content)

    assert (sent.described.model, sent.described.opaque) == (None, False)


def test_a_tool_that_uses_the_same_model_and_one_that_has_such_a_field_are_plain(
    module: Any,
) -> None:
    tools = [
        {"type": "image", "model": "glm-5.2"},
        {"type": "function", "parameters": {"properties": {"model": {}}}},
    ]
    sent = read(module, content=json.dumps({"model": "glm-5.2", "tools": tools}))

    assert (sent.described.model, sent.described.opaque) == ("glm-5.2", False)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "identity, gzip"},
        {"Content-Type": "application/json; charset=utf-7"},
        {"Content-Type": 'application/json;charset = "UTF-16"'},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Upgrade": "websocket"},
        {"Transfer-Encoding": "gzip, chunked"},
        {"Transfer-Encoding": "chunked", "Content-Length": "3"},
        [("Content-Length", "3"), ("Content-Length", str(len(BODY)))],
        {"Content-Length": str(LONGEST_BODY + 1)},
    ],
)
def test_headers_that_change_what_the_body_means_hide_it(
    module: Any, headers: Any
) -> None:
    sent = read(module, headers=headers)

    assert (sent.described.model, sent.described.opaque) == (None, True)


def test_ordinary_headers_hide_nothing(module: Any) -> None:
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "Content-Encoding": "identity",
        "Host": "API.scaleway.ai:443",
    }

    assert read(module, headers=headers) == read(module)


def test_a_form_names_the_model_of_its_field(module: Any) -> None:
    request = module.Request(
        "POST", URL, files={"image": ("x.png", BODY)}, data={"model": "glm-5.2"}
    )

    sent = sent_by(request, read_body(request))

    assert (sent.described.model, sent.described.opaque) == ("glm-5.2", False)
    assert sent.text is None


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://API.Scaleway.AI/v1", "api.scaleway.ai"),
        ("https://api.scaleway.ai./v1", "api.scaleway.ai"),
        ("https://api.scaleway.ai:443/v1", "api.scaleway.ai"),
        ("https://api.scaleway.ai:8443/v1", "api.scaleway.ai:8443"),
        ("https://api.scaleway.ai@evil.example/v1", "evil.example"),
        ("https://api.scaleway.ai:443@evil.example/v1", "evil.example"),
        ("https://evil.example/?@api.scaleway.ai/v1", "evil.example"),
        ("https://evil.example#@api.scaleway.ai/v1", "evil.example"),
        ("https://api.scaleway.ai.evil.example/v1", "api.scaleway.ai.evil.example"),
        ("https://b\u00fccher.example/v1", "xn--bcher-kva.example"),
        ("https://\u0430pi.scaleway.ai/v1", "xn--pi-6kc.scaleway.ai"),
        ("http://[::1]:8080/v1", "[::1]:8080"),
    ],
)
def test_the_host_is_the_one_that_is_connected_to(
    module: Any, url: str, host: str
) -> None:
    assert read(module, url=url).described.host == host


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"Host": "open.bigmodel.cn"}},
        {"headers": [("Host", "api.scaleway.ai"), ("Host", "open.bigmodel.cn")]},
        {"headers": {"Host": "api.scaleway.ai:8443"}},
        {"headers": {"Host": "api.scaleway.ai, open.bigmodel.cn"}},
        {"headers": {"Host": ""}},
        {"extensions": {"sni_hostname": "open.bigmodel.cn"}},
        {"extensions": {"sni_hostname": b"open.bigmodel.cn"}},
        {"extensions": {"sni_hostname": None}},
    ],
)
def test_two_names_for_the_host_are_none(module: Any, more: dict[str, Any]) -> None:
    assert read(module, **more).described.host is None


def test_tls_may_name_the_same_host(module: Any) -> None:
    more = {"extensions": {"sni_hostname": "api.scaleway.ai"}}

    assert read(module, **more).described.host == "api.scaleway.ai"
    assert (
        read(
            module, url="https://h.example:8/", extensions={"sni_hostname": "h.example"}
        ).described.host
        == "h.example:8"
    )


def test_another_target_than_the_urls_hides_the_call(module: Any) -> None:
    sent = read(module, extensions={"target": b"/openai/deployments/other/x"})

    assert (sent.described.model, sent.described.opaque) == (None, True)


@pytest.mark.parametrize(
    ("query", "model"),
    [
        ("?model=glm-5.2", "glm-5.2"),
        ("?model=other", None),
        ("?model=glm-5.2&model=b", None),
    ],
)
def test_the_query_may_only_repeat_the_model(
    module: Any, query: str, model: str | None
) -> None:
    sent = read(module, url=URL + query)

    assert (sent.described.model, sent.described.path) == (
        model,
        "/v1/chat/completions",
    )


@pytest.mark.parametrize(
    ("text", "attempt"),
    [
        ("0", 0),
        ("2", 2),
        ("-1", 0),
        ("1.5", 0),
        ("\u0663", 0),
        ("0, 1", 0),
        ("", 0),
        ("9" * 5_000, 1_000_000),
    ],
)
def test_the_count_of_retries_is_a_claim_within_bounds(
    module: Any, text: str, attempt: int
) -> None:
    headers = {"x-stainless-retry-count": text.encode("utf-8")}

    assert read(module, headers=headers).attempt == attempt


def test_a_generated_body_is_read_once_and_sent_whole(module: Any) -> None:
    def parts() -> Iterator[bytes]:
        yield BODY[:7]
        yield BODY[7:]

    request = module.Request("POST", URL, content=parts())

    sent = sent_by(request, read_body(request))

    assert (sent.described.model, sent.described.opaque) == ("glm-5.2", False)
    assert [b"".join(request.stream), b"".join(request.stream)] == [BODY, BODY]


def test_a_body_that_is_generated_asynchronously_is_sent_whole(module: Any) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield BODY[:7]
        yield BODY[7:]

    async def main() -> tuple[Sent, bytes]:
        request = module.Request("POST", URL, content=parts())
        sent = sent_by(request, await aread_body(request))
        return sent, b"".join([part async for part in request.stream])

    sent, content = asyncio.run(main())

    assert (sent.described.model, sent.described.opaque, content) == (
        "glm-5.2",
        False,
        BODY,
    )


def test_a_body_that_is_too_long_is_opaque_and_still_whole(module: Any) -> None:
    block = b"x" * (1 << 20)
    count = (LONGEST_BODY >> 20) + 3
    request = module.Request("POST", URL, content=iter([block] * count))

    assert read_body(request) == UNREAD
    assert sum(map(len, request.stream)) == count << 20
    with pytest.raises(module.StreamConsumed):
        list(request.stream)


def test_what_the_callers_own_iterator_raises_is_not_hidden(module: Any) -> None:
    def parts() -> Iterator[bytes]:
        yield BODY
        raise KeyError("own")

    request = module.Request("POST", URL, content=parts())

    with pytest.raises(KeyError, match="own"):
        read_body(request)


def test_a_listing_names_no_model_and_hides_nothing(module: Any) -> None:
    request = module.Request("GET", "https://api.scaleway.ai/v1/models")

    assert sent_by(request, read_body(request)) == Sent(
        described=Described(host="api.scaleway.ai", path="/v1/models"),
        attempt=0,
        text=b"",
    )


UPLOAD = {
    "content": None,
    "data": {"model": "glm-5.2", "purpose": "batch"},
    "files": {"file": ("calls.jsonl", b'{"custom_id": "1"}')},
}
"""An upload of calls that looks like a call of one model."""


@pytest.mark.parametrize(
    "path",
    [
        "/v1/f%69les",
        "/v1/%66%69%6C%65%73",
        "/v1/FILES",
        "/v1/files;x",
        "/v1/files;x/",
        "/v1/files//",
        "/v1//files",
        "/v1%2Ffiles",
        "/v1/files%2F",
        "/v1/x%2F..%2Ffiles",
        "/v1\\files",
        "/v1/files%00",
        "/v1/files%20",
        "/v1/%C0%AEfiles",
        "/v1/f\u0131les",
        "/v1/files:upload",
    ],
)
def test_no_path_hides_that_a_body_is_an_upload(module: Any, path: str) -> None:
    sent = read(module, url=f"https://api.scaleway.ai{path}", **UPLOAD).described

    assert unclear(sent.path) != ""
    assert sent == Described(
        host="api.scaleway.ai", path=sent.path, opaque=True, why=unclear(sent.path)
    )


@pytest.mark.parametrize(
    "path", ["/v1/batches", "/v1/batches/", "/v1/batche%73", "/v1/Batches"]
)
def test_no_path_hides_that_a_batch_is_made_of_a_file(module: Any, path: str) -> None:
    body = b'{"model": "glm-5.2", "input_file_id": "file-1"}'
    sent = read(module, url=f"https://api.scaleway.ai{path}", content=body).described

    assert (sent.opaque, sent.model, sent.file) == (True, None, None)


@pytest.mark.parametrize("path", ["/v1/uploads/u/parts", "/v1/uploads/u/Parts"])
def test_a_piece_of_an_upload_is_no_call_of_a_model(module: Any, path: str) -> None:
    sent = read(module, url=f"https://api.scaleway.ai{path}", **UPLOAD).described

    assert (sent.opaque, sent.model) == (True, None)


@pytest.mark.parametrize("field", ["model", "name"])
def test_a_path_that_names_two_models_is_not_read(module: Any, field: str) -> None:
    url = "https://api.scaleway.ai/model/glm-5.2/openai/deployments/other/chat"
    sent = read(module, url=url, content=f'{{"{field}": "glm-5.2"}}'.encode()).described

    assert (sent.opaque, sent.model) == (True, None)
