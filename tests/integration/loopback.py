"""An OpenAI-compatible server on loopback, and transports that lead every host to it.

A client keeps its real address, so that a policy sees the real host; only the last
step, the connection, goes to 127.0.0.1. What arrives is counted by `Host` header.
"""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, Self
from urllib.parse import urlsplit

from policyguard.audit.reader import TrailReader

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "deflate": zlib.compress,
    "gzip": gzip.compress,
}
CONTENT = '{"text": "hello"}'
CHAT: dict[str, Any] = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "glm-5.2",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": CONTENT},
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
}
RESPONSE: dict[str, Any] = {
    "id": "1",
    "object": "response",
    "created_at": 0,
    "model": "glm-5.2",
    "output": [],
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 8,
    },
}
EMBEDDING: dict[str, Any] = {
    "object": "list",
    "model": "glm-5.2",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}


MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "glm-5.2",
    "content": [{"type": "text", "text": CONTENT}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 5},
}
BATCH: dict[str, Any] = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "in_progress",
    "request_counts": dict.fromkeys(
        ("processing", "succeeded", "errored", "canceled", "expired"), 0
    ),
    "created_at": "2026-07-10T12:00:00Z",
    "expires_at": "2026-07-11T12:00:00Z",
}


def event(kind: str, **more: Any) -> bytes:
    """Return one event of a streamed message."""
    document = json.dumps({"type": kind, **more})
    return f"event: {kind}\ndata: {document}\n\n".encode()


def message_stream(**usage: Any) -> tuple[bytes, ...]:
    """Return the events of a streamed message, with more fields in its usage."""
    began = {**MESSAGE, "content": [], "stop_reason": None}
    began["usage"] = {"input_tokens": 3, "output_tokens": 1, **usage}
    text = {"type": "text", "text": ""}
    delta = {"type": "text_delta", "text": CONTENT}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    return (
        event("message_start", message=began),
        event("content_block_start", index=0, content_block=text),
        event("content_block_delta", index=0, delta=delta),
        event("content_block_stop", index=0),
        event("message_delta", delta=stop, usage={"output_tokens": 5}),
        event("message_stop"),
    )


def chunk(text: str | None, **more: Any) -> bytes:
    """Return one event of a streamed chat answer."""
    delta = {"content": text} if text is not None else {}
    finish = None if text is not None else "stop"
    event = {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "glm-5.2",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }
    return b"data: " + json.dumps(event).encode() + b"\n\n"


STREAM = (
    chunk(CONTENT),
    chunk(None, usage=CHAT["usage"]),
    b"data: [DONE]\n\n",
)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    loopback: Loopback

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that go away are what some tests are about."""


class Loopback:
    """Stands for every host on the network; `with` starts and stops it."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        self.redirects: dict[str, str] = {}
        """Where a host sends its callers."""
        self.redirect_status = 307
        self.failures: list[int] = []
        """The statuses that the first calls are answered with; 0 cuts the line."""
        self.stream = STREAM
        self.messages = message_stream()
        """The events of a streamed answer of Anthropic's."""
        self.message = MESSAGE
        self.answers: dict[str, Any] = {}
        """What is answered where a path ends so."""
        self.coding = ""
        """How streams are packed; one that is not in `PACKED` is only said."""
        self.cut = False
        """Whether streams break off after their first event."""
        self.hang = threading.Event()
        """Set: streams go on. Clear it, and they stop after their first event."""
        self.hang.set()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.loopback = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def transport(self, module: ModuleType) -> Any:
        """Return a synchronous transport of httpx or httpx2 that always leads here."""
        return _transport(module, self._server.server_port)

    def client(self, module: ModuleType, **more: Any) -> Any:
        """Return a synchronous client of httpx or httpx2 of which all calls end here."""
        known: Any = module
        settings = {"transport": self.transport(module), "follow_redirects": True}
        return known.Client(**{**settings, **more})

    def aclient(self, module: ModuleType, **more: Any) -> Any:
        """Return an asynchronous client of which all calls end here."""
        known: Any = module
        transport = _atransport(known, self._server.server_port)
        return known.AsyncClient(
            **{"transport": transport, "follow_redirects": True, **more}
        )


