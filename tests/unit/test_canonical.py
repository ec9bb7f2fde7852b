from __future__ import annotations

import pytest

from policyguard.canonical import MAX_DEPTH, canonical_bytes, digest_of, parse_json
from policyguard.errors import CanonicalError, FormatError


def test_keys_are_sorted_and_nothing_is_spaced() -> None:
    value = {"b": [1, True, None], "a": {"z": "ü", "y": ""}}

    assert canonical_bytes(value) == '{"a":{"y":"","z":"ü"},"b":[1,true,null]}'.encode()


def test_tuples_and_lists_have_one_form() -> None:
    assert digest_of((1, 2)) == digest_of([1, 2])


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), 2**53, -(2**53), {"ü": 1}, {1: 2}, b"x", {1}, "\ud800"],
    ids=repr,
)
def test_what_parsers_disagree_on_has_no_canonical_form(value: object) -> None:
    with pytest.raises(CanonicalError):
        canonical_bytes(value)


def test_the_largest_integers_are_kept() -> None:
    assert canonical_bytes([2**53 - 1, -(2**53) + 1]) == (
        b"[9007199254740991,-9007199254740991]"
    )


def test_nesting_beyond_the_limit_has_no_canonical_form() -> None:
    value: object = None
    for _ in range(MAX_DEPTH + 2):
        value = [value]

    with pytest.raises(CanonicalError, match="nested deeper"):
        canonical_bytes(value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a":1,"a":2}', "duplicate key `a`"),
        (b'{"a":{"b":1,"b":1}}', "duplicate key `b`"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"[9007199254740992]", "beyond"),
        (b"[" + b"9" * 5000 + b"]", "beyond"),
        (b"[" * 65 + b"]" * 65, "nested deeper"),
        (b'"\\ud800"', "UTF-8"),
        (b"\xff", "not UTF-8"),
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b'"' + b"x" * (1 << 20) + b'"', "larger than"),
    ],
    ids=lambda item: repr(item)[:24],
)
def test_json_that_parsers_read_differently_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        parse_json(data)


def test_brackets_inside_strings_are_no_nesting() -> None:
    text = '"' + "[" * 200 + '\\"' + "{" * 200 + '"'

    assert parse_json(text) == "[" * 200 + '"' + "{" * 200
