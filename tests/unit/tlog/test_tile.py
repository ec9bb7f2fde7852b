"""Tiles, entry bundles and their paths: the one spelling, and nothing else."""

from __future__ import annotations

import pytest

from policyguard.errors import ConfigurationError, FormatError, InvalidProofError
from policyguard.tlog.merkle import EMPTY_ROOT, leaf_hash, node_hash, root_of
from policyguard.tlog.proof import prove_inclusion, verify_inclusion
from policyguard.tlog.tile import (
    MAX_ENTRY_BYTES,
    TileEdge,
    TilePath,
    bundles_of,
    decode_bundle,
    decode_tile,
    encode_bundle,
    encode_tile,
    hash_tiles,
    tile_reader,
    tile_root,
    tiles_of,
    width_at,
)

LEAVES = [leaf_hash(b"entry %d" % number) for number in range(70_000)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (TilePath(level=0, index=0), "tile/0/000"),
        (TilePath(level=0, index=0, width=1), "tile/0/000.p/1"),
        (TilePath(level=0, index=999, width=255), "tile/0/999.p/255"),
        (TilePath(level=1, index=1000), "tile/1/x001/000"),
        (TilePath(level=0, index=1_234_067), "tile/0/x001/x234/067"),
        (TilePath(level=63, index=70, width=8), "tile/63/070.p/8"),
        (
            TilePath(level=None, index=1_234_067, width=8),
            "tile/entries/x001/x234/067.p/8",
        ),
        (
            TilePath(level=0, index=2**63 - 1),
            "tile/0/x009/x223/x372/x036/x854/x775/807",
        ),
    ],
)
def test_a_path_has_the_spelling_of_the_specification(
    path: TilePath, text: str
) -> None:
    assert path.format() == text
    assert TilePath.parse(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "checkpoint",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1000",
        "tile/0/x000/001",
        "tile/0/x001/x234",
        "tile/0/x001/234/067",
        "tile/0/X001/000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/data/000",
        "tile/8/0/000",
        "tile/entries/000/",
        "/tile/0/000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/1\n",
        "tile/0/000\n",
        "tile/0/../000",
        "tile/0/\u0660\u0660\u0660",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
    ],
)
def test_a_path_in_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="tile"):
        TilePath.parse(text)


@pytest.mark.parametrize(
    "values",
    [
        {"level": -1, "index": 0},
        {"level": 64, "index": 0},
        {"level": 0, "index": -1},
        {"level": 0, "index": 2**63},
        {"level": 0, "index": 0, "width": 0},
        {"level": None, "index": 0, "width": 257},
    ],
)
def test_a_path_that_has_no_text_cannot_be_made(values: dict[str, int]) -> None:
    with pytest.raises(FormatError, match="is not from"):
        TilePath(**values)


def test_the_end_of_a_tile_is_the_first_size_that_has_it() -> None:
    assert TilePath(level=0, index=2, width=3).end == 515
    assert TilePath(level=None, index=0).end == 256
    assert TilePath(level=1, index=0, width=1).end == 256
    assert TilePath(level=1, index=1).end == 131_072


def test_the_tiles_of_70_000_entries_are_those_of_the_specification() -> None:
    tiles = list(tiles_of(70_000))

    assert [tile.format() for tile in tiles if not tile.is_full] == [
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]
    assert tiles[:273] == [TilePath(level=0, index=index) for index in range(273)]
    assert tiles[274] == TilePath(level=1, index=0)
    assert len(tiles) == 277
    assert [path.format() for path in bundles_of(70_000)][-2:] == [
        "tile/entries/272",
        "tile/entries/273.p/112",
    ]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, []),
        (1, ["tile/0/000.p/1"]),
        (255, ["tile/0/000.p/255"]),
        (256, ["tile/0/000", "tile/1/000.p/1"]),
        (257, ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]),
    ],
)
def test_a_small_tree_has_these_tiles(size: int, expected: list[str]) -> None:
    assert [path.format() for path in tiles_of(size)] == expected


