"""Tiles and entry bundles: a log as files that are written once and never change.

The format is https://c2sp.org/tlog-tiles. A tile holds up to 256 consecutive hashes of
one level of the tree (RFC 6962, 2.1); each hash of level `n + 1` is the root over one
full tile of level `n`. An entry bundle holds the entries of one tile of level 0. Only
the last tile of a level may be partial; it is never hashed into the level above.

A tree of size 0 has neither tiles nor bundles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policyguard.errors import ConfigurationError, FormatError
from policyguard.signing.text import decode_decimal, excerpt
from policyguard.tlog.merkle import HASH_BYTES, SIZE_LIMIT, Frontier, node_hash
from policyguard.tlog.proof import NodeReader

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
MAX_TILE_LEVEL: Final = 63
MAX_ENTRY_BYTES: Final = 65_535
MAX_BUNDLE_BYTES: Final = TILE_WIDTH * (2 + MAX_ENTRY_BYTES)
_SIZE_BITS: Final = SIZE_LIMIT.bit_length()
_LENGTH_BYTES: Final = 2
_ENTRIES: Final = "entries"
_PATH: Final = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)"
    r"/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePath:
    """Names one tile, or with `level` `None` one entry bundle.

    `index` counts within the level; `width` is the number of hashes or entries.
    INVARIANT: each value has a path, and parses back to itself.
    """

    level: int | None
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        """Refuse what has no path."""
        if self.level is not None and not 0 <= self.level <= MAX_TILE_LEVEL:
            raise FormatError(f"the tile level `{self.level}` is not from 0 to 63")
        if not 0 <= self.index < SIZE_LIMIT:
            raise FormatError(
                f"the tile index `{self.index}` is not from 0 to 2**63 - 1"
            )
        if not 1 <= self.width <= TILE_WIDTH:
            raise FormatError(f"the tile width `{self.width}` is not from 1 to 256")

    @classmethod
    def parse(cls, text: str) -> TilePath:
        """Read a path such as `tile/0/x001/x234/067.p/8` or `tile/entries/000`.

        Raises:
            FormatError: it is no such path, or not in its one spelling.
        """
        found = _PATH.fullmatch(text)
        if found is None:
            raise FormatError(f"`{excerpt(text)}` is not the path of a tile")
        digits = found["index"].replace("x", "").replace("/", "")
        width = found["width"]
        path = cls(
            level=None if found["level"] == _ENTRIES else int(found["level"]),
            index=decode_decimal(digits.lstrip("0") or "0", what="the tile index"),
            width=TILE_WIDTH if width is None else int(width),
        )
        # A leading `x000` or a width of 256 would be a second spelling.
        if path.format() != text:
            raise FormatError(
                f"`{excerpt(text)}` is the path of a tile in another spelling than"
                f" `{path.format()}`"
            )
        return path

    def format(self) -> str:
        """Return the path, relative to the log's prefix."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        *above, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
        level = _ENTRIES if self.level is None else str(self.level)
        path = "/".join(("tile", level, *(f"x{part}" for part in above), last))
        return path if self.is_full else f"{path}.p/{self.width}"

    @property
    def is_full(self) -> bool:
        """Whether the tile has all of its 256 hashes or entries."""
        return self.width == TILE_WIDTH

    @property
    def end(self) -> int:
        """The smallest tree size that has this tile."""
        height = TILE_HEIGHT * (self.level or 0)
        return (self.index * TILE_WIDTH + self.width) << height


def tiles_of(size: int, *, since: int = 0) -> Iterator[TilePath]:
    """Return the tiles that a tree of `size` has, level by level from the leaves.

    Args:
        size: The number of leaves.
        since: Leave out the tiles that a tree of this smaller size has.

    Raises:
        ConfigurationError: there are no trees of these sizes.
    """
    _require_size(size, since=since)
    for level, nodes in enumerate(_nodes_of(size)):
        yield from _row(level, nodes, since=since >> (TILE_HEIGHT * level))


