"""`import policyguard` is light: few modules, no HTTP client, nothing that only some need.

Names are imported when they are first used, so the whole face is looked at too: what a
program pays that makes a guard. What is imported is promised and no time is: seconds are
the machine's, and a list of modules is the same on a slow and on a busy one. structlog
with what it brings was a third of a start when a start imported it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

IMPORT = "import policyguard"
FACE = "from policyguard import *; import policyguard.assembly"
OUTSIDE = {
    IMPORT: set[str](),
    FACE: {
        "annotated_types",
        "orjson",
        "pydantic",
        "pydantic_core",
        "typing_extensions",
        "typing_inspection",
        "yaml",
    },
}
"""What may be imported that is neither ours nor Python's."""
FOR_SOME = {
    "ctypes",
    "multiprocessing",
    "policyguard.cli",
    "policyguard.integrations",
    "policyguard.testing",
    "unittest",
}
"""Parts of ours and of Python's that a guard needs later, or never."""
# A little above what was measured: what is new here should be noticed.
MOST_MODULES = {IMPORT: 40, FACE: 420}
PROBE = """
import json, sys
before = set(sys.modules)
{statement}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Is what one start of a fresh interpreter imported."""

    modules: frozenset[str]

    def outside(self) -> set[str]:
        """Return the packages that are neither ours nor Python's."""
        roots = {name.partition(".")[0] for name in self.modules}
        known = {"policyguard", "cython_runtime", *sys.stdlib_module_names}
        # What begins so are helpers that a compiled module registers.
        return {root for root in roots - known if not root.startswith("_")}


def start(statement: str) -> Start:
    probe = PROBE.format(statement=statement)
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )
    return Start(modules=frozenset(json.loads(done.stdout.splitlines()[-1])))


@pytest.mark.parametrize("statement", [IMPORT, FACE])
def test_importing_loads_few_modules_and_nothing_that_only_some_need(
    statement: str,
) -> None:
    once = start(statement)

    assert once.outside() <= OUTSIDE[statement]
    assert FOR_SOME & once.modules == set()
    assert len(once.modules) <= MOST_MODULES[statement]


def test_what_tells_of_events_is_imported_with_the_first_that_is_heard() -> None:
    tell = FACE + "; from policyguard.guard.events import log; log.{}('an event')"
    nobody, somebody = start(tell.format("info")), start(tell.format("error"))

    assert [item.outside() & {"structlog"} for item in (nobody, somebody)] == [
        set(),
        {"structlog"},
    ]
