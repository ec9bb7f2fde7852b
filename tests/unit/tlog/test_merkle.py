"""The tree's hashes: known roots, and the frontier as a value."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.errors import FormatError
from policyguard.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    leaf_hash,
    node_hash,
    root_of,
)

# The eight entries of the reference tree of Certificate Transparency, and the roots
# of its first trees, as the test suites of RFC 6962 implementations have them.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_reference_tree_has_its_published_roots() -> None:
    frontier, roots = Frontier(), [Frontier().root().hex()]
    for entry in ENTRIES:
        frontier = frontier.append(leaf_hash(entry))
        roots.append(frontier.root().hex())

    assert roots == ROOTS


def test_leaves_and_nodes_are_hashed_under_different_prefixes() -> None:
    assert hashlib.sha256(b"").digest() == EMPTY_ROOT
    assert leaf_hash(b"ab") == hashlib.sha256(b"\x00ab").digest()
    assert node_hash(b"a", b"b") == hashlib.sha256(b"\x01ab").digest()


def test_an_append_leaves_the_old_frontier_as_it_was() -> None:
    old = Frontier().append(leaf_hash(b"a"))

    new = old.append(leaf_hash(b"b"))

    assert (old.size, new.size) == (1, 2)
    assert old == Frontier(size=1, hashes=(leaf_hash(b"a"),))
    assert new == Frontier(
        size=2, hashes=(node_hash(leaf_hash(b"a"), leaf_hash(b"b")),)
    )


@pytest.mark.parametrize(
    ("size", "hashes"),
    [(-1, ()), (2**63, (bytes(32),)), (1, ()), (0, (bytes(32),)), (3, (bytes(32),)),
     (1, (bytes(31),)), (1, (b"",))],
)  # fmt: skip
def test_a_frontier_whose_hashes_do_not_fit_its_size_cannot_be_made(
    size: int, hashes: tuple[bytes, ...]
) -> None:
    with pytest.raises(FormatError):
        Frontier(size=size, hashes=hashes)


def test_a_leaf_of_another_length_is_refused() -> None:
    for wrong in (b"", bytes(31), bytes(33)):
        with pytest.raises(FormatError, match="32 bytes"):
            Frontier().append(wrong)


def test_a_full_log_takes_no_more_entries() -> None:
    last = Frontier(size=2**63 - 1, hashes=(bytes(32),) * 63)

    with pytest.raises(FormatError, match="tree size"):
        last.append(bytes(32))


@settings(deadline=None)
@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_parse_undoes_format(leaves: list[bytes]) -> None:
    frontier = Frontier().extend(leaves)

    assert Frontier.parse(frontier.format()) == frontier
    assert len(frontier.format()) == 8 + 32 * len(leaves).bit_count()
    assert frontier.root() == root_of(leaves)


@settings(deadline=None)
@given(st.binary(max_size=110))
def test_any_bytes_give_a_frontier_that_formats_back_or_our_error(data: bytes) -> None:
    with suppress(FormatError):
        assert Frontier.parse(data).format() == data
