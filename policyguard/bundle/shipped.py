"""Finds the policies that the package ships, and says which bytes they must be.

Policies lie in the package in a wheel, and beside it in a checkout. The digests are in
the package itself: whoever can change them can change the code as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policyguard.bundle.source import Bundle, load_directory
from policyguard.errors import BundleError

_HERE: Final = Path(__file__).resolve().parent
_PACKAGE: Final = _HERE.parent
_FORM: Final = re.compile(r"bundle ([0-9a-f]{64})\ncatalog ([0-9a-f]{64})\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedDigests:
    """Is the digest of the shipped bundle, and that of the shipped catalog."""

    bundle: str
    catalog: str


def shipped_directory() -> Path:
    """Return the directory of the shipped policies.

    Raises:
        BundleError: there is none.
    """
    for candidate in (_PACKAGE / "policies", _PACKAGE.parent / "policies"):
        if (candidate / ".manifest").is_file():
            return candidate
    raise BundleError("the shipped policies are missing: reinstall `policyguard-ai`")


def shipped_digests() -> ShippedDigests:
    """Return the digests that the shipped policies must have.

    Raises:
        BundleError: they are missing or malformed.
    """
    try:
        text = (_HERE / "shipped.sha256").read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(
            "the digests of the shipped policies cannot be read: reinstall"
            " `policyguard-ai`"
        ) from error
    return parse_digests(text)


def parse_digests(text: str) -> ShippedDigests:
    """Parse the text of `shipped.sha256`: `bundle <hex>` and `catalog <hex>`.

    Raises:
        BundleError: it is anything else.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise BundleError(
            "the digests of the shipped policies are malformed: write them with"
            " `make fmt`, or reinstall `policyguard-ai`"
        )
    return ShippedDigests(bundle=match[1], catalog=match[2])


def load_shipped() -> Bundle:
    """Load the shipped bundle and check that it is the one that was shipped.

    Raises:
        BundleError: it cannot be loaded, or its digest is not the expected one.
    """
    bundle = load_directory(shipped_directory())
    expected = shipped_digests().bundle
    if bundle.digest != expected:
        raise BundleError(
            f"the shipped bundle has digest `{bundle.digest}` and the package says"
            f" `{expected}`: reinstall `policyguard-ai`"
        )
    return bundle
