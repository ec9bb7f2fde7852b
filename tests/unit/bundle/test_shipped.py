"""Tests of the bundle that the package ships."""

from __future__ import annotations

import pytest

from policyguard.bundle.shipped import (
    ShippedDigests,
    load_shipped,
    parse_digests,
    shipped_digests,
    shipped_directory,
)
from policyguard.errors import BundleError

A, B = "a" * 64, "b" * 64


def test_the_digests_are_two_lines() -> None:
    assert parse_digests(f"bundle {A}\ncatalog {B}\n") == ShippedDigests(
        bundle=A, catalog=B
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"bundle {A}\n",
        f"catalog {B}\nbundle {A}\n",
        f"bundle {A}\ncatalog {B}",
        f"bundle {A}\ncatalog {B}\n\n",
        f"bundle {A.upper()}\ncatalog {B}\n",
        f"bundle {A}\ncatalog {B[1:]}\n",
    ],
)
def test_other_digests_are_refused(text: str) -> None:
    with pytest.raises(BundleError, match="malformed"):
        parse_digests(text)


def test_the_shipped_bundle_is_the_one_that_was_shipped() -> None:
    assert load_shipped().digest == shipped_digests().bundle


def test_the_shipped_catalog_lies_beside_the_bundle() -> None:
    assert (shipped_directory() / "catalog").is_dir()
