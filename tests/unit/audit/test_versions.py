"""Tests of keeping bundles and catalogs for as long as the trail."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from policyguard.assembly import catalog_of, keep, kept_policy, policy_set
from policyguard.audit.versions import Versions
from policyguard.bundle.archive import pack
from policyguard.bundle.shipped import load_shipped
from policyguard.errors import BundleError, TamperedError, TrailError
from policyguard.settings import Settings

ONE, TWO = "1" * 64, "2" * 64
BUNDLE = load_shipped()
CATALOG = catalog_of(Settings())


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "versions")


def test_what_is_kept_is_read_again(versions: Versions) -> None:
    versions.keep("catalog", ONE, b"{}")

    assert (versions.read("catalog", ONE), versions.has("catalog", ONE)) == (
        b"{}",
        True,
    )
    assert not versions.has("bundle", ONE)


def test_a_version_is_written_once(versions: Versions) -> None:
    versions.keep("catalog", ONE, b"first")
    versions.keep("catalog", ONE, b"second")

    assert versions.read("catalog", ONE) == b"first"


def test_versions_are_listed_oldest_first(versions: Versions) -> None:
    versions.keep("bundle", TWO, b"")
    os.utime(versions.directory / "bundle" / f"{TWO}.tar.gz", (1, 1))
    versions.keep("bundle", ONE, b"")
    (versions.directory / "bundle" / ".odd.tmp").write_bytes(b"")

    assert versions.digests("bundle") == (TWO, ONE)
    assert versions.digests("catalog") == ()


def test_what_is_not_kept_says_so(versions: Versions) -> None:
    with pytest.raises(TrailError, match=f"the bundle `{ONE}` is not kept"):
        versions.read("bundle", ONE)


@pytest.mark.parametrize("name", ["", "..", "../x", "A" * 64, "1" * 63, f"{ONE}/x"])
def test_a_name_that_is_no_digest_reaches_no_file(
    name: str, versions: Versions
) -> None:
    with pytest.raises(TrailError, match="is no digest"):
        versions.read("bundle", name)


def test_two_that_keep_one_version_at_once_keep_it_whole(versions: Versions) -> None:
    data = os.urandom(1 << 20)
    threads = [
        threading.Thread(target=versions.keep, args=("bundle", ONE, data))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert versions.read("bundle", ONE) == data
    assert len(list((versions.directory / "bundle").iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "versions").write_text("in the way")

    with pytest.raises(TrailError, match="cannot create"):
        Versions(tmp_path / "versions").keep("bundle", ONE, b"")


def test_a_kept_policy_is_the_one_that_decided(versions: Versions) -> None:
    keep(versions, bundle=BUNDLE, catalog=CATALOG)

    bundle, policy = kept_policy(versions, bundle=BUNDLE.digest, catalog=CATALOG.digest)

    assert bundle == replace(BUNDLE, tests={})
    assert policy == policy_set(bundle=BUNDLE, catalog=CATALOG)


def test_a_kept_bundle_that_was_changed_is_not_replayed(versions: Versions) -> None:
    keep(versions, bundle=BUNDLE, catalog=CATALOG)
    path = "policyguard/main/main.rego"
    changed = {**BUNDLE.files, path: BUNDLE.files[path] + b"\n# changed\n"}
    file = versions.directory / "bundle" / f"{BUNDLE.digest}.tar.gz"
    file.write_bytes(pack(changed))

    with pytest.raises(TamperedError, match=r"kept bundle .* was changed"):
        kept_policy(versions, bundle=BUNDLE.digest, catalog=CATALOG.digest)


def test_a_kept_catalog_that_was_changed_is_not_replayed(versions: Versions) -> None:
    keep(versions, bundle=BUNDLE, catalog=CATALOG)
    file = versions.directory / "catalog" / f"{CATALOG.digest}.json"
    file.write_bytes(b"{}")

    with pytest.raises(TamperedError, match=r"kept catalog .* was changed"):
        kept_policy(versions, bundle=BUNDLE.digest, catalog=CATALOG.digest)


def test_a_kept_bundle_that_is_damaged_is_refused(versions: Versions) -> None:
    keep(versions, bundle=BUNDLE, catalog=CATALOG)
    (versions.directory / "bundle" / f"{BUNDLE.digest}.tar.gz").write_bytes(b"damaged")

    with pytest.raises(BundleError, match="is not gzip"):
        kept_policy(versions, bundle=BUNDLE.digest, catalog=CATALOG.digest)
