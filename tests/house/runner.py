"""Runs a page's Python in an interpreter of its own; every host is the demo's server.

Usage: `python runner.py FILE`. The clock stands still, because rules and lists have
dates. Clients are real down to the connection, which goes to loopback.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import openai

from policyguard import assembly
from policyguard.demo.client import LoopbackTransport
from policyguard.demo.server import running_server

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
REAL = openai.OpenAI


def main(file: str) -> None:
    """Run a file, with every client's connections diverted."""
    with running_server() as server:

        def diverted(**given: Any) -> openai.OpenAI:
            transport = LoopbackTransport(library=httpx2, port=server.port)
            http = httpx2.Client(transport=transport, trust_env=False)
            return REAL(**{"api_key": "none", **given, "http_client": http})

        vars(openai)["OpenAI"] = diverted
        vars(assembly)["wall_clock"] = lambda: NOW
        text = Path(file).read_text("utf-8")
        exec(compile(text, file, "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main(sys.argv[1])
