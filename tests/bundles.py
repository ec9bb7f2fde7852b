"""Signed bundles for tests: the shipped one under another revision, and keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from policyguard.bundle.archive import pack
from policyguard.bundle.files import MANIFEST, RULEBOOK, SIGNATURES
from policyguard.bundle.opening import built_files, open_files
from policyguard.bundle.shipped import shipped_directory
from policyguard.bundle.signature import sign_files
from policyguard.settings import BundleKey, BundleSettings
from policyguard.signing.ed25519 import Ed25519Signer, format_public_pem
from policyguard.signing.jws import JwsKey

SHIPPED: Final[Mapping[str, bytes]] = open_files(shipped_directory())
KEY_ID: Final = "acme-2026"
_SEED: Final = bytes(range(32))
_SIGNER: Final = Ed25519Signer.from_seed(_SEED, key_name=KEY_ID)
PUBLIC: Final = JwsKey(
    id=KEY_ID,
    algorithm="EdDSA",
    material=format_public_pem(_SIGNER.public_key).encode(),
)


def private_key(folder: Path, *, seed: bytes = _SEED) -> JwsKey:
    """Return the key that signs, by way of a file."""
    file = folder / f"{seed[:4].hex()}.pem"
    if not file.exists():
        Ed25519Signer.from_seed(seed, key_name=KEY_ID).save(file)
    return JwsKey(id=KEY_ID, algorithm="EdDSA", material=file.read_bytes())


def public_file(folder: Path) -> Path:
    """Write the public key, and return where."""
    file = folder / "bundle.pub"
    file.write_bytes(PUBLIC.material)
    return file


def shipped_as(revision: str, **changes: bytes) -> Mapping[str, bytes]:
    """Return the files of the shipped bundle under another revision.

    Args:
        revision: The revision.
        changes: Text to put at the end of a module, by the module's stem.
    """
    files = dict(SHIPPED)
    for path in (MANIFEST, RULEBOOK):
        document = json.loads(files[path])
        document["revision"] = revision
        files[path] = json.dumps(document).encode()
    for stem, text in changes.items():
        (path,) = (name for name in files if name.endswith(f"/{stem}.rego"))
        files[path] += text
    return built_files(files, name=revision)


def signed(files: Mapping[str, bytes], folder: Path) -> bytes:
    """Return a signed archive."""
    key = private_key(folder)
    return pack({**files, SIGNATURES: sign_files(files, key=key)})


def put(path: Path, data: bytes) -> None:
    """Put an archive in the place of another one, at once."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(data)
    draft.replace(path)


def trusting(folder: Path, **more: object) -> BundleSettings:
    """Return settings that trust the key, for the archive in a folder."""
    fields = {
        "path": folder / "bundle.tar.gz",
        "keys": (BundleKey(id=KEY_ID, file=public_file(folder)),),
    }
    return BundleSettings.model_validate({**fields, **more})
