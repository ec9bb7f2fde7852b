"""An OpenAI-compatible server on loopback that stands for every host of the demo.

It answers `POST …/chat/completions` as JSON and as server-sent events, and remembers
which host each request was meant for. Owner: the `with` block that starts it. Nothing
is on disk, so a crash leaves nothing; whoever can reach loopback can add requests.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from policyguard.canonical import parse_json
from policyguard.errors import FormatError

ANSWER: Final = "Hello from loopback: this is where the model's answer would stand."
LOOPBACK: Final = "127.0.0.1"
_MAX_BODY_BYTES: Final = 1 << 20
_COMPLETIONS: Final = "/chat/completions"
_NOT_FOUND: Final = b'{"error": {"message": "not found"}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Is one request that reached the server."""

    host: str
    """The host that it was meant for, from its `Host` header."""
    path: str
    model: str | None
    """The model that its body names."""


class ModelServer(ThreadingHTTPServer):
    """Answers every host's chat completions, and counts what reaches it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self._lock = threading.Lock()
        self._hits: list[Hit] = []

    @property
    def port(self) -> int:
        """Return the port that the system chose."""
        return int(self.server_address[1])

    @property
    def hits(self) -> tuple[Hit, ...]:
        """Return what has reached the server, oldest first."""
        with self._lock:
            return tuple(self._hits)

    def remember(self, hit: Hit) -> None:
        """Add a request to what has reached the server."""
        with self._lock:
            self._hits.append(hit)


@contextmanager
def running_server() -> Iterator[ModelServer]:
    """Serve for a block, in a thread of its own."""
    with ModelServer() as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: without this each answer waits for the other
    # side's delayed acknowledgement, 40 ms on Linux.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer a chat completion."""
        document = self._document()
        named = document.get("model")
        model = named if isinstance(named, str) else None
        host = self.headers.get("Host", "")
        self.server.remember(Hit(host=host, path=self.path, model=model))
        if not self.path.endswith(_COMPLETIONS) or model is None:
            self._send(404, "application/json", _NOT_FOUND)
        elif document.get("stream") is True:
            self._send(200, "text/event-stream", _events(model))
        else:
            self._send(200, "application/json", json.dumps(_completion(model)).encode())

    def do_GET(self) -> None:
        """Answer what the demonstration does not ask for, and remember that it was."""
        host = self.headers.get("Host", "")
        self.server.remember(Hit(host=host, path=self.path, model=None))
        self._send(404, "application/json", _NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        """Keep standard error for errors."""

    def _document(self) -> dict[str, object]:
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isascii() and length.isdecimal() else 0
        if size > _MAX_BODY_BYTES:
            # What is not read would be taken for the next request.
            self.close_connection = True
            return {}
        try:
            document = parse_json(self.rfile.read(size))
        except FormatError:
            return {}
        return dict(document) if isinstance(document, dict) else {}

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _completion(model: str) -> dict[str, object]:
    return {
        "id": "demo",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": ANSWER},
            }
        ],
        "usage": {"prompt_tokens": 21, "completion_tokens": 12, "total_tokens": 33},
    }


def _events(model: str) -> bytes:
    words = ANSWER.split(" ")
    pieces = [word if index == 0 else f" {word}" for index, word in enumerate(words)]
    chunks = [_chunk(model, content=piece, finish=None) for piece in pieces]
    chunks.append(_chunk(model, content="", finish="stop"))
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


def _chunk(model: str, *, content: str, finish: str | None) -> dict[str, object]:
    return {
        "id": "demo",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": model,
        "choices": [
            {"index": 0, "delta": {"content": content}, "finish_reason": finish}
        ],
    }
