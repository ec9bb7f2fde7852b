"""`python -m benchmarks.trail [--records N] [--json]`: what the trail itself costs.

Rates of durable signed records, serial, from many threads and in batches, and of
verification, beside raw SQLite commits of the same bytes on the same disk.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from policyguard.audit.log_verification import verify_records
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.canonical import canonical_bytes
from policyguard.identity import new_id
from policyguard.vocabulary.record import OutcomeRecord

ROUNDS = 7
SERIAL = 150
THREADS = 64
BATCH = 100
RAW = "raw SQLite WAL FULL commit, one record"
TIME = "2026-07-10T12:00:00.000001Z"


def main() -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.trail", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rates = writing(Path(folder))
        rates |= reading(Path(folder), records=chosen.records)
    base = rates[RAW]
    if chosen.as_json:
        print(
            json.dumps(
                [
                    {"name": name, "per_second": round(rate), "ratio": rate / base}
                    for name, rate in rates.items()
                ],
                indent=2,
            )
        )
        return 0
    table = Table(title=f"Python {sys.version.split()[0]}, medians of {ROUNDS} rounds")
    table.add_column("what")
    table.add_column("records/s", justify="right")
    table.add_column("times raw", justify="right")
    for name, rate in rates.items():
        table.add_row(name, f"{rate:,.0f}", f"{rate / base:.2f}")
    Console().print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak resident memory of this process: {peak / 1024:.0f} MiB")
    return 0


def writing(folder: Path) -> dict[str, float]:
    """Return records per second of each way to write, measured in turns."""
    trail = Trail.create(folder / "trail", name="bench.example")
    raw = _raw(folder / "raw.sqlite")
    made = iter([_outcome() for _ in range(ROUNDS * (SERIAL + THREADS * 20 + 1_000))])
    cases: dict[str, Callable[[], int]] = {
        RAW: lambda: _serial(raw),
        "signed record with lock database, one caller": lambda: _serial(
            lambda: trail.append(next(made))
        ),
        f"the same from {THREADS} threads": lambda: _threaded(trail, made),
        f"the same in batches of {BATCH}, nobody waiting": lambda: _batched(
            trail, made
        ),
    }
    taken: dict[str, list[float]] = {name: [] for name in cases}
    order = list(cases.items())
    dice = random.Random(0)
    for _ in range(ROUNDS):
        dice.shuffle(order)
        for name, case in order:
            began = time.perf_counter()
            count = case()
            taken[name].append(count / (time.perf_counter() - began))
    trail.close()
    return {name: median(rates) for name, rates in taken.items()}


def reading(folder: Path, *, records: int) -> dict[str, float]:
    """Return records per second of verification."""
    directory = folder / "large"
    trail = Trail.create(directory, name="bench.example")
    for _ in range(records):
        trail.append_later(_outcome(), failed=_fail)
    trail.close()
    (log,) = TrailReader.open(directory).logs
    head = log.head()
    began = time.perf_counter()
    verify_records(log, head=head)
    hashed = time.perf_counter() - began
    began = time.perf_counter()
    verify_trail(directory)
    whole = time.perf_counter() - began
    return {
        f"verify leaves, tree and checkpoints of {head.size:,}": head.size / hashed,
        "verify them, each record's form and the vault": head.size / whole,
    }


def _outcome() -> OutcomeRecord:
    return OutcomeRecord(
        id=new_id(), call_id=new_id(), decision=new_id(), time=TIME, outcome="complete"
    )


def _fail(error: BaseException) -> None:
    raise SystemExit(f"not written: {error}")


def _raw(file: Path) -> Callable[[], object]:
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE entry (idx INTEGER PRIMARY KEY, body BLOB)")
    body = canonical_bytes(_outcome().model_dump(mode="json"))

    def commit() -> object:
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO entry (body) VALUES (?)", (body,))
        return database.execute("COMMIT")

    return commit


def _serial(append: Callable[[], object]) -> int:
    for _ in range(SERIAL):
        append()
    return SERIAL


def _threaded(trail: Trail, made: Iterator[OutcomeRecord]) -> int:
    each = 20

    def work() -> None:
        for _ in range(each):
            trail.append(next(made))

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return each * THREADS


def _batched(trail: Trail, made: Iterator[OutcomeRecord]) -> int:
    for _ in range(10):
        for _ in range(BATCH):
            trail.append_later(next(made), failed=_fail)
        trail.flush()
    return 10 * BATCH


if __name__ == "__main__":
    sys.exit(main())
