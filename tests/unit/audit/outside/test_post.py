"""One request is bounded in time and memory, whoever answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from outsiders import answering

from policyguard.audit.outside.post import post
from policyguard.errors import OutsideError


@contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Run a server that does anything with each connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    talk(connection)
                except OSError:
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def ask(url: str, *, deadline: float = 0.5, limit: int = 100) -> bytes:
    return post(
        url, b"x", content_type="text/plain", limit=limit, deadline=deadline
    ).body


def test_the_whole_answer_is_returned_whatever_its_status() -> None:
    asked: list[bytes] = []
    with answering(409, b"7\n", kind="text/x.tlog.size", asked=asked) as url:
        answer = post(f"{url}/add?x=1", b"body", content_type="text/plain", limit=10)

    assert (answer.status, answer.content_type, answer.body) == (
        409,
        "text/x.tlog.size",
        b"7\n",
    )
    assert (asked, answer.is_ok) == ([b"body"], False)


def test_a_redirect_is_not_followed() -> None:
    asked: list[bytes] = []
    with (
        answering(200, b"stolen", asked=asked) as elsewhere,
        answering(302, b"", Location=elsewhere) as url,
    ):
        answer = post(url, b"x", content_type="text/plain", limit=10)

    assert (answer.status, asked) == (302, [])


def trickle(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b"a")
        time.sleep(0.05)


def trickle_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(100):
        connection.sendall(b"X-%d: a\r\n" % number)
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("talk", "found"),
    [
        (lambda _: time.sleep(1.5), "no answer within 0.5 seconds"),
        (trickle, "no answer within 0.5 seconds|cannot be reached"),
        (trickle_headers, "no answer within 0.5 seconds|cannot be reached"),
        (lambda _: None, "cannot be reached"),
        (lambda c: c.sendall(b"nonsense\r\n\r\n"), "cannot be reached"),
        (
            lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"),
            "cannot be reached",
        ),
        (
            lambda c: c.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b"a" * 200
            ),
            "more than 100 bytes",
        ),
        (
            lambda c: c.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 70_000),
            "cannot be reached",
        ),
    ],
    ids=[
        "silent", "trickling body", "trickling headers", "closing", "nonsense",
        "cut off", "too long", "endless header",
    ],
)  # fmt: skip
def test_an_answer_that_is_late_broken_or_long_is_an_error(talk, found: str) -> None:
    with talking(talk) as url, pytest.raises(OutsideError, match=found):
        ask(url)


def test_nobody_there_is_an_error_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(OutsideError, match="try again later, or correct the URL"):
        ask(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://a.example/", "file:///etc/passwd", "https://", "https:///path",
        "https://user:secret@a.example/", "https://a.example/#part", "http://a.example:0/",
        "http://a.example:99999/", "https://a.example/a b", "https://a.example/\n",
        "https://ä.example/", "http://[::1", "//a.example/",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_used_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(OutsideError, match="URL"):
        ask(url)
