"""Proofs: wrong arguments, wrong readers, and what a verifier says."""

from __future__ import annotations

import pytest

from policyguard.errors import ConfigurationError, InvalidProofError
from policyguard.tlog.merkle import EMPTY_ROOT, leaf_hash, root_of
from policyguard.tlog.proof import (
    MAX_PROOF_HASHES,
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)

LEAVES = tuple(leaf_hash(bytes([n])) for n in range(8))


@pytest.mark.parametrize(
    ("index", "size"), [(-1, 8), (8, 8), (0, 0), (0, 9), (0, 2**63)]
)
def test_no_inclusion_is_proved_of_an_entry_that_is_not_there(
    index: int, size: int
) -> None:
    with pytest.raises(ConfigurationError):
        prove_inclusion(index=index, size=size, tree=LEAVES)


@pytest.mark.parametrize(("old", "new"), [(-1, 8), (8, 7), (1, 9), (1, 2**63)])
def test_no_consistency_is_proved_of_trees_that_are_not_there(
    old: int, new: int
) -> None:
    with pytest.raises(ConfigurationError):
        prove_consistency(old_size=old, new_size=new, tree=LEAVES)


def test_a_tree_may_have_more_leaves_than_the_size_asked_for() -> None:
    assert prove_inclusion(index=2, size=5, tree=LEAVES) == prove_inclusion(
        index=2, size=5, tree=LEAVES[:5]
    )
    assert prove_consistency(old_size=2, new_size=5, tree=LEAVES) == prove_consistency(
        old_size=2, new_size=5, tree=LEAVES[:5]
    )


def test_a_stored_node_that_is_no_hash_is_named() -> None:
    with pytest.raises(InvalidProofError, match="node `1` of level `0` has 3 bytes"):
        prove_inclusion(index=0, size=2, tree=lambda _level, _index: b"odd")


def test_a_proof_in_a_huge_log_reads_few_nodes() -> None:
    reads = []

    def node(level: int, index: int) -> bytes:
        reads.append((level, index))
        return leaf_hash(b"%d/%d" % (level, index))

    size = 2**62 + 2**40 + 12345
    proof = prove_inclusion(index=2**61, size=size, tree=node)
    growth = prove_consistency(old_size=2**61 + 1, new_size=size, tree=node)

    assert len(proof) == 63
    assert len(growth) <= MAX_PROOF_HASHES
    assert len(reads) <= 2 * (2 * 63)
    assert all((index + 1) << level <= size for level, index in reads)


@pytest.mark.parametrize(("index", "size"), [(-1, 8), (8, 8), (0, 0), (0, 2**63)])
def test_no_inclusion_holds_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(InvalidProofError, match="there is no entry"):
        verify_inclusion(
            leaf_hash=LEAVES[0], index=index, size=size, proof=(), root=LEAVES[0]
        )


def test_hashes_of_another_length_and_endless_proofs_are_refused() -> None:
    root = root_of(LEAVES)
    proof = prove_inclusion(index=0, size=8, tree=LEAVES)
    for leaf, path, claimed in (
        (LEAVES[0][:-1], proof, root),
        (LEAVES[0], (*proof[:-1], proof[-1] + b"\0"), root),
        (LEAVES[0], proof, b""),
        (LEAVES[0], (bytes(32),) * (MAX_PROOF_HASHES + 1), root),
    ):
        with pytest.raises(InvalidProofError):
            verify_inclusion(leaf_hash=leaf, index=0, size=8, proof=path, root=claimed)


def test_too_few_and_too_many_hashes_are_told_apart() -> None:
    root = root_of(LEAVES)
    proof = prove_inclusion(index=3, size=8, tree=LEAVES)
    growth = prove_consistency(old_size=3, new_size=8, tree=LEAVES)
    old_root = root_of(LEAVES[:3])

    for path, message in (
        (proof[:-1], "too few"), ((*proof, proof[0]), "too many"),
    ):  # fmt: skip
        with pytest.raises(InvalidProofError, match=message):
            verify_inclusion(
                leaf_hash=LEAVES[3], index=3, size=8, proof=path, root=root
            )
    for path, message in (
        ((), "too few"), (growth[:-1], "too few"), ((*growth, root), "too many"),
    ):  # fmt: skip
        with pytest.raises(InvalidProofError, match=message):
            verify_consistency(
                old_size=3, new_size=8, old_root=old_root, new_root=root, proof=path
            )


def test_the_empty_tree_is_a_prefix_of_every_tree_and_of_nothing_else() -> None:
    root = root_of(LEAVES)

    verify_consistency(
        old_size=0, new_size=8, old_root=EMPTY_ROOT, new_root=root, proof=()
    )
    for old_root, proof in ((root, ()), (EMPTY_ROOT, (root,))):
        with pytest.raises(InvalidProofError):
            verify_consistency(
                old_size=0, new_size=8, old_root=old_root, new_root=root, proof=proof
            )


def test_two_roots_for_one_size_are_a_split_view() -> None:
    with pytest.raises(InvalidProofError, match="different trees to different readers"):
        verify_consistency(
            old_size=8,
            new_size=8,
            old_root=root_of(LEAVES),
            new_root=root_of(LEAVES[::-1]),
            proof=(),
        )


def test_a_shrunken_tree_is_refused() -> None:
    with pytest.raises(InvalidProofError, match="is no prefix"):
        verify_consistency(
            old_size=8,
            new_size=7,
            old_root=root_of(LEAVES),
            new_root=root_of(LEAVES[:7]),
            proof=(),
        )
