"""Checks input before the embedded engine reads it.

The engine's parser lets the last of two equal keys win, turns integers beyond 64 bits
into floats and keeps the previous input when it fails, so nothing reaches it that two
parsers could read in two ways. Specification: RFC 8259, in the domain of
`policyguard.canonical`: no floats, integers within ±(2**53 - 1), unique keys.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from policyguard.canonical import MAX_DEPTH, parse_json
from policyguard.errors import EvaluationError, FormatError

MAX_INPUT_BYTES: Final = 256 * 1024
"""The largest input that is accepted unless the engine is told otherwise."""

_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NEEDS_A_LOOK: Final = re.compile(rb"[0-9][.eE]|[0-9]{16}")
_ODD_NUMBER: Final = re.compile(rb'(?:":|[\[,])[0-9]+(?:[.eE]|(?<=[0-9]{16}))|^[0-9]')
"""Finds each float and long integer of a sorted dump, and now and then a text."""
_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789", b"000000000")
_BEGINNINGS: Final = (b'":0', b"[0", b",0")
"""Of each number in a sorted dump that is no number alone, signs left out."""
_ALL_BUT_NUMBERS: Final = bytes(set(range(256)) - set(b'0123456789.eE":[,'))
NOT_PLAIN: Final = object()
"""Stands for the value of what has to be looked at the slow way."""
_BRACKETS: Final = b"[]{}"
_ALL_BUT_BRACKETS: Final = bytes(set(range(256)) - set(_BRACKETS))


def input_text(data: bytes, *, max_bytes: int = MAX_INPUT_BYTES) -> str:
    """Return the JSON text that the engine may read; see `read_input`."""
    return read_input(data, max_bytes=max_bytes)[0].decode("utf-8")


def read_input(data: bytes, *, max_bytes: int = MAX_INPUT_BYTES) -> tuple[bytes, Any]:
    """Return the JSON that the engine may read, as UTF-8 and as the value it stands for.

    Args:
        data: The input, UTF-8 JSON.
        max_bytes: The largest size that is accepted, in bytes.

    Raises:
        EvaluationError: code `engine.input`; the message never holds the input.
    """
    if len(data) > max_bytes:
        raise EvaluationError(
            f"input of {len(data)} bytes is larger than {max_bytes}: send less,"
            " or raise the engine's limit",
            code="engine.input",
        )
    value = plain_value(data)
    if value is not NOT_PLAIN:
        return data, value
    text = _normalised(data, max_bytes=max_bytes)
    if text is None:
        raise EvaluationError(
            "input is not JSON that every parser reads alike: send UTF-8 with unique"
            " keys, no floats, integers within ±(2**53 - 1), no lone surrogates and"
            f" at most {MAX_DEPTH} levels",
            code="engine.input",
        )
    return text, orjson.loads(text)


def plain_value(data: bytes) -> object:
    """Return what canonical bytes stand for, or `NOT_PLAIN` if they may be none."""
    # INVARIANT: whatever passes here would pass the slow way too. A dump that gives
    # the same bytes back proves that no key was dropped, no text replaced and no
    # number rounded; floats, long integers and depth are seen with the strings gone.
    try:
        value = orjson.loads(data)
        if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) != data:
            return NOT_PLAIN
    except (ValueError, TypeError):
        return NOT_PLAIN
    if _has_no_odd_number(data) and _is_flat(data):
        return value
    skeleton = _STRING.sub(b"", data)
    if _NEEDS_A_LOOK.search(skeleton) is None and _is_shallow(skeleton):
        return value
    return NOT_PLAIN


def _has_no_odd_number(data: bytes) -> bool:
    # What is between the characters that are kept only makes more of them neighbours.
    numbers = data.translate(_DIGITS_ALIKE, _ALL_BUT_NUMBERS)
    if not any(begin in numbers for begin in _BEGINNINGS) and numbers[:1] != b"0":
        return True
    return _ODD_NUMBER.search(numbers) is None


def _is_flat(data: bytes) -> bool:
    # With so few brackets, those inside strings too, nothing can be nested too deep.
    return len(data.translate(None, _ALL_BUT_BRACKETS)) <= 2 * MAX_DEPTH


def _is_shallow(skeleton: bytes) -> bool:
    brackets = skeleton.translate(None, _ALL_BUT_BRACKETS)
    if len(brackets) <= 2 * MAX_DEPTH:
        return True
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            return False
    return True


def _normalised(data: bytes, *, max_bytes: int) -> bytes | None:
    # Written anew, so that `-0` and escapes reach the engine in one form.
    try:
        return orjson.dumps(_without_floats(parse_json(data, max_bytes=max_bytes)))
    except (FormatError, ValueError, TypeError):
        return None


def _without_floats(value: object) -> object:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, float):
            raise FormatError("a float")
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return value
