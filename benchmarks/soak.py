"""`python -m benchmarks.soak [--kills N] [--faults [CALL …]]`: kill a writer, often.

Each round a process with eight threads appends until it is killed at a random moment;
on a PostgreSQL server, where there is one, every tenth time the server is killed with
it. Afterwards every record that one of its threads was told of has to be in the trail,
and the trail has to verify. With `--faults`, instead, one system call after another
fails or kills the writer, as `benchmarks.faults` says: all of them, those that are
named, or with `--every 5` one in five; `--jobs` says how many at once.
Exits with 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.progress import track

from benchmarks.faults import CALLS, fail_everywhere
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.signing.key_source import FileKeys

# What starts servers is the tests'.
sys.path.append(str(Path(__file__).parent.parent / "tests"))

KEYS = FileKeys(passphrase=lambda: b"of the soak")
WRITER = """
import sys, threading
from benchmarks.soak import KEYS
from benchmarks.trail_records import outcome
from policyguard.audit.trail import Trail
from policyguard.errors import NotDurableError
trail = Trail.open(sys.argv[1], keys=KEYS)
told = threading.Lock()
def work():
    while True:
        record = outcome()
        try:
            trail.append(record)
        except NotDurableError:
            continue
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
    parser.add_argument("--faults", nargs="*", choices=CALLS, metavar="CALL")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.faults is not None:
        return fail_everywhere(chosen.faults, every=chosen.every, jobs=chosen.jobs)
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / "trail")
        lost = soak(place, kills=chosen.kills, also=lambda _: None)
    from services import binaries, postgres

    if binaries() is None:
        print("PostgreSQL is missing: nothing was killed there")
        return 1 if lost else 0
    with postgres() as server:

        def kill_server(number: int) -> None:
            if number % 10 == 9:
                server.kill()
                server.start()

        lost += soak(server.url(), kills=chosen.kills, also=kill_server)
    return 1 if lost else 0


def soak(place: str, *, kills: int, also: Callable[[int], None]) -> int:
    """Kill writers of one trail, and return how many records were lost.

    Args:
        place: Where the trail will be.
        kills: How often.
        also: Done each time while the writer writes, before it is killed.
    """
    Trail.create(place, name="soak.example", keys=KEYS).close()
    moments = random.Random(0)
    told: set[str] = set()
    began = time.monotonic()
    for number in track(range(kills), description="killing", transient=True):
        after = moments.uniform(0.0, 0.15)
        told |= _killed(place, after=after, number=number, also=also)
        verified = verify_trail(place)
    kept = {
        entry.record().id
        for log in TrailReader.open(place).logs
        for entry in log.entries()
    }
    lost = told - kept
    for name in sorted(lost):
        print(f"lost: {name}")
    where = "in PostgreSQL" if "://" in place else "in files"
    print(
        f"{where}: {kills} kills in {time.monotonic() - began:.0f} s: {len(told):,}"
        f" records were acknowledged, {len(lost)} of them lost; {len(kept - told):,}"
        f" more are in {len(verified.logs)} logs, which verify"
    )
    return len(lost)


def _killed(
    place: str, *, after: float, number: int, also: Callable[[int], None]
) -> set[str]:
    """Run a writer, kill it, and return the ids that it was told are kept."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, place], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        if writer.stdout.readline() != "open\n":
            raise SystemExit("the writer could not open the trail")
        time.sleep(after)
        also(number)
        writer.send_signal(signal.SIGKILL)
        # What follows the last line end was cut off in the middle.
        return set(writer.stdout.read().split("\n")[:-1])


if __name__ == "__main__":
    sys.exit(main())
