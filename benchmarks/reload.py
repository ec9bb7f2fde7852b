"""`python -m benchmarks.reload [--json]`: what a new bundle costs those who are calling.

All shipped rules, on a generated catalog of 2,000 models, 500 deployments and a list of
3,000 parties. Eight threads ask, with a pause between two questions, first
undisturbed and then while policies take over. The longest question of each is compared
within this run. Loading and slices are in processor time, which a busy machine does not
change; the longest slice is what a caller, and who waits for the interpreter's lock, is
held up by.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.generated import generated_catalog
from policyguard.assembly import catalog_of, policy_set
from policyguard.bundle.shipped import load_shipped
from policyguard.canonical import canonical_bytes
from policyguard.engines.apart import validate_apart
from policyguard.engines.protocol import PolicySet
from policyguard.engines.regorus import RegorusEngine, RegorusSnapshot
from policyguard.guard.policy import GRACE_SECONDS, Policy, PolicyInUse
from policyguard.settings import Settings

THREADS = 8
PAUSE = 0.01
SECONDS = 4.0
RELOADS = 3


@dataclass(frozen=True)
class Row:
    """Is one number, beside what it is compared with."""

    what: str
    value: float
    unit: str
    beside: str


def main() -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.reload", description=__doc__)
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    rows = measured()
    if chosen.as_json:
        print(json.dumps([vars(row) for row in rows], indent=2))
        return 0
    table = Table(title=f"Python {sys.version.split()[0]}, {THREADS} threads")
    table.add_column("what")
    table.add_column("", justify="right")
    table.add_column("beside")
    for row in rows:
        table.add_row(row.what, f"{row.value:,.1f} {row.unit}", row.beside)
    Console().print(table)
    return 0


def measured() -> list[Row]:
    """Measure everything once."""
    engine = RegorusEngine()
    small = policy_set(bundle=load_shipped(), catalog=catalog_of(Settings()))
    RegorusEngine(keeps=False).load(small)
    began = time.process_time()
    bundle = load_shipped()
    bundle_ms = (time.process_time() - began) * 1e3
    catalog = generated_catalog()
    policy = policy_set(bundle=bundle, catalog=catalog)
    size = len(canonical_bytes(dict(policy.data))) / 1e6
    load_ms = _took(lambda: engine.load(policy))
    others = _of_others(policy)
    others_ms = _took(lambda: engine.load(others))
    known_ms = _took(lambda: engine.load(others))
    began = time.perf_counter()
    translated = validate_apart(policy)
    apart_ms = (time.perf_counter() - began) * 1e3
    began = time.process_time()
    engine.admit(policy, translated=translated)
    admit_ms = (time.process_time() - began) * 1e3
    slice_ms, slices = _longest_slice(engine.admit(policy))

    def make() -> Policy:
        return Policy(
            snapshot=engine.admit(policy, translated=translated),
            bundle=bundle,
            catalog=catalog,
        )

    used = PolicyInUse(make())
    question = canonical_bytes(bundle.golden.vectors[0].input)
    quiet, _ = _longest(used, question, disturb=lambda: None)
    gc.collect()
    before = _resident()

    def reload() -> None:
        validate_apart(policy)
        used.replace(make())

    def renew() -> None:
        snapshot = engine.load(policy)
        used.replace(Policy(snapshot=snapshot, bundle=bundle, catalog=catalog))

    busy, peak = _longest(used, question, disturb=reload)
    renewed, _ = _longest(used, question, disturb=renew)
    return [
        Row(
            "bundle: read, checked, parsed",
            bundle_ms,
            "ms",
            f"{len(bundle.rules)} rules",
        ),
        Row(
            "engine: load of bundle and catalog",
            load_ms,
            "ms",
            f"{size:.1f} MB of data",
        ),
        Row("the same of another's bundle, from its text", others_ms, "ms", ""),
        Row("the same once more, with new facts", known_ms, "ms", "remembered"),
        Row(
            "the same in a process of its own", apart_ms, "ms", "off the callers' path"
        ),
        Row(
            "taken over from there",
            admit_ms,
            "ms",
            "compiled in parts, for all threads",
        ),
        Row(
            "longest slice of a thread's interpreter",
            slice_ms,
            "ms",
            f"{slices} slices",
        ),
        Row("longest question, undisturbed", quiet, "ms", f"{THREADS} threads"),
        Row(
            "longest question during reloads",
            busy,
            "ms",
            f"{busy / quiet:.1f} times undisturbed, {RELOADS} reloads",
        ),
        Row(
            "longest question while new facts are loaded",
            renewed,
            "ms",
            "in this process",
        ),
        Row(
            "memory added by reloads, at most",
            peak - before,
            "MB",
            f"{THREADS} threads",
        ),
    ]


def _of_others(policy: PolicySet) -> PolicySet:
    """Return a policy of which nothing is kept: one comment more."""
    path = min(policy.modules)
    return replace(
        policy, modules={**policy.modules, path: f"{policy.modules[path]}# Ours.\n"}
    )


def _took(action: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    action()
    return (time.process_time() - began) * 1e3


def _longest_slice(snapshot: RegorusSnapshot) -> tuple[float, int]:
    """Build an engine in slices, and return the longest one and how many there were."""
    longest, count = 0.0, 0
    ready = False
    while not ready:
        began = time.thread_time()
        ready = snapshot.prepare_some()
        longest, count = max(longest, time.thread_time() - began), count + 1
    return longest * 1e3, count


def _longest(
    used: PolicyInUse, question: bytes, *, disturb: Callable[[], None]
) -> tuple[float, float]:
    """Ask from many threads, and return the longest question and the most memory."""
    longest = [0.0] * THREADS
    stopped = threading.Event()
    warm = threading.Barrier(THREADS + 1)

    def ask(number: int) -> None:
        used.current.snapshot.evaluate(question)
        warm.wait()
        while not stopped.is_set():
            began = time.perf_counter()
            used.current.snapshot.evaluate(question)
            longest[number] = max(longest[number], time.perf_counter() - began)
            time.sleep(PAUSE)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    warm.wait()
    most = 0.0
    for _ in range(RELOADS):
        disturb()
        end = time.monotonic() + min(SECONDS, GRACE_SECONDS - 1)
        while time.monotonic() < end:
            most = max(most, _resident())
            time.sleep(0.05)
    stopped.set()
    for thread in threads:
        thread.join()
    return max(longest) * 1e3, most


def _resident() -> float:
    """Return the resident memory of this process in MB."""
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    line = next(
        item for item in status.read_text().splitlines() if item.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1e3


if __name__ == "__main__":
    sys.exit(main())
