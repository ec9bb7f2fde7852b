"""Inclusion and consistency proofs of an RFC 6962 tree.

They are made as RFC 6962, 2.1.1 and 2.1.2, say, and verified by the algorithms of
RFC 9162, 2.1.3.2 and 2.1.4.2.

A prover is given the tree either as the sequence of its leaf hashes, or as a reader
of the roots of its complete subtrees: then a proof costs O(log size) reads. A reader
is called with `(level, index)` and returns the root over the leaves from
`index * 2**level` up to, not including, `(index + 1) * 2**level`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from policyguard.errors import ConfigurationError, InvalidProofError
from policyguard.tlog.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    SIZE_LIMIT,
    join_subtrees,
    node_hash,
)

NodeReader: TypeAlias = Callable[[int, int], bytes]
Tree: TypeAlias = Sequence[bytes] | NodeReader

MAX_PROOF_HASHES: Final = 64


def prove_inclusion(*, index: int, size: int, tree: Tree) -> tuple[bytes, ...]:
    """Return the proof that leaf `index` is in the tree of `size` leaves.

    The hashes go from the leaf's sibling up to a child of the root (RFC 6962,
    2.1.1). `tree` may have more than `size` leaves.

    Raises:
        ConfigurationError: there is no such leaf, or the tree is smaller than size.
        InvalidProofError: the reader returned something that is not a hash.
    """
    if not 0 <= index < size < SIZE_LIMIT:
        raise ConfigurationError(
            f"there is no entry `{index}` in a tree of size `{size}`"
        )
    node = _reader(tree, size=size)
    proof = []
    for level in range((size - 1).bit_length()):
        begin = ((index >> level) ^ 1) << level
        # At the right edge a node may have no sibling: it moves up as it is.
        if begin < size:
            end = min(begin + (1 << level), size)
            proof.append(_subtree_root(node, begin=begin, end=end))
    return tuple(proof)


def prove_consistency(*, old_size: int, new_size: int, tree: Tree) -> tuple[bytes, ...]:
    """Return the proof that the tree of `old_size` is a prefix of that of `new_size`.

    The hashes are in the order of RFC 6962, 2.1.2. The proof is empty if the old
    tree is empty or the sizes are equal. `tree` may have more leaves.

    Raises:
        ConfigurationError: the old size is larger than the new one, or the tree is
            smaller than the new size.
        InvalidProofError: the reader returned something that is not a hash.
    """
    if not 0 <= old_size <= new_size < SIZE_LIMIT:
        raise ConfigurationError(
            f"a tree of size `{old_size}` is no prefix of a tree of size `{new_size}`"
        )
    node = _reader(tree, size=new_size)
    if old_size in {0, new_size}:
        return ()
    begin, end, proof = 0, new_size, []
    # Down to the subtree that ends where the old tree ends, noting what is beside.
    while old_size < end:
        middle = begin + (1 << ((end - begin - 1).bit_length() - 1))
        if old_size <= middle:
            proof.append(_subtree_root(node, begin=middle, end=end))
            end = middle
        else:
            proof.append(_subtree_root(node, begin=begin, end=middle))
            begin = middle
    # A subtree from the very left is the whole old tree, whose root is known.
    if begin > 0:
        proof.append(_subtree_root(node, begin=begin, end=end))
    return tuple(reversed(proof))


def _reader(tree: Tree, *, size: int) -> NodeReader:
    if callable(tree):
        return tree
    leaves = tree
    if len(leaves) < size:
        raise ConfigurationError(
            f"a tree of size `{size}` needs as many leaf hashes, not {len(leaves)}"
        )

    def root_over_leaves(level: int, index: int) -> bytes:
        row = list(leaves[index << level : (index + 1) << level])
        while len(row) > 1:
            pairs = zip(row[::2], row[1::2], strict=True)
            row = [node_hash(left, right) for left, right in pairs]
        return row[0]

    return root_over_leaves


def _subtree_root(node: NodeReader, *, begin: int, end: int) -> bytes:
    # INVARIANT: begin is a multiple of a power of two that is not below end - begin,
    # so that the range falls into complete subtrees that get smaller to the right.
    parts = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        part = node(level, begin >> level)
        if len(part) != HASH_BYTES:
            raise InvalidProofError(
                f"the stored node `{begin >> level}` of level `{level}` has "
                f"{len(part)} bytes, not {HASH_BYTES}"
            )
        parts.append(part)
        begin += 1 << level
    return join_subtrees(parts)


def verify_inclusion(
    *, leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Verify that a leaf is at `index` in the tree of `size` leaves with this root.

    Raises:
        InvalidProofError: the proof does not show that (RFC 9162, 2.1.3.2).
    """
    if not 0 <= index < size < SIZE_LIMIT:
        raise InvalidProofError(
            f"there is no entry `{index}` in a tree of size `{size}`"
        )
    _refuse_wrong_lengths(leaf_hash, root, *proof)
    at, last, node = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise InvalidProofError(
                f"the inclusion proof for entry `{index}` has too many hashes"
            )
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            at, last = _up_to_left_child(at, last)
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise InvalidProofError(
            f"the inclusion proof for entry `{index}` has too few hashes"
        )
    if node != root:
        raise InvalidProofError(
            f"entry `{index}` is not in the tree of size `{size}` with this root: "
            "entry, index, proof or root was changed"
        )


