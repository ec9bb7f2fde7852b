"""Runs pyright in strict mode over `api.py`; a warning is an error.

Pyright needs a node runtime. Where it has none and cannot get one, this says so and
ends well: mypy has read the same file by then. Everything else that pyright reports
is a failure.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
REPOSITORY = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyright", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def main() -> int:
    try:
        started = run("--version")
    except subprocess.TimeoutExpired:
        started = subprocess.CompletedProcess((), 1, "", "it took too long")
    if started.returncode != 0 or "pyright" not in started.stdout:
        reason = (started.stderr or started.stdout).strip().splitlines()[-1:]
        print("*" * 72)
        print("SKIPPED: pyright cannot start, so its promises were NOT checked.")
        print("It needs node, which it downloads on first use.", *reason)
        print("*" * 72)
        return 0
    done = run("--warnings", "--pythonpath", sys.executable, "-p", str(FOLDER))
    print(done.stdout, done.stderr, sep="", end="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
