"""`import policyguard` is light: no HTTP client, few modules, a quarter of a second.

Names are imported when they are first used, so the whole face is measured too: what a
program pays that makes a guard. Time is measured inside a fresh interpreter, whose own
start does not count, as processor time and as the best of several runs, so that a busy
machine does not count either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

HEAVY = {"aiohttp", "anthropic", "httpx", "httpx2", "openai", "requests", "urllib3"}
IMPORT = "import policyguard"
FACE = "from policyguard import *; import policyguard.assembly"
# A little above what was measured: what is new here should be noticed.
MOST_MODULES = {IMPORT: 40, FACE: 700}
PROMISED_SECONDS = {IMPORT: 0.250, FACE: 1.0}
RUNS = 5
PROBE = """
import json, sys, time
before, began = len(sys.modules), time.process_time()
{statement}
print(json.dumps({{
    "seconds": time.process_time() - began,
    "modules": len(sys.modules) - before,
    "roots": sorted({{name.partition(".")[0] for name in sys.modules}}),
}}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Is what one start of a fresh interpreter cost."""

    seconds: float
    modules: int
    roots: list[str]


def start(statement: str) -> Start:
    probe = PROBE.format(statement=statement)
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )
    return Start(**json.loads(done.stdout))


@pytest.mark.parametrize("statement", [IMPORT, FACE])
def test_importing_loads_few_modules_and_no_http_client(statement: str) -> None:
    once = start(statement)

    assert HEAVY & set(once.roots) == set()
    assert once.modules <= MOST_MODULES[statement]


@pytest.mark.parametrize("statement", [IMPORT, FACE])
def test_importing_takes_less_than_was_promised(statement: str) -> None:
    runs = [start(statement).seconds for _ in range(RUNS)]

    assert min(runs) < PROMISED_SECONDS[statement], runs
