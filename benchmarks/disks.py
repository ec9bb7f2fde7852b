"""`python -m benchmarks.disks [--syncs MS ...] [--json]`: what is wanted, on slower disks.

Every speed of the trail and of the wire is wanted as a ratio to a raw durable commit, and
what that takes is the disk's affair: on a fast one the same work of the processor is more
of them. So `benchmarks.trail` and `benchmarks.wire` are run on this disk as it is, and with
each of its synchronisations held up, raw commits' as well as ours, by a library that is
loaded before the C library. It needs a C compiler (`cc`) and Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

SYNCS: Final = (0.0, 0.2, 0.5, 1.0, 2.0)
_WIDE: Final = 118
"""Characters that the table needs, also where the output is no terminal."""
HELD_UP: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int held_up(const char *name, int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    usleep(atoi(getenv("SYNC_MICROSECONDS")));
    return real(file);
}
int fdatasync(int file) { return held_up("fdatasync", file); }
int fsync(int file) { return held_up("fsync", file); }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Is one speed that is wanted, and what it was on each disk."""

    what: str
    wanted: float
    at_most: bool
    """Whether less is better: what a call costs more, and not what is reached."""
    found: tuple[float, ...]

    def is_met(self, index: int) -> bool:
        """Say whether it is what is wanted, on one of the disks."""
        value = self.found[index]
        return value <= self.wanted if self.at_most else value >= self.wanted


def main() -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.disks", description=__doc__)
    parser.add_argument(
        "--syncs",
        type=float,
        nargs="+",
        default=SYNCS,
        metavar="MS",
        help="how long each synchronisation is held up, in milliseconds",
    )
    parser.add_argument("--rounds", type=int, default=7, help="of the trail's cases")
    parser.add_argument("--calls", type=int, default=100, help="rounds on the wire")
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = built(Path(folder))
        runs = [
            measured(library, sync=sync, rounds=chosen.rounds, calls=chosen.calls)
            for sync in chosen.syncs
        ]
    ratios = side_by_side(runs)
    if chosen.as_json:
        print(json.dumps(rows(ratios, syncs=chosen.syncs), indent=2))
    else:
        console = Console()
        console.width = max(console.width, _WIDE)
        console.print(table(ratios, syncs=chosen.syncs))
    return 0


def built(folder: Path) -> Path:
    """Compile the library that holds synchronisations up."""
    source, library = folder / "held_up.c", folder / "held_up.so"
    source.write_text(HELD_UP, encoding="ascii")
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"]
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError as error:
        raise SystemExit("there is no C compiler: install `cc`") from error
    return library


def measured(
    library: Path, *, sync: float, rounds: int, calls: int
) -> dict[str, tuple[float, float, bool]]:
    """Return what was found and wanted of each speed, and whether at most that.

    Args:
        library: Holds synchronisations up.
        sync: For how long, in milliseconds; 0: the disk as it is.
        rounds: Of the trail's cases.
        calls: Rounds on the wire.
    """
    trail = _run("trail", f"--rounds={rounds}", library=library, sync=sync)
    wire = _run("wire", f"--rounds={calls}", library=library, sync=sync)
    found = {
        row["name"]: (row["ratio"], row["wanted"], False)
        for row in trail
        if row.get("wanted") is not None
    }
    return found | {
        f"{row['what']}, raw commits more": (
            row["more_in_raw_commits"],
            row["wanted"],
            True,
        )
        for row in wire["rows"]
    }


def _run(name: str, *options: str, library: Path, sync: float) -> Any:
    print(f"{name}, each synchronisation held up {sync} ms", file=sys.stderr)
    held = {"LD_PRELOAD": str(library), "SYNC_MICROSECONDS": f"{sync * 1000:.0f}"}
    more = ("--records=1000",) if name == "trail" else ()
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--json", *more, *options],
        env=os.environ | (held if sync else {}),
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def side_by_side(
    runs: Sequence[Mapping[str, tuple[float, float, bool]]],
) -> list[Ratio]:
    """Return each speed with what it was in all runs."""
    return [
        Ratio(
            what=what,
            wanted=wanted,
            at_most=at_most,
            found=tuple(run[what][0] for run in runs),
        )
        for what, (_, wanted, at_most) in runs[0].items()
    ]


def rows(ratios: Sequence[Ratio], *, syncs: Sequence[float]) -> list[dict[str, object]]:
    """Return the table as JSON."""
    return [
        {
            "what": ratio.what,
            "wanted": ratio.wanted,
            "at_most": ratio.at_most,
            "found": [
                {"held_up_ms": sync, "ratio": value, "met": ratio.is_met(index)}
                for index, (sync, value) in enumerate(
                    zip(syncs, ratio.found, strict=True)
                )
            ],
        }
        for ratio in ratios
    ]


def table(ratios: Sequence[Ratio], *, syncs: Sequence[float]) -> Table:
    """Return the table; what is met is marked."""
    made = Table(title="ratios to a raw durable commit; each sync held up by …")
    made.add_column("what")
    made.add_column("wanted", justify="right")
    for sync in syncs:
        made.add_column(f"{sync:g} ms", justify="right")
    for ratio in ratios:
        sign = "≤" if ratio.at_most else "≥"
        cells = [
            f"{value:.2f} {'✓' if ratio.is_met(index) else '✗'}"
            for index, value in enumerate(ratio.found)
        ]
        made.add_row(ratio.what, f"{sign} {ratio.wanted:.2f}", *cells)
    return made


if __name__ == "__main__":
    sys.exit(main())
