"""Tests of which files a bundle may have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from unit.bundle.small_bundle import MANIFEST, write

from policyguard.bundle import files
from policyguard.bundle.files import read_files
from policyguard.errors import BundleError


def _root(tmp_path: Path) -> Path:
    write(tmp_path, ".manifest", MANIFEST)
    return tmp_path


def _refusal(root: Path) -> str:
    with pytest.raises(BundleError) as caught:
        read_files(root)
    return str(caught.value)


def test_files_are_read_by_path_in_order(tmp_path: Path) -> None:
    root = _root(tmp_path)
    write(root, "p/b.rego", "b")
    write(root, "p/a/a.rego", "a")

    assert list(read_files(root)) == [".manifest", "p/a/a.rego", "p/b.rego"]


def test_the_catalog_and_notes_are_passed_over(tmp_path: Path) -> None:
    root = _root(tmp_path)
    write(root, "catalog/odd.bin", "x")
    write(root, "README.md", "x")

    assert list(read_files(root)) == [".manifest"]


@pytest.mark.parametrize(
    "path",
    [
        "patch.json",
        "p/.signatures.json",
        "data.json",
        "p/data.yaml",
        "policy.wasm",
        "a.rego",
        "p/.hidden.rego",
        "p/a b.rego",
        "p/a.rego~",
        "p/.manifest",
        ".git/a.rego",
        "p/__pycache__/a.pyc",
        "1/2/3/4/5/6/7/8/9/a.rego",
    ],
)
def test_a_file_that_no_bundle_has_is_refused(tmp_path: Path, path: str) -> None:
    root = _root(tmp_path)
    write(root, path, "package p")

    assert _refusal(root).endswith("of a bundle: remove it")


def test_a_link_to_a_file_is_refused(tmp_path: Path) -> None:
    root = _root(tmp_path / "bundle")
    target = write(tmp_path, "a.rego", "package p")
    (root / "p").mkdir()
    (root / "p" / "a.rego").symlink_to(target)

    assert _refusal(root) == "p/a.rego: is a link: put the file itself there"


def test_a_link_to_a_directory_is_refused(tmp_path: Path) -> None:
    root = _root(tmp_path / "bundle")
    (root / "p").symlink_to(tmp_path)

    assert _refusal(root) == "p: is a link: put the file itself there"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    root = _root(tmp_path)
    (root / "p").mkdir()
    os.mkfifo(root / "p" / "a.rego")

    assert _refusal(root) == "p/a.rego: is no regular file: remove it"


def test_a_directory_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    assert (
        _refusal(tmp_path) == f"`{tmp_path}` has no `.manifest`: give a bundle's root"
    )


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    assert "cannot be read: No such file or directory" in _refusal(tmp_path / "none")


def test_a_file_in_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "bundle", "x")

    assert "cannot be read: Not a directory" in _refusal(file)


def test_too_many_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 2)
    root = _root(tmp_path)
    for name in "ab":
        write(root, f"p/{name}.rego", "package p")

    assert _refusal(root).endswith("more than 2 files")


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 100)
    root = _root(tmp_path)
    write(root, "p/a.rego", "x" * 101)

    assert _refusal(root) == "p/a.rego: larger than 100 bytes: split it"


def test_files_that_are_too_large_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 150)
    root = _root(tmp_path)
    for name in "ab":
        write(root, f"p/{name}.rego", "x" * 80)

    assert _refusal(root).endswith("more than 150 bytes")
