"""The laws of the log, against a definition of RFC 6962 that anybody can read.

- The root does not depend on how the appends were split.
- Every leaf is included in every tree that has it, and no other leaf is.
- Every prefix is consistent with every tree that continues it, and no other is.
- One flipped bit in a proof, a root or a leaf is refused.
- A proof from stored nodes is the proof from the leaves.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policyguard.errors import InvalidProofError
from policyguard.tlog.merkle import Frontier, leaf_hash, root_of
from policyguard.tlog.proof import (
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)

LARGEST = 64
ENTRIES = [b"entry %d" % number for number in range(LARGEST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def split(size: int) -> int:
    """Return the largest power of two below `size` (RFC 6962, 2.1)."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def mth(entries: list[bytes]) -> bytes:
    """Return the Merkle Tree Hash as RFC 6962, 2.1, defines it."""
    if not entries:
        return sha256().digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = split(len(entries))
    return sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: list[bytes]) -> list[bytes]:
    """Return PATH(m, D[n]) as RFC 6962, 2.1.1, defines it."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def subproof(m: int, entries: list[bytes], *, known: bool) -> list[bytes]:
    """Return SUBPROOF(m, D[n], b) as RFC 6962, 2.1.2, defines it."""
    if m == len(entries):
        return [] if known else [mth(entries)]
    k = split(len(entries))
    if m <= k:
        return [*subproof(m, entries[:k], known=known), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], known=False), mth(entries[:k])]


ROOTS = [mth(ENTRIES[:size]) for size in range(LARGEST + 1)]


def stored_node(level: int, index: int) -> bytes:
    return mth(ENTRIES[index << level : (index + 1) << level])


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_frontier_computes_the_defined_root_of_every_size() -> None:
    frontier, roots = Frontier(), [Frontier().root()]
    for leaf in LEAVES:
        frontier = frontier.append(leaf)
        roots.append(frontier.root())

    assert roots == ROOTS


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=8), max_size=150),
    st.lists(st.integers(0, 150), max_size=12),
)
def test_any_split_of_the_appends_gives_the_defined_root(
    entries: list[bytes], cuts: list[int]
) -> None:
    leaves = [leaf_hash(entry) for entry in entries]
    bounds = sorted({0, len(leaves), *(cut for cut in cuts if cut <= len(leaves))})
    frontier = Frontier()
    for begin, end in pairwise(bounds):
        frontier = Frontier.parse(frontier.extend(leaves[begin:end]).format())

    assert frontier.size == len(entries)
    assert frontier.root() == mth(entries) == root_of(leaves)


def test_every_inclusion_proof_is_the_defined_one_and_holds() -> None:
    for size in range(1, LARGEST + 1):
        for index in range(size):
            proof = prove_inclusion(index=index, size=size, tree=LEAVES)

            assert list(proof) == path(index, ENTRIES[:size])
            verify_inclusion(
                leaf_hash=LEAVES[index],
                index=index,
                size=size,
                proof=proof,
                root=ROOTS[size],
            )


def test_every_consistency_proof_is_the_defined_one_and_holds() -> None:
    for new_size in range(LARGEST + 1):
        for old_size in range(new_size + 1):
            proof = prove_consistency(old_size=old_size, new_size=new_size, tree=LEAVES)

            defined = (
                subproof(old_size, ENTRIES[:new_size], known=True) if old_size else []
            )
            assert list(proof) == defined
            verify_consistency(
                old_size=old_size,
                new_size=new_size,
                old_root=ROOTS[old_size],
                new_root=ROOTS[new_size],
                proof=proof,
            )


SIZES = st.integers(1, LARGEST)


@settings(deadline=None)
@given(SIZES, st.data())
def test_proofs_from_stored_nodes_are_those_from_leaves(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))

    assert prove_inclusion(index=index, size=size, tree=stored_node) == prove_inclusion(
        index=index, size=size, tree=LEAVES
    )
    assert prove_consistency(
        old_size=index, new_size=size, tree=stored_node
    ) == prove_consistency(old_size=index, new_size=size, tree=LEAVES)


@settings(deadline=None, max_examples=300)
@given(SIZES, st.data())
def test_no_flipped_bit_passes_as_inclusion(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = prove_inclusion(index=index, size=size, tree=LEAVES)
    parts = [LEAVES[index], ROOTS[size], *proof]
    place = data.draw(st.integers(0, len(parts) - 1))
    parts[place] = flip(parts[place], data.draw(st.integers(0, 255)))
    leaf, root, *hashes = parts

    with pytest.raises(InvalidProofError):
        verify_inclusion(
            leaf_hash=leaf, index=index, size=size, proof=hashes, root=root
        )


@settings(deadline=None, max_examples=300)
@given(SIZES, st.data())
def test_no_flipped_bit_passes_as_consistency(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size))
    proof = prove_consistency(old_size=old_size, new_size=size, tree=LEAVES)
    parts = [ROOTS[old_size], ROOTS[size], *proof]
    place = data.draw(st.integers(0, len(parts) - 1))
    parts[place] = flip(parts[place], data.draw(st.integers(0, 255)))
    old_root, new_root, *hashes = parts

    with pytest.raises(InvalidProofError):
        verify_consistency(
            old_size=old_size,
            new_size=size,
            old_root=old_root,
            new_root=new_root,
            proof=hashes,
        )


@settings(deadline=None)
@given(SIZES, st.data())
def test_no_other_leaf_and_no_other_index_is_included(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, LARGEST - 1).filter(lambda n: n != index))
    proof = prove_inclusion(index=index, size=size, tree=LEAVES)

    for leaf, place in ((LEAVES[other], index), (LEAVES[index], other)):
        with pytest.raises(InvalidProofError):
            verify_inclusion(
                leaf_hash=leaf, index=place, size=size, proof=proof, root=ROOTS[size]
            )


@settings(deadline=None)
@given(SIZES, st.data())
def test_a_rewritten_prefix_is_not_consistent(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size))
    rewritten = list(LEAVES[:size])
    rewritten[data.draw(st.integers(0, old_size - 1))] = leaf_hash(b"rewritten")

    with pytest.raises(InvalidProofError):
        verify_consistency(
            old_size=old_size,
            new_size=size,
            old_root=ROOTS[old_size],
            new_root=root_of(rewritten),
            proof=prove_consistency(old_size=old_size, new_size=size, tree=rewritten),
        )


@settings(deadline=None, max_examples=300)
@given(
    st.integers(-1, 2**63), st.integers(-1, 2**63),
    st.lists(st.binary(min_size=31, max_size=33) | st.just(bytes(32)), max_size=70),
    st.binary(max_size=33), st.binary(max_size=33),
)  # fmt: skip
def test_verifiers_raise_only_their_error(
    small: int, large: int, proof: list[bytes], first: bytes, second: bytes
) -> None:
    # A tree of one leaf has its hash as root, and each tree continues itself.
    assume(first != second)
    for verify in (
        lambda: verify_inclusion(
            leaf_hash=first, index=small, size=large, proof=proof, root=second
        ),
        lambda: verify_consistency(
            old_size=small,
            new_size=large,
            old_root=first,
            new_root=second,
            proof=proof,
        ),
    ):
        with pytest.raises(InvalidProofError):
            verify()
