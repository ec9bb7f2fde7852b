"""What holds a disk up in benchmarks does so, and what was found is compared rightly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.disks import Ratio, built, rows, side_by_side

HELD_UP_MS = 40
COMMIT = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode=WAL")
database.execute("PRAGMA synchronous=FULL")
database.execute("CREATE TABLE entry (body BLOB)")
began = time.monotonic()
database.execute("INSERT INTO entry VALUES (x'00')")
print(time.monotonic() - began)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="holding a disk up needs Linux and a C compiler",
)
def test_a_commit_takes_at_least_as_long_as_its_sync_is_held_up(tmp_path: Path) -> None:
    held = {
        "LD_PRELOAD": str(built(tmp_path)),
        "SYNC_MICROSECONDS": str(HELD_UP_MS * 1000),
    }
    done = subprocess.run(
        [sys.executable, "-c", COMMIT, str(tmp_path / "raw.sqlite")],
        env=os.environ | held,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) >= HELD_UP_MS / 1000


def test_speeds_are_compared_with_what_is_wanted_of_them_on_each_disk() -> None:
    runs = [
        {"record": (0.4, 0.5, False), "wire": (2.0, 2.0, True)},
        {"record": (0.5, 0.5, False), "wire": (2.1, 2.0, True)},
    ]
    ratios = side_by_side(runs)
    assert ratios == [
        Ratio(what="record", wanted=0.5, at_most=False, found=(0.4, 0.5)),
        Ratio(what="wire", wanted=2.0, at_most=True, found=(2.0, 2.1)),
    ]
    assert rows(ratios, syncs=(0.0, 1.0)) == [
        {
            "what": "record",
            "wanted": 0.5,
            "at_most": False,
            "found": [
                {"held_up_ms": 0.0, "ratio": 0.4, "met": False},
                {"held_up_ms": 1.0, "ratio": 0.5, "met": True},
            ],
        },
        {
            "what": "wire",
            "wanted": 2.0,
            "at_most": True,
            "found": [
                {"held_up_ms": 0.0, "ratio": 2.0, "met": True},
                {"held_up_ms": 1.0, "ratio": 2.1, "met": False},
            ],
        },
    ]
