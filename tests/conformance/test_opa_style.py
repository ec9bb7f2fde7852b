"""Tests that the shipped policy is written as OPA's own tools want it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from opa import opa_program

ROOT = Path(__file__).resolve().parents[2]
CHECKS = {
    "formatted": ("fmt", "--list"),
    "checked": ("check", "--strict"),
}


def complaints(of: Path, *, by: str) -> tuple[int, str]:
    done = subprocess.run(
        [opa_program(), *CHECKS[by], of],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("by", CHECKS)
def test_opa_complains_of_no_shipped_file(by: str) -> None:
    assert complaints(ROOT / "policies/policyguard", by=by) == (0, "")


@pytest.mark.parametrize("by", CHECKS)
def test_opa_complains_of_what_is_badly_written(by: str, tmp_path: Path) -> None:
    (tmp_path / "p.rego").write_text("package p\n\nf(unused) = 1  if  true\n")
    assert complaints(tmp_path, by=by)[1] != ""