def test_an_empty_log_has_neither_tiles_nor_bundles_and_the_empty_root() -> None:
    assert list(tiles_of(0)) == list(bundles_of(0)) == []
    assert hash_tiles([]) == {}
    assert TileEdge().frontier().root() == EMPTY_ROOT


def test_the_tiles_since_a_size_are_those_that_it_had_not() -> None:
    for since, size in [(0, 5), (5, 5), (5, 6), (255, 257), (256, 65_537), (300, 1200)]:
        had = [*tiles_of(since), *bundles_of(since)]
        now = [*tiles_of(size), *bundles_of(size)]

        new = [*tiles_of(size, since=since), *bundles_of(size, since=since)]

        assert new == [path for path in now if path not in had]


@pytest.mark.parametrize("sizes", [(-1, 0), (2**63, 0), (3, 4), (3, -1)])
def test_a_size_that_no_tree_has_is_refused(sizes: tuple[int, int]) -> None:
    size, since = sizes

    with pytest.raises(ConfigurationError, match="the tree size"):
        list(tiles_of(size, since=since))
    with pytest.raises(ConfigurationError, match="the tree size"):
        list(bundles_of(size, since=since))


def test_the_width_at_a_place_is_that_of_the_tree() -> None:
    place = TilePath(level=0, index=1)

    assert [width_at(place, size=size) for size in (0, 256, 257, 511, 512, 900)] == [
        0,
        0,
        1,
        255,
        256,
        256,
    ]
    assert width_at(TilePath(level=1, index=0), size=70_000) == 256
    assert width_at(TilePath(level=None, index=273), size=70_000) == 112


def test_a_hash_of_level_one_is_the_root_of_a_full_tile() -> None:
    tiles = hash_tiles(LEAVES[:600])

    assert tiles[TilePath(level=1, index=0, width=2)] == b"".join(
        (root_of(LEAVES[:256]), root_of(LEAVES[256:512]))
    )
    assert tiles[TilePath(level=0, index=2, width=88)] == b"".join(LEAVES[512:600])
    assert len(tiles) == 4


def test_a_tree_with_three_levels_of_tiles_has_the_root_of_its_leaves() -> None:
    edge, filled = TileEdge().extend(LEAVES)
    tiles = hash_tiles(LEAVES)

    assert tiles == dict((*filled, *edge.partial()))
    assert sorted(path.format() for path in tiles) == sorted(
        path.format() for path in tiles_of(70_000)
    )
    assert tiles[TilePath(level=2, index=0, width=1)] == root_of(LEAVES[:65_536])
    assert edge.frontier().root() == root_of(LEAVES)


def test_a_proof_is_made_from_tiles_alone() -> None:
    tiles = hash_tiles(LEAVES)
    node = tile_reader(size=70_000, read=tiles.__getitem__)
    root = root_of(LEAVES)

    for index in (0, 255, 256, 65_535, 65_536, 69_888, 69_999):
        proof = prove_inclusion(index=index, size=70_000, tree=node)
        verify_inclusion(
            leaf_hash=LEAVES[index], index=index, size=70_000, proof=proof, root=root
        )
    assert node(16, 0) == root_of(LEAVES[:65_536])


def test_what_a_changed_tile_says_does_not_verify() -> None:
    tiles = hash_tiles(LEAVES[:300])
    path = TilePath(level=0, index=0)
    tiles[path] = bytes([tiles[path][0] ^ 1]) + tiles[path][1:]
    node = tile_reader(size=300, read=tiles.__getitem__)

    proof = prove_inclusion(index=1, size=300, tree=node)

    with pytest.raises(InvalidProofError, match="not in the tree"):
        verify_inclusion(
            leaf_hash=LEAVES[1],
            index=1,
            size=300,
            proof=proof,
            root=root_of(LEAVES[:300]),
        )


@pytest.mark.parametrize(
    "node", [(-1, 0), (0, -1), (0, 300), (1, 150), (8, 1), (9, 0), (10**9, 0)]
)
def test_a_subtree_that_is_not_complete_is_refused(node: tuple[int, int]) -> None:
    read = tile_reader(size=300, read=hash_tiles(LEAVES[:300]).__getitem__)

    with pytest.raises(ConfigurationError, match="no complete subtree"):
        read(*node)


