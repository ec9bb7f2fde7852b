"""Every way out of the SDKs, sync and async: what is denied reaches no server.

The server is a bare socket that counts connections and bytes. Cells that an SDK of
another version does not have are absent there, and `test_the_sdks_have_what_…` says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from guards import CN, FR, MESSAGES
from integration.loopback import Loopback, remembered
from pydantic import BaseModel

from policyguard import CannotProtect, Guard


class Reply(BaseModel):
    text: str


PNG = ("a.png", b"canary-bytes", "image/png")
TEXT = ("a.jsonl", b'{"custom_id": "canary"}\n', "application/jsonl")
ASK: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}
TELL: dict[str, Any] = {"model": "glm-5.2", "input": "canary-prompt"}
MSG: dict[str, Any] = {**ASK, "max_tokens": 8}
BATCH: dict[str, Any] = {"requests": [{"custom_id": "1", "params": MSG}]}
OPENAI: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("chat.completions.create", ASK),
    "chat_stream": ("chat.completions.create", {**ASK, "stream": True}),
    "chat_manager": ("chat.completions.stream", ASK),
    "chat_parse": ("chat.completions.parse", {**ASK, "response_format": Reply}),
    "chat_raw": ("chat.completions.with_raw_response.create", ASK),
    "chat_streaming": ("chat.completions.with_streaming_response.create", ASK),
    "chat_options": ("with_options.chat.completions.create", ASK),
    "chat_extra": ("chat.completions.create", {**ASK, "extra_body": {"model": "x"}}),
    "responses": ("responses.create", TELL),
    "responses_stream": ("responses.create", {**TELL, "stream": True}),
    "responses_manager": ("responses.stream", TELL),
    "responses_parse": ("responses.parse", {**TELL, "text_format": Reply}),
    "embeddings": ("embeddings.create", TELL),
    "completions": ("completions.create", {"model": "glm-5.2", "prompt": "canary"}),
    "moderations": ("moderations.create", TELL),
    "images": ("images.generate", {"model": "glm-5.2", "prompt": "canary"}),
    "images_edit": ("images.edit", {"image": PNG, "prompt": "canary"}),
    "speech": ("audio.speech.create", {**TELL, "voice": "alloy"}),
    "transcription": ("audio.transcriptions.create", {"model": "x", "file": PNG}),
    "files": ("files.create", {"file": TEXT, "purpose": "batch"}),
    "batches": (
        "batches.create",
        {
            "input_file_id": "f",
            "endpoint": "/v1/responses",
            "completion_window": "24h",
        },
    ),
    "fine_tuning": ("fine_tuning.jobs.create", {"model": "x", "training_file": "f"}),
    "models": ("models.retrieve", {"model": "glm-5.2"}),
    "post": ("post", {"path": "/chat/completions", "cast_to": object, "body": ASK}),
}
ANTHROPIC: dict[str, tuple[str, dict[str, Any]]] = {
    "messages": ("messages.create", MSG),
    "messages_stream": ("messages.create", {**MSG, "stream": True}),
    "messages_manager": ("messages.stream", MSG),
    "messages_options": ("with_options.messages.create", MSG),
    "messages_raw": ("messages.with_raw_response.create", MSG),
    "messages_streaming": ("messages.with_streaming_response.create", MSG),
    "count_tokens": ("messages.count_tokens", ASK),
    "batches": ("messages.batches.create", BATCH),
    "beta": ("beta.messages.create", MSG),
    "beta_batches": ("beta.messages.batches.create", BATCH),
    "beta_files": ("beta.files.upload", {"file": TEXT}),
    "models": ("models.retrieve", {"model_id": "glm-5.2"}),
    "post": ("post", {"path": "/v1/messages", "cast_to": object, "body": MSG}),
}
CELLS = [
    *(("openai", name) for name in OPENAI),
    *(("anthropic", name) for name in ANTHROPIC),
]
JSON_ONLY = [
    cell
    for cell in CELLS
    if cell[1] not in {"images_edit", "transcription", "files", "beta_files", "batches"}
    and cell[1] not in {"fine_tuning", "models", "chat_extra", "speech"}
] + [("anthropic", "batches")]


class Wire:
    """Stands for every host, and counts what reaches it."""

    def __init__(self) -> None:
        self.connections = 0
        self.bytes = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                with connection:
                    connection.settimeout(5)
                    self.bytes += len(connection.recv(1 << 16))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def led(module: Any, *, port: int, sync: bool, **more: Any) -> Any:
    """Return a client of httpx or httpx2 that sends everything to one port."""

    def here(request: Any) -> Any:
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)
        return module.Request(
            request.method, url, headers=request.headers, stream=request.stream
        )

    class Led(module.HTTPTransport):
        def handle_request(self, request: Any) -> Any:
            return super().handle_request(here(request))

    class ALed(module.AsyncHTTPTransport):
        async def handle_async_request(self, request: Any) -> Any:
            return await super().handle_async_request(here(request))

    if sync:
        return module.Client(transport=Led(**more), follow_redirects=True)
    return module.AsyncClient(transport=ALed(**more), follow_redirects=True)


def client_of(sdk: str, *, base_url: str, http: Any) -> Any:
    sync = not hasattr(http, "aclose")
    kinds: dict[str, tuple[Any, Any]] = {
        "openai": (openai.OpenAI, openai.AsyncOpenAI),
        "anthropic": (anthropic.Anthropic, anthropic.AsyncAnthropic),
    }
    kind = kinds[sdk][0 if sync else 1]
    return kind(base_url=base_url, api_key="none", http_client=http, max_retries=1)


def method_of(client: Any, path: str) -> Any:
    for step in path.split("."):
        client = getattr(client, step)
        if step == "with_options":
            client = client(timeout=9)
    return client


def used(client: Any, cell: tuple[str, str]) -> None:
    """Make a call and read what it gives, whatever that is."""
    path, kwargs = (OPENAI if cell[0] == "openai" else ANTHROPIC)[cell[1]]
    result = method_of(client, path)(**kwargs)
    if hasattr(result, "__enter__"):
        with result as opened:
            list(opened) if hasattr(opened, "__iter__") else opened.read()


async def aused(client: Any, cell: tuple[str, str]) -> None:
    path, kwargs = (OPENAI if cell[0] == "openai" else ANTHROPIC)[cell[1]]
    result = method_of(client, path)(**kwargs)
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__aenter__"):
        async with result as opened:
            if hasattr(opened, "__aiter__"):
                [item async for item in opened]
            else:
                await opened.read()


def run(client: Any, cell: tuple[str, str], *, sync: bool) -> None:
    if sync:
        with client:
            used(client, cell)
        return

    async def main() -> None:
        async with client:
            await aused(client, cell)

    asyncio.run(main())


def modules(sdk: str) -> tuple[Any, ...]:
    """Return the HTTP libraries whose clients an SDK takes."""
    if sdk == "anthropic":
        return (httpx2,)
    return (httpx2, httpx) if openai.__version__ >= "3" else (httpx,)


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_no_byte_of_a_denied_call_reaches_a_server(
    guard: Guard, wire: Wire, cell: tuple[str, str], *, sync: bool
) -> None:
    known = openai if cell[0] == "openai" else anthropic
    told = []
    for module in modules(cell[0]):
        http = led(module, port=wire.port, sync=sync)
        client = client_of(cell[0], base_url=CN, http=http)
        guard.protect(client)
        with pytest.raises(known.PermissionDeniedError) as caught:
            run(client, cell, sync=sync)
        told.append(caught.value.response.headers["x-policyguard-decision"])

    records = remembered(guard)[-len(told) :]
    assert [(item["id"], item["attempt"]) for item in records] == [
        (name, 0) for name in told
    ]
    assert (wire.connections, wire.bytes) == (0, 0)


@pytest.mark.parametrize("cell", JSON_ONLY, ids="-".join)
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_an_allowed_call_reaches_its_server_once(
    guard: Guard, cell: tuple[str, str], *, sync: bool
) -> None:
    with Loopback() as server:
        for module in modules(cell[0]):
            http = server.client(module) if sync else server.aclient(module)
            client = client_of(cell[0], base_url=FR, http=http)
            guard.protect(client)
            # Some of its answers are not what the SDK hopes for: it was sent, though.
            with contextlib.suppress(
                openai.OpenAIError,
                anthropic.AnthropicError,
                RuntimeError,
                TypeError,
                ValueError,
            ):
                run(client, cell, sync=sync)

        assert server.hits == {"api.scaleway.ai": len(modules(cell[0]))}


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_http_2_changes_nothing(guard: Guard, wire: Wire, *, sync: bool) -> None:
    http = led(httpx2, port=wire.port, sync=sync, http2=True)
    client = client_of("anthropic", base_url=CN, http=http)
    guard.protect(client)
    with pytest.raises(anthropic.PermissionDeniedError):
        run(client, ("anthropic", "messages"), sync=sync)

    assert wire.connections == 0


@pytest.mark.parametrize("name", ["realtime.connect", "responses.connect"])
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_no_web_socket_is_opened(
    guard: Guard, wire: Wire, name: str, *, sync: bool
) -> None:
    http = led(modules("openai")[0], port=wire.port, sync=sync)
    client = client_of("openai", base_url=CN, http=http)
    client.websocket_base_url = f"ws://127.0.0.1:{wire.port}"
    guard.protect(client)
    try:
        connect = method_of(client, name)
    except AttributeError:
        pytest.skip(f"openai {openai.__version__} has no `{name}`")
    with pytest.raises(CannotProtect, match="web socket"):
        connect(model="glm-5.2") if name.startswith("realtime") else connect()

    assert wire.connections == 0


# What we rely on and no SDK promises: if one of these fails, read what has changed.


@pytest.mark.parametrize("module", [httpx, httpx2], ids=lambda item: item.__name__)
def test_the_http_clients_have_the_parts_that_are_guarded(module: Any) -> None:
    for kind, base in (
        (module.Client, module.BaseTransport),
        (module.AsyncClient, module.AsyncBaseTransport),
    ):
        client = kind(mounts={"all://proxied.example": None})
        assert isinstance(client._transport, base)
        assert list(client._mounts.values()) == [None]
        assert callable(client._transport_for_url)
        assert callable(client._send_single_request)
    for kind, name in (
        (module.BaseTransport, "handle_request"),
        (module.AsyncBaseTransport, "handle_async_request"),
        (module.SyncByteStream, "__iter__"),
        (module.AsyncByteStream, "__aiter__"),
    ):
        assert callable(getattr(kind, name))


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_the_sdks_stand_on_one_http_client_and_their_resources_name_it(
    sdk: str, *, sync: bool
) -> None:
    kinds: Any = {
        "openai": (openai.OpenAI, openai.AsyncOpenAI),
        "anthropic": (anthropic.Anthropic, anthropic.AsyncAnthropic),
    }
    client = kinds[sdk][0 if sync else 1](base_url=FR, api_key="none")
    resource = client.chat.completions if sdk == "openai" else client.messages
    copy = client.with_options(max_retries=1)
    http = type(client._client)
    roots = {kind.__module__.partition(".")[0] for kind in http.__mro__}
    assert roots & {"httpx", "httpx2"}
    assert resource._client is client
    assert copy._client is client._client
    assert str(client._prepare_url("/x")).startswith(FR)


def test_the_sdks_have_what_the_matrix_calls() -> None:
    missing = []
    for sdk, cells in (("openai", OPENAI), ("anthropic", ANTHROPIC)):
        client = client_of(sdk, base_url=FR, http=modules(sdk)[0].Client())
        for name, (path, _) in cells.items():
            try:
                method_of(client, path)
            except AttributeError:
                missing.append(f"{sdk}-{name}")

    assert missing == []


def test_the_anthropic_sdk_has_the_middleware_that_is_offered() -> None:
    kind = anthropic.Middleware
    assert list(inspect.signature(kind.handle).parameters) == [
        "self",
        "request",
        "call_next",
    ]
    assert inspect.iscoroutinefunction(kind.handle_async)
