"""`python -m benchmarks [--rounds N] [--json]`: what a decision and a call cost.

Everything is measured in one run, in turns, and compared with a raw SQLite commit of
the same bytes on the same disk.
"""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import openai
from rich.console import Console
from rich.table import Table

from benchmarks.peers import cedar
from benchmarks.timing import Measured, measure
from policyguard import Guard, ModelCall, Settings
from policyguard.audit.reader import TrailReader
from policyguard.canonical import canonical_bytes
from policyguard.guard.answer import read_answer
from policyguard.guard.describe import Described
from policyguard.guard.facts import ContextForm, facts_of
from policyguard.settings import TenantSettings, TrailSettings
from policyguard.vocabulary.call import Contract

RAW = "raw SQLite commit of a decision's leaf"
CONTEXT: ContextForm = {
    "dod_contract": False,
    "gsa_schedule": False,
    "state_body": "none",
}
NOTED = datetime(2026, 7, 10, 12, tzinfo=UTC)


def main() -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(cases(Path(folder)), rounds=chosen.rounds)
    base = next(item.p50 for item in measured if item.name == RAW)
    if chosen.as_json:
        print(json.dumps(_document(measured, base=base), indent=2))
    else:
        Console().print(_table(measured, base=base))
    return 0


def guarded_question(trail: Path) -> tuple[Guard, ModelCall]:
    """Return a guard with a trail there, and a question that it allows."""
    guard = _guard(trail)
    return guard, _question(guard, host="api.scaleway.ai")


def _guard(trail: Path) -> Guard:
    contract = Contract(
        operator="scaleway",
        dpa=True,
        transfer_tool="none",
        training=False,
        retention_days=30,
        remote_access_countries=("FR",),
        sub_processors=True,
    )
    return Guard(
        settings=Settings(
            trail=TrailSettings(directory=trail),
            tenant=TenantSettings(
                id="bench", establishment="DE", sectors=(), contracts=(contract,)
            ),
        ),
        clock=lambda: NOTED,
    )


def cases(folder: Path) -> dict[str, Callable[[], object]]:
    """Return what is measured, by name; each is one decision, commit or call."""
    guard = _guard(folder / "trail")
    bound = guard.bind(
        caller="bench",
        data={"classes": ["pii"], "subjects": ["DE"]},
        purpose="inference",
        context=CONTEXT,
    )
    client = _offline_client()
    core = guard.core
    allowed = _question(guard, host="api.scaleway.ai")
    denied = _question(guard, host="open.bigmodel.cn")

    def call() -> object:
        return bound.call(
            client.chat.completions.create,
            model="glm-5.2",
            messages=[{"role": "user", "content": "hello"}],
        )

    def call_to_its_end() -> object:
        reply = call()
        core.trail.flush()
        return reply

    call_to_its_end()
    leaves, contents = _stored(core.trail.directory)
    return {
        RAW: _raw_commits(folder / "raw.sqlite", leaves[:1]),
        "raw SQLite commits of content, decision, outcome": _raw_commits(
            folder / "raws.sqlite", [*contents, *leaves]
        ),
        "decision: allow": _decision(guard, allowed),
        "decision: deny, two objections": _decision(guard, denied),
        "decision in Cedar (cedarpy), allow, no record": cedar(),
        "check: decision and durable signed record": lambda: guard.check(allowed),
        "call: decision, record, an answer from memory": call,
        "the same, and its outcome durable": call_to_its_end,
        "the same call without a guard": lambda: client.chat.completions.create(
            model="glm-5.2", messages=[{"role": "user", "content": "hello"}]
        ),
    }


def _question(guard: Guard, *, host: str) -> ModelCall:
    facts = facts_of(
        caller={"id": "bench", "person_status": "us_citizen"},
        data={
            "classes": ["pii", "source_code"],
            "subjects": ["DE"],
            "ear": {"classification": "EAR99", "us_origin": True},
        },
        purpose="inference",
        context=CONTEXT,
    )
    return guard.core.question(
        described=Described(model="glm-5.2", host=host), facts=facts
    )


def _decision(guard: Guard, call: ModelCall) -> Callable[[], object]:
    core = guard.core

    def decide() -> object:
        document = core.snapshot.evaluate(canonical_bytes(call.engine_input()))
        return read_answer(document, rules=core.bundle)

    return decide


def _stored(trail: Path) -> tuple[list[bytes], list[bytes]]:
    """Return the leaves and the vault's contents of the one call that was made."""
    (log,) = TrailReader.open(trail).logs
    leaves = [entry.body for entry in log.entries() if entry.index > 0]
    return leaves, [sealed.body for sealed in log.sealed()]


def _raw_commits(file: Path, bodies: Sequence[bytes]) -> Callable[[], object]:
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE entry (idx INTEGER PRIMARY KEY, body BLOB)")

    def commit() -> object:
        for body in bodies:
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO entry (body) VALUES (?)", (body,))
            database.execute("COMMIT")
        return None

    return commit


def _offline_client() -> openai.OpenAI:
    """Return a real SDK whose transport answers from memory: no network is timed."""
    import httpx2

    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "glm-5.2",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "hello"},
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=body))
    return openai.OpenAI(
        base_url="https://api.scaleway.ai/v1",
        api_key="none",
        http_client=httpx2.Client(transport=transport),
    )


def _document(measured: tuple[Measured, ...], *, base: float) -> dict[str, object]:
    return {
        "machine": platform.machine(),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "cases": [
            {
                "name": item.name,
                "p50_us": round(item.p50, 1),
                "p99_us": round(item.p99, 1),
                "ratio_to_raw_commit": round(item.p50 / base, 3),
                "runs": item.runs,
            }
            for item in measured
        ],
    }


def _table(measured: tuple[Measured, ...], *, base: float) -> Table:
    table = Table(
        title=f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version},"
        f" {measured[0].runs} rounds in turns"
    )
    table.add_column("what")
    for name in ("p50 µs", "p99 µs", "raw commits"):
        table.add_column(name, justify="right")
    for item in measured:
        table.add_row(
            item.name, f"{item.p50:,.0f}", f"{item.p99:,.0f}", f"{item.p50 / base:.2f}"
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
