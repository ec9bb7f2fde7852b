"""The two seams of signing: who can sign bytes, and who can verify a signature.

A key in a file, in a hardware module or in a cloud service is a `Signer` alike.
Nothing here assumes the length of a signature: post-quantum ones are longer.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Signer(Protocol):
    """Signs bytes with one private key that has a name."""

    @property
    def key_name(self) -> str:
        """The name in signature lines; of a log's key, the log's origin."""
        ...

    @property
    def alg(self) -> str:
        """The algorithm, such as `ed25519`."""
        ...

    @property
    def public_key(self) -> bytes:
        """The public key in the algorithm's raw form; of Ed25519, 32 bytes."""
        ...

    def sign(self, message: bytes, /) -> bytes:
        """Return the raw signature over exactly these bytes."""
        ...


@runtime_checkable
class Verifier(Protocol):
    """Verifies signatures of one public key that has a name."""

    @property
    def key_name(self) -> str:
        """The name in signature lines."""
        ...

    @property
    def alg(self) -> str:
        """The algorithm, such as `ed25519`."""
        ...

    @property
    def public_key(self) -> bytes:
        """The public key in the algorithm's raw form."""
        ...

    def verify(self, *, signature: bytes, message: bytes) -> None:
        """Return if the signature holds; raise InvalidSignatureError if not."""
        ...
