"""`python -m benchmarks.wire [--rounds N] [--json]`: what a guard adds to a call.

Calls of the real `openai` SDK to a server on loopback, bare and guarded (wrapper and
transport), sync, async and streaming, with the time to the first streamed byte; beside
raw SQLite commits of the same leaf on the same disk. All in turns. The clock runs as long
as a caller waits. After each call the trail is flushed and the clock is off meanwhile:
nobody waits for an outcome. Wanted are at most two raw commits more, in each row.

Beside it, what a call costs this process in processor time, all threads together: the
lowest tenth, which a busy machine disturbs least.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx2
import openai
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.__main__ import _raw_commits, _stored
from policyguard import Guard, Settings
from policyguard.demo.server import running_server
from policyguard.settings import TenantSettings, TrailSettings
from policyguard.vocabulary.call import Contract

RAW = "raw SQLite commit of a decision's leaf"
BARE, GUARDED = "bare", "guarded"
HOST = "https://api.scaleway.ai/v1"
ASK: dict[str, Any] = {
    "model": "glm-5.2",
    "messages": [{"role": "user", "content": "hello"}],
}
WARM_UP = 10
WANTED = 2.0
"""Raw commits that a guard may add to a call."""
Case = Callable[[], float]


class Taken(NamedTuple):
    """Is what a case takes, in seconds."""

    clock: float
    """The median of how long a caller waits."""
    processor: float
    """The lowest tenth of what the process uses until the call has come to its end."""


def main() -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.wire", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        return _serve()
    with tempfile.TemporaryDirectory() as folder, _server() as port:
        taken = _measured(Path(folder), port=port, rounds=chosen.rounds)
    rows, raw = _rows(taken), taken[RAW].clock
    if chosen.as_json:
        print(json.dumps({"raw_us": round(raw * 1e6, 1), "rows": rows}, indent=2))
    else:
        Console().print(_table(rows, raw=raw))
    return 0


def _serve() -> int:
    with running_server() as server:
        print(server.port, flush=True)
        sys.stdin.read()
    return 0


@contextmanager
def _server() -> Iterator[int]:
    """Serve from another process: it must not share the interpreter with what is timed."""
    command = [sys.executable, "-m", "benchmarks.wire", "--serve"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def _measured(folder: Path, *, port: int, rounds: int) -> dict[str, Taken]:
    """Return what each case takes."""
    with _guard(folder) as guard, asyncio.Runner() as loop:
        cases = _cases(guard, loop, port=port)
        cases[f"sync {GUARDED}"]()
        guard.core.trail.flush()
        leaves, _ = _stored(guard.core.trail.directory)
        raw = _raw_commits(folder / "raw.sqlite", leaves[:1])
        cases[RAW] = lambda: _timed(raw)
        order, dice = list(cases.items()), random.Random(0)
        taken: dict[str, list[Taken]] = {name: [] for name in cases}
        for number in track(range(WARM_UP + rounds), transient=True):
            dice.shuffle(order)
            for name, case in order:
                before = time.process_time()
                seconds = case()
                used = time.process_time() - before
                guard.core.trail.flush()
                if number >= WARM_UP:
                    taken[name].append(Taken(seconds, used))
    return {name: _summed_up(values) for name, values in taken.items()}


def _summed_up(values: list[Taken]) -> Taken:
    used = sorted(item.processor for item in values)
    return Taken(median(item.clock for item in values), used[len(used) // 10])


def _guard(folder: Path) -> Guard:
    contract = Contract(
        operator="scaleway",
        dpa=True,
        transfer_tool="none",
        training=False,
        remote_access_countries=("FR",),
        sub_processors=True,
    )
    tenant = TenantSettings(id="bench", sectors=(), contracts=(contract,))
    trail = TrailSettings(directory=folder / "trail")
    noted = datetime(2026, 7, 10, 12, tzinfo=UTC)
    made = Guard(settings=Settings(trail=trail, tenant=tenant), clock=lambda: noted)
    return made.bind(
        caller="bench",
        data={"classes": ["pii"], "subjects": ["DE"]},
        purpose="inference",
        exporter="DE",
        context={"dod_contract": False, "gsa_schedule": False, "state_body": "none"},
    )


def _cases(guard: Guard, loop: asyncio.Runner, *, port: int) -> dict[str, Case]:
    bare, abare = _client(port), _aclient(port)
    kept, akept = guard.protect(_client(port)), guard.protect(_aclient(port))

    def call(client: openai.OpenAI, **more: Any) -> Any:
        create = client.chat.completions.create
        if client is kept:
            return guard.call(create, **ASK, **more)
        return create(**ASK, **more)

    async def acall(client: openai.AsyncOpenAI, **more: Any) -> Any:
        create = client.chat.completions.create
        if client is akept:
            return await guard.acall(create, **ASK, **more)
        return await create(**ASK, **more)

    def first(client: openai.OpenAI) -> float:
        began = time.perf_counter()
        stream = call(client, stream=True)
        next(stream)
        seconds = time.perf_counter() - began
        list(stream)
        return seconds

    async def afirst(client: openai.AsyncOpenAI) -> float:
        began = time.perf_counter()
        stream = await acall(client, stream=True)
        await anext(stream)
        seconds = time.perf_counter() - began
        [item async for item in stream]
        return seconds

    async def awhole(client: openai.AsyncOpenAI) -> float:
        began = time.perf_counter()
        await acall(client)
        return time.perf_counter() - began

    async def astream(client: openai.AsyncOpenAI) -> float:
        began = time.perf_counter()
        [item async for item in await acall(client, stream=True)]
        return time.perf_counter() - began

    cases: dict[str, Case] = {}
    for word, one, aone in ((BARE, bare, abare), (GUARDED, kept, akept)):
        cases[f"sync {word}"] = lambda one=one: _timed(lambda: call(one))
        cases[f"sync stream {word}"] = lambda one=one: _timed(
            lambda: list(call(one, stream=True))
        )
        cases[f"sync first byte {word}"] = lambda one=one: first(one)
        cases[f"async {word}"] = lambda aone=aone: loop.run(awhole(aone))
        cases[f"async stream {word}"] = lambda aone=aone: loop.run(astream(aone))
        cases[f"async first byte {word}"] = lambda aone=aone: loop.run(afirst(aone))
    return cases


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _led(request: httpx2.Request, port: int) -> httpx2.Request:
    url = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)
    return httpx2.Request(
        request.method, url, headers=request.headers, stream=request.stream
    )


def _client(port: int) -> openai.OpenAI:
    class Led(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            return super().handle_request(_led(request, port))

    http = httpx2.Client(transport=Led(trust_env=False), trust_env=False)
    return openai.OpenAI(base_url=HOST, api_key="none", http_client=http)


def _aclient(port: int) -> openai.AsyncOpenAI:
    class Led(httpx2.AsyncHTTPTransport):
        async def handle_async_request(
            self, request: httpx2.Request
        ) -> httpx2.Response:
            return await super().handle_async_request(_led(request, port))

    http = httpx2.AsyncClient(transport=Led(trust_env=False), trust_env=False)
    return openai.AsyncOpenAI(base_url=HOST, api_key="none", http_client=http)


def _rows(taken: dict[str, Taken]) -> list[dict[str, Any]]:
    names = [name.removesuffix(f" {BARE}") for name in taken if name.endswith(BARE)]
    return [_row(name, taken) for name in names]


def _row(name: str, taken: dict[str, Taken]) -> dict[str, Any]:
    bare, guarded = taken[f"{name} {BARE}"], taken[f"{name} {GUARDED}"]
    more = (guarded.clock - bare.clock) / taken[RAW].clock
    return {
        "what": name,
        "bare_us": round(bare.clock * 1e6),
        "guarded_us": round(guarded.clock * 1e6),
        "more_in_raw_commits": round(more, 2),
        "wanted": WANTED,
        "more_processor_us": round((guarded.processor - bare.processor) * 1e6),
    }


def _table(rows: list[dict[str, Any]], *, raw: float) -> Table:
    table = Table(
        title=f"medians; a {RAW} took {raw * 1e6:,.0f} µs, SQLite"
        f" {sqlite3.sqlite_version}"
    )
    table.add_column("what")
    table.add_column("bare µs", justify="right")
    table.add_column("guarded µs", justify="right")
    table.add_column("more, in raw commits", justify="right")
    table.add_column("wanted", justify="right")
    table.add_column("more, µs of processor time", justify="right")
    for row in rows:
        table.add_row(
            row["what"],
            f"{row['bare_us']:,}",
            f"{row['guarded_us']:,}",
            f"{row['more_in_raw_commits']:.2f}",
            f"at most {row['wanted']:.0f}",
            f"{row['more_processor_us']:,}",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
