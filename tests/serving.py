"""Real servers on the loopback interface: uvicorn for ASGI, wsgiref for WSGI."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import uvicorn


@contextmanager
def asgi_server(app: Any, **more: Any) -> Iterator[str]:
    """Serve an ASGI application, and give its host and port."""
    known = {"port": 0, "log_level": "critical", "proxy_headers": False}
    config = uvicorn.Config(app, **{**known, **more})
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        ends = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < ends
            assert thread.is_alive()
            time.sleep(0.005)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


class _Threads(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def wsgi_server(app: Any) -> Iterator[str]:
    """Serve a WSGI application with a thread for each connection."""
    server = make_server(
        "127.0.0.1", 0, app, server_class=_Threads, handler_class=_Quiet
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()
