"""Where the keys of logs come from: files that we make, or a service that holds them.

A trail asks its key source when it begins or opens a log. Each log has a key of its
own, so that a stolen one is one log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.key_file import read_key_file
from policyguard.signing.passphrase import Passphrase
from policyguard.signing.signer import Signer

_ENCRYPTED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
"""How PKCS#8 PEM says that it is (RFC 7468, section 11)."""


@runtime_checkable
class KeySource(Protocol):
    """Makes and finds the keys of logs."""

    @property
    def makes_files(self) -> bool:
        """Whether keys are files that this library may make, replace and remove."""
        ...

    @property
    def passphrase(self) -> Passphrase | None:
        """What secrets are encrypted with that cannot be files here, of a fleet."""
        ...

    def create(self, path: Path, *, key_name: str) -> Signer:
        """Return the key of a log that begins.

        Args:
            path: Where a key file has its place; its stem names the log's slot.
            key_name: The log's origin.

        Raises:
            ConfigurationError: none can be made or reached.
        """
        ...

    def load(self, path: Path, *, key_name: str) -> Signer:
        """Return the key of a log that has records.

        Raises:
            ConfigurationError: it is missing or cannot be used.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKeys:
    """Keeps each key in a PKCS#8 PEM file with mode 0600, encrypted if you say how."""

    passphrase: Passphrase | None = field(default=None, repr=False)
    """Asked each time that a key is made or read; without it files are not encrypted."""

    @property
    def makes_files(self) -> bool:
        """Always."""
        return True

    def create(self, path: Path, *, key_name: str) -> Signer:
        """Make a key and its file; a file that is there is read: a crash has left it.

        Raises:
            ConfigurationError: it cannot be written, read or decrypted.
        """
        if not path.exists():
            Ed25519Signer.generate(key_name=key_name).save(
                path, passphrase=self._asked()
            )
        return self.load(path, key_name=key_name)

    def load(self, path: Path, *, key_name: str) -> Signer:
        """Read a key file; one from before there was a passphrase stays as it is.

        Raises:
            ConfigurationError: it is missing, open to others, or does not decrypt.
        """
        # Else nobody could open the log to rotate its key, which encrypts the next one.
        passphrase = self._asked() if _ENCRYPTED in read_key_file(path) else None
        return Ed25519Signer.load(path, key_name=key_name, passphrase=passphrase)

    def _asked(self) -> bytes | None:
        return self.passphrase() if self.passphrase is not None else None