def verify_consistency(
    *,
    old_size: int,
    new_size: int,
    old_root: bytes,
    new_root: bytes,
    proof: Sequence[bytes],
) -> None:
    """Verify that the new tree begins with all leaves of the old one.

    Of the empty tree each tree is a continuation: then the proof has to be empty,
    the old root that of the empty tree, and nothing is learnt about the new root.

    Raises:
        InvalidProofError: the proof does not show that (RFC 9162, 2.1.4.2).
    """
    if not 0 <= old_size <= new_size < SIZE_LIMIT:
        raise InvalidProofError(
            f"a tree of size `{old_size}` is no prefix of a tree of size `{new_size}`"
        )
    _refuse_wrong_lengths(old_root, new_root, *proof)
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise InvalidProofError("the old root is not that of the empty tree")
    if old_size == new_size and old_root != new_root:
        raise InvalidProofError(
            f"two different roots are given for one tree size, `{old_size}`: "
            "the log shows different trees to different readers"
        )
    if old_size not in {0, new_size}:
        _verify_growth(
            sizes=(old_size, new_size), roots=(old_root, new_root), proof=proof
        )
    elif proof:
        raise InvalidProofError(
            "the consistency proof has to be empty for an empty or equal tree"
        )


def _verify_growth(
    *, sizes: tuple[int, int], roots: tuple[bytes, bytes], proof: Sequence[bytes]
) -> None:
    old_size, new_size = sizes
    if not proof:
        raise InvalidProofError("the consistency proof has too few hashes")
    # A complete old tree is a node of the new one: its root starts the path.
    complete = old_size & (old_size - 1) == 0
    path = [roots[0], *proof] if complete else list(proof)
    old, new = _trailing_ones_gone(old_size - 1, new_size - 1)
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if new == 0:
            raise InvalidProofError("the consistency proof has too many hashes")
        if old & 1 or old == new:
            old_node = node_hash(sibling, old_node)
            new_node = node_hash(sibling, new_node)
            old, new = _up_to_left_child(old, new)
        else:
            new_node = node_hash(new_node, sibling)
        old, new = old >> 1, new >> 1
    if new != 0:
        raise InvalidProofError("the consistency proof has too few hashes")
    if (old_node, new_node) != roots:
        raise InvalidProofError(
            f"the tree of size `{new_size}` does not continue that of size "
            f"`{old_size}`: the log was rewritten, or proof or root was changed"
        )


def _trailing_ones_gone(position: int, last: int) -> tuple[int, int]:
    while position & 1:
        position, last = position >> 1, last >> 1
    return position, last


def _up_to_left_child(position: int, last: int) -> tuple[int, int]:
    # A node without sibling moves up unchanged until it is a right child (or root).
    while position and not position & 1:
        position, last = position >> 1, last >> 1
    return position, last


def _refuse_wrong_lengths(*hashes: bytes) -> None:
    if len(hashes) > MAX_PROOF_HASHES + 2:
        raise InvalidProofError(f"the proof has more than {MAX_PROOF_HASHES} hashes")
    for given in hashes:
        if len(given) != HASH_BYTES:
            raise InvalidProofError(
                f"a hash of the proof, or a root, has {len(given)} bytes, "
                f"not {HASH_BYTES}"
            )
