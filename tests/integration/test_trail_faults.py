"""The trail under faults of the disk: EIO or a kill at a chosen write or sync.

strace makes a chosen system call fail, or kills the writer there, as the test of
Tessera does; `python -m benchmarks.soak --faults` does so at each of them. Whatever a
writer was told is kept has to be there afterwards, the trail has to verify, and a next
writer has to be able to go on: `disk_work` says it for each work.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from disk_work import WORKS
from failing import Failing, can_fail, in_memory

pytestmark = pytest.mark.skipif(
    not can_fail(), reason="strace is missing or not allowed: no fault was injected"
)


@pytest.fixture(scope="module")
def failing() -> Iterator[Failing]:
    with Failing() as process:
        yield process


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=in_memory()) as place:
        yield Path(place)


@pytest.mark.parametrize("fault", ["error=EIO", "error=ENOSPC", "signal=SIGKILL"])
@pytest.mark.parametrize(
    ("name", "call", "moments"),
    [
        ("append", "fdatasync", (1, 2, 4, 9, 17)),
        ("append", "pwrite64", (2, 3, 6, 13, 31, 90, 170)),
        ("append", "openat", (11,)),
        ("rotate and erase", "openat", (55, 56)),
        ("rotate and erase", "fdatasync", (4, 8, 11, 16, 22, 60, 70)),
        ("rotate and erase", "pwrite64", (30, 60, 90, 130, 230, 330)),
        ("rotate and erase", "rename,renameat2", (1, 2, 3)),
        ("rotate and erase", "unlink,unlinkat", (21,)),
        ("begin", "fdatasync", (1, 4, 9, 13, 17, 21)),
        ("begin", "pwrite64", (1, 9, 21, 33, 71)),
        ("begin", "rename,renameat2", (1, 2)),
        ("begin", "link,linkat", (1,)),
        ("export", "openat", (2, 3)),
        ("export", "fsync", (1, 2, 9, 14)),
        ("export", "write", (1, 3)),
        ("export", "rename,renameat2", (1, 3)),
    ],
)
def test_what_was_told_is_kept_whatever_call_fails(
    folder: Path,
    failing: Failing,
    *,
    name: str,
    call: str,
    moments: tuple[int, ...],
    fault: str,
) -> None:
    work = WORKS[name]
    hits = 0
    for moment in moments:
        place = work.ready(folder / f"{moment}/trail")
        ran = failing.run(work.function, place, f"{call}:{fault}:when={moment}")
        hits += ran.hit

        work.holds(place, ran)
    assert hits >= len(moments) - 1