def remembered(guard: Any) -> list[dict[str, Any]]:
    """Return what a guard's trail holds, oldest first, without the trail's own entries."""
    guard.core.trail.flush()
    return recorded_in(guard.trail_directory)


class Since:
    """Is what a guard's trail has gained since this was made."""

    def __init__(self, guard: Any) -> None:
        self._guard = guard
        self._before = len(remembered(guard))

    @property
    def records(self) -> list[dict[str, Any]]:
        return remembered(self._guard)[self._before :]

    @property
    def kinds(self) -> list[str]:
        return [item["kind"] for item in self.records]

    @property
    def verdicts(self) -> list[str]:
        return [item["verdict"] for item in self.records if "verdict" in item]

    @property
    def endings(self) -> list[tuple[str, str | None]]:
        """Outcomes with the type of their error."""
        return [
            (item["outcome"], item["error"])
            for item in self.records
            if item["kind"] == "outcome"
        ]


def recorded_in(directory: Path) -> list[dict[str, Any]]:
    """Return what a trail holds as an auditor reads it, whoever has it open."""
    return [
        entry.record().model_dump(mode="json")
        for log in TrailReader.open(directory).logs
        for entry in log.entries()
        if entry.record().kind != "genesis"
    ]


def _led(module: Any, request: Any, port: int) -> Any:
    return module.Request(
        request.method,
        request.url.copy_with(scheme="http", host="127.0.0.1", port=port),
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions,
    )


def led_to(port: int, module: Any, *, sync: bool) -> Any:
    """Return a transport that always leads to a server in another process."""
    return _transport(module, port) if sync else _atransport(module, port)


def _transport(module: Any, port: int) -> Any:
    class LoopbackTransport(module.HTTPTransport):
        def handle_request(self, request: Any) -> Any:
            return super().handle_request(_led(module, request, port))

    return LoopbackTransport()


def _atransport(module: Any, port: int) -> Any:
    class LoopbackTransport(module.AsyncHTTPTransport):
        async def handle_async_request(self, request: Any) -> Any:
            return await super().handle_async_request(_led(module, request, port))

    return LoopbackTransport()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.loopback.hits[self.headers["host"]] += 1
        self._json(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        loopback = self.server.loopback
        body = self._body()
        host = self.headers["host"]
        loopback.hits[host] += 1
        loopback.bodies.append(body)
        path = urlsplit(self.path).path
        if host in loopback.redirects:
            location = loopback.redirects[host]
            self._send(loopback.redirect_status, b"", location=location)
        elif loopback.failures:
            self._fail(loopback.failures.pop(0))
        elif _asks_for_stream(body):
            self._events("/messages" in path or ":streamRawPredict" in path)
        elif own := [
            loopback.answers[end] for end in loopback.answers if path.endswith(end)
        ]:
            self._json(200, own[0])
        elif path.endswith("/count_tokens"):
            self._json(200, {"input_tokens": 3})
        elif path.endswith("/batches"):
            self._json(200, BATCH)
        elif path.endswith(("/messages", "/invoke", ":rawPredict")):
            self._json(200, loopback.message)
        elif path.endswith("/embeddings"):
            self._json(200, EMBEDDING)
        elif path.endswith("/responses"):
            self._json(200, RESPONSE)
        else:
            self._json(200, CHAT)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _fail(self, status: int) -> None:
        if status:
            self._json(status, {"error": {"message": "try again"}})
        else:
            self.close_connection = True

    def _json(self, status: int, document: object) -> None:
        kind = "application/json"
        self._send(status, json.dumps(document).encode(), content_type=kind)

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _events(self, messages: bool) -> None:
        loopback = self.server.loopback
        stream = loopback.messages if messages else loopback.stream
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        if loopback.coding:
            self.send_header("content-encoding", loopback.coding)
        self.end_headers()
        pack = PACKED.get(loopback.coding)
        parts = stream if pack is None else (pack(b"".join(stream)),)
        try:
            for part in parts:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.flush()
                loopback.hang.wait(10)
                if loopback.cut:
                    self.close_connection = True
                    return
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            # The client has gone: some tests do.
            self.close_connection = True


def _asks_for_stream(body: bytes) -> bool:
    try:
        return bool(json.loads(body).get("stream"))
    except (ValueError, AttributeError):
        return False
