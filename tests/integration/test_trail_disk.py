"""The trail on a disk that fills up or turns read-only, and on one that fails anywhere.

A small file system of memory is mounted where that is permitted, and filled; elsewhere
strace makes the calls fail that a full or read-only disk makes fail.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from disk_work import nothing_lost
from failing import Failing, can_fail
from trails import append_pair, entries, made_trail

from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import NotDurableError, TrailError

MOUNT, UNMOUNT = shutil.which("mount"), shutil.which("umount")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        [MOUNT or "false", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if MOUNT is None or UNMOUNT is None or done.returncode != 0:
        pytest.skip("mounting is not permitted: no disk was filled")
    yield place
    subprocess.run([UNMOUNT, "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a disk."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4_096)
    return ballast


def test_a_full_disk_refuses_records_until_there_is_room_again(disk: Path) -> None:
    trail = Trail.create(disk / "trail")
    told = [append_pair(trail)]
    ballast = fill(disk)
    refused: list[str] = []
    for _ in range(200):
        try:
            told.append(append_pair(trail))
        except NotDurableError as error:
            refused.append(str(error))
    ballast.unlink()

    told.append(append_pair(trail))

    trail.close()
    assert len(refused) > 100
    assert {
        text for text in refused if "full" not in text and "space" not in text
    } == set()
    kept = {entry.record().id for entry in entries(disk / "trail")}
    assert set(told) - kept == set()
    verify_trail(disk / "trail")


def test_a_trail_on_a_disk_that_is_read_only_is_verified_and_not_written(
    disk: Path,
) -> None:
    directory = made_trail(disk / "trail")
    remount = [MOUNT or "", "-o", "remount,ro", str(disk)]
    subprocess.run(remount, check=True)

    verified = verify_trail(directory)

    assert verified.logs[0][1] == 7
    with pytest.raises(TrailError, match="read-only file system"):
        Trail.open(directory)


@pytest.mark.skipif(
    not can_fail(), reason="strace is missing or not allowed: no fault was injected"
)
@pytest.mark.parametrize(
    "fault",
    [
        "pwrite64:error=ENOSPC:when=5+",
        "pwrite64,ftruncate,fdatasync,fsync:error=EROFS:when=9+",
        "fdatasync:error=EIO:when=3+",
        "ftruncate:error=EIO:when=1+",
        "pwrite64:error=EDQUOT:when=7..9",
    ],
)
def test_a_disk_that_begins_to_fail_loses_nothing_that_was_told(
    tmp_path: Path, fault: str
) -> None:
    directory = made_trail(tmp_path / "trail", pairs=1)

    with Failing() as failing:
        ran = failing.run("disk_work:write", directory, fault)

    assert ran.hit
    nothing_lost(directory, ran)
