"""Writes data for the embedded engine in pieces, none of them long to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import orjson

from policyguard.canonical import Json, canonical_bytes
from policyguard.errors import CanonicalError, EngineLoadError

_PIECE_CHARACTERS: Final = 1 << 17
"""Data that is longer is read piece by piece: reading holds the interpreter's lock."""


def data_pieces(data: Mapping[str, Json]) -> tuple[str, ...]:
    """Return data as JSON objects that merge into it, none of them long to read.

    Raises:
        EngineLoadError: it has no canonical form.
    """
    whole = data_text(data, what="data")
    if len(whole) <= _PIECE_CHARACTERS:
        return (whole,)
    return tuple(_pieces_of(data, above=()))


def _pieces_of(data: Mapping[str, Json], *, above: tuple[str, ...]) -> Iterator[str]:
    small: dict[str, Json] = {}
    size = 0
    for key, value in data.items():
        length = len(orjson.dumps(value))
        if length > _PIECE_CHARACTERS and isinstance(value, Mapping) and value:
            yield from _pieces_of(value, above=(*above, key))
            continue
        if small and size + length > _PIECE_CHARACTERS:
            yield _under(above, small)
            small, size = {}, 0
        small[key] = value
        size += length
    if small:
        yield _under(above, small)


def _under(above: tuple[str, ...], value: Json) -> str:
    for key in reversed(above):
        value = {key: value}
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode("utf-8")


def data_text(data: Mapping[str, Json], *, what: str) -> str:
    """Return data as canonical JSON.

    Raises:
        EngineLoadError: it has no canonical form; says what it is.
    """
    try:
        return canonical_bytes(dict(data)).decode("utf-8")
    except CanonicalError as error:
        raise EngineLoadError(f"{what} cannot be loaded: {error}") from error
