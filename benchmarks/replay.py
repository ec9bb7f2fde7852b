"""`python -m benchmarks.replay [--calls N] [--distinct N] [--json]`: what a replay costs.

A trail of recorded calls is made, of so many distinct questions, each call at an instant
of its own, and all are computed once more and asked of the same bundle as if it were
another one. Beside it, in the same run, the bare engine evaluates some of the inputs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.progress import track

from policyguard import Guard, ModelCall, Settings
from policyguard.assembly import bundle_of, catalog_of, policy_set
from policyguard.audit.reader import TrailReader
from policyguard.engines.regorus import RegorusEngine
from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of
from policyguard.guard.input_bytes import input_bytes
from policyguard.replay.impact import impact
from policyguard.replay.replay import replay
from policyguard.settings import TenantSettings, TrailSettings

BEGIN = datetime(2026, 7, 10, 12, tzinfo=UTC)
HOSTS = ("api.scaleway.ai", "open.bigmodel.cn", "llm.unknown.example")
BATCH = 1_000
BARE = 1_000
"""How many inputs the bare engine evaluates."""


def main() -> int:
    """Measure, and print lines or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.replay", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--distinct", type=int, default=5_000)
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "trail"
        calls = made(place, calls=chosen.calls, distinct=chosen.distinct)
        rates = measured(place, calls=calls, total=chosen.calls)
    if chosen.as_json:
        print(json.dumps(rates, indent=2))
        return 0
    print(f"Python {sys.version.split()[0]}, {chosen.distinct} distinct questions")
    for name, (seconds, rate, ratio) in rates.items():
        print(f"{name:40} {seconds:7.1f} s  {rate:8.0f}/s  {ratio:5.1f} times bare")
    return 0


def made(place: Path, *, calls: int, distinct: int) -> list[ModelCall]:
    """Record so many calls, and return some of the questions."""
    settings = Settings(
        trail=TrailSettings(directory=place), tenant=TenantSettings(id="bench")
    )
    some: list[ModelCall] = []
    with Guard(settings=settings, clock=lambda: BEGIN) as guard:
        for start in track(range(0, calls, BATCH), description="recording"):
            batch = list(_questions(guard, start, min(BATCH, calls - start), distinct))
            some += batch[: max(0, BARE - len(some))]
            guard.check_many(batch)
    return some


def measured(
    place: Path, *, calls: list[ModelCall], total: int
) -> dict[str, tuple[float, float, float]]:
    """Return seconds of CPU, calls for each, and that as a ratio to bare evaluations."""
    settings = Settings()
    bundle, catalog = bundle_of(settings), catalog_of(settings)
    snapshot = RegorusEngine().load(policy_set(bundle=bundle, catalog=catalog))
    inputs = [input_bytes(call).whole for call in calls]

    def bare() -> None:
        for data in inputs:
            snapshot.evaluate(data)

    def replayed() -> None:
        report = replay(TrailReader.open(place))
        assert report.equal == total, report.reasons()

    def asked(now: object) -> Callable[[], None]:
        def run() -> None:
            known = catalog if now else None
            report = impact(TrailReader.open(place), bundle=bundle, now=known)
            assert report.same == total

        return run

    base = len(inputs) / _seconds(bare)
    found = {"bare evaluation": (len(inputs) / base, base, 1.0)}
    for name, work in (
        ("audit replay --all", replayed),
        ("policy impact", asked(None)),
        ("policy impact --facts now", asked(catalog)),
    ):
        seconds = _seconds(work)
        found[name] = (seconds, total / seconds, total / seconds / base)
    return found


def _questions(
    guard: Guard, start: int, count: int, distinct: int
) -> Iterator[ModelCall]:
    for number in range(start, start + count):
        kind = number % distinct
        facts = facts_of(
            caller=f"caller-{kind}@bench.example",
            data={"classes": ["pii"], "subjects": ["DE"], "persons": kind},
            purpose="inference",
            exporter="DE",
        )
        host = HOSTS[kind % len(HOSTS)]
        asked = Described(model="glm-5.2", host=host)
        call = guard.core.question(described=asked, facts=facts)
        yield call.model_copy(update={"at": BEGIN + timedelta(seconds=number)})


def _seconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
