"""Tests of what input reaches the engine."""

from __future__ import annotations

import pytest

from policyguard.canonical import MAX_INTEGER
from policyguard.engines.intake import MAX_INPUT_BYTES, input_text
from policyguard.errors import EvaluationError

REFUSED = {
    "nothing": b"",
    "a NUL": b"\0",
    "a NUL in a string": b'{"a":"\0"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "two documents": b"{}{}",
    "no UTF-8": b'{"a":"\xff"}',
    "a lone surrogate": b'{"a":"\\ud800"}',
    "a lone surrogate in bytes": b'{"a":"\xed\xa0\x80"}',
    "duplicate keys": b'{"a":1,"a":2}',
    "duplicate keys, one escaped": b'{"a":1,"\\u0061":2}',
    "duplicate keys, deep": b'{"a":[{"b":1,"b":1}]}',
    "NaN": b'{"a":NaN}',
    "infinity": b'{"a":-Infinity}',
    "a number that overflows": b'{"a":1e400}',
    "a float": b'{"a":1.5}',
    "an exponent": b'{"a":1E2}',
    "an integer above": b'{"a":9007199254740992}',
    "an integer below": b'{"a":-9007199254740992}',
    "an integer beyond 64 bits": b'{"a":18446744073709551617}',
    "too many levels": b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
    "far too many levels": b"[" * 100_000,
    "a huge number": b'{"a":' + b"9" * 100_000 + b"}",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_what_two_parsers_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(EvaluationError) as caught:
        input_text(data)

    assert (caught.value.code, caught.value.__context__) == ("engine.input", None)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"a":[1,true,null,"x"],"b":{}}',
        b'{"at":"2026-06-12T21:21:00.5Z","ear":"3E001","n":-12}',
        f'{{"high":{MAX_INTEGER},"low":-{MAX_INTEGER}}}'.encode(),
        '{"name":"Zürich 東京 😀","quote":"a\\"b\\\\"}'.encode(),
        b'{"a":' + b"[" * 63 + b"]" * 63 + b"}",
        b'{"long":"12345678901234567890 1.5e3 [[[["}',
    ],
)
def test_canonical_input_reaches_the_engine_as_it_is(data: bytes) -> None:
    assert input_text(data) == data.decode()


def test_input_in_another_form_is_written_anew() -> None:
    assert input_text(b' { "b": -0, "a": "\\u00e4" }\n') == '{"b":0,"a":"ä"}'


def test_input_of_the_largest_size_is_read() -> None:
    data = b'{"a":"' + b"x" * (MAX_INPUT_BYTES - 8) + b'"}'

    assert len(input_text(data)) == MAX_INPUT_BYTES


def test_larger_input_is_refused_with_its_size() -> None:
    data = b'{"a":"' + b"x" * (MAX_INPUT_BYTES - 7) + b'"}'

    with pytest.raises(EvaluationError, match="input of 262145 bytes") as caught:
        input_text(data)

    assert caught.value.code == "engine.input"
