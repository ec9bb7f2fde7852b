"""Checkpoints: a log's signed head, three lines of origin, size and base64 root.

The format is https://c2sp.org/tlog-checkpoint; the signatures are those of a signed
note, made with a key whose name is the log's origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policyguard.errors import (
    ConfigurationError,
    FormatError,
    InvalidCheckpointError,
)
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.text import (
    decode_base64,
    decode_decimal,
    decode_text,
    encode_base64,
    excerpt,
    refuse_controls,
)
from policyguard.tlog.merkle import EMPTY_ROOT, HASH_BYTES, SIZE_LIMIT
from policyguard.tlog.note import MAX_NOTE_BYTES, Note, sign_note, verified_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policyguard.signing.signer import Signer
    from policyguard.tlog.merkle import Frontier

_MIN_LINES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The head of a log: its origin, its number of entries, and the tree's root.

    `extensions` are the opaque lines of foreign logs; ours has none.
    INVARIANT: each value has a format, and parses back to itself.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what has no checkpoint text."""
        if not 0 <= self.size < SIZE_LIMIT:
            raise FormatError(f"the tree size `{self.size}` is not from 0 to 2**63 - 1")
        if len(self.root) != HASH_BYTES:
            raise FormatError(
                f"the root hash has {len(self.root)} bytes, not {HASH_BYTES}"
            )
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise FormatError("the root hash of size `0` is not that of the empty tree")
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line:
                raise FormatError("a line of the checkpoint is empty, or more than one")
        text = self.format()
        decode_text(text, what="the checkpoint", limit=MAX_NOTE_BYTES)
        refuse_controls(text, what="the checkpoint")

    @classmethod
    def parse(cls, text: str | bytes) -> Checkpoint:
        """Read a checkpoint's note text, without signatures.

        Raises:
            FormatError: it is not one.
        """
        decoded = decode_text(text, what="the checkpoint", limit=MAX_NOTE_BYTES)
        *lines, rest = decoded.split("\n")
        if rest or len(lines) < _MIN_LINES:
            raise FormatError(
                "a checkpoint has three lines at least, origin, size and root hash, "
                "and a line feed at its end"
            )
        origin, size, root, *extensions = lines
        return cls(
            origin=origin,
            size=decode_decimal(size, what="the tree size"),
            root=decode_base64(root, what="the root hash", length=HASH_BYTES),
            extensions=tuple(extensions),
        )

    def format(self) -> str:
        """Return the note text: the bytes that are signed."""
        head = f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"
        return head + "".join(f"{line}\n" for line in self.extensions)


def sign_checkpoint(
    checkpoint: Checkpoint, *, signer: Signer, successor: Signer | None = None
) -> str:
    """Return the signed checkpoint as it is stored and sent.

    The caller answers for never signing two heads of one log that are inconsistent.

    Args:
        checkpoint: The head.
        signer: The log's key.
        successor: The key that takes over at this head, and signs it, too.

    Raises:
        ConfigurationError: a key is not named as the log's origin, or its
            algorithm is not Ed25519.
    """
    signers = (signer,) if successor is None else (signer, successor)
    for each in signers:
        if each.key_name != checkpoint.origin:
            raise ConfigurationError(
                f"the key `{excerpt(each.key_name)}` cannot sign for the log "
                f"`{excerpt(checkpoint.origin)}`: a log's key is named as its origin"
            )
    return sign_note(checkpoint.format(), signers=signers).format()


class HeadSigner:
    """Signs one head of a log after another as `sign_checkpoint` does.

    What is the same in all of them, names and key, is looked at once.
    """

    __slots__ = ("_key_id", "_line", "_signer", "_text")

    def __init__(self, signer: Signer) -> None:
        """Take the key of a log, which is named as its origin.

        Raises:
            FormatError: the name cannot be a log's.
            ConfigurationError: the key's algorithm is not Ed25519.
        """
        empty = Checkpoint(origin=signer.key_name, size=0, root=EMPTY_ROOT)
        self._text = f"{empty.origin}\n"
        self._line = f"\n— {empty.origin} "
        self._key_id = VerifierKey.of_signer(signer).key_id
        self._signer = signer

    def sign(self, head: Frontier) -> str:
        """Return the signed checkpoint of a head, as it is stored and sent.

        The caller answers for never signing two heads that are inconsistent.

        Raises:
            FormatError: the key gives no signature.
        """
        text = f"{self._text}{head.size}\n{encode_base64(head.root())}\n"
        signature = self._signer.sign(text.encode())
        if not signature:
            raise FormatError(f"the signature of `{self._signer.key_name}` is empty")
        return f"{text}{self._line}{encode_base64(self._key_id + signature)}\n"


def open_checkpoint(text: str | bytes, *, vkeys: Iterable[VerifierKey]) -> Checkpoint:
    """Read a signed checkpoint, verify it, and return it.

    A known key named as the origin has to be among those that have signed: a key
    of one log says nothing about another log.

    Raises:
        FormatError: it is not a signed checkpoint.
        InvalidSignatureError: a known key's signature does not hold, or no known
            key has signed.
        InvalidCheckpointError: only keys of other origins have signed.
        ConfigurationError: two different keys have one name and id.
    """
    return verify_checkpoint(Note.parse(text), vkeys=vkeys)


def verify_checkpoint(note: Note, *, vkeys: Iterable[VerifierKey]) -> Checkpoint:
    """Verify a parsed note as a signed checkpoint, and return the checkpoint.

    Raises:
        FormatError: the note's text is not a checkpoint.
        InvalidSignatureError: as `open_checkpoint`.
        InvalidCheckpointError: as `open_checkpoint`.
        ConfigurationError: as `open_checkpoint`.
    """
    keys = verified_keys(note, vkeys=vkeys)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin not in {key.key_name for key in keys}:
        signed = ", ".join(f"`{excerpt(key.key_name)}`" for key in keys)
        raise InvalidCheckpointError(
            f"the checkpoint of `{excerpt(checkpoint.origin)}` is signed by {signed}, "
            "not by a known key of that origin: add the origin's vkey to the trust "
            "file if you trust it"
        )
    return checkpoint
