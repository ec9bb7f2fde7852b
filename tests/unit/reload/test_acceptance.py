"""Tests of what makes an offered bundle acceptable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bundles import KEY_ID, PUBLIC, private_key, shipped_as, signed

from policyguard.bundle.archive import unpack
from policyguard.bundle.source import load_files
from policyguard.errors import BundleRefused
from policyguard.reload.acceptance import Trust, accept
from policyguard.reload.memory import Remembered
from policyguard.reload.offer import Offer
from policyguard.vocabulary.decision import BundleRef

KEYS = Trust(keys=(PUBLIC,))
SEVEN = BundleRef(revision="2026.11.7", digest="7" * 64)


def offered(revision: str, folder: Path, **changes: bytes) -> Offer:
    files = unpack(signed(shipped_as(revision, **changes), folder))
    return Offer(source="http", name="x", digest="f" * 64, files=files)


def remembering(signed: BundleRef | None = SEVEN) -> Remembered:
    return Remembered(bundle=SEVEN, signed=signed)


def refusal(offer: Offer, **more: Any) -> tuple[str, str]:
    with pytest.raises(BundleRefused) as caught:
        accept(offer, **{"trust": KEYS, "remembered": None, **more})
    assert caught.value.offered == "f" * 64
    return caught.value.code, str(caught.value)


def test_a_signed_bundle_is_accepted_and_says_who_signed(tmp_path: Path) -> None:
    offer = offered("2026.11.8", tmp_path)

    accepted = accept(offer, trust=KEYS, remembered=remembering())

    assert (accepted.signed_by, accepted.lowered, accepted.bundle.revision) == (
        KEY_ID,
        False,
        "2026.11.8",
    )
    assert accepted.files == offer.files


def test_the_bundle_in_use_is_accepted_again(tmp_path: Path) -> None:
    offer = offered("2026.11.7", tmp_path)
    assert offer.files is not None
    digest = load_files(offer.files, name="x").digest
    last = BundleRef(revision="2026.11.7", digest=digest)

    accepted = accept(offer, trust=KEYS, remembered=remembering(last))

    assert accepted.bundle.digest == digest


def test_an_older_bundle_is_refused_though_it_is_genuine(tmp_path: Path) -> None:
    code, message = refusal(offered("2026.11.6", tmp_path), remembered=remembering())

    assert code == "bundle.revision"
    assert "set `lower_to" not in message
    assert 'lower_to = "2026.11.6"' in message


def test_an_older_bundle_takes_over_by_name_alone(tmp_path: Path) -> None:
    offer = offered("2026.11.6", tmp_path)
    named = Trust(keys=(PUBLIC,), lower_to="2026.11.6")
    other = Trust(keys=(PUBLIC,), lower_to="2026.11.5")

    assert accept(offer, trust=named, remembered=remembering()).lowered
    assert refusal(offer, trust=other, remembered=remembering())[0] == "bundle.revision"


def test_one_revision_has_one_content(tmp_path: Path) -> None:
    code, message = refusal(
        offered("2026.11.7", tmp_path, gdpr_01=b"\n"), remembered=remembering()
    )

    assert (code, "again and other content" in message) == ("bundle.revision", True)


def test_a_bundle_that_was_trusted_by_digest_sets_no_revision(tmp_path: Path) -> None:
    accepted = accept(
        offered("2026.11.6", tmp_path), trust=KEYS, remembered=remembering(signed=None)
    )

    assert not accepted.lowered


def test_a_bundle_without_a_reason_says_what_the_reason_would_be(
    tmp_path: Path,
) -> None:
    offer = offered("2026.11.7", tmp_path)
    assert offer.files is not None
    digest = load_files(offer.files, name="x").digest
    code, message = refusal(offer, trust=Trust())

    assert code == "bundle.signature"
    assert f'digest = "{digest}"' in message


def test_a_bundle_with_another_digest_is_refused(tmp_path: Path) -> None:
    code, message = refusal(
        offered("2026.11.7", tmp_path), trust=Trust(digest="0" * 64)
    )

    assert (code, "the trusted one is" in message) == ("bundle.signature", True)


def test_a_bundle_of_another_key_is_refused(tmp_path: Path) -> None:
    stranger = private_key(tmp_path, seed=b"x" * 32)
    from policyguard.bundle.signature import sign_files

    files = shipped_as("2026.11.8")
    offer = Offer(
        source="http",
        name="x",
        digest="f" * 64,
        files={**files, ".signatures.json": sign_files(files, key=stranger)},
    )

    assert refusal(offer)[0] == "bundle.signature"


def test_a_signed_bundle_that_is_malformed_is_refused(tmp_path: Path) -> None:
    files = {"policyguard/x.rego": b"package policyguard.x\n"}
    offer = Offer(
        source="http",
        name="x",
        digest="f" * 64,
        files=unpack(signed(files, tmp_path)),
    )

    assert refusal(offer)[0] == "bundle.malformed"


def test_what_is_no_archive_is_refused() -> None:
    offer = Offer(source="http", name="x", digest="f" * 64, files=None, fault="no tar")

    assert refusal(offer) == ("bundle.unreadable", "no tar")
