"""Lets each system call of a writer fail, or kill it, one after another.

For each work on a trail (append, rotate and erase, begin, export), each kind of call
that writes or syncs, and each fault: the first call of the kind fails, then in a fresh
copy the second, until there are no more. What the writer was told has to be there
afterwards, all has to verify, and the next process has to be able to go on.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count, product
from pathlib import Path

from rich.progress import track

# What makes calls fail is the tests'.
sys.path.append(str(Path(__file__).parent.parent / "tests"))

CALLS = (
    "fdatasync",
    "fsync",
    "pwrite64",
    "write",
    "ftruncate",
    "rename,renameat2",
    "link,linkat",
    "unlink,unlinkat",
    "mkdir,mkdirat",
    "openat",
)
FAULTS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "SIGKILL": "signal=SIGKILL"}
MISSES = 3
"""So many numbers in a row without their call: there are not so many calls."""


def fail_everywhere(calls: Sequence[str], *, every: int, jobs: int) -> int:
    """Let each call fail in its turn; return 1 if anything did not hold.

    Args:
        calls: Which system calls.
        every: One call in so many.
        jobs: How many at once.
    """
    from disk_work import WORKS
    from failing import can_fail

    if not can_fail():
        print("strace is missing or not allowed: no fault was injected")
        return 2
    rows = list(product(WORKS, calls or CALLS, FAULTS))
    began = time.monotonic()
    with ExitStack() as stack, ThreadPoolExecutor(max_workers=jobs) as pool:
        running = pool.map(lambda row: _fail_each(*row, every=every, on=stack), rows)
        done = track(running, description="failing", total=len(rows), transient=True)
        hits = dict(zip(rows, done, strict=True))
    wrong = [line for _, found in hits.values() for line in found]
    for work, call in dict.fromkeys(row[:2] for row in rows):
        counts = (hits[work, call, fault][0] for fault in FAULTS)
        print(f"| {work} | `{call}` | {' | '.join(map(str, counts))} |")
    for line in wrong:
        print(line)
    total = Counter({row: hit for row, (hit, _) in hits.items()}).total()
    took = time.monotonic() - began
    print(f"{total} faults in {took:.0f} s, {len(wrong)} of them not as promised")
    return 1 if wrong else 0


_HERE = threading.local()
"""Each thread has a process of its own that forks."""


def _fail_each(
    name: str, call: str, fault: str, *, every: int, on: ExitStack
) -> tuple[int, list[str]]:
    """Return how many calls failed, and after which of them something did not hold."""
    from disk_work import WORKS
    from failing import Failing, in_memory

    if not hasattr(_HERE, "failing"):
        _HERE.failing = on.enter_context(Failing())
    work = WORKS[name]
    hits = misses = 0
    wrong = []
    for moment in count(1, every):
        with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
            place = work.ready(Path(folder) / "trail")
            inject = f"{call}:{FAULTS[fault]}:when={moment}"
            ran = _HERE.failing.run(work.function, place, inject)
            try:
                work.holds(place, ran)
            except Exception as error:  # noqa: BLE001 -- said with its fault
                why = str(error).strip().rpartition("\n")[2]
                wrong.append(f"{name}: {inject}: {type(error).__name__}: {why}")
        hits += ran.hit
        misses = 0 if ran.hit else misses + 1
        if misses >= (MISSES if hits else 1):
            break
    return hits, wrong
