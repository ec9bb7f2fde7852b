"""Reads the header of a safetensors file, strictly, and none of its tensors.

Format: eight bytes of little-endian length, a JSON object of that length, then the
tensors; each entry has `dtype`, `shape` and `data_offsets`. Every byte of the rest
belongs to exactly one tensor, so a file has no room for anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Final

from policyguard.canonical import MAX_INTEGER, parse_json
from policyguard.errors import FormatError

MAX_HEADER_BYTES: Final = 100_000_000
_LENGTH_BYTES: Final = 8
_BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4,
    "F6_E2M3": 6, "F6_E3M2": 6, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32,
    "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensors:
    """Counts what a safetensors file holds."""

    tensors: int
    parameters: int
    dtypes: tuple[str, ...]
    """The element types that occur, sorted."""


def read_tensors(path: Path) -> Tensors:
    """Return what a safetensors file holds.

    Raises:
        FormatError: the file is not what the format demands; names what is wrong.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or length > min(MAX_HEADER_BYTES, size - _LENGTH_BYTES):
            raise FormatError(f"`{path.name}`: a header of {length} bytes does not fit")
        header = parse_json(file.read(length), max_bytes=MAX_HEADER_BYTES)
    if not isinstance(header, dict):
        raise FormatError(f"`{path.name}`: the header is no JSON object")
    entries = {key: value for key, value in header.items() if key != "__metadata__"}
    spans = [_span(path, name, entry) for name, entry in entries.items()]
    _require_no_gaps(path, [span[:2] for span in spans], size - _LENGTH_BYTES - length)
    return Tensors(
        tensors=len(spans),
        parameters=sum(count for _, _, count, _ in spans),
        dtypes=tuple(sorted({dtype for *_, dtype in spans})),
    )


def _span(path: Path, name: str, entry: object) -> tuple[int, int, int, str]:
    """Return begin, end, number of elements and their type."""
    where = f"`{path.name}`, tensor `{name}`"
    if not isinstance(entry, Mapping):
        raise FormatError(f"{where}: it is no JSON object")
    dtype, shape, offsets = (
        entry.get(key) for key in ("dtype", "shape", "data_offsets")
    )
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise FormatError(f"{where}: `{dtype}` is no type of element")
    sizes, span = _naturals(shape), _naturals(offsets)
    if sizes is None or span is None or len(span) != 2:  # noqa: PLR2004 -- begin, end
        raise FormatError(f"{where}: shape or offsets are no natural numbers")
    count = prod(sizes)
    bits = count * _BITS[dtype]
    if count > MAX_INTEGER or bits % 8 or (span[1] - span[0]) * 8 != bits:
        raise FormatError(f"{where}: its shape and its bytes do not agree")
    return span[0], span[1], count, dtype


def _naturals(value: object) -> list[int] | None:
    if not isinstance(value, list):
        return None
    numbers = [
        item for item in value if isinstance(item, int) and not isinstance(item, bool)
    ]
    whole = len(numbers) == len(value) and all(item >= 0 for item in numbers)
    return numbers if whole else None


def _require_no_gaps(path: Path, spans: list[tuple[int, int]], size: int) -> None:
    # Bytes that belong to no tensor, or to two, are room for something else.
    at = 0
    for begin, end in sorted(spans):
        if begin != at:
            raise FormatError(f"`{path.name}`: tensors leave a gap or overlap at {at}")
        at = end
    if at != size:
        raise FormatError(f"`{path.name}`: {size - at} bytes belong to no tensor")
