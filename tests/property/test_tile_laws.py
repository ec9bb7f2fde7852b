"""The laws of tiles.

- Any tree comes back from its tiles: leaves, root and every proof.
- However the appends were split, the tiles are the same; no full tile ever changes.
- Entries come back from their bundles.
- Any text and any bytes are either refused or come back as they were.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.errors import FormatError
from policyguard.tlog.merkle import Frontier, leaf_hash, root_of
from policyguard.tlog.proof import (
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)
from policyguard.tlog.tile import (
    TileEdge,
    TilePath,
    bundles_of,
    decode_bundle,
    decode_tile,
    encode_bundle,
    hash_tiles,
    tile_reader,
    tiles_of,
    width_at,
)

LARGEST = 600
ENTRIES = [b"entry %d" % number for number in range(LARGEST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]

SIZES = st.integers(0, LARGEST)
# Small parts of paths, so that most texts are nearly one.
PARTS = ("tile", "/", "entries", "0", "63", "64", "000", "x001", "x000", "067", ".p/")
NEARLY_PATHS = st.lists(
    st.sampled_from((*PARTS, "1", "255", "256", "x", "\n", "\u0663")), max_size=10
).map("".join)


def test_every_size_comes_back_from_its_tiles() -> None:
    frontier = Frontier()
    for size in range(LARGEST + 1):
        tiles = hash_tiles(LEAVES[:size])
        edge, _ = TileEdge().extend(LEAVES[:size])

        assert set(tiles) == set(tiles_of(size))
        stored = [
            given
            for path in tiles_of(size)
            if path.level == 0
            for given in decode_tile(tiles[path], width=path.width)
        ]
        assert stored == LEAVES[:size]
        assert edge.frontier() == frontier
        assert edge.frontier().root() == frontier.root()
        if size < LARGEST:
            frontier = frontier.append(LEAVES[size])


@given(size=SIZES)
def test_the_root_from_tiles_is_that_of_the_leaves(size: int) -> None:
    edge, _ = TileEdge().extend(LEAVES[:size])

    assert edge.frontier().root() == root_of(LEAVES[:size])


@given(size=st.integers(1, LARGEST), data=st.data())
def test_a_proof_from_tiles_is_the_proof_from_leaves(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    leaves = LEAVES[:size]
    tiles = hash_tiles(leaves)
    node = tile_reader(size=size, read=tiles.__getitem__)

    inclusion = prove_inclusion(index=index, size=size, tree=node)
    consistency = prove_consistency(old_size=old, new_size=size, tree=node)

    assert inclusion == prove_inclusion(index=index, size=size, tree=leaves)
    assert consistency == prove_consistency(old_size=old, new_size=size, tree=leaves)
    root = root_of(leaves)
    verify_inclusion(
        leaf_hash=leaves[index], index=index, size=size, proof=inclusion, root=root
    )
    verify_consistency(
        old_size=old,
        new_size=size,
        old_root=root_of(leaves[:old]),
        new_root=root,
        proof=consistency,
    )


@given(ends=st.lists(SIZES, max_size=6))
def test_however_appends_are_split_the_tiles_are_the_same(ends: list[int]) -> None:
    edge, written = TileEdge(), {}
    for begin, end in pairwise([0, *sorted(ends)]):
        edge, filled = edge.extend(LEAVES[begin:end])
        assert not {path for path, _ in filled} & set(written)
        written.update(filled)

    assert dict((*written.items(), *edge.partial())) == hash_tiles(LEAVES[: edge.size])


@given(size=SIZES, since=SIZES)
def test_growth_adds_tiles_and_changes_no_full_one(size: int, since: int) -> None:
    since, size = sorted((since, size))
    old, new = hash_tiles(LEAVES[:since]), hash_tiles(LEAVES[:size])

    assert {path for path in old if path.is_full} <= set(new)
    assert all(new[path] == data for path, data in old.items() if path.is_full)
    for path, data in old.items():
        width = width_at(path, size=size)
        grown = TilePath(level=path.level, index=path.index, width=width)
        assert new[grown].startswith(data)
    assert set(tiles_of(size, since=since)) == set(new) - set(old)


@given(size=SIZES)
def test_entries_come_back_from_their_bundles(size: int) -> None:
    entries = ENTRIES[:size]
    back: list[bytes] = []
    for path in bundles_of(size):
        begin = path.index * 256
        data = encode_bundle(entries[begin : begin + path.width])
        assert path.end == begin + path.width
        back.extend(decode_bundle(data, width=path.width))

    assert back == entries


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_any_entries_come_back_from_a_bundle(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries), width=len(entries)) == tuple(entries)


@given(
    level=st.none() | st.integers(0, 63),
    index=st.integers(0, 2**63 - 1),
    width=st.integers(1, 256),
)
def test_a_path_comes_back_from_its_text(
    level: int | None, index: int, width: int
) -> None:
    path = TilePath(level=level, index=index, width=width)

    assert TilePath.parse(path.format()) == path


@settings(max_examples=500)
@given(text=st.text(max_size=40) | NEARLY_PATHS)
def test_any_text_is_refused_or_comes_back(text: str) -> None:
    try:
        path = TilePath.parse(text)
    except FormatError:
        return
    assert path.format() == text


@settings(max_examples=500)
@given(data=st.binary(max_size=80), width=st.integers(-1, 258))
def test_any_bytes_are_refused_or_come_back_from_a_bundle(
    data: bytes, width: int
) -> None:
    try:
        entries = decode_bundle(data, width=width)
    except FormatError:
        return
    assert encode_bundle(entries) == data


@given(data=st.binary(max_size=130), width=st.integers(-1, 258))
def test_any_bytes_are_refused_or_come_back_from_a_tile(
    data: bytes, width: int
) -> None:
    try:
        hashes = decode_tile(data, width=width)
    except FormatError:
        return
    assert b"".join(hashes) == data
