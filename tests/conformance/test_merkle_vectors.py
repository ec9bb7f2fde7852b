"""The inclusion and consistency vectors of transparency-dev/merkle.

The vectors are read from `../shared/data/merkle-vectors` beside the repository; they
are not part of it, and without them the tests skip and say so.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from policyguard.errors import InvalidProofError
from policyguard.tlog.proof import verify_consistency, verify_inclusion

VECTORS = Path(__file__).parents[3] / "shared" / "data" / "merkle-vectors"
COUNT = 98

# Reviewed differences from the vectors: path, and why ours answers otherwise. Of the
# two known to differ among verifiers, the convention for old size 0 makes none here:
# the vectors refuse it always, ours accepts it with the empty tree's root and an
# empty proof, which no vector has together with two roots of 32 bytes.
KNOWN_DIFFERENCES = {
    "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json": (
        "the vector wants success for equal roots of 12 bytes (`don't care 2`); "
        "a root that is not a SHA-256 hash is refused here"
    ),
}

pytestmark = pytest.mark.skipif(
    not VECTORS.is_dir(),
    reason="../shared/data/merkle-vectors is not there: nothing was compared",
)


def vectors(kind: str) -> list[Path]:
    return sorted((VECTORS / kind).rglob("*.json"))


def decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def refuses_inclusion(vector: dict[str, Any]) -> bool:
    try:
        verify_inclusion(
            leaf_hash=decode(vector["leafHash"]),
            index=vector["leafIdx"],
            size=vector["treeSize"],
            proof=[decode(text) for text in vector["proof"] or []],
            root=decode(vector["root"]),
        )
    except InvalidProofError:
        return True
    return False


def refuses_consistency(vector: dict[str, Any]) -> bool:
    try:
        verify_consistency(
            old_size=vector["size1"],
            new_size=vector["size2"],
            old_root=decode(vector["root1"]),
            new_root=decode(vector["root2"]),
            proof=[decode(text) for text in vector["proof"] or []],
        )
    except InvalidProofError:
        return True
    return False


@pytest.mark.parametrize(
    ("kind", "refuses"),
    [("inclusion", refuses_inclusion), ("consistency", refuses_consistency)],
)
def test_the_verifiers_agree_with_all_vectors_but_the_reviewed_ones(
    kind: str, refuses: Any
) -> None:
    paths = vectors(kind)
    different = set()
    for path in paths:
        vector = json.loads(path.read_text(encoding="utf-8"))
        if refuses(vector) != vector["wantErr"]:
            different.add(str(path.relative_to(VECTORS)))

    assert len(paths) == COUNT
    assert different == {name for name in KNOWN_DIFFERENCES if name.startswith(kind)}


def test_the_vectors_hold_good_and_bad_proofs() -> None:
    for kind in ("inclusion", "consistency"):
        wanted = [json.loads(path.read_text())["wantErr"] for path in vectors(kind)]
        assert {True, False} == set(wanted)
