"""Says, inside OPA, which bundle and which catalog answer.

An OPA server holds two bundles of ours: the policy bundle, with one module more that
names its digest, and the catalog as data, with its digest beside it. A decision comes
back together with both digests in one answer, so that a server that holds other
policy than the guard does is noticed with each decision.

INVARIANT: the module is no part of what the digest covers; a bundle that has one with
another digest than its own does not load.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policyguard.bundle.files import MANIFEST
from policyguard.canonical import Json, canonical_bytes
from policyguard.errors import BundleError

SERVED: Final = "policyguard/served/served.rego"
CATALOG_ROOTS: Final = ("catalog", "served")
_MODULE: Final = """\
# Written when the bundle was built: says which bundle and catalog answer.
package policyguard.served

bundle := "{digest}"

answer := {{
	"decision": data.policyguard.main.decision,
	"bundle": bundle,
	"catalog": data.served.catalog,
}}
"""


def served_module(digest: str) -> bytes:
    """Return the module that answers for the bundle with this digest."""
    return _MODULE.format(digest=digest).encode()


def with_own_digest(data: Mapping[str, Json], *, digest: str) -> dict[str, Json]:
    """Return a bundle's data with the digest where the module has it inside OPA.

    Args:
        data: The bundle's data.
        digest: The bundle's digest.
    """
    ours = data.get("policyguard")
    known = ours if isinstance(ours, dict) else {}
    return {**data, "policyguard": {**known, "served": {"bundle": digest}}}


def require_own_module(data: bytes | None, *, digest: str) -> None:
    """Check that a bundle's module, if it has one, names the bundle's own digest.

    Raises:
        BundleError: it names another one, or says anything else.
    """
    if data is not None and data != served_module(digest):
        raise BundleError(
            f"{SERVED}: does not name the digest of this bundle, `{digest}`: build the"
            " bundle anew with `policyguard bundle build`"
        )


def catalog_files(*, version: str, digest: str, document: bytes) -> Mapping[str, bytes]:
    """Return the files of the bundle that holds the catalog, as an OPA server loads it.

    Args:
        version: The catalog's version, which becomes the bundle's revision.
        digest: The catalog's digest.
        document: The document at `data.catalog`, as RFC 8785 bytes.
    """
    manifest: dict[str, Json] = {
        "revision": version,
        "roots": list(CATALOG_ROOTS),
        "rego_version": 1,
    }
    return {
        MANIFEST: canonical_bytes(manifest),
        "catalog/data.json": document,
        "served/data.json": canonical_bytes({"catalog": digest}),
    }
