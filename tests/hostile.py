"""A server on loopback that answers what it is told, byte for byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Talk = Callable[[socket.socket], None]


@dataclass
class Server:
    """Is one server: where it is, and what it was asked."""

    url: str = ""
    asked: list[bytes] = field(default_factory=list)
    connections: int = 0


def http(body: bytes, *, status: str = "200 OK", more: str = "") -> bytes:
    """Return an answer in HTTP."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


@contextlib.contextmanager
def serving(talk: Callable[[socket.socket, Server], None]) -> Iterator[Server]:
    """Run a server that talks to each connection in a thread of its own."""
    server = Server()
    stopped = threading.Event()
    held: list[socket.socket] = []

    def run(listener: socket.socket) -> None:
        while not stopped.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                held.append(connection)
                server.connections += 1
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            talk(connection, server)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        server.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=run, args=(listener,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            stopped.set()
            thread.join()
            for connection in held:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()


def read_question(connection: socket.socket) -> bytes:
    """Read one question; empty when the other side has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def answering(answer: bytes) -> Callable[[socket.socket, Server], None]:
    """Give one answer to every question."""

    def talk(connection: socket.socket, server: Server) -> None:
        while question := read_question(connection):
            server.asked.append(question)
            connection.sendall(answer)

    return talk
