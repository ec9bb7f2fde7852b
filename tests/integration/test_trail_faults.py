"""The trail under faults of the disk: EIO or a kill at a chosen write or sync.

strace makes a chosen system call fail, or kills the writer there, as the test of
Tessera does. Whatever a writer was told is kept has to be there afterwards, the trail
has to verify, and a next writer has to be able to go on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from trails import CALLER, append_pair, entries, made_trail
from unit.audit.test_erasure import ERASERS

from policyguard.audit.erasure import finish
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail

TESTS = Path(__file__).parent.parent
STRACE = shutil.which("strace")
MOMENTS = (1, 2, 3, 4, 6, 9, 13, 19)

WRITE = """
import sys
from trails import append_pair
from policyguard.audit.trail import Trail
from policyguard.errors import PolicyGuardError
for _ in range(2):
    try:
        trail = Trail.open(sys.argv[1])
        break
    except PolicyGuardError as error:
        print("refused", error, file=sys.stderr, flush=True)
else:
    sys.exit(0)
for _ in range(8):
    try:
        print(append_pair(trail), flush=True)
    except PolicyGuardError as error:
        print("refused", error, file=sys.stderr, flush=True)
trail.close()
"""


def works() -> bool:
    if STRACE is None:
        return False
    command = [STRACE, "-f", "-qq", "-e", "inject=fdatasync:error=EIO:when=999", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not works(), reason="strace is missing or not allowed: no fault was injected"
)


def write_with(fault: str, directory: Path) -> tuple[set[str], str, int]:
    return run_with(fault, WRITE, directory)


def run_with(fault: str, script: str, directory: Path) -> tuple[set[str], str, int]:
    command = [STRACE or "", "-f", "-qq", "-o", os.devnull, "-e", f"inject={fault}"]
    done = subprocess.run(
        [*command, sys.executable, "-c", script, str(directory)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        timeout=120,
        check=False,
    )
    return set(done.stdout.split()), done.stderr, done.returncode


@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
@pytest.mark.parametrize("fault", ["error=EIO", "signal=SIGKILL"])
def test_what_was_told_is_kept_whatever_call_fails(
    tmp_path: Path, call: str, fault: str
) -> None:
    hurt = 0
    for moment in MOMENTS:
        directory = made_trail(tmp_path / f"trail-{moment}", pairs=1)

        told, said, code = write_with(f"{call}:{fault}:when={moment}", directory)
        hurt += "refused" in said or code != 0

        assert "Traceback" not in said, said
        kept = {entry.record().id for entry in entries(directory)}
        assert told - kept == set(), moment
        assert verify_trail(directory).logs[0][1] >= 3 + 2 * len(told)
        trail = Trail.open(directory)
        append_pair(trail)
        trail.close()
        verify_trail(directory)
    assert hurt > len(MOMENTS) // 2


CHANGE = """
import sys
from pathlib import Path
from trails import CALLER, append_pair
from unit.audit.test_erasure import append, erased
from policyguard.audit.trail import Trail
place = Path(sys.argv[1])
trail = Trail.open(place)
print(append(trail, caller=CALLER, about=("patient",), prompt=b"canary"), flush=True)
trail.rotate_key()
print(append_pair(trail, caller="somebody else"), flush=True)
trail.close()
erased(place, callers=(CALLER,), people=("patient",))
print("erased", flush=True)
"""


def ended_well(directory: Path, told: set[str]) -> bool:
    """Say whether an erasure was carried out; what it has to be is asserted.

    A rotation and an erasure that were cut off are finished first, as the next process
    and `audit erase --finish` do.
    """
    trail = Trail.open(directory)
    last = append_pair(trail, caller="afterwards")
    trail.close()
    finish(TrailReader.open(directory), erasers=ERASERS)
    kept = {entry.record().id for entry in entries(directory)}
    assert told - kept - {"erased"} == set()
    verified = verify_trail(directory)
    assert (verified.missing, verified.unfinished) == (0, 0)
    (keys,) = {log.vkeys for log in TrailReader.open(directory).logs if log.find(last)}
    assert len(keys) <= 2
    gone = verified.erased > 0
    assert gone or "erased" not in told
    if gone:
        files = [path for path in directory.rglob("*") if path.is_file()]
        assert not any(CALLER.encode() in path.read_bytes() for path in files)
    return gone


@pytest.mark.parametrize(
    ("call", "moments"),
    [
        ("fdatasync", (4, 8, 11, 16, 22)),
        ("pwrite64", (30, 60, 90, 130)),
        ("rename,renameat2", (1, 2, 3)),
    ],
)
def test_a_rotation_and_an_erasure_that_are_cut_off_anywhere_are_finished(
    tmp_path: Path, call: str, moments: tuple[int, ...]
) -> None:
    cut = 0
    for moment in moments:
        directory = made_trail(tmp_path / f"trail-{moment}", pairs=1)

        fault = f"{call}:signal=SIGKILL:when={moment}"
        told, said, code = run_with(fault, CHANGE, directory)
        cut += code != 0

        assert "Traceback" not in said, said
        ended_well(directory, told)
    assert cut > 1


BEGIN = """
import sys
from policyguard.audit.trail import Trail
Trail.open_or_create(sys.argv[1], name="faults.example").close()
"""


@pytest.mark.parametrize("call", ["fdatasync", "pwrite64", "renameat2,rename,link"])
def test_a_trail_whose_beginning_was_cut_off_anywhere_can_be_begun(
    tmp_path: Path, call: str
) -> None:
    cut = 0
    for moment in range(1, 60, 1 if call.startswith("rename") else 4):
        directory = tmp_path / f"trail-{moment}"
        fault = f"{call}:signal=SIGKILL:when={moment}"

        _, said, code = run_with(fault, BEGIN, directory)
        if code == 0:
            # There are not so many calls.
            break
        cut += 1

        assert "Traceback" not in said, said
        trail = Trail.open_or_create(directory, name="faults.example")
        append_pair(trail)
        trail.close()
        assert verify_trail(directory).logs[0][1] == 3
    assert cut > 2