def bundles_of(size: int, *, since: int = 0) -> Iterator[TilePath]:
    """Return the entry bundles that a log of `size` has, in order.

    Args:
        size: The number of entries.
        since: Leave out the bundles that a log of this smaller size has.

    Raises:
        ConfigurationError: there are no logs of these sizes.
    """
    _require_size(size, since=since)
    yield from _row(None, size, since=since)


def width_at(path: TilePath, *, size: int) -> int:
    """Return how wide the tile at a place is in a tree of `size`; 0: not there.

    Raises:
        ConfigurationError: there is no tree of that size.
    """
    _require_size(size)
    nodes = size >> (TILE_HEIGHT * (path.level or 0))
    return min(max(nodes - path.index * TILE_WIDTH, 0), TILE_WIDTH)


def _row(level: int | None, nodes: int, *, since: int) -> Iterator[TilePath]:
    full, rest = divmod(nodes, TILE_WIDTH)
    for index in range(since // TILE_WIDTH, full):
        yield TilePath(level=level, index=index)
    if rest and nodes != since:
        yield TilePath(level=level, index=full, width=rest)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return an entry bundle: before each entry its length as big-endian uint16.

    Raises:
        FormatError: there are not 1 to 256 entries, or one is too long.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise FormatError(f"an entry bundle has 1 to 256 entries, not {len(entries)}")
    longest = max(map(len, entries))
    if longest > MAX_ENTRY_BYTES:
        raise FormatError(
            f"an entry of {longest} bytes is longer than {MAX_ENTRY_BYTES:,}"
        )
    parts: list[bytes] = []
    for entry in entries:
        parts += (len(entry).to_bytes(_LENGTH_BYTES, "big"), entry)
    return b"".join(parts)


def decode_bundle(data: bytes, *, width: int) -> tuple[bytes, ...]:
    """Return the `width` entries of an entry bundle.

    Raises:
        FormatError: the bytes are not exactly so many entries.
    """
    if not 1 <= width <= TILE_WIDTH:
        raise FormatError(f"an entry bundle has 1 to 256 entries, not {width}")
    entries: list[bytes] = []
    at = 0
    for _ in range(width):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(data[at:begin], "big")
        if at > len(data) or begin > len(data):
            raise FormatError(
                f"the entry bundle ends within entry {len(entries)} of {width}"
            )
        entries.append(data[begin:at])
    if at != len(data):
        raise FormatError(f"the entry bundle goes on after its {width} entries")
    return tuple(entries)


def encode_tile(hashes: Sequence[bytes]) -> bytes:
    """Return a tile: its hashes one after the other.

    Raises:
        FormatError: there are not 1 to 256 hashes, or one has not 32 bytes.
    """
    if not 1 <= len(hashes) <= TILE_WIDTH:
        raise FormatError(f"a tile has 1 to 256 hashes, not {len(hashes)}")
    if set(map(len, hashes)) - {HASH_BYTES}:
        raise FormatError(f"a hash of the tile does not have {HASH_BYTES} bytes")
    return b"".join(hashes)


def decode_tile(data: bytes, *, width: int) -> tuple[bytes, ...]:
    """Return the `width` hashes of a tile.

    Raises:
        FormatError: the bytes are not exactly so many hashes.
    """
    if not 1 <= width <= TILE_WIDTH or len(data) != width * HASH_BYTES:
        raise FormatError(f"a tile of {width} hashes does not have {len(data)} bytes")
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


def tile_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root above hashes whose number is a power of two.

    Raises:
        ConfigurationError: it is not.
    """
    if len(hashes).bit_count() != 1:
        raise ConfigurationError(f"{len(hashes)} hashes are no complete subtree")
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(a, b) for a, b in zip(row[::2], row[1::2], strict=True)]
    return row[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TileEdge:
    """The right edge of a tiled tree: the hashes of each level's partial tile.

    `rows` goes up from the leaves; a row is empty where a level ends with a full tile.
    INVARIANT: the rows are as many and as long as `size` says.
    """

    size: int = 0
    rows: tuple[tuple[bytes, ...], ...] = ()

    def __post_init__(self) -> None:
        """Refuse rows that a tree of this size does not have."""
        _require_size(self.size)
        widths = [nodes % TILE_WIDTH for nodes in _nodes_of(self.size)]
        if widths != [len(row) for row in self.rows]:
            raise FormatError(f"these are not the rows of a tree of size `{self.size}`")
        if {len(given) for row in self.rows for given in row} - {HASH_BYTES}:
            raise FormatError(f"a hash of the tiles does not have {HASH_BYTES} bytes")

    def extend(
        self, leaves: Iterable[bytes], /
    ) -> tuple[TileEdge, tuple[tuple[TilePath, bytes], ...]]:
        """Return the edge with more leaves, and the tiles that they have filled.

        Args:
            leaves: Leaf hashes in order.
        """
        rows = [list(row) for row in self.rows]
        size = self.size
        filled = []
        for leaf in leaves:
            size += 1
            level, node = 0, leaf
            while True:
                if level == len(rows):
                    rows.append([])
                rows[level].append(node)
                if len(rows[level]) < TILE_WIDTH:
                    break
                index = (size >> (TILE_HEIGHT * (level + 1))) - 1
                full = rows[level]
                filled.append((TilePath(level=level, index=index), b"".join(full)))
                node, rows[level] = tile_root(full), []
                level += 1
        return TileEdge(size=size, rows=tuple(map(tuple, rows))), tuple(filled)

    def partial(self) -> Iterator[tuple[TilePath, bytes]]:
        """Return the partial tiles, from the leaves up."""
        for level, row in enumerate(self.rows):
            if row:
                index = self.size >> (TILE_HEIGHT * (level + 1))
                path = TilePath(level=level, index=index, width=len(row))
                yield path, b"".join(row)

    def frontier(self) -> Frontier:
        """Return the complete subtrees of the edge; its root is that of the tree."""
        hashes = []
        for row in reversed(self.rows):
            begin = 0
            for height in reversed(range(TILE_HEIGHT)):
                if len(row) >> height & 1:
                    end = begin + (1 << height)
                    hashes.append(tile_root(row[begin:end]))
                    begin = end
        return Frontier(size=self.size, hashes=tuple(hashes))


def hash_tiles(leaves: Iterable[bytes]) -> dict[TilePath, bytes]:
    """Return all tiles of a tree, given by its leaf hashes in order."""
    edge, filled = TileEdge().extend(leaves)
    return dict((*filled, *edge.partial()))


def tile_reader(*, size: int, read: Callable[[TilePath], bytes]) -> NodeReader:
    """Return a reader of subtree roots, as provers take it, from tiles.

    Nothing that it returns is authenticated: verify the proofs made with it.

    Args:
        size: The size of the tree whose tiles there are.
        read: Returns the bytes of one of the tiles in `tiles_of(size)`.

    Raises:
        ConfigurationError: there is no tree of that size; from the reader also: the
            tree has no such subtree.
        FormatError: from the reader, bytes that are no such tile.
    """
    _require_size(size)

    def node(level: int, index: int) -> bytes:
        if level < 0 or index < 0 or index >= size >> min(level, _SIZE_BITS):
            raise ConfigurationError(
                f"a tree of size `{size}` has no complete subtree `{index}` of level"
                f" `{level}`"
            )
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile, offset = divmod(index << height, TILE_WIDTH)
        nodes = (size >> (TILE_HEIGHT * tile_level)) - tile * TILE_WIDTH
        path = TilePath(level=tile_level, index=tile, width=min(nodes, TILE_WIDTH))
        hashes = decode_tile(read(path), width=path.width)
        return tile_root(hashes[offset : offset + (1 << height)])

    return node


def _nodes_of(size: int) -> Iterator[int]:
    while size:
        yield size
        size >>= TILE_HEIGHT


def _require_size(size: int, *, since: int = 0) -> None:
    if not 0 <= since <= size < SIZE_LIMIT:
        raise ConfigurationError(
            f"the tree size `{size}` is not from `{since}` to 2**63 - 1"
            if 0 <= since < SIZE_LIMIT
            else f"the tree size `{since}` is not from 0 to 2**63 - 1"
        )