def test_a_tile_of_another_length_is_refused_by_the_reader() -> None:
    read = tile_reader(size=300, read=lambda _: b"short")

    with pytest.raises(FormatError, match="does not have 5 bytes"):
        read(0, 0)


def test_an_edge_grows_from_what_was_stored() -> None:
    first, before = TileEdge().extend(LEAVES[:70])
    whole, filled = TileEdge().extend(LEAVES[:1000])

    grown, after = TileEdge(size=70, rows=first.rows).extend(LEAVES[70:1000])

    assert (grown, before + after) == (whole, filled)


@pytest.mark.parametrize(
    ("size", "rows"),
    [
        (1, ()),
        (0, ((),)),
        (1, ((LEAVES[0], LEAVES[1]),)),
        (256, ((LEAVES[0],), ())),
        (256, ((),)),
        (1, ((b"short",),)),
    ],
)
def test_an_edge_whose_rows_are_not_those_of_its_size_is_refused(
    size: int, rows: tuple[tuple[bytes, ...], ...]
) -> None:
    with pytest.raises(FormatError, match=r"rows|bytes"):
        TileEdge(size=size, rows=rows)


def test_a_bundle_has_a_length_of_two_bytes_before_each_entry() -> None:
    data = encode_bundle([b"a", b"", b"bcd"])

    assert data == b"\x00\x01a\x00\x00\x00\x03bcd"
    assert decode_bundle(data, width=3) == (b"a", b"", b"bcd")


def test_the_longest_entry_fits() -> None:
    entry = b"x" * MAX_ENTRY_BYTES

    assert decode_bundle(encode_bundle([entry]), width=1) == (entry,)
    with pytest.raises(FormatError, match="longer than 65,535"):
        encode_bundle([b"a", entry + b"x"])


@pytest.mark.parametrize("count", [0, 257])
def test_a_bundle_or_tile_of_another_number_cannot_be_made(count: int) -> None:
    with pytest.raises(FormatError, match="1 to 256 entries"):
        encode_bundle([b"a"] * count)
    with pytest.raises(FormatError, match="1 to 256 entries"):
        decode_bundle(b"\x00\x01a" * count, width=count)
    with pytest.raises(FormatError, match="1 to 256 hashes"):
        encode_tile([LEAVES[0]] * count)
    with pytest.raises(FormatError, match="a tile of"):
        decode_tile(LEAVES[0] * count, width=count)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ends within entry 0"),
        (b"\x00", "ends within entry 0"),
        (b"\x00\x02a", "ends within entry 0"),
        (b"\x00\x01a", "ends within entry 1"),
        (b"\x00\x01a\x00", "ends within entry 1"),
        (b"\x00\x01a\x00\x01b\x00", "goes on"),
        (b"\x00\x01a\x00\x01b\x00\x01c", "goes on"),
    ],
)
def test_bytes_that_are_not_exactly_the_entries_are_refused(
    data: bytes, reason: str
) -> None:
    with pytest.raises(FormatError, match=reason):
        decode_bundle(data, width=2)


def test_a_tile_is_its_hashes() -> None:
    assert encode_tile(LEAVES[:2]) == LEAVES[0] + LEAVES[1]
    assert decode_tile(LEAVES[0] + LEAVES[1], width=2) == tuple(LEAVES[:2])
    with pytest.raises(FormatError, match="does not have 63 bytes"):
        decode_tile((LEAVES[0] + LEAVES[1])[:-1], width=2)
    with pytest.raises(FormatError, match="32 bytes"):
        encode_tile([b"short"])


def test_only_a_complete_subtree_has_a_root_in_a_tile() -> None:
    assert tile_root(LEAVES[:2]) == node_hash(LEAVES[0], LEAVES[1])
    for count in (0, 3, 255):
        with pytest.raises(ConfigurationError, match="no complete subtree"):
            tile_root(LEAVES[:count])
