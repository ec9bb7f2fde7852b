"""`python -m benchmarks.mutants [--json]`: mutants a second on a rule's own tests.

Each mutant of a module is put in its place, and the tests beside the module are run on it
until one fails. Time is that of the processor, not of the clock: other work on the machine
does not count. Beside it stands how long the same tests take once on the rule as it is,
each on a prepared engine, so that a mutant's cost can be read as a ratio of one run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from policyguard.testing.mutants import mutants_of, shown_only
from policyguard.testing.rego_tests import RegoRunner
from policyguard.testing.sources import PolicySource, read_policy
from policyguard.testing.world import Ground, ground_of, world_of

SHIPPED: Final = Path(__file__).parent.parent / "policies"
MODULES: Final = ("lic_02.rego", "hipaa_01.rego", "proc_01.rego", "gdpr_01.rego")
_OWN: Final = """package own

default allow := false

allow if {
	input.country in {"DE", "FR"}
	input.euros < 100
	not input.weekend
}
"""
_OWN_TEST: Final = """package own_test

import data.own

test_allowed[name] if {
	some name, case in {
		"german": {"in": {"country": "DE", "euros": 99, "weekend": false}, "is": true},
		"french": {"in": {"country": "FR", "euros": 1, "weekend": false}, "is": true},
		"much": {"in": {"country": "FR", "euros": 100, "weekend": false}, "is": false},
		"elsewhere": {"in": {"country": "US", "euros": 1, "weekend": false}, "is": false},
		"on a Sunday": {"in": {"country": "DE", "euros": 1, "weekend": true}, "is": false},
	}
	own.allow == case.is with input as case.in
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Is what was measured of one module."""

    module: str
    tests: int
    mutants: int
    killed: int
    a_second: float
    """Mutants a second of the processor."""
    ratio: float
    """The time of a mutant by that of the tests on the rule as it is."""


def main() -> int:
    """Measure, and print lines or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.mutants", description=__doc__)
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "own.rego").write_text(_OWN, "utf-8")
        Path(folder, "own_test.rego").write_text(_OWN_TEST, "utf-8")
        rows = [*_rows(read_policy(folder), ("own.rego",))]
    rows += _rows(read_policy(SHIPPED), MODULES)
    if chosen.as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return 0
    for row in rows:
        print(
            f"{row.module:14} {row.tests:3} tests {row.mutants:4} mutants"
            f" {row.killed:4} killed {row.a_second:6.0f} mutants/s, a mutant takes"
            f" {row.ratio:.2f} times what its tests do"
        )
    return 0


def _rows(policy: PolicySource, names: tuple[str, ...]) -> list[Row]:
    ground = ground_of(policy)
    return [_row(ground, policy, name) for name in names]


def _row(ground: Ground, policy: PolicySource, name: str) -> Row:
    module = next(m for m in ground.tree.modules if m.name.rpartition("/")[2] == name)
    world = world_of(ground, module)
    if world is None:
        raise ValueError(f"{name} has no test")
    over = shown_only(m for m in ground.tree.modules if m.name in policy.modules)
    mutants = list(mutants_of(module, policy.modules[module.name], passed_over=over))
    began = time.process_time()
    killed = sum(bool(world.killer_of(mutant)) for mutant in mutants)
    spent = time.process_time() - began
    runner = RegoRunner(policy)
    beside = module.name.removesuffix(".rego") + "_test.rego"
    tests = [test for test in runner.tests() if test.file == beside]
    began = time.process_time()
    for test in tests:
        runner.run(test)
    whole = time.process_time() - began
    return Row(
        module=name,
        tests=len(tests),
        mutants=len(mutants),
        killed=killed,
        a_second=len(mutants) / spent,
        ratio=spent / len(mutants) / whole,
    )


if __name__ == "__main__":
    sys.exit(main())
