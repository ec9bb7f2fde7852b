"""`python -m benchmarks.trail [--records N] [--json]`: what the trail itself costs.

Rates of durable signed records, serial, from many threads and in batches, and of
verification, beside raw SQLite commits of the same bytes on the same disk, and beside
Go's `golang.org/x/mod/sumdb` on the same log. `--postgres URL` adds a trail in an empty
database, beside raw commits there. `--memory` tells how much memory a writer and a
verifier have needed after a tenth of the records, and after all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from policyguard.audit.export.tiles import export_tiles, verify_tiles
from policyguard.audit.log_verification import verify_records
from policyguard.audit.reader import TrailReader
from policyguard.audit.stores.place import Lock
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.canonical import canonical_bytes
from policyguard.identity import new_id
from policyguard.signing.key_source import FileKeys
from policyguard.vocabulary.record import OutcomeRecord

ROUNDS = 7
SERIAL = 150
THREADS = 64
EACH = 20
BATCH = 100
RAW = "raw SQLite WAL FULL commit, one record"
RAW_POSTGRES = "raw PostgreSQL commit, one record"
TIME = "2026-07-10T12:00:00.000001Z"


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
        tables = [(RAW, writing(Path(folder), rounds=chosen.rounds))]
        read = reading(Path(folder), records=chosen.records)
        if chosen.postgres:
            tables.append(
                (RAW_POSTGRES, postgres(chosen.postgres, rounds=chosen.rounds))
            )
    if chosen.as_json:
        rows = [_row(*item) for item in _all(tables)]
        rows += [{"name": name, "per_cpu_second": round(x)} for name, x in read.items()]
        print(json.dumps(rows, indent=2))
        return 0
    for base, rates in tables:
        table = Table(
            title=f"Python {sys.version.split()[0]}, medians of {chosen.rounds} rounds"
        )
        table.add_column("what")
        table.add_column("records/s", justify="right")
        table.add_column("times raw", justify="right")
        for name, rate in rates.items():
            table.add_row(name, f"{rate:,.0f}", f"{rate / rates[base]:.2f}")
        Console().print(table)
    table = Table(title="verification, the best of three runs")
    table.add_column("what")
    table.add_column("records for a second of CPU", justify="right")
    for name, rate in read.items():
        table.add_row(name, f"{rate:,.0f}")
    Console().print(table)
    return 0


def _all(
    tables: list[tuple[str, dict[str, float]]],
) -> Iterator[tuple[str, float, float]]:
    for base, rates in tables:
        for name, rate in rates.items():
            yield name, rate, rate / rates[base]


def _row(name: str, rate: float, ratio: float) -> dict[str, object]:
    return {"name": name, "per_second": round(rate), "ratio": round(ratio, 3)}


def writing(folder: Path, *, rounds: int) -> dict[str, float]:
    """Return records per second of each way to write files, measured in turns."""
    trail = Trail.create(folder / "trail", name="bench.example")
    seldom = Trail.create(folder / "seldom", lock=Lock(every=64), name="bench.example")
    raw, raw_batch = _raw(folder / "raw.sqlite"), _raw(folder / "batch.sqlite", BATCH)
    made = _made(rounds)
    rates = in_turns(
        {
            RAW: lambda: _serial(raw),
            f"the same in batches of {BATCH}": lambda: _serial(raw_batch) * BATCH,
            "signed record, lock database told of each": lambda: _serial(
                lambda: trail.append(next(made))
            ),
            "signed record, lock database told of one in 64": lambda: _serial(
                lambda: seldom.append(next(made))
            ),
            "decision with its content, lock database told of each": lambda: _serial(
                lambda: _decide(trail)
            ),
            f"signed record from {THREADS} threads": lambda: _threaded(trail, made),
            f"signed record from {THREADS} threads, one in 64": lambda: _threaded(
                seldom, made
            ),
            f"signed record in batches of {BATCH}, nobody waiting": lambda: _batched(
                trail, made
            ),
        },
        rounds=rounds,
    )
    trail.close()
    seldom.close()
    return rates


def postgres(url: str, *, rounds: int) -> dict[str, float]:
    """Return records per second of a trail in an empty database, measured in turns."""
    import psycopg

    keys = FileKeys(passphrase=lambda: b"of the benchmark")
    trail = Trail.create(url, name="bench.example", keys=keys)
    session = psycopg.connect(url, autocommit=True)
    session.execute("CREATE TABLE raw (idx bigserial PRIMARY KEY, body bytea)")
    body = canonical_bytes(_outcome().model_dump(mode="json"))
    made = _made(rounds)
    rates = in_turns(
        {
            RAW_POSTGRES: lambda: _serial(
                lambda: session.execute("INSERT INTO raw (body) VALUES (%s)", (body,))
            ),
            "signed record in PostgreSQL": lambda: _serial(
                lambda: trail.append(next(made))
            ),
            "decision with its content in PostgreSQL": lambda: _serial(
                lambda: _decide(trail)
            ),
            f"signed record in PostgreSQL from {THREADS} threads": lambda: _threaded(
                trail, made
            ),
            f"in PostgreSQL in batches of {BATCH}, nobody waiting": lambda: _batched(
                trail, made
            ),
        },
        rounds=rounds,
    )
    trail.close()
    session.close()
    (log,) = TrailReader.open(url).logs
    head = log.head()
    took = _seconds(lambda: verify_records(log, head=head))
    print(
        f"verified {head.size:,} from PostgreSQL: {head.size / took:,.0f} for a second"
    )
    return rates


def in_turns(cases: dict[str, Callable[[], int]], *, rounds: int) -> dict[str, float]:
    """Return the median rate of each case, each run once a round in a new order."""
    taken: dict[str, list[float]] = {name: [] for name in cases}
    order = list(cases.items())
    dice = random.Random(0)
    for _ in range(rounds):
        dice.shuffle(order)
        for name, case in order:
            began = time.perf_counter()
            count = case()
            taken[name].append(count / (time.perf_counter() - began))
    return {name: median(rates) for name, rates in taken.items()}


def reading(folder: Path, *, records: int) -> dict[str, float]:
    """Return records for a second of CPU that verification takes, and Go's on the same.

    Not of the clock's: verification waits for nothing, so what it costs is CPU, which a
    busy machine does not change.
    """
    directory = folder / "large"
    _fill(directory, records=records)
    (log,) = TrailReader.open(directory).logs
    head = log.head()
    size = head.size
    done = export_tiles(log, folder / "tiles")
    rates = {
        f"verify leaves, tree and checkpoints of {size:,}": size
        / _seconds(lambda: verify_records(log, head=head)),
        "verify them, each record's form and the vault": size
        / _seconds(lambda: verify_trail(directory)),
        "verify the same log as exported tiles": done.checkpoint.size
        / _seconds(lambda: verify_tiles(folder / "tiles", vkeys=log.vkeys)),
    }
    program = _go(folder)
    if program is None:
        print("Go is missing: its verifier was not measured", file=sys.stderr)
        return rates
    command = [program, folder / "tiles", log.vkey.format()]
    took = _seconds(lambda: subprocess.run(command, check=True, capture_output=True))
    rates["the same tiles, Go's golang.org/x/mod/sumdb"] = size / took
    return rates


def print_memory(folder: Path, *, records: int) -> None:
    """Print the peak memory of a writer and of a verifier, each in its own process."""
    for what in ("write", "verify"):
        subprocess.run(
            [sys.executable, "-c", MEASURED, what, str(folder / "large"), str(records)],
            check=True,
        )


MEASURED = """
import resource, sys
from pathlib import Path
from benchmarks.trail import _fill
from policyguard.audit.export.tiles import export_tiles, verify_tiles
from policyguard.audit.log_verification import verify_records
from policyguard.audit.reader import TrailReader
what, directory, records = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
seen = []
def look(_origin, done, _total):
    if done in (records // 10, records) or done >= records // 10 * (len(seen) * 9 + 1):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        if len(seen) < 2:
            seen.append(done)
            print(f"{what}: {peak} MiB at most after {done:,} records")
if what == "write":
    _fill(directory, records=records, look=look)
else:
    log = TrailReader.open(directory).logs[0]
    verify_records(log, head=log.head(), progress=look)
"""


def _fill(
    directory: Path,
    *,
    records: int,
    look: Callable[[str, int, int], None] | None = None,
) -> None:
    trail = Trail.create(directory, name="bench.example")
    for number in range(1, records + 1):
        trail.append_later(_outcome(), failed=_fail)
        if look is not None and number % 10_000 == 0:
            look("", number, records)
    trail.close()


def _go(folder: Path) -> Path | None:
    """Build Go's verifier; `None`: there is no Go, or it cannot be built."""
    go, program = shutil.which("go"), folder / "goverify"
    if go is None:
        return None
    built = subprocess.run(
        [go, "build", "-o", str(program), "."],
        cwd=Path(__file__).parent.parent / "tests/conformance/goverify",
        env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"},
        capture_output=True,
        check=False,
    )
    return program if built.returncode == 0 else None


def _seconds(work: Callable[[], object]) -> float:
    """Return the seconds of CPU of this process and its children, best of three runs."""
    taken = []
    for _ in range(3):
        began = sum(os.times()[:4])
        work()
        taken.append(sum(os.times()[:4]) - began)
    return min(taken)


def _made(rounds: int) -> Iterator[OutcomeRecord]:
    count = rounds * (2 * SERIAL + 2 * THREADS * EACH + 1_000)
    return iter([_outcome() for _ in range(count)])


def _decide(trail: Trail) -> object:
    content = {"input": {"model": "glm-5.2", "data": {"classes": ["pii"]}}}
    return trail.append_decision(_decision(), caller=None, content=content)


def _decision() -> dict[str, object]:
    digest = "ab" * 32
    return {
        "kind": "decision",
        "id": new_id(),
        "call_id": new_id(),
        "layer": "call",
        "time": TIME,
        "at": TIME,
        "simulated": True,
        "enforced": True,
        "tenant": "acme",
        "model": "glm-5.2",
        "deployments": ("glm-5.2@api.scaleway.ai",),
        "operators": ("scaleway",),
        "countries": ("FR",),
        "purpose": "inference",
        "data_classes": ("pii",),
        "verdict": "allow",
        "code": None,
        "rules": (),
        "obligations": (),
        "bundle": {"revision": "1", "digest": digest},
        "catalog": {"version": "1", "digest": digest},
        "engine": {"name": "regorus", "version": "1", "digest": digest},
    }


def _outcome() -> OutcomeRecord:
    return OutcomeRecord(
        id=new_id(), call_id=new_id(), decision=new_id(), time=TIME, outcome="complete"
    )


def _fail(error: BaseException) -> None:
    raise SystemExit(f"not written: {error}")


def _raw(file: Path, rows: int = 1) -> Callable[[], object]:
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE entry (idx INTEGER PRIMARY KEY, body BLOB)")
    body = canonical_bytes(_outcome().model_dump(mode="json"))

    def commit() -> object:
        database.execute("BEGIN IMMEDIATE")
        for _ in range(rows):
            database.execute("INSERT INTO entry (body) VALUES (?)", (body,))
        return database.execute("COMMIT")

    return commit


def _serial(append: Callable[[], object]) -> int:
    for _ in range(SERIAL):
        append()
    return SERIAL


def _threaded(trail: Trail, made: Iterator[OutcomeRecord]) -> int:
    def work() -> None:
        for _ in range(EACH):
            trail.append(next(made))

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return EACH * THREADS


def _batched(trail: Trail, made: Iterator[OutcomeRecord]) -> int:
    for _ in range(10):
        for _ in range(BATCH):
            trail.append_later(next(made), failed=_fail)
        trail.flush()
    return 10 * BATCH


if __name__ == "__main__":
    sys.exit(main())
