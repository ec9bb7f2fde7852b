"""Keys that a service or a hardware module holds, by securesystemslib's signer URIs.

Needs the extra `kms`. A log's key is Ed25519: `file2:` and `hv:` (HashiCorp Vault's
transit engine) have such keys; the AWS, GCP, Azure and PKCS #11 signers of
securesystemslib 1.6 sign with ECDSA or RSA, which a checkpoint of C2SP tlog-tiles
cannot bear alone, and are refused with their reason.

Owner: the service. Whoever can ask it can sign, and is in its own log; the key itself
cannot be taken along.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from policyguard.errors import ConfigurationError, FormatError, InvalidSignatureError
from policyguard.signing.ed25519 import ALG, parse_public_pem, verify_ed25519
from policyguard.signing.key_file import read_key_file
from policyguard.signing.passphrase import Passphrase
from policyguard.signing.signer import Signer
from policyguard.signing.text import excerpt, validate_key_name

_SLOT: Final = "{slot}"
_FILE: Final = "file2:"
_MAX_PEM_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsSigner:
    """Signs with an Ed25519 key that securesystemslib reaches by a URI."""

    key_name: str
    public_key: bytes
    uri: str = field(repr=False)
    remote: Any = field(repr=False, compare=False)

    @property
    def alg(self) -> str:
        """The algorithm, `ed25519`."""
        return ALG

    @classmethod
    def open(cls, uri: str, *, key_name: str, public_pem: bytes) -> KmsSigner:
        """Reach a key.

        Args:
            uri: As securesystemslib defines it: `file2:/path`, `hv:name/1`.
            key_name: The name in signature lines; of a log's key, the log's origin.
            public_pem: The public key in SPKI PEM: what the service has to prove.

        Raises:
            ConfigurationError: the extra is missing, the URI is of no known scheme, the
                key is not Ed25519, or the service cannot be reached.
            FormatError: the name cannot stand in a signature line.
        """
        validate_key_name(key_name)
        try:
            from securesystemslib import signer as remote_signing
        except ImportError as cause:
            raise ConfigurationError(
                "a signer URI needs securesystemslib: install `policyguard-ai[kms]`"
            ) from cause
        if uri.startswith(_FILE):
            # securesystemslib would read a key that everybody can read.
            read_key_file(uri.removeprefix(_FILE))
        try:
            public_key = parse_public_pem(public_pem)
        except FormatError as cause:
            raise ConfigurationError(
                f"the public key for `{excerpt(uri)}` cannot be used: {cause}: a log is"
                " signed with Ed25519"
            ) from cause
        try:
            remote = remote_signing.Signer.from_priv_key_uri(  # type: ignore[attr-defined]
                uri,
                remote_signing.SSlibKey.from_crypto(  # type: ignore[attr-defined]
                    _loaded(public_pem)
                ),
            )
        except Exception as cause:
            raise ConfigurationError(
                f"the signer `{excerpt(uri)}` cannot be reached: {cause}: correct"
                " [signing] uri"
            ) from cause
        return cls(key_name=key_name, public_key=public_key, uri=uri, remote=remote)

    def sign(self, message: bytes, /) -> bytes:
        """Ask for a signature over exactly these bytes, and verify it.

        Raises:
            ConfigurationError: the service did not answer, or signed with another key.
        """
        try:
            signature = bytes.fromhex(self.remote.sign(message).signature)
            verify_ed25519(
                public_key=self.public_key, signature=signature, message=message
            )
        except InvalidSignatureError as cause:
            raise ConfigurationError(
                f"the signer of `{self.key_name}` signs with another key than its public"
                " key says: correct [signing] uri or public_key"
            ) from cause
        except Exception as cause:
            raise ConfigurationError(
                f"the signer of `{self.key_name}` has not signed: {cause}"
            ) from cause
        return signature


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsKeys:
    """Finds the key of each log at a service; `{slot}` stands for the log's slot."""

    uri: str
    public_key: str
    """Path of the public key in SPKI PEM."""
    passphrase: Passphrase | None = field(default=None, repr=False)
    """What a fleet's vault key is locked under; no key of a log is."""

    @property
    def makes_files(self) -> bool:
        """Never: keys are made and rotated where they are held."""
        return False

    def create(self, path: Path, *, key_name: str) -> Signer:
        """Find the key of a log that begins: it has to be there already.

        Raises:
            ConfigurationError: as `load`.
        """
        return self.load(path, key_name=key_name)

    def load(self, path: Path, *, key_name: str) -> Signer:
        """Find the key of a log.

        Raises:
            ConfigurationError: the public key cannot be read, or `KmsSigner.open`
                fails.
        """
        slot = path.stem
        public = Path(self.public_key.replace(_SLOT, slot))
        try:
            with public.open("rb") as file:
                pem = file.read(_MAX_PEM_BYTES)
        except OSError as cause:
            raise ConfigurationError(
                f"the public key of the log `{key_name}` cannot be read:"
                f" `{public}`: {(cause.strerror or 'error').lower()}: make a key for"
                " this slot, and put its public key there"
            ) from cause
        return KmsSigner.open(
            self.uri.replace(_SLOT, slot), key_name=key_name, public_pem=pem
        )


def _loaded(public_pem: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return load_pem_public_key(public_pem)
