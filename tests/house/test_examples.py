"""Each example runs offline, from anywhere, and leaves nothing in the user's home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from house.repository import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*/main.py"))
LONGEST = 80


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_is_short_and_explained(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST
    assert (path.parent / "README.md").is_file()
