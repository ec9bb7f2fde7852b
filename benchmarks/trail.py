"""`python -m benchmarks.trail [--records N] [--json]`: what the trail itself costs.

Rates of durable signed records and of whole checks, serial, from many threads and in
batches, beside raw SQLite commits of the same bytes on the same disk; and of
verification, beside Go's `golang.org/x/mod/sumdb` on the same log. `--postgres URL` adds
a trail in an empty database, beside raw commits there. `--memory` tells how much memory
a writer and a verifier have needed after a tenth of the records, and after all of them.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.__main__ import guarded_question
from benchmarks.trail_reading import print_memory, reading, seconds
from benchmarks.trail_records import CONTENT, decision, fail, outcome
from policyguard.audit.log_verification import verify_records
from policyguard.audit.reader import TrailReader
from policyguard.audit.stores.place import Lock
from policyguard.audit.trail import Trail
from policyguard.canonical import canonical_bytes
from policyguard.signing.key_source import FileKeys
from policyguard.vocabulary.record import OutcomeRecord

ROUNDS = 7
SERIAL = 150
THREADS = 64
EACH = 20
BATCH = 100
RAW = "raw SQLite WAL FULL commit, one record"
RAW_CHECK = "raw SQLite WAL FULL commit, a check's record and content"
RAW_POSTGRES = "raw PostgreSQL commit, one record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Is one way to write, and what it is compared with."""

    name: str
    run: Callable[[], int]
    """Writes, and returns how many records or checks there were."""
    base: str = RAW
    wanted: float | None = None
    """How many times the rate of the raw commit we want at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Is what one way to write reached."""

    case: Case
    each_second: float
    ratio: float
    """To the raw commit, in the same run."""
    cpu: float
    """Microseconds of processor time for each, in the best round: what a busy disk
    changes little."""


def main() -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.trail", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--postgres", metavar="URL")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if chosen.memory:
            print_memory(Path(folder), records=chosen.records)
            return 0
        rates = writing(Path(folder), rounds=chosen.rounds)
        read = reading(Path(folder), records=chosen.records)
        if chosen.postgres:
            rates += postgres(chosen.postgres, rounds=chosen.rounds)
    if chosen.as_json:
        rows = [_row(rate) for rate in rates]
        rows += [{"name": name, "per_cpu_second": round(x)} for name, x in read.items()]
        print(json.dumps(rows, indent=2))
    else:
        _print_tables(rates, read=read, rounds=chosen.rounds)
    return 0


def _print_tables(
    rates: Sequence[Rate], *, read: dict[str, float], rounds: int
) -> None:
    table = Table(title=f"Python {sys.version.split()[0]}, medians of {rounds} rounds")
    table.add_column("what")
    for name in ("a second", "times raw", "wanted", "µs of CPU"):
        table.add_column(name, justify="right")
    for rate in rates:
        wanted = "" if rate.case.wanted is None else f"≥ {rate.case.wanted:.2f}"
        numbers = f"{rate.each_second:,.0f}", f"{rate.ratio:.2f}", wanted
        begins = rate.case.name == rate.case.base and rate is not rates[0]
        if begins:
            table.add_section()
        table.add_row(rate.case.name, *numbers, f"{rate.cpu:.1f}")
    Console().print(table)
    table = Table(title="verification, the best of three runs")
    table.add_column("what")
    table.add_column("records for a second of CPU", justify="right")
    for name, each_second in read.items():
        table.add_row(name, f"{each_second:,.0f}")
    Console().print(table)


def _row(rate: Rate) -> dict[str, object]:
    return {
        "name": rate.case.name,
        "base": rate.case.base,
        "per_second": round(rate.each_second),
        "ratio": round(rate.ratio, 3),
        "cpu_us": round(rate.cpu, 1),
        "wanted": rate.case.wanted,
    }


def writing(folder: Path, *, rounds: int) -> list[Rate]:
    """Measure each way to write files, in turns."""
    trail = Trail.create(folder / "trail", name="bench.example")
    seldom = Trail.create(folder / "seldom", lock=Lock(every=64), name="bench.example")
    body = canonical_bytes(outcome().model_dump(mode="json"))
    raw = _raw(folder / "raw.sqlite", body)
    raw_batch = _raw(folder / "batch.sqlite", *[body] * BATCH)
    made = _made(rounds)
    found = in_turns(
        [
            Case(name=RAW, run=lambda: _serial(raw)),
            Case(
                name=f"the same in batches of {BATCH}",
                run=lambda: _serial(raw_batch) * BATCH,
            ),
            Case(
                name="signed record, lock database told of each",
                run=lambda: _serial(lambda: trail.append(next(made))),
                wanted=1 / 2.5,
            ),
            Case(
                name="signed record, lock database told of one in 64",
                run=lambda: _serial(lambda: seldom.append(next(made))),
                wanted=1 / 1.5,
            ),
            Case(
                name=f"signed record from {THREADS} threads",
                run=lambda: _threaded(lambda: trail.append(next(made))),
                wanted=7,
            ),
            Case(
                name=f"signed record from {THREADS} threads, one in 64",
                run=lambda: _threaded(lambda: seldom.append(next(made))),
                wanted=7,
            ),
            Case(
                name=f"signed record in batches of {BATCH}, nobody waiting",
                run=lambda: _batched(trail, made),
                wanted=20,
            ),
            *_checks(folder, trail=trail),
        ],
        rounds=rounds,
    )
    trail.close()
    seldom.close()
    return found


