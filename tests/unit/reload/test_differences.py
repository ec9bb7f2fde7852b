"""Tests that what has differed once is not trusted after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyguard.errors import TrailError
from policyguard.reload.differences import Differences

ONE, OTHER = "1" * 64, "2" * 64


def memory(folder: Path, *, by: str = "policyguard 1, compiled 1") -> Differences:
    return Differences(folder=folder / "lock" / "differs", by=by)


def test_nothing_is_remembered_where_nothing_differed(tmp_path: Path) -> None:
    assert memory(tmp_path).bundles() == frozenset()


def test_what_differed_is_remembered_once(tmp_path: Path) -> None:
    for bundle in (ONE, OTHER, ONE):
        memory(tmp_path).add(bundle=bundle, catalog=OTHER)

    assert memory(tmp_path).bundles() == {ONE, OTHER}


def test_another_compiler_is_trusted_again(tmp_path: Path) -> None:
    memory(tmp_path).add(bundle=ONE, catalog=OTHER)

    assert memory(tmp_path, by="policyguard 2, compiled 1").bundles() == frozenset()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"by":1,"catalog":2}'])
def test_a_damaged_file_counts(content: bytes, tmp_path: Path) -> None:
    memory(tmp_path).add(bundle=ONE, catalog=OTHER)
    (tmp_path / "lock/differs" / f"{ONE}.json").write_bytes(content)

    assert memory(tmp_path).bundles() == {ONE}


def test_other_files_are_nobodys_difference(tmp_path: Path) -> None:
    memory(tmp_path).add(bundle=ONE, catalog=OTHER)
    (tmp_path / "lock/differs/.1.json.tmp").write_bytes(b"{}")

    assert memory(tmp_path).bundles() == {ONE}


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"")

    with pytest.raises(TrailError, match=r"not to be trusted"):
        memory(tmp_path).bundles()
    with pytest.raises(TrailError, match=r"cannot create"):
        memory(tmp_path).add(bundle=ONE, catalog=OTHER)
