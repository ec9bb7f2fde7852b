"""Tests that an answer of HTTP is read whole, strictly, and no further."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyguard.engines.opa_http import Answer, read_answer
from policyguard.errors import EvaluationError

PLAIN = b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 4\r\n\r\nbody'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x=y\r\nbod\r\n1\r\ny\r\n0\r\nTrailer: 1\r\n\r\n"
)
BODILESS = b"HTTP/1.1 304 Not Modified\r\n\r\n"


def coming(data: bytes, *, parts: int = 1 << 16) -> Callable[[], bytes]:
    left = [data[place : place + parts] for place in range(0, len(data), parts)]
    return lambda: left.pop(0) if left else b""


@given(parts=st.integers(1, 80), answer=st.sampled_from([PLAIN, CHUNKED, BODILESS]))
def test_an_answer_is_the_same_in_whatever_parts_it_comes(
    parts: int, answer: bytes
) -> None:
    read = read_answer(coming(answer, parts=parts), most=4)

    assert read == read_answer(coming(answer), most=4)
    assert (read.body, read.reusable) == (b"" if answer == BODILESS else b"body", True)


def test_headers_are_read_by_name() -> None:
    assert read_answer(coming(PLAIN), most=4) == Answer(
        status=200,
        headers={b"etag": b'"a"', b"content-length": b"4"},
        body=b"body",
        reusable=True,
    )


def test_an_answer_may_be_announced() -> None:
    announced = b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN

    assert read_answer(coming(announced), most=4).body == b"body"


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN + b"H",
        PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
        PLAIN.replace(b"ETag:", b"Connection: Close\r\nETag:"),
        CHUNKED + b"\r\n",
    ],
)
def test_a_connection_on_which_more_may_come_is_not_used_again(answer: bytes) -> None:
    read = read_answer(coming(answer), most=4)

    assert (read.body, read.reusable) == (b"body", False)


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN.replace(b"HTTP/1.1 200", b"HTTP/2 200"),
        PLAIN.replace(b"200", b"2000"),
        PLAIN.replace(b"200", b"101"),
        PLAIN.replace(b"ETag:", b"ETag :"),
        PLAIN.replace(b"ETag:", b" ETag:"),
        PLAIN.replace(b'"a"', b'"a\0"'),
        PLAIN.replace(b'"a"', b'"a"\r\n more'),
        PLAIN.replace(b'"a"', b'"a"\n'),
        PLAIN.replace(b"Content-Length: 4\r\n", b""),
        PLAIN.replace(b": 4", b": +4"),
        PLAIN.replace(b": 4", b": 4, 4"),
        PLAIN.replace(b": 4", b": 5"),
        PLAIN.replace(b"ETag:", b"content-length: 4\r\nETag:"),
        PLAIN.replace(b"ETag:", b"Transfer-Encoding: chunked\r\nETag:"),
        CHUNKED.replace(b"chunked", b"gzip, chunked"),
        CHUNKED.replace(b"Transfer", b"Content-Length: 4\r\nTransfer"),
        CHUNKED.replace(b"3;x", b"x"),
        CHUNKED.replace(b"3;x", b"-3;x"),
        CHUNKED.replace(b"3;x", b"2;x"),
        CHUNKED.replace(b"3;x", b"5;x"),
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 20_000 + b"\r\n\r\n",
        b"a" * 20_000,
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(answer: bytes) -> None:
    with pytest.raises(EvaluationError) as caught:
        read_answer(coming(answer), most=4)

    assert caught.value.code == "engine.malformed"


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED])
def test_an_answer_that_ends_early_is_none(answer: bytes) -> None:
    for end in range(len(answer)):
        with pytest.raises(ConnectionResetError):
            read_answer(coming(answer[:end]), most=4)
