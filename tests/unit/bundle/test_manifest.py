"""Tests of a bundle's manifest."""

from __future__ import annotations

import json

import pytest
from unit.bundle.small_bundle import MANIFEST

from policyguard.bundle.manifest import Manifest, parse_manifest
from policyguard.errors import BundleError


def _refusal(data: bytes) -> str:
    with pytest.raises(BundleError) as caught:
        parse_manifest(data)
    return str(caught.value)


def test_a_manifest_has_revision_and_roots() -> None:
    assert parse_manifest(json.dumps(MANIFEST).encode()) == Manifest(
        revision="2026.11.1", roots=("policyguard",)
    )


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"revision": None}, "revision"),
        ({"revision": ""}, "revision"),
        ({"revision": "a b"}, "revision"),
        ({"revision": 3}, "revision"),
        ({"roots": []}, "roots"),
        ({"roots": [""]}, "roots.0"),
        ({"roots": ["/policyguard"]}, "roots.0"),
        ({"roots": ["a/../b"]}, "roots.0"),
        ({"roots": "policyguard"}, "roots"),
        ({"rego_version": 0}, "rego_version"),
        ({"rego_version": "1"}, "rego_version"),
        ({"wasm": []}, "wasm"),
        ({"file_rego_versions": {}}, "file_rego_versions"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], place: str) -> None:
    data = json.dumps({**MANIFEST, **change}).encode()

    assert _refusal(data).startswith(f".manifest: `{place}`: ")


@pytest.mark.parametrize("name", MANIFEST)
def test_a_missing_field_is_named(name: str) -> None:
    rest = {key: value for key, value in MANIFEST.items() if key != name}

    assert _refusal(json.dumps(rest).encode()) == f".manifest: `{name}`: field required"


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"{", b'{"a":1,"a":2}', b"9" * 99_999]
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    assert _refusal(data).startswith(".manifest: ")


@pytest.mark.parametrize("roots", [["a", "a"], ["a", "a/b"], ["a/b/c", "a/b"]])
def test_roots_that_overlap_are_refused(roots: list[str]) -> None:
    data = json.dumps({**MANIFEST, "roots": roots}).encode()

    assert _refusal(data) == (
        f".manifest: roots `{roots[0]}` and `{roots[1]}` overlap: keep the wider"
    )


@pytest.mark.parametrize(
    "text",
    [
        "package policyguard",
        "package policyguard.rules\n",
        "# a note\n\n  # METADATA\npackage policyguard.rules # why\nx := 1",
        "package policyguard.rules\r\nx := 1",
    ],
)
def test_a_package_within_a_root_is_owned(text: str) -> None:
    manifest = Manifest(revision="1", roots=("policyguard",))

    assert manifest.require_owned(path="a.rego", text=text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("package policyguards", "is outside the bundle's roots"),
        ("package other.policyguard", "is outside the bundle's roots"),
        ('package policyguard["rules"]', "begins with no `package` of plain names"),
        ("x := 1\npackage policyguard", "begins with no `package` of plain names"),
        ("", "begins with no `package` of plain names"),
    ],
)
def test_another_package_is_refused(text: str, message: str) -> None:
    manifest = Manifest(revision="1", roots=("policyguard",))

    with pytest.raises(BundleError, match=message):
        manifest.require_owned(path="a.rego", text=text)
