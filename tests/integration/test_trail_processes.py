"""One trail and many processes: workers, short lives, an application beside a tool."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from trails import append_pair

from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail

TESTS = Path(__file__).parent.parent

WORK = """
import sys
from trails import append_pair
from policyguard.audit.trail import Trail
trail = Trail.open_or_create(sys.argv[1], name="many.example", role=sys.argv[2])
sys.stdin.readline()
for _ in range(4):
    print(append_pair(trail), flush=True)
if sys.argv[3] == "closes":
    trail.close()
"""


def start(directory: Path, *, role: str = "app", end: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORK, str(directory), role, end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
    )


def finished(workers: list[subprocess.Popen[str]]) -> list[str]:
    told = []
    for worker in workers:
        out, err = worker.communicate("go\n", timeout=60)
        assert (worker.returncode, err) == (0, "")
        told += out.split()
    return told


def kept(directory: Path) -> set[str]:
    return {
        entry.record().id
        for log in TrailReader.open(directory).logs
        for entry in log.entries()
    }


def test_processes_that_begin_a_trail_at_once_share_it(tmp_path: Path) -> None:
    directory = tmp_path / "trail"

    told = finished([start(directory, end="closes") for _ in range(5)])

    verified = verify_trail(directory)
    assert len(told) == 20
    assert set(told) <= kept(directory)
    # Whoever came when another had finished took its log over.
    assert 1 <= len(verified.logs) <= 5


def test_short_lives_use_the_same_logs_again(tmp_path: Path) -> None:
    directory = tmp_path / "trail"

    told = [
        name
        for _ in range(3)
        for name in finished([start(directory, end="just exits") for _ in range(2)])
    ]

    assert set(told) <= kept(directory)
    assert len(verify_trail(directory).logs) <= 2


def test_a_command_line_has_a_log_of_its_own_beside_an_application(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "trail"
    application = Trail.create(directory, name="many.example")
    append_pair(application)

    finished([start(directory, role="cli", end="closes")])
    append_pair(application)
    application.close()

    assert [
        (log.slot, log.head().size) for log in TrailReader.open(directory).logs
    ] == [
        ("app-1", 5),
        ("cli-1", 9),
    ]
    verify_trail(directory)


def test_a_child_of_a_process_pool_has_a_log_of_its_own(tmp_path: Path) -> None:
    directory = tmp_path / "trail"
    trail = Trail.create(directory)
    append_pair(trail)
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                append_pair(trail)
                trail.close()
                code = 0
            finally:
                os._exit(code)
        children.append(child)

    ends = [os.waitpid(child, 0)[1] for child in children]
    append_pair(trail)
    trail.close()

    assert ends == [0, 0, 0]
    sizes = sorted(log.head().size for log in TrailReader.open(directory).logs)
    assert sum(sizes) == len(sizes) + 2 * 5
    assert verify_trail(directory).pending == 0


NOTEBOOK = """
import sys
from trails import append_pair
from policyguard.audit.trail import Trail
for cell in sys.stdin:
    trail = Trail.open_or_create(sys.argv[1], name="many.example")
    print(append_pair(trail), flush=True)
"""


def test_notebooks_that_stay_open_share_a_trail(tmp_path: Path) -> None:
    directory = tmp_path / "trail"
    kernels = [
        subprocess.Popen(
            [sys.executable, "-c", NOTEBOOK, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        )
        for _ in range(2)
    ]
    told = set()
    # In turns, each with the other's kernel alive, and each cell run more than once.
    for _ in range(3):
        for kernel in kernels:
            assert kernel.stdin is not None
            assert kernel.stdout is not None
            kernel.stdin.write("run\n")
            kernel.stdin.flush()
            told.add(kernel.stdout.readline().strip())
    for kernel in kernels:
        kernel.communicate()

    assert told <= kept(directory)
    assert len(told) == 6
    assert 2 <= len(verify_trail(directory).logs) <= 4
