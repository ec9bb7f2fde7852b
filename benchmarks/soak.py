"""`python -m benchmarks.soak [--kills N]`: kill a writer again and again, under load.

Each round a process with eight threads appends until it is killed at a random moment.
Afterwards every record that one of its threads was told of has to be in the trail, and
the trail has to verify. Exits with 1 if not.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.progress import track

from policyguard.audit.reader import TrailReader
from policyguard.audit.verify import verify_trail

WRITER = """
import sys, threading
from benchmarks.trail import _outcome
from policyguard.audit.trail import Trail
trail = Trail.open_or_create(sys.argv[1], name="soak.example")
told = threading.Lock()
def work():
    while True:
        record = _outcome()
        trail.append(record)
        with told:
            print(record.id, flush=True)
print("open", flush=True)
for _ in range(8):
    threading.Thread(target=work, daemon=True).start()
threading.Event().wait()
"""


def main() -> int:
    """Kill writers, and say what was lost."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    kills = parser.parse_args().kills
    moments = random.Random(0)
    told: set[str] = set()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "trail"
        for _ in track(range(kills), description="killing", transient=True):
            told |= _killed(directory, after=moments.uniform(0.0, 0.15))
            verified = verify_trail(directory)
        kept = {
            entry.record().id
            for log in TrailReader.open(directory).logs
            for entry in log.entries()
        }
    lost = told - kept
    for name in sorted(lost):
        print(f"lost: {name}")
    print(
        f"{kills} kills in {time.monotonic() - began:.0f} s: {len(told):,} records were"
        f" acknowledged, {len(lost)} of them lost; {len(kept - told):,} more are in"
        f" {len(verified.logs)} logs, which verify"
    )
    return 1 if lost else 0


def _killed(directory: Path, *, after: float) -> set[str]:
    """Run a writer, kill it, and return the ids that it was told are kept."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        if writer.stdout.readline() != "open\n":
            raise SystemExit("the writer could not open the trail")
        time.sleep(after)
        writer.send_signal(signal.SIGKILL)
        # What follows the last line end was cut off in the middle.
        return set(writer.stdout.read().split("\n")[:-1])


if __name__ == "__main__":
    sys.exit(main())