def _checks(folder: Path, *, trail: Trail) -> list[Case]:
    guard, question = guarded_question(folder / "guarded")

    def check() -> object:
        return guard.check(question)

    check()
    (log,) = TrailReader.open(folder / "guarded").logs
    (content,) = [sealed.body for sealed in log.sealed()]
    leaf = [entry.body for entry in log.entries()][-1]
    raw = _raw(folder / "check.sqlite", leaf, content)
    return [
        Case(name=RAW_CHECK, run=lambda: _serial(raw), base=RAW_CHECK),
        Case(
            name="decision with its content, lock database told of each",
            run=lambda: _serial(lambda: _decide(trail)),
            base=RAW_CHECK,
        ),
        Case(
            name="check, answer remembered, until its record is durable",
            run=lambda: _serial(check),
            base=RAW_CHECK,
            wanted=1 / 1.8,
        ),
        Case(
            name=f"the same from {THREADS} threads",
            run=lambda: _threaded(check),
            base=RAW_CHECK,
            wanted=4,
        ),
    ]


def postgres(url: str, *, rounds: int) -> list[Rate]:
    """Measure a trail in an empty database, in turns."""
    import psycopg

    keys = FileKeys(passphrase=lambda: b"of the benchmark")
    trail = Trail.create(url, name="bench.example", keys=keys)
    session = psycopg.connect(url, autocommit=True)
    session.execute("CREATE TABLE raw (idx bigserial PRIMARY KEY, body bytea)")
    body = canonical_bytes(outcome().model_dump(mode="json"))
    made = _made(rounds)
    insert = "INSERT INTO raw (body) VALUES (%s)"
    cases = {
        RAW_POSTGRES: lambda: _serial(lambda: session.execute(insert, (body,))),
        "signed record in PostgreSQL": lambda: _serial(
            lambda: trail.append(next(made))
        ),
        "decision with its content in PostgreSQL": lambda: _serial(
            lambda: _decide(trail)
        ),
        f"signed record in PostgreSQL from {THREADS} threads": lambda: _threaded(
            lambda: trail.append(next(made))
        ),
        f"in PostgreSQL in batches of {BATCH}, nobody waiting": lambda: _batched(
            trail, made
        ),
    }
    rates = in_turns(
        [Case(name=name, run=run, base=RAW_POSTGRES) for name, run in cases.items()],
        rounds=rounds,
    )
    trail.close()
    session.close()
    (log,) = TrailReader.open(url).logs
    head = log.head()
    took = seconds(lambda: verify_records(log, head=head))
    print(
        f"verified {head.size:,} from PostgreSQL: {head.size / took:,.0f} for a second",
        file=sys.stderr,
    )
    return rates


def in_turns(cases: Sequence[Case], *, rounds: int) -> list[Rate]:
    """Return the median rate of each case, each run once a round in a new order."""
    taken: dict[str, list[float]] = {case.name: [] for case in cases}
    used: dict[str, list[float]] = {case.name: [] for case in cases}
    order = list(cases)
    dice = random.Random(0)
    for _ in range(rounds):
        dice.shuffle(order)
        for case in order:
            began, busy = time.perf_counter(), time.process_time()
            count = case.run()
            taken[case.name].append(count / (time.perf_counter() - began))
            used[case.name].append((time.process_time() - busy) / count)
    found = {name: median(rates) for name, rates in taken.items()}
    return [
        Rate(
            case=case,
            each_second=found[case.name],
            ratio=found[case.name] / found[case.base],
            cpu=1e6 * min(used[case.name]),
        )
        for case in cases
    ]


def _made(rounds: int) -> Iterator[OutcomeRecord]:
    count = rounds * (2 * SERIAL + 2 * THREADS * EACH + 1_000)
    return iter([outcome() for _ in range(count)])


def _decide(trail: Trail) -> object:
    return trail.append_decision(decision(), caller=None, content=CONTENT)


def _raw(file: Path, *bodies: bytes) -> Callable[[], object]:
    database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE entry (idx INTEGER PRIMARY KEY, body BLOB)")

    def commit() -> object:
        database.execute("BEGIN IMMEDIATE")
        for body in bodies:
            database.execute("INSERT INTO entry (body) VALUES (?)", (body,))
        return database.execute("COMMIT")

    return commit


def _serial(append: Callable[[], object]) -> int:
    for _ in range(SERIAL):
        append()
    return SERIAL


def _threaded(append: Callable[[], object]) -> int:
    def work() -> None:
        for _ in range(EACH):
            append()

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return EACH * THREADS


def _batched(trail: Trail, made: Iterator[OutcomeRecord]) -> int:
    for _ in range(10):
        for _ in range(BATCH):
            trail.append_later(next(made), failed=fail)
        trail.flush()
    return 10 * BATCH


if __name__ == "__main__":
    sys.exit(main())
