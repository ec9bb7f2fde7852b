"""`python -m benchmarks.opa [--rounds N] [--json]`: the same decision from an OPA server.

The adapter is compared with a bare request over one kept connection to the same server,
which is the least that asking it can cost, and with the embedded engine. Needs OPA:
`make tools`.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.timing import measure
from policyguard.assembly import catalog_of, policy_set
from policyguard.bundle.archive import pack
from policyguard.bundle.served import SERVED, catalog_files, served_module
from policyguard.bundle.shipped import load_shipped
from policyguard.bundle.source import Bundle
from policyguard.canonical import canonical_bytes
from policyguard.catalog.catalog import Catalog
from policyguard.engines.opa import OpaEngine
from policyguard.engines.opa_server import OpaServer
from policyguard.engines.regorus import RegorusEngine
from policyguard.settings import Settings

BARE = "OPA server: bare request, kept connection"
ADAPTER = "OPA server: by the adapter"
_PATH = "/v1/data/policyguard/served/answer?strict-builtin-errors=true&provenance=true"
_START_SECONDS = 30.0


def main() -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.opa", description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    program = opa_program()
    if program is None:
        print("no OPA, so nothing is measured: run `make tools`")
        return 0
    shipped, catalog = load_shipped(), catalog_of(Settings())
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(program, Path(folder), bundle=shipped, catalog=catalog) as url,
    ):
        asked = cases(url)
        measured = measure(asked, rounds=chosen.rounds)
        cpu = _cpu_of({name: asked[name] for name in (BARE, ADAPTER)})
    p50 = {item.name: item.p50 for item in measured}
    added = p50[ADAPTER] - p50[BARE]
    cpu_added = cpu[ADAPTER] - cpu[BARE]
    if chosen.as_json:
        rows = {
            item.name: {"p50_us": item.p50, "p99_us": item.p99} for item in measured
        }
        written = {
            "cases": rows,
            "adapter_adds_us": added,
            "adapter_adds_cpu_us": cpu_added,
        }
        print(json.dumps(written, indent=2))
        return 0
    table = Table(title=f"{measured[0].runs} rounds in turns")
    table.add_column("what")
    for name in ("p50 µs", "p99 µs", "bare requests"):
        table.add_column(name, justify="right")
    for item in measured:
        table.add_row(
            item.name,
            f"{item.p50:,.0f}",
            f"{item.p99:,.0f}",
            f"{item.p50 / p50[BARE]:.2f}",
        )
    Console().print(table)
    Console().print(
        f"the adapter adds {added:,.0f} µs to a bare request, and {cpu_added:,.0f} µs of"
        f" this process's CPU to its {cpu[BARE]:,.0f}"
    )
    return 0


def cases(url: str) -> dict[str, Callable[[], object]]:
    """Return what is measured, by name; each is one decision."""
    bundle = load_shipped()
    policy = policy_set(bundle=bundle, catalog=catalog_of(Settings()))
    question = canonical_bytes(bundle.golden.vectors[0].input)
    embedded = RegorusEngine().load(policy)
    remote = OpaEngine(OpaServer(url=url, deadline=10.0)).load(policy)
    return {
        BARE: bare_request(url, question),
        ADAPTER: lambda: remote.evaluate(question),
        "embedded engine": lambda: embedded.evaluate(question),
    }


def _cpu_of(
    asked: Mapping[str, Callable[[], object]], *, runs: int = 300
) -> dict[str, float]:
    """Return the microseconds of CPU that each request takes in this thread, the median.

    The server takes milliseconds, which vary by more than the adapter can add; and so does
    what a request takes here from one second to the next, so they are made in turns.
    """
    taken: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(runs):
        for name, case in asked.items():
            began = time.thread_time_ns()
            case()
            taken[name].append((time.thread_time_ns() - began) / 1000)
    return {name: median(times) for name, times in taken.items()}


def opa_program() -> str | None:
    """Return the OPA that `make tools` has built, or the one of this machine."""
    local = Path(__file__).resolve().parents[1] / ".tools/bin/opa"
    return str(local) if local.is_file() else shutil.which("opa")


def bare_request(url: str, question: bytes) -> Callable[[], object]:
    """Return the least that asking a server can cost."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    body = b'{"input":' + question + b"}"

    def ask() -> object:
        connection.request("POST", _PATH, body)
        return connection.getresponse().read()

    return ask


@contextlib.contextmanager
def serving(
    program: str, folder: Path, *, bundle: Bundle, catalog: Catalog
) -> Iterator[str]:
    """Start a server with a bundle and a catalog, and yield its address."""
    archives = {
        "policyguard.tar.gz": {**bundle.files, SERVED: served_module(bundle.digest)},
        "catalog.tar.gz": catalog_files(
            version=catalog.version,
            digest=catalog.digest,
            document=catalog.document_json,
        ),
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [program, "run", "--server", f"--addr={address}"]
    command += ["--log-level=error", "--skip-version-check"]
    for name, files in archives.items():
        (folder / name).write_bytes(pack(files))
        command += ["--bundle", str(folder / name)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://{address}/health?bundles")
        yield f"http://{address}"
    finally:
        process.kill()
        process.wait()


def _wait(url: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("OPA does not start")


if __name__ == "__main__":
    sys.exit(main())
