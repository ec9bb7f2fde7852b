"""Canonical JSON bytes, digests, and a parser that refuses what parsers disagree on.

Specification: RFC 8785 (JSON Canonicalization Scheme), restricted to the domain on
which every implementation agrees: ASCII keys, no floats, integers within ±(2**53 - 1),
no lone surrogates. On that domain a sorted dump is the canonical form byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, TypeAlias

import orjson

from policyguard.errors import CanonicalError, FormatError

Json: TypeAlias = (
    "Mapping[str, Json] | list[Json] | tuple[Json, ...] | str | int | bool | None"
)

# Instants and dataclasses have no one form in JSON.
_DUMPED: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
)
MAX_INTEGER: Final = 2**53 - 1
_LONGEST_INTEGER: Final = len(str(-MAX_INTEGER))
MAX_DEPTH: Final = 64
"""Deeper JSON is refused: the embedded engine stops at 128."""


def canonical_bytes(value: object) -> bytes:
    """Return the RFC 8785 bytes of a JSON value.

    Raises:
        CanonicalError: a float, a key that is not ASCII, an integer beyond
            ±(2**53 - 1), a lone surrogate, or a value that is not JSON.
    """
    _require_domain(value, depth=0)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError) as error:
        raise CanonicalError(f"no canonical form: {error}") from error


def canonical_dump(
    value: object, *, default: Callable[[Any], object] | None = None
) -> bytes:
    """Return the canonical bytes of a value whose schema keeps it in the domain.

    For dumps of frozen models alone, whose keys are ASCII, whose integers are bounded
    and which have no floats: nothing of that is checked again.

    Args:
        value: The value.
        default: Returns what stands for a part that is not JSON.

    Raises:
        CanonicalError: a lone surrogate, or a value that is not JSON.
    """
    try:
        return orjson.dumps(value, default=default, option=_DUMPED)
    except (TypeError, ValueError) as error:
        raise CanonicalError(f"no canonical form: {error}") from error


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: object) -> str:
    """Return the SHA-256 of the canonical bytes of a JSON value, in hexadecimal."""
    return digest(canonical_bytes(value))


def parse_json(data: bytes | str, *, max_bytes: int = 1 << 20) -> Json:
    """Parse JSON that every parser reads alike.

    Args:
        data: UTF-8 bytes or text.
        max_bytes: The largest size that is accepted, in bytes.

    Raises:
        FormatError: not UTF-8, not JSON, too large, nested deeper than 64, duplicate
            keys, NaN or infinity, integers beyond ±(2**53 - 1), lone surrogates.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > max_bytes:
        raise FormatError(f"JSON of {len(raw)} bytes is larger than {max_bytes}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"JSON is not UTF-8: {error}") from error
    _require_shallow(text)
    try:
        value: Json = json.loads(
            text,
            object_pairs_hook=_unique_object,
            parse_constant=_refuse_constant,
            parse_int=_bounded_integer,
        )
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not JSON: {error}") from error
    _require_no_surrogates(value)
    return value


def parse_canonical(data: bytes) -> Json:
    """Parse bytes that are a sorted dump of what they hold, and no other form of it.

    Much faster than `parse_json`, for what a schema without floats validates next.

    Raises:
        FormatError: not JSON, or JSON in another form: other order, spaces, escapes,
            a duplicate key.
    """
    try:
        value: Json = orjson.loads(data)
        same = orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == data
    except (TypeError, ValueError) as error:
        raise FormatError(f"not JSON: {error}") from error
    if not same:
        raise FormatError("JSON in another form than the canonical one")
    return value


def _require_domain(value: object, *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise CanonicalError(f"nested deeper than {MAX_DEPTH}")
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:  # type: ignore[operator]
            raise CanonicalError(f"integer `{value}` is beyond ±(2**53 - 1)")
    elif kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not str or not key.isascii():
                raise CanonicalError(f"key {key!r} is not ASCII text")
            _require_domain(item, depth=depth + 1)
    elif kind is list or kind is tuple:
        for item in value:  # type: ignore[attr-defined]
            _require_domain(item, depth=depth + 1)
    else:
        raise CanonicalError(f"a {kind.__name__} has no canonical form")


def _require_shallow(text: str) -> None:
    # Counting brackets outside strings needs no parser and no stack, so it is safe
    # to do before the recursive one runs.
    depth = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise FormatError(f"JSON is nested deeper than {MAX_DEPTH}")
        elif char in "]}":
            depth -= 1


def _unique_object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"duplicate key `{key}`")
            seen.add(key)
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"`{name}` is not JSON")


def _bounded_integer(text: str) -> int:
    # Longer ones need no conversion, which would cost quadratic time.
    if len(text) > _LONGEST_INTEGER or abs(number := int(text)) > MAX_INTEGER:
        raise ValueError(f"integer `{text[:20]}` is beyond ±(2**53 - 1)")
    return number


def _require_no_surrogates(value: Json) -> None:
    try:
        orjson.dumps(value)
    except (TypeError, ValueError) as error:
        raise FormatError(f"JSON holds what UTF-8 cannot: {error}") from error
