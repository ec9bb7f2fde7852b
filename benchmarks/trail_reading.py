"""Measures what reading a whole trail costs: verification, beside Go's, and memory.

In CPU and not by the clock: verification waits for nothing, so CPU is what it costs, and
a busy machine changes that less.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from benchmarks.trail_records import append_pairs, fail, outcome
from policyguard.audit.export.tiles import export_tiles, verify_tiles
from policyguard.audit.log_verification import verify_records
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail

_PAIRS_AT_ONCE = 100


def reading(folder: Path, *, records: int) -> dict[str, float]:
    """Return records for a second of CPU that verification takes, and Go's on the same.

    Two logs: of outcomes alone, and of decisions with contents and their outcomes.
    """
    plain, paired = folder / "plain", folder / "paired"
    fill(plain, records=records)
    fill_pairs(paired, records=records)
    (log,) = TrailReader.open(plain).logs
    head = log.head()
    size = head.size
    done = export_tiles(log, folder / "tiles")
    rates = {
        f"verify leaves, tree and checkpoints of {size:,}": size
        / seconds(lambda: verify_records(log, head=head)),
        "verify them, and each record's form": size
        / seconds(lambda: verify_trail(plain)),
        "verify decisions with contents, and outcomes": size
        / seconds(lambda: verify_trail(paired)),
        "verify the same log as exported tiles": done.checkpoint.size
        / seconds(lambda: verify_tiles(folder / "tiles", vkeys=log.vkeys)),
    }
    program = _go(folder)
    if program is None:
        print("Go is missing: its verifier was not measured", file=sys.stderr)
        return rates
    command = [program, folder / "tiles", log.vkey.format()]
    took = seconds(lambda: subprocess.run(command, check=True, capture_output=True))
    rates["the same tiles, Go's golang.org/x/mod/sumdb"] = size / took
    return rates


def print_memory(folder: Path, *, records: int) -> None:
    """Print the peak memory of a writer and of a verifier, each in its own process."""
    for what in ("write", "verify"):
        subprocess.run(
            [sys.executable, "-c", MEASURED, what, str(folder / "large"), str(records)],
            check=True,
        )


MEASURED = """
import re, sys
from pathlib import Path
from benchmarks.trail_reading import fill_pairs
from policyguard.audit.verify import verify_trail
what, directory, records = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
wanted = [records // 10, records]
def look(_origin, done, _total):
    if wanted and done >= wanted[0]:
        del wanted[0]
        # Not `ru_maxrss`, which begins at the memory of whoever started the process.
        (line,) = re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
        peak = int(line) // 1024
        print(f"{what}: {peak} MiB at most after {done:,} records")
if what == "write":
    fill_pairs(directory, records=records, look=look)
else:
    verify_trail(directory, progress=look)
    look("", records, records)
"""


def fill(directory: Path, *, records: int) -> None:
    """Make a trail of so many outcomes."""
    trail = Trail.create(directory, name="bench.example")
    for _ in range(records):
        trail.append_later(outcome(), failed=fail)
    trail.close()


def fill_pairs(
    directory: Path,
    *,
    records: int,
    look: Callable[[str, int, int], None] | None = None,
) -> None:
    """Make a trail of so many records, half of them decisions with contents."""
    trail = Trail.create(directory, name="bench.example")
    for done in range(0, records, 2 * _PAIRS_AT_ONCE):
        append_pairs(trail, min(_PAIRS_AT_ONCE, (records - done) // 2))
        if look is not None:
            look("", min(done + 2 * _PAIRS_AT_ONCE, records), records)
    trail.close()


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds of CPU of this process and its children, best of three runs."""
    taken = []
    for _ in range(3):
        began = _used()
        work()
        taken.append(_used() - began)
    return min(taken)


def _used() -> float:
    # In microseconds; `os.times` counts in hundredths, and finds short runs to take none.
    used = [getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return sum(item.ru_utime + item.ru_stime for item in used)


def _go(folder: Path) -> Path | None:
    """Build Go's verifier; `None`: there is no Go, or it cannot be built."""
    go, program = shutil.which("go"), folder / "goverify"
    if go is None:
        return None
    built = subprocess.run(
        [go, "build", "-o", str(program), "."],
        cwd=Path(__file__).parent.parent / "tests/conformance/goverify",
        env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"},
        capture_output=True,
        check=False,
    )
    return program if built.returncode == 0 else None
