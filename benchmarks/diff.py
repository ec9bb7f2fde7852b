"""`python -m benchmarks.diff [--change NAME] [--json]`: comparing bundles, and what it costs.

Compares the shipped bundle with itself after some of the faults of `benchmarks.seeded`,
over every declared fact value of the whole catalog, unknown included. Only rules whose
text, facts or catalog differ are compared: one fault in the facts makes that all of them.
Each change has a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from benchmarks.seeded import BUGS, Bug
from policyguard.settings import Settings
from policyguard.testing.compare import compare
from policyguard.testing.policies import configured_policy

SECONDS: Final = 120


def changes() -> dict[str, tuple[Bug, ...]]:
    """Return the faults that each change puts into the bundle, by its name."""
    first: dict[str, Bug] = {}
    for bug in BUGS:
        first.setdefault(bug.file, bug)
    facts = tuple(bug for bug in first.values() if "/facts/facts.rego" in bug.file)
    rules = tuple(bug for bug in first.values() if bug not in facts)
    return {"nothing": (), "rule": rules[:1], "rules": rules, "facts": facts}


def measured(name: str) -> dict[str, object]:
    """Return what one comparison took, in this process, and what it found."""
    old = new = configured_policy(Settings())
    for bug in changes()[name]:
        new = bug.put_into(new)
    began = time.process_time()
    diff = compare(old, new)
    return {
        "change": name,
        "seconds": round(diff.seconds, 1),
        "target_seconds": SECONDS,
        "cpu_seconds": round(time.process_time() - began, 1),
        "megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "calls": f"{diff.calls:.1e}",
        "relation": diff.relation,
        "same": diff.same,
        "compared": len(diff.rules),
        "differ": sum(item.relation != "equivalent" for item in diff.rules),
        "cases": sum(item.cases for item in diff.rules),
        **{
            how: sum(getattr(item, how) for item in diff.rules)
            for how in ("stricter", "looser", "otherwise")
        },
        **Counter(item.tier for item in diff.rules),
    }


def main(arguments: list[str]) -> int:
    """Compare, and say what it cost beside the target; no benchmark fails a build."""
    parser = argparse.ArgumentParser(prog="benchmarks.diff", description=__doc__)
    parser.add_argument("--change", action="append", choices=changes())
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    found = []
    with ProcessPoolExecutor(
        max_workers=1,
        max_tasks_per_child=1,
        mp_context=multiprocessing.get_context("spawn"),
    ) as processes:
        for figures in processes.map(measured, given.change or changes()):
            found.append(figures)
            if not given.json:
                print(figures, flush=True)
    if given.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
