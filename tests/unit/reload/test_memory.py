"""Tests of remembering which bundle was in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyguard.errors import TrailError
from policyguard.reload.memory import PolicyMemory, Remembered
from policyguard.vocabulary.decision import BundleRef

ONE = BundleRef(revision="1", digest="1" * 64)
TWO = BundleRef(revision="2", digest="2" * 64)


@pytest.mark.parametrize("signed", [None, TWO])
def test_what_is_written_is_remembered(
    signed: BundleRef | None, tmp_path: Path
) -> None:
    memory = PolicyMemory(tmp_path / "policy.json")
    memory.write(Remembered(bundle=ONE, signed=signed))

    assert memory.read() == Remembered(bundle=ONE, signed=signed)
    assert oct((tmp_path / "policy.json").stat().st_mode & 0o777) == "0o600"


def test_at_first_nothing_is_remembered(tmp_path: Path) -> None:
    assert PolicyMemory(tmp_path / "policy.json").read() is None


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"bundle":{"revision":"1","digest":"x"},"signed":null}']
)
def test_a_damaged_memory_is_not_a_fresh_start(text: str, tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text(text)

    with pytest.raises(TrailError, match="is damaged"):
        PolicyMemory(tmp_path / "policy.json").read()
