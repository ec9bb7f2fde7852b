"""A Bedrock runtime on loopback, and clients of botocore that lead every host to it."""

from __future__ import annotations

import base64
import json
import struct
import threading
import zlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.httpsession import URLLib3Session

CONVERSED: dict[str, Any] = {
    "output": {"message": {"role": "assistant", "content": [{"text": "hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8},
    "metrics": {"latencyMs": 1},
}
_SESSION = botocore.session.get_session()


def frame(kind: str, payload: dict[str, Any]) -> bytes:
    """Return one message of AWS's event stream encoding."""
    headers = b""
    for name, value in (
        (":event-type", kind),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ):
        key, text = name.encode(), value.encode()
        headers += bytes([len(key)]) + key + b"\x07"
        headers += struct.pack(">H", len(text)) + text
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return whole + struct.pack(">I", zlib.crc32(whole))


CONVERSE_EVENTS = (
    frame("messageStart", {"role": "assistant"}),
    frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "hello"}}),
    frame("messageStop", {"stopReason": "end_turn"}),
    frame("metadata", {"usage": CONVERSED["usage"], "metrics": {"latencyMs": 1}}),
)
METRICS = {"inputTokenCount": 3, "outputTokenCount": 5}


def chunk(document: dict[str, Any]) -> bytes:
    """Return an event in which an event of the model's own is."""
    content = base64.b64encode(json.dumps(document).encode()).decode()
    return frame("chunk", {"bytes": content})


INVOKE_EVENTS = (
    chunk({"type": "message_start", "message": {"model": "claude-fable-5"}}),
    frame("chunk", {"bytes": "aGVsbG8="}),
    chunk({"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS}),
)


class Bedrock:
    """Stands for every host of the service; `with` starts and stops it."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.failures: list[int] = []
        """The statuses that the first calls are answered with."""
        self.cut = False
        """Whether a stream breaks off after its first event."""
        self._clients: list[Any] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.bedrock = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def client(
        self,
        *,
        region: str = "eu-central-1",
        service: str = "bedrock-runtime",
        **more: Any,
    ) -> Any:
        """Return a client whose addresses are real and whose connections end here."""
        config = Config(retries={"mode": "standard", "max_attempts": 3, **more})
        client = _SESSION.create_client(
            service,
            region_name=region,
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=config,
        )
        client._endpoint.http_session = _Led(self._server.server_port)
        self._clients.append(client)
        return client


class _Server(ThreadingHTTPServer):
    bedrock: Bedrock
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that go away are what some tests are about."""


class _Led(URLLib3Session):
    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def send(self, request: Any) -> Any:
        url = urlsplit(request.url)
        request.headers["Host"] = url.netloc
        request.url = f"http://127.0.0.1:{self._port}{url.path}"
        return super().send(request)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        bedrock = self.server.bedrock
        self.rfile.read(int(self.headers.get("content-length", 0)))
        bedrock.hits[self.headers["host"]] += 1
        if bedrock.failures:
            self._send(bedrock.failures.pop(0), b"{}")
        elif self.path.endswith("/converse"):
            self._send(200, json.dumps(CONVERSED).encode())
        elif self.path.endswith("/invoke"):
            self._send(200, b'{"content": "hello"}')
        elif self.path.endswith("/converse-stream"):
            self._stream(CONVERSE_EVENTS)
        else:
            self._stream(INVOKE_EVENTS)

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, events: tuple[bytes, ...]) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/vnd.amazon.eventstream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        cut = self.server.bedrock.cut
        for event in events[:1] if cut else events:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        if cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")
