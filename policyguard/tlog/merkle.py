"""The hashes of an append-only Merkle tree: RFC 6962, section 2.1, with SHA-256.

A tree of any size is determined by its frontier: the roots of the complete subtrees
along its right edge, one for each bit that is set in its size. With the frontier
alone, which has at most 63 hashes, leaves are appended and the root is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from policyguard.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

HASH_BYTES: Final = 32
SIZE_LIMIT: Final = 2**63
EMPTY_ROOT: Final = sha256(b"").digest()
_SIZE_BYTES: Final = 8


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry: SHA-256(0x00 || entry) (RFC 6962, 2.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The right edge of a tree: its size, and the roots of its complete subtrees.

    `hashes` goes from the largest subtree, at the left, to the smallest.
    INVARIANT: there is one hash of 32 bytes for each bit that is set in `size`.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a size out of range, or another number of hashes."""
        if not 0 <= self.size < SIZE_LIMIT:
            raise FormatError(f"the tree size `{self.size}` is not from 0 to 2**63 - 1")
        if len(self.hashes) != self.size.bit_count():
            raise FormatError(
                f"a frontier of size `{self.size}` has {self.size.bit_count()} hashes, "
                f"not {len(self.hashes)}"
            )
        if set(map(len, self.hashes)) - {HASH_BYTES}:
            raise FormatError(
                f"a hash of the frontier does not have {HASH_BYTES} bytes"
            )

    @classmethod
    def parse(cls, data: bytes) -> Frontier:
        """Read what `format` wrote.

        Raises:
            FormatError: the bytes are not a frontier.
        """
        size = int.from_bytes(data[:_SIZE_BYTES], "big")
        if len(data) != _SIZE_BYTES + HASH_BYTES * size.bit_count():
            raise FormatError(
                f"a frontier of size `{size}` does not have {len(data)} bytes"
            )
        starts = range(_SIZE_BYTES, len(data), HASH_BYTES)
        hashes = tuple(data[start : start + HASH_BYTES] for start in starts)
        return cls(size=size, hashes=hashes)

    def format(self) -> bytes:
        """Return the size as eight bytes, big-endian, and the hashes after it."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.hashes)

    def append(self, leaf: bytes, /) -> Frontier:
        """Return the frontier with one more leaf, given by its leaf hash."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes], /) -> Frontier:
        """Return the frontier with more leaves, given by their hashes in order."""
        size = self.size
        hashes = list(self.hashes)
        for leaf in leaves:
            node = leaf
            # Like adding one to a binary number: each carry joins two subtrees.
            carry = size
            while carry & 1:
                # As `node_hash`, of which there is one for nearly every leaf.
                node = sha256(b"\x01" + hashes.pop() + node).digest()
                carry >>= 1
            hashes.append(node)
            size += 1
        return Frontier(size=size, hashes=tuple(hashes))

    def root(self) -> bytes:
        """Return the root hash; of the empty tree SHA-256("") (RFC 6962, 2.1)."""
        if not self.hashes:
            return EMPTY_ROOT
        return join_subtrees(self.hashes)


def join_subtrees(hashes: tuple[bytes, ...] | list[bytes], /) -> bytes:
    """Return the root above complete subtrees that get smaller to the right."""
    root = hashes[-1]
    for left in hashes[-2::-1]:
        root = node_hash(left, root)
    return root


def root_of(leaves: Iterable[bytes], /) -> bytes:
    """Return the root hash of a whole tree, given by its leaf hashes in order."""
    return Frontier().extend(leaves).root()
