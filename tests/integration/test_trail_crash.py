"""The trail when things break: killed writers, full disks, folders one may not write."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from trails import append_pair, entries, made_trail, outcome

from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail

TESTS = Path(__file__).parent.parent
NOBODY = 65_534

WRITE_FOREVER = """
import sys
from trails import append_pair
from policyguard.audit.trail import Trail
trail = Trail.open_or_create(sys.argv[1], name="crash.example")
print("open", flush=True)
while True:
    print(append_pair(trail), flush=True)
"""

WRITE_UNTIL_FULL = """
import resource, signal, sys
from trails import append_pair
from policyguard.audit.trail import Trail
from policyguard.errors import NotDurableError
trail = Trail.open_or_create(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
refused = 0
while refused < 3:
    try:
        print(append_pair(trail), flush=True)
    except NotDurableError as error:
        refused += 1
        print("refused", error, file=sys.stderr, flush=True)
"""

AS_SOMEBODY = """
import os, sys
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import PolicyGuardError
from policyguard.signing.ed25519 import Ed25519Signer
Ed25519Signer.generate(key_name="imports.everything")
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
for step in (verify_trail, Trail.open_or_create):
    try:
        step(sys.argv[1])
        print("done", flush=True)
    except PolicyGuardError as error:
        print(type(error).__name__, error, flush=True)
"""


def start(script: str, directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )


def test_a_killed_writer_loses_nothing_that_it_was_told_is_kept(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "trail"
    told: set[str] = set()
    moments = random.Random(7)

    for _ in range(8):
        with start(WRITE_FOREVER, directory) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "open\n"
            time.sleep(moments.uniform(0.0, 0.1))
            writer.send_signal(signal.SIGKILL)
            told.update(writer.stdout.read().split("\n")[:-1])

        verified = verify_trail(directory)
        assert verified.erased == 0

    kept = {entry.record().id for entry in entries(directory)}
    assert len(told) > 0
    assert told - kept == set()
    assert len(verified.logs) == 1


def test_a_writer_that_is_killed_while_it_begins_a_trail_leaves_one_to_continue(
    tmp_path: Path,
) -> None:
    began = time.monotonic()
    with start(WRITE_FOREVER, tmp_path / "first") as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        took = time.monotonic() - began
        writer.kill()

    for number in range(8):
        directory = tmp_path / f"trail-{number}"
        with start(WRITE_FOREVER, directory) as writer:
            time.sleep(took * (0.6 + number * 0.06))
            writer.kill()

        trail = Trail.open_or_create(directory)
        append_pair(trail)
        trail.close()

        verify_trail(directory)


def test_a_full_disk_refuses_records_and_harms_none(tmp_path: Path) -> None:
    directory = tmp_path / "trail"

    with start(WRITE_UNTIL_FULL, directory) as writer:
        out, err = writer.communicate(timeout=60)

    told = set(out.split())
    assert err.count("refused") == 3, err
    assert len(told) > 5
    assert told - {entry.record().id for entry in entries(directory)} == set()
    verify_trail(directory)
    trail = Trail.open_or_create(directory)
    trail.append(outcome("x"))
    trail.close()
    verify_trail(directory)


def let_somebody_in(folder: Path) -> None:
    """Let others reach a folder of pytest, which keeps them for root."""
    for path in (folder, *folder.parents):
        if path.is_relative_to(tempfile.gettempdir()) and path.owner() == "root":
            path.chmod(path.stat().st_mode | 0o011)


def test_a_folder_that_one_may_not_write_gets_one_clear_line(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        let_somebody_in(tmp_path)
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o555)

    with start(AS_SOMEBODY, folder / "trail") as process:
        out, err = process.communicate(timeout=30)

    first, second = out.splitlines()
    assert err == ""
    assert first.startswith("TrailError there is no trail at")
    assert second.startswith("TrailError cannot create `")
    assert second.endswith(
        "permission denied: choose a place that this process may write"
    )
    assert list(folder.iterdir()) == []


def test_a_trail_that_is_read_only_can_be_verified_and_not_written(
    tmp_path: Path,
) -> None:
    directory = made_trail(tmp_path / "trail")
    paths = [
        item
        for root in (directory, tmp_path / "trail.lock")
        for item in (root, *root.rglob("*"))
    ]
    if os.geteuid() == 0:
        let_somebody_in(tmp_path)
        for path in paths:
            os.chown(path, NOBODY, NOBODY)
    for path in paths:
        path.chmod(0o500 if path.is_dir() else 0o400)
    before = {path: path.read_bytes() for path in paths if path.is_file()}

    with start(AS_SOMEBODY, directory) as process:
        out, err = process.communicate(timeout=30)

    for path in paths:
        path.chmod(0o700 if path.is_dir() else 0o600)
    first, second = out.splitlines()
    assert err == ""
    assert first == "done"
    assert second.startswith("TrailError cannot open `")
    assert {path: path.read_bytes() for path in before} == before
