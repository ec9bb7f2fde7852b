"""Verifies OpenSSF Model Signing bundles through the `model-signing` package.

Specification: OpenSSF Model Signing 1.0: a Sigstore bundle with a DSSE envelope around an
in-toto statement of each file's digest. It proves who signed which bytes; it says
nothing of lineage, licence or training. The package is an extra, imported when used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from policyguard.catalog.schema import WeightsSignature
from policyguard.errors import ConfigurationError, InvalidSignatureError

if TYPE_CHECKING:
    from model_signing.verifying import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Says whose signature is expected: exactly one of the three."""

    public_key: Path | None = None
    """An ECDSA public key as SPKI PEM."""
    certificates: Sequence[Path] = ()
    """The chain up to a root that is trusted, as PEM."""
    identity: str | None = None
    """The identity in a Sigstore certificate, as an e-mail address."""
    issuer: str | None = None
    """The OpenID Connect issuer that vouched for the identity."""
    trust_config: Path | None = None
    """A Sigstore trust configuration of your own; without it the public one."""


def verify_weights_signature(
    path: Path, *, bundle: Path, signer: Signer
) -> WeightsSignature:
    """Verify that a signer signed exactly these files, and return what was verified.

    Every file counts: one that was added, changed or taken away is a failure.

    Args:
        path: The directory of the weights.
        bundle: The signature file, as `model.sig`.
        signer: Whose signature it must be.

    Raises:
        ConfigurationError: `model-signing` is not installed, or it is not said whose
            signature is expected.
        InvalidSignatureError: the signature does not hold for these files.
    """
    method, named = _method(signer)
    try:
        from model_signing.verifying import Config
    except ImportError as error:
        raise ConfigurationError(
            "signatures of weights need the extra: install `policyguard-ai[weights]`"
        ) from error
    _require_bundle(bundle)
    try:
        _configured(Config(), signer).verify(path, bundle)
    except Exception as error:
        # The package raises many kinds for one fact: it does not hold.
        said = " ".join(str(error).split())[:400]
        raise InvalidSignatureError(
            f"`{bundle}` is no signature of the {method} over the files in `{path}`:"
            f" {type(error).__name__}: {said}"
        ) from error
    return WeightsSignature(
        method=method, signer=named, bundle=_sha256(bundle.read_bytes())
    )


def _method(signer: Signer) -> tuple[str, str]:
    """Return how the signer is known, and by what."""
    if signer.public_key is not None:
        return "key", f"sha256:{_sha256(_read(signer.public_key))}"
    if signer.certificates:
        chain = b"".join(_read(item) for item in signer.certificates)
        return "certificate", f"sha256:{_sha256(chain)}"
    if signer.identity is not None and signer.issuer is not None:
        return "sigstore", f"{signer.identity} by {signer.issuer}"
    raise ConfigurationError(
        "a signature alone proves nothing: name the public key, the certificate chain,"
        " or the identity and its issuer"
    )


def _configured(config: Config, signer: Signer) -> Config:
    if signer.public_key is not None:
        return config.use_elliptic_key_verifier(public_key=signer.public_key)
    if signer.certificates:
        return config.use_certificate_verifier(certificate_chain=signer.certificates)
    return config.use_sigstore_verifier(
        identity=signer.identity or "",
        oidc_issuer=signer.issuer or "",
        trust_config=signer.trust_config,
    )


def _require_bundle(bundle: Path) -> None:
    if not bundle.is_file():
        raise ConfigurationError(f"there is no signature file `{bundle}`: name it")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read `{path}`: {(error.strerror or '').lower()}: give its path"
        ) from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
